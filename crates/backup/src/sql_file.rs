//! A dump alone, as a plain SQL file: what `mysqldump DATABASE > FILE` was.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;

use elpis_run::{FsError, Observer, StopToken};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::archive::{Compression, Container, PieceFiles};
use crate::event::BackupEvent;
use crate::source::{Collected, CollectedData, Intake, Source, SourceError};
use crate::work::{WorkDir, create_new, sweep};

/// Why there is no SQL file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqlFileError {
    /// A file or directory.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The database.
    #[error("cannot dump the database")]
    Source(#[source] SourceError),
    /// The source has no SQL text, or that of several databases.
    #[error("a plain SQL file takes the dump of exactly one database")]
    NotOne,
    /// Stopped on request.
    #[error("stopped on request; nothing of the dump is left")]
    Stopped,
}

/// What a dump into a file came to.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SqlFileReport {
    /// Bytes of SQL text.
    pub bytes: u64,
    /// How it was done: the dump's own report.
    pub report: serde_json::Value,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// Dumps the one database of `source` into the new file `path` with mode 0600. The file has its
/// name only when the dump is complete and on disk. Blocks.
///
/// # Errors
/// [`SqlFileError`]; there is no file then. A file that is there already is never replaced.
pub fn dump_to_file(
    source: &mut dyn Source,
    path: &Path,
    stop: &StopToken,
    observer: Arc<dyn Observer<BackupEvent>>,
) -> Result<SqlFileReport, SqlFileError> {
    let exists = || FsError::new("create", path, io::ErrorKind::AlreadyExists.into());
    if path.symlink_metadata().is_ok() {
        return Err(exists().into());
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // What a killed dump has left must not fill the disk; if it cannot go, this one still can.
    let _ = sweep(parent);
    let work = WorkDir::create(parent)?;
    // The pieces come side by side and are read back in order; packed lightly, since they are
    // written and read once.
    let one = NonZero::<usize>::MIN;
    let light = Compression {
        level: 1,
        ..Compression::new(Container::TarZst, one)
    };
    let pieces = Arc::new(PieceFiles::new(work.path(), light));
    let intake = Intake {
        dir: work.path(),
        pieces: Arc::clone(&pieces),
        stop,
        observer,
    };
    let collected = source
        .collect(&intake)
        .map_err(|error| match stop.is_stopped() {
            true => SqlFileError::Stopped,
            false => SqlFileError::Source(error),
        })?;
    let [
        Collected {
            data: CollectedData::Pieces(number),
            report,
            warnings,
            ..
        },
    ] = &collected[..]
    else {
        return Err(SqlFileError::NotOne);
    };
    let text = work.path().join("dump.sql");
    let bytes = write(&pieces, *number, &text)?;
    renameat_with(CWD, &text, CWD, path, RenameFlags::NOREPLACE)
        .map_err(|errno| FsError::new("rename to", path, errno.into()))?;
    let sync = |source| FsError::new("sync directory", parent, source);
    let handle = File::options().read(true).open(parent).map_err(sync)?;
    handle.sync_all().map_err(sync)?;
    Ok(SqlFileReport {
        bytes,
        report: report.clone(),
        warnings: warnings.clone(),
    })
}

fn write(pieces: &PieceFiles, number: u32, path: &Path) -> Result<u64, FsError> {
    let fail = |source| FsError::new("write", path, source);
    let mut out = BufWriter::with_capacity(1 << 20, create_new(path, 0o600)?);
    let bytes = pieces.concatenate(number, &mut out).map_err(fail)?;
    out.flush().map_err(fail)?;
    out.get_ref().sync_all().map_err(fail)?;
    Ok(bytes)
}
