//! An archive as a tree of files, its dumps in one file a piece.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use elpis_backup::archive::{DatabaseKind, DatabaseRecord, MANIFEST_DIR, Manifest, PieceRecord};
use elpis_run::{FsError, fsx};

use crate::error::RepositoryError;

/// How much of a table's name is in the names of its pieces.
const NAME: usize = 80;

/// What a tree comes to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Everything but directories.
    pub(crate) files: u64,
    /// Bytes of regular files, holes included.
    pub(crate) bytes: u64,
}

/// Cuts the dumps of an archive that lies below `root` into their pieces:
/// `.elpis-backup/databases/NAME/000001-TABLE.sql`, to be read in the order of their names.
pub(crate) fn unfold(root: &Path, manifest: &Manifest) -> Result<(), RepositoryError> {
    for database in &manifest.databases {
        if database.kind == DatabaseKind::Sql {
            cut(root, database)?;
        }
    }
    Ok(())
}

fn cut(root: &Path, database: &DatabaseRecord) -> Result<(), RepositoryError> {
    let member = database.member.as_path();
    let dump = root.join(member);
    let wrong = || RepositoryError::Pieces {
        dump: database.member.to_string(),
    };
    let name = member.file_name().ok_or_else(wrong)?;
    let mut list = name.to_owned();
    list.push(".jsonl");
    let list = root.join(MANIFEST_DIR).join("pieces").join(list);
    let pieces = fsx::read_to_string(&list)?;
    let dir = root
        .join(MANIFEST_DIR)
        .join("databases")
        .join(plain(&database.name));
    std::fs::DirBuilder::new()
        .recursive(true)
        .create(&dir)
        .map_err(|source| FsError::new("create directory", &dir, source))?;
    let open = File::options().read(true).open(&dump);
    let mut text = open.map_err(|source| FsError::new("open", &dump, source))?;
    for (number, line) in (1..).zip(pieces.lines()) {
        let piece: PieceRecord = serde_json::from_str(line).map_err(|_| wrong())?;
        let file = dir.join(piece_name(number, &piece.table));
        let fail = |source| FsError::new("write", &file, source);
        let mut out = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file)
            .map_err(fail)?;
        let copied = io::copy(&mut (&mut text).take(piece.bytes), &mut out).map_err(fail)?;
        if copied != piece.bytes {
            return Err(wrong());
        }
    }
    if text
        .read(&mut [0])
        .map_err(|source| FsError::new("read", &dump, source))?
        != 0
    {
        return Err(wrong());
    }
    std::fs::remove_file(&dump).map_err(|source| FsError::new("remove", &dump, source).into())
}

fn piece_name(number: u64, table: &str) -> String {
    match table {
        "" => format!("{number:06}.sql"),
        table => format!("{number:06}-{}.sql", plain(table)),
    }
}

/// A name that is one in every file system.
fn plain(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' {
            c
        } else {
            '-'
        }
    };
    name.chars().take(NAME).map(plain).collect()
}

/// Counts what lies below `dir`.
pub(crate) fn measure(dir: &Path) -> Result<Extent, FsError> {
    let fail = |source| FsError::new("read directory", dir, source);
    let mut extent = Extent::default();
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let found = entry.metadata().map_err(fail)?;
        if found.is_dir() {
            let below = measure(&entry.path())?;
            extent.files += below.files;
            extent.bytes += below.bytes;
        } else {
            extent.files += 1;
            extent.bytes += if found.is_file() { found.len() } else { 0 };
        }
    }
    Ok(extent)
}
