//! What an archive says about itself: its last member, written when everything else is there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::container::Container;
use super::path::MemberPath;

/// The directory of our own members. The old restore unpacks it and does nothing with it.
pub const MANIFEST_DIR: &str = ".elpis-backup";
/// The name of the manifest, the last member.
pub const MANIFEST_NAME: &str = ".elpis-backup/manifest.json";
/// The directory of the lists of pieces: one a dump, right before it.
pub(crate) const PIECES_DIR: &str = ".elpis-backup/pieces";
/// The version of the manifest's form. Fields may be added within a version.
pub const FORMAT: u32 = 1;

/// The description of an archive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this form: [`FORMAT`].
    pub format: u32,
    /// Which tool wrote the archive.
    pub tool: Tool,
    /// The host it was written on.
    pub host: String,
    /// The profile's name.
    pub profile: String,
    /// When the backup began; its name has the same second in local time.
    pub began: Timestamp,
    /// When the last member before this one was complete.
    pub finished: Timestamp,
    /// What the archive is.
    pub container: Container,
    /// What the product says of itself, such as its version and its schema's.
    #[serde(default)]
    pub product: Product,
    /// The components of the profile: which are in the archive, which were left out.
    pub components: Vec<ComponentRecord>,
    /// The databases, in the order of the profile.
    pub databases: Vec<DatabaseRecord>,
    /// What is missing or doubtful. Empty in a complete backup.
    pub omissions: Vec<Omission>,
    /// Remarks for whoever restores.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Every member but this one, in the order of the archive.
    pub members: Vec<MemberRecord>,
}

/// A program and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What the installed product says of itself; empty where nobody knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version of its database schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
}

/// One component of the profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentRecord {
    /// Its name.
    pub name: String,
    /// Where its files stand in the archive.
    pub roots: Vec<MemberPath>,
    /// Files, directories and links that were stored.
    pub entries: u64,
    /// Bytes of their data.
    pub bytes: u64,
}

/// One database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatabaseRecord {
    /// Its name.
    pub name: String,
    /// The member that holds it.
    pub member: MemberPath,
    /// What the member is: `sql` or `sqlite`.
    pub kind: DatabaseKind,
    /// Rows of all tables.
    pub rows: u64,
    /// Of a dump, where its first frame begins in the file, before encryption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames_at: Option<u64>,
    /// How it was dumped: server, consistency, positions, tables; the dump's own report.
    #[serde(default)]
    pub report: serde_json::Value,
}

/// In what form a database is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseKind {
    /// SQL text that the stock client loads.
    Sql,
    /// A SQLite database file.
    Sqlite,
}

/// Something that should be in the archive and is not, or not surely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Omission {
    /// The file on this host, as far as it can be written as text.
    pub path: String,
    /// What happened.
    pub kind: OmissionKind,
    /// In words.
    pub why: String,
}

/// What can happen to a file on its way into an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OmissionKind {
    /// It could not be read: the backup is partial.
    Unreadable,
    /// It changed while it was read, again and again: what is stored may be a mixture, and the
    /// backup is partial.
    Changed,
    /// A path of the profile is not there: the backup is partial.
    Missing,
    /// It was deleted after it had been listed: a backup begun a moment later would be the same.
    Vanished,
    /// A socket, a pipe or a device: there is nothing to keep.
    Special,
}

impl OmissionKind {
    /// Whether a backup with such an omission is partial.
    pub fn is_partial(self) -> bool {
        !matches!(self, OmissionKind::Vanished | OmissionKind::Special)
    }
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRecord {
    /// Its name.
    pub path: MemberPath,
    /// What it is and what it holds.
    #[serde(flatten)]
    pub content: Content,
}

/// What a member holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// A regular file.
    File {
        /// Bytes, holes included.
        size: u64,
        /// BLAKE3 of its data in lower-case hexadecimal, holes left out; of a dump, that of the
        /// BLAKE3s of its pieces, 32 bytes each.
        blake3: String,
        /// Of a dump, the number of its pieces; the member before it lists them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pieces: Option<u64>,
        /// Of a dump, its rows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rows: Option<u64>,
    },
    /// A directory.
    Directory,
    /// A symbolic link; a target that is not UTF-8 has its bytes in hexadecimal.
    Symlink {
        /// Where it points.
        target: String,
    },
    /// Another name of a member before.
    Hardlink {
        /// Which.
        target: MemberPath,
    },
}

/// One line of a list of pieces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PieceRecord {
    /// The table; empty for schema and end.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub table: String,
    /// Bytes of SQL text.
    pub bytes: u64,
    /// Rows.
    pub rows: u64,
    /// BLAKE3 of the text in lower-case hexadecimal.
    pub blake3: String,
    /// Bytes of its frames, which stand behind those of the pieces before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    /// The window of time that it holds, if it is a closed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<[i64; 2]>,
}

impl Manifest {
    /// Whether everything that the profile asked for is in the archive, for sure.
    pub fn is_complete(&self) -> bool {
        !self
            .omissions
            .iter()
            .any(|omission| omission.kind.is_partial())
    }
}

impl Content {
    pub(crate) fn symlink(target: &[u8]) -> Content {
        let target = match std::str::from_utf8(target) {
            Ok(text) => text.to_owned(),
            Err(_) => super::path::hex(target),
        };
        Content::Symlink { target }
    }
}
