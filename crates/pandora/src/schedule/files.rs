//! Looking for jobs in the files of cron and systemd.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use elpis_run::{FsError, fsx};

use super::starts::{Start, starts};
use super::{By, Schedule, ScheduledJob, Starts, lacks, units};
use crate::files::below;

const RUN_PARTS: &str = "/etc/cron.hourly";
/// With the name of an account in each line.
const SYSTEM_CRONTAB: &str = "/etc/crontab";
const CRON_DIRECTORY: &str = "/etc/cron.d";
/// Without one.
const CRONTABS: [&str; 2] = ["/var/spool/cron/crontabs/root", "/var/spool/cron/root"];
/// What editors and packages leave behind, which no cron takes for a file of its own.
const LEFT_BEHIND: [&str; 10] = [
    "~",
    ".rpmsave",
    ".rpmorig",
    ".rpmnew",
    ".dpkg-old",
    ".dpkg-dist",
    ".dpkg-new",
    ".dpkg-tmp",
    ".dpkg-bak",
    ".swp",
];

/// Every job under `root` (`/`, or the root of an image) that starts the product's maintenance tool
/// or ours, whether it works or not. What cannot be read is named, and the rest is looked at.
pub fn scheduled(root: &Path) -> Schedule {
    let mut search = Search {
        root,
        found: Schedule::default(),
    };
    search.run_parts();
    search.crontabs();
    search.timers();
    search.found
}

/// The file that `path` leads to on the system whose root is `root`: by this two names of one file
/// are known as such.
pub fn resolved(root: &Path, path: &Path) -> PathBuf {
    let path = below(root, path);
    path.canonicalize().unwrap_or(path)
}

/// Letters, digits, `_` and `-`.
pub(super) fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !name.is_empty() && name.chars().all(plain)
}

/// Paths are those of the system, without its root.
pub(super) struct Search<'a> {
    root: &'a Path,
    found: Schedule,
}

/// A file as it was read.
pub(super) struct Read {
    pub(super) text: String,
    metadata: Metadata,
}

impl Search<'_> {
    fn run_parts(&mut self) {
        for path in self.files_in(RUN_PARTS) {
            let Some(file) = self.read(&path) else {
                continue;
            };
            if let Some(mut job) = self.job(&path, &file, By::RunParts, &file.text) {
                job.lacks
                    .extend(lacks::interpreter(self.root, &job.first_line));
                self.found.jobs.push(job);
            }
        }
    }

    fn crontabs(&mut self) {
        let is_debian = below(self.root, Path::new("/etc/debian_version")).exists();
        let mut files = vec![(PathBuf::from(SYSTEM_CRONTAB), true)];
        files.extend(CRONTABS.map(|path| (path.into(), false)));
        for path in self.files_in(CRON_DIRECTORY) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // Debian's cron is stricter than that of others.
            let is_taken = !name.starts_with(['.', '#'])
                && !LEFT_BEHIND.iter().any(|end| name.ends_with(end))
                && (!is_debian || is_plain(&name));
            if is_taken {
                files.push((path, true));
            }
        }
        for (path, has_account) in files {
            let Some(file) = self.read(&path) else {
                continue;
            };
            let shell = crontab(&file.text, has_account);
            let job = self.job(&path, &file, By::Cron, &shell);
            self.found.jobs.extend(job);
        }
    }

    fn timers(&mut self) {
        for timer in units::timers(self) {
            let Some(service) = self.read(&timer.service) else {
                continue;
            };
            let shell = units::commands(&service.text);
            if let Some(found) = self.job(&timer.service, &service, By::Systemd, &shell) {
                self.found.jobs.push(ScheduledJob {
                    path: timer.path,
                    is_enabled: timer.is_enabled,
                    is_silent: false,
                    ..found
                });
            }
        }
    }

    /// The job of a file, if its commands (`shell`) start one.
    fn job(&self, path: &Path, file: &Read, by: By, shell: &str) -> Option<ScheduledJob> {
        let started = starts(shell);
        // Where that path leads nobody knows here.
        let has_own_path = shell.contains("PATH=");
        let is_known = |start: &&Start| !has_own_path || start.program.contains('/');
        let starts = started.iter().map(|start| start.starts);
        let starts = starts.reduce(|one, other| match one == other {
            true => one,
            false => Starts::Both,
        })?;
        let confs = started.iter().map(|start| start.conf.as_deref());
        let confs = confs.map(|conf| conf.map(|conf| resolved(self.root, conf)));
        Some(ScheduledJob {
            path: path.to_owned(),
            confs: confs.collect::<Option<_>>().unwrap_or_default(),
            starts,
            by,
            mode: file.metadata.mode() & 0o7777,
            owner: (file.metadata.uid(), file.metadata.gid()),
            first_line: file.text.split('\n').next().unwrap_or_default().to_owned(),
            is_silent: started.iter().any(|start| start.is_silent),
            is_enabled: false,
            lacks: started
                .iter()
                .filter(is_known)
                .filter_map(|start| lacks::program(self.root, start))
                .collect(),
        })
    }

    /// The file at `path`, of whatever encoding; `None` if it is not there or was noted as unread.
    pub(super) fn read(&mut self, path: &Path) -> Option<Read> {
        let real = below(self.root, path);
        let metadata = real
            .metadata()
            .map_err(|source| FsError::new("read", &real, source));
        let read = metadata.and_then(|metadata| Ok((fsx::read(&real)?, metadata)));
        let (bytes, metadata) = self.noted(read)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Some(Read { text, metadata })
    }

    /// The files of a directory (also behind links), by name; none if it is not there.
    pub(super) fn files_in(&mut self, directory: &str) -> Vec<PathBuf> {
        let mut files = self.entries_of(directory);
        files.retain(|path| !below(self.root, path).is_dir());
        files
    }

    /// Everything in a directory, by name.
    pub(super) fn entries_of(&mut self, directory: &str) -> Vec<PathBuf> {
        let real = below(self.root, Path::new(directory));
        let entries = real.read_dir().and_then(Iterator::collect);
        let entries = entries.map_err(|source| FsError::new("read", &real, source));
        let entries: Vec<std::fs::DirEntry> = self.noted(entries).unwrap_or_default();
        let directory = Path::new(directory);
        let mut paths: Vec<PathBuf> = entries
            .iter()
            .map(|entry| directory.join(entry.file_name()))
            .collect();
        paths.sort();
        paths
    }

    /// Whether a unit is a link to nothing, or empty: nobody starts it then.
    pub(super) fn is_masked(&self, path: &Path) -> bool {
        let directory = below(self.root, path.parent().unwrap_or(path));
        let own = directory.join(path.file_name().unwrap_or_default());
        let is_empty = |found: Metadata| found.is_file() && found.len() == 0;
        own.read_link()
            .is_ok_and(|target| target == Path::new("/dev/null"))
            || below(self.root, path).metadata().is_ok_and(is_empty)
    }

    fn noted<T>(&mut self, result: Result<T, FsError>) -> Option<T> {
        let error = match result {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        if !matches!(
            error.source.kind(),
            ErrorKind::NotFound | ErrorKind::NotADirectory
        ) {
            self.found.unread.push(error);
        }
        None
    }
}

/// What the lines of a crontab give to the shell; `has_account` if they say as whom.
fn crontab(text: &str, has_account: bool) -> String {
    let mut shell = String::new();
    for line in text.lines().map(str::trim) {
        let times = if line.starts_with('@') { 1 } else { 5 };
        if line.starts_with('#') {
            continue;
        }
        let is_time = line.starts_with(|c: char| c.is_ascii_digit() || "*@-".contains(c));
        match line.split_once('=') {
            Some((name, value)) if !is_time => {
                let value = value.trim().trim_matches(['"', '\'']);
                shell.push_str(&format!("{}='{value}'\n", name.trim()));
            }
            _ => {
                let mut rest = line;
                for _ in 0..times + usize::from(has_account) {
                    let after = rest.split_once([' ', '\t']);
                    rest = after.map_or("", |(_, rest)| rest.trim_start());
                }
                shell.push_str(rest);
                shell.push('\n');
            }
        }
    }
    shell
}

#[cfg(test)]
mod tests;
