//! A directory as a store.
//!
//! ```text
//! pandorafms_backup_2026-11-21-02-00-00.tar.gz         0600, whole or not there
//! .pandorafms_backup_2026-11-21-02-00-00.tar.gz.json   what is known of it
//! .pandorafms_backup_2026-11-21-02-00-00.tar.gz.upload what of it is in another store
//! SHA256SUMS                                           for `sha256sum -c`
//! .elpis-backup.lock                                   who is at work
//! .elpis-backup-work.…/                                where the next one grows
//! ```

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use elpis_run::{FileLock, FsError, Holder, fsx};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::{Hold, Note, ObjectStore, StoreError, Stored};
use crate::archive::{ArchiveBytes, FileBytes};
use crate::name::ArchiveName;
use crate::work::{self, WorkDir};

/// The file with the sums of all archives.
const SUMS: &str = "SHA256SUMS";
const LOCK: &str = ".elpis-backup.lock";

/// A directory that keeps archives.
#[derive(Debug, Clone)]
pub struct LocalStore {
    dir: PathBuf,
    /// Others may put files there, as into `/tmp`.
    is_shared: bool,
}

/// The right to change a [`LocalStore`], until dropped or until the process ends.
#[derive(Debug)]
pub struct LocalLock {
    dir: PathBuf,
    _lock: FileLock,
    /// Who held it and died without letting go.
    pub taken_over: Option<Holder>,
    /// Work directories of killed runs that were removed.
    pub swept: u64,
}

impl LocalStore {
    /// The directory `dir`, which must be there.
    ///
    /// # Errors
    /// When it is not there or not a directory.
    pub fn open(dir: &Path) -> Result<LocalStore, StoreError> {
        let fail = |source| FsError::new("use directory", dir, source);
        let dir = std::fs::canonicalize(dir).map_err(fail)?;
        let found = std::fs::metadata(&dir).map_err(fail)?;
        if !found.is_dir() {
            return Err(fail(ErrorKind::NotADirectory.into()).into());
        }
        let is_shared = found.mode() & 0o022 != 0;
        Ok(LocalStore { dir, is_shared })
    }

    /// The directory, resolved.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where an archive lies.
    pub fn path(&self, name: &ArchiveName) -> PathBuf {
        self.dir.join(name.to_string())
    }

    /// Takes the lock, and removes what killed runs have left behind.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when somebody is at work.
    pub fn lock(&self, holder: &Holder) -> Result<LocalLock, StoreError> {
        let path = self.dir.join(LOCK);
        // The kernel frees a dead process's lock; its name stays in the file.
        let before = fsx::read_to_string(&path).unwrap_or_default();
        let lock = FileLock::acquire(&path, holder)
            .map_err(|error| StoreError::lock(self.place(), error))?;
        let taken_over = serde_json::from_str(&before).ok();
        let swept = work::sweep(&self.dir)?;
        self.sweep_notes()?;
        Ok(LocalLock {
            dir: self.dir.clone(),
            _lock: lock,
            taken_over,
            swept,
        })
    }

    /// Whether a file counts. In a directory where others may write, theirs do not: a false note
    /// or a false newer archive would make pruning remove the true ones.
    fn counts(&self, found: &Metadata) -> bool {
        let me = rustix::process::geteuid().as_raw();
        found.is_file() && (!self.is_shared || found.uid() == me || found.uid() == 0)
    }

    fn note_path(&self, name: &ArchiveName) -> PathBuf {
        self.dir.join(format!(".{name}.json"))
    }

    fn sums(&self) -> Result<String, FsError> {
        let path = self.dir.join(SUMS);
        match std::fs::symlink_metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
            Ok(found) if !self.counts(&found) => {
                let why = std::io::Error::new(ErrorKind::PermissionDenied, "somebody else made it");
                Err(FsError::new("use", &path, why))
            }
            _ => fsx::read_to_string(&path),
        }
    }

    /// Rewrites `SHA256SUMS` without `gone` and with `new`. Lines of others stay.
    fn change_sums(&self, gone: &ArchiveName, new: Option<&str>) -> Result<(), FsError> {
        let path = self.dir.join(SUMS);
        let sums = self.sums()?;
        let gone = gone.to_string();
        let keep = |line: &&str| line.split_once("  ").is_none_or(|(_, file)| file != gone);
        let mut lines: Vec<&str> = sums.lines().filter(keep).collect();
        lines.extend(new);
        let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
        if text == sums {
            return Ok(());
        }
        // A file that an operator has opened to others stays so.
        let mode = std::fs::metadata(&path).map_or(0o600, |found| found.mode() & 0o777);
        fsx::write_durable(&path, text.as_bytes(), mode)
    }

    /// Removes notes and sums of archives that are not there: a run was killed before its last
    /// act, or somebody has moved an archive away. Of those that were being written then, too.
    fn sweep_notes(&self) -> Result<(), StoreError> {
        let there: BTreeSet<String> = self.names()?.iter().map(ArchiveName::to_string).collect();
        for file in self.files()? {
            if is_half_written(&file) {
                remove(&self.dir.join(&file))?;
            }
            let of = file
                .strip_prefix('.')
                .and_then(|name| name.strip_suffix(".json").or(name.strip_suffix(".upload")));
            let is_stale =
                |name: &&str| name.parse::<ArchiveName>().is_ok() && !there.contains(*name);
            if of.filter(is_stale).is_some() {
                remove(&self.dir.join(&file))?;
            }
        }
        let sums = self.sums()?;
        let listed = sums.lines().filter_map(|line| line.split_once("  "));
        let stale: Vec<ArchiveName> = listed
            .filter(|(_, file)| !there.contains(*file))
            .filter_map(|(_, file)| file.parse().ok())
            .collect();
        for name in stale {
            self.change_sums(&name, None)?;
        }
        Ok(())
    }

    fn files(&self) -> Result<Vec<String>, FsError> {
        let fail = |source| FsError::new("read directory", &self.dir, source);
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.dir).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let is_file = entry.metadata().is_ok_and(|found| self.counts(&found));
            if let Some(name) = entry.file_name().to_str().filter(|_| is_file) {
                files.push(name.to_owned());
            }
        }
        Ok(files)
    }

    fn names(&self) -> Result<Vec<ArchiveName>, FsError> {
        let files = self.files()?;
        let mut names: Vec<ArchiveName> = files.iter().filter_map(|n| n.parse().ok()).collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.to_string()));
        Ok(names)
    }

    fn note(&self, name: &ArchiveName, bytes: u64) -> Option<Note> {
        // A note that cannot be read is a note we do not have: verifying makes another.
        let path = self.note_path(name);
        std::fs::symlink_metadata(&path)
            .ok()
            .filter(|found| self.counts(found))?;
        let text = fsx::read_to_string(&path).ok()?;
        let note: Note = serde_json::from_str(&text).ok()?;
        (note.bytes == bytes).then_some(note)
    }
}

impl LocalLock {
    /// Makes a private directory beside the archives.
    pub(crate) fn work_dir(&self) -> Result<WorkDir, FsError> {
        WorkDir::create(&self.dir)
    }
}

impl ObjectStore for LocalStore {
    fn place(&self) -> String {
        self.dir.display().to_string()
    }

    fn list(&self) -> Result<Vec<Stored>, StoreError> {
        let mut list = Vec::new();
        for name in self.names()? {
            match std::fs::metadata(self.path(&name)) {
                Ok(found) => {
                    let note = self.note(&name, found.len());
                    list.push(Stored {
                        name,
                        bytes: found.len(),
                        note,
                    });
                }
                // Pruned at this moment.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(source) => {
                    return Err(FsError::new("look at", &self.path(&name), source).into());
                }
            }
        }
        Ok(list)
    }

    fn open(&self, name: &ArchiveName) -> Result<Box<dyn ArchiveBytes>, StoreError> {
        Ok(Box::new(FileBytes::open(&self.path(name))?))
    }

    /// As `SHA256SUMS` has it.
    fn sha256(&self, name: &ArchiveName) -> Result<Option<[u8; 32]>, StoreError> {
        let name = name.to_string();
        let sums = self.sums()?;
        let line = sums.lines().find_map(|line| {
            let (sum, file) = line.split_once("  ")?;
            (file == name).then_some(sum)
        });
        let bytes = line.and_then(crate::archive::unhex);
        Ok(bytes.and_then(|bytes| bytes.try_into().ok()))
    }

    fn publish(&self, file: &Path, name: &ArchiveName, note: &Note) -> Result<(), StoreError> {
        let path = self.path(name);
        if std::fs::symlink_metadata(&path).is_ok() {
            return Err(StoreError::Exists {
                place: self.place(),
                name: name.clone(),
            });
        }
        let line = format!("{}  {name}", note.sha256);
        self.change_sums(name, Some(&line))?;
        self.annotate(name, note)?;
        rename_new(file, &path).map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => StoreError::Exists {
                place: self.place(),
                name: name.clone(),
            },
            _ => FsError::new("rename to", &path, source).into(),
        })?;
        Ok(sync_dir(&self.dir)?)
    }

    fn annotate(&self, name: &ArchiveName, note: &Note) -> Result<(), StoreError> {
        let mut text = serde_json::to_vec_pretty(note).map_err(StoreError::Note)?;
        text.push(b'\n');
        Ok(fsx::write_durable(&self.note_path(name), &text, 0o600)?)
    }

    fn remove(&self, name: &ArchiveName) -> Result<(), StoreError> {
        remove(&self.path(name))?;
        remove(&self.note_path(name))?;
        remove(&self.dir.join(format!(".{name}.upload")))?;
        self.change_sums(name, None)?;
        Ok(sync_dir(&self.dir)?)
    }

    fn hold(&self, holder: &Holder) -> Result<Hold, StoreError> {
        Ok(Hold {
            _held: Some(self.lock(holder)?),
        })
    }
}

/// Whether a file is what [`fsx::write_durable`] leaves of a note or the sums when its process is
/// killed: `.NAME.PID-COUNT.tmp`. A verification may be writing a note at this moment.
fn is_half_written(file: &str) -> bool {
    let parts = || {
        let (name, writer) = file
            .strip_prefix('.')?
            .strip_suffix(".tmp")?
            .rsplit_once('.')?;
        let (pid, count) = writer.split_once('-')?;
        let note = name
            .strip_prefix('.')
            .and_then(|name| name.strip_suffix(".json").or(name.strip_suffix(".upload")));
        let is_ours = name == SUMS || note.is_some_and(|of| of.parse::<ArchiveName>().is_ok());
        count.parse::<u32>().ok().filter(|_| is_ours)?;
        pid.parse::<u32>().ok()
    };
    parts().is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
}

/// Renames unless the new name is taken.
fn rename_new(from: &Path, to: &Path) -> std::io::Result<()> {
    // Whatever its umask, nobody but its owner reads an archive: it holds passwords.
    std::fs::set_permissions(from, std::fs::Permissions::from_mode(0o600))?;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // File systems that cannot do it in one act: two names for a moment, then one.
        Err(Errno::INVAL | Errno::NOSYS) => {
            std::fs::hard_link(from, to)?;
            std::fs::remove_file(from)
        }
        other => Ok(other?),
    }
}

fn sync_dir(dir: &Path) -> Result<(), FsError> {
    let fail = |source| FsError::new("sync directory", dir, source);
    let handle = File::options().read(true).open(dir).map_err(fail)?;
    handle.sync_all().map_err(fail)
}

fn remove(path: &Path) -> Result<(), FsError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(FsError::new("remove", path, error))
        }
        _ => Ok(()),
    }
}
