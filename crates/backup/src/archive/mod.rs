//! The container: what it looks like, how it is written, and how it is read without trust.
//!
//! An archive is a tar in frames of gzip or zstd, each with its own checksum. Its members are, in
//! this order: for each database a list of the pieces of its dump and the dump itself, then the
//! files of the components, and last the [`Manifest`]. The first dump lies in the root, as the old
//! script had it; everything that the old script does not know lies below [`MANIFEST_DIR`].

mod bytes;
mod container;
mod earlier;
mod entry;
mod extract;
mod field;
mod frames;
mod header;
mod manifest;
mod member;
mod open;
mod path;
mod pax;
mod pieces;
mod reader;
mod verify;
mod writer;

pub use bytes::ArchiveBytes;
pub(crate) use bytes::FileBytes;
pub use container::{Compression, Container, FrameCompressor};
pub(crate) use earlier::Earlier;
pub use entry::{Entry, EntryKind, EntryMeta, Extent, SparseMap};
pub(crate) use extract::Destination;
pub use extract::{Extract, ExtractError, Extracted};
pub(crate) use frames::Position;
pub use manifest::{
    ComponentRecord, Content, DatabaseKind, DatabaseRecord, FORMAT, MANIFEST_DIR, MANIFEST_NAME,
    Manifest, MemberRecord, Omission, OmissionKind, PieceRecord, Product, Tool,
};
pub use open::{Archive, Unverified, Verified};
pub use path::{MemberPath, PathError};
pub(crate) use path::{hex, unhex};
pub use pieces::PieceFiles;
pub use reader::{ArchiveReader, ReadError, ReadLimits};
pub(crate) use verify::leaves;
pub use verify::{Contents, Dump, Problem, Verify, VerifyError};
pub use writer::{ArchiveWriter, Finished, WriteError};
