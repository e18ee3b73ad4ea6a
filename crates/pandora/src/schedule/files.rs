//! Looking for jobs in the files of cron and systemd.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use elpis_run::{FsError, fsx};

use super::{By, ScheduledJob, Starts};

const RUN_PARTS: &str = "etc/cron.hourly";
const CRON_FILES: [&str; 3] = [
    "etc/crontab",
    "var/spool/cron/crontabs/root",
    "var/spool/cron/root",
];
const CRON_DIRECTORY: &str = "etc/cron.d";
const UNITS: [&str; 3] = [
    "etc/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];
const ENABLED: &str = "etc/systemd/system/timers.target.wants";

/// Every job under `root` (`/`, or the root of an image) that starts the product's maintenance tool
/// or ours, whether it works or not.
///
/// # Errors
/// When a file or directory is there and cannot be read.
pub fn scheduled(root: &Path) -> Result<Vec<ScheduledJob>, FsError> {
    let mut jobs = Vec::new();
    for path in files_in(&root.join(RUN_PARTS))? {
        jobs.extend(job(root, &path, By::RunParts)?);
    }
    let single = CRON_FILES.iter().map(|path| root.join(path));
    for path in single.chain(files_in(&root.join(CRON_DIRECTORY))?) {
        jobs.extend(job(root, &path, By::Cron)?);
    }
    let mut seen: Vec<PathBuf> = Vec::new();
    for directory in UNITS {
        for path in files_in(&root.join(directory))? {
            let Some(name) = path.file_name().map(PathBuf::from) else {
                continue;
            };
            // An earlier directory goes before a later one.
            let is_timer = name
                .extension()
                .is_some_and(|extension| extension == "timer");
            if !is_timer || seen.contains(&name) {
                continue;
            }
            let service = path.with_extension("service");
            if let Some(found) = job(root, &service, By::Systemd)? {
                let link = root.join(ENABLED).join(&name);
                jobs.push(ScheduledJob {
                    path: on_system(root, &path),
                    is_enabled: link.symlink_metadata().is_ok(),
                    ..found
                });
                seen.push(name);
            }
        }
    }
    Ok(jobs)
}

/// The job of a file, if it starts one.
fn job(root: &Path, path: &Path, by: By) -> Result<Option<ScheduledJob>, FsError> {
    let bytes = match fsx::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.source.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let found = match std::fs::metadata(path) {
        Ok(found) => found,
        Err(source) => return Err(FsError::new("read", path, source)),
    };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .collect();
    let starts = |word: &str| lines.iter().any(|line| line.contains(word));
    let starts = if starts("elpis-maint") {
        Starts::Elpis
    } else if starts("pandora_db") {
        Starts::Incumbent
    } else {
        return Ok(None);
    };
    let is_silent = lines.iter().any(|line| {
        let names = line.contains("elpis-maint") || line.contains("pandora_db");
        names && line.contains("/dev/null")
    });
    // The manual's own line is broken after the program's name.
    let is_silent = is_silent || lines.iter().any(|line| line.contains(">/dev/null 2>&1"));
    Ok(Some(ScheduledJob {
        path: on_system(root, path),
        starts,
        by,
        mode: found.mode() & 0o7777,
        owner: (found.uid(), found.gid()),
        first_line: text.lines().next().unwrap_or_default().to_owned(),
        is_silent: is_silent && by != By::Systemd,
        is_enabled: false,
    }))
}

/// The regular files of a directory (also behind links), by name; none if it is not there.
fn files_in(directory: &Path) -> Result<Vec<PathBuf>, FsError> {
    let failed = |source| FsError::new("read", directory, source);
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn on_system(root: &Path, path: &Path) -> PathBuf {
    let below = path.strip_prefix(root).unwrap_or(path);
    Path::new("/").join(below)
}
