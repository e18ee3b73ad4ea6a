//! The hourly job: what is there, what is wrong with it, and what ours looks like.

mod files;
mod job;
mod judge;
mod lacks;
mod starts;
mod units;
mod words;

use std::path::{Path, PathBuf};

use elpis_run::FsError;

pub use files::{resolved, scheduled};
pub use job::{FileToWrite, HourlyJob, LinkToMake, is_as_written, is_signed, shell_word};
pub use judge::{Subject, judge_schedule};
pub use lacks::Lack;

/// What was found of jobs.
#[derive(Debug, Default)]
pub struct Schedule {
    /// Every file that starts the maintenance.
    pub jobs: Vec<ScheduledJob>,
    /// What is there and could not be read, so that nobody knows whether it starts it.
    pub unread: Vec<FsError>,
}

/// A file that starts the maintenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledJob {
    /// Its path on the system (without the root that it was looked for under).
    pub path: PathBuf,
    /// What it starts.
    pub starts: Starts,
    /// The product's configurations that it works on, as [`resolved`]; empty if it is not known of
    /// everything that it starts.
    pub confs: Vec<PathBuf>,
    /// Who looks into it.
    pub by: By,
    /// Permission bits.
    pub mode: u32,
    /// Owner and group.
    pub owner: (u32, u32),
    /// Its first line, without its line feed.
    pub first_line: String,
    /// Whether it throws away what the maintenance says.
    pub is_silent: bool,
    /// For a timer, whether it is enabled.
    pub is_enabled: bool,
    /// What it needs to do its work, and the system does not have.
    pub lacks: Vec<Lack>,
}

/// What a job starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starts {
    /// The product's own tool.
    Incumbent,
    /// `elpis-maint run`.
    Elpis,
    /// One after the other.
    Both,
}

/// Who starts a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// `run-parts`, every hour: the file itself is run.
    RunParts,
    /// cron, by a line of the file.
    Cron,
    /// systemd, by a timer.
    Systemd,
}

impl ScheduledJob {
    /// Whether somebody starts it. Whether it then works is another matter.
    pub fn is_active(&self) -> bool {
        match self.by {
            By::RunParts => self.mode & 0o111 != 0 && self.has_plain_name(),
            By::Cron => true,
            By::Systemd => self.is_enabled,
        }
    }

    /// Whether it certainly works on other installations than that of `conf`, as [`resolved`].
    pub fn is_of_another(&self, conf: &Path) -> bool {
        !self.confs.is_empty() && !self.confs.iter().any(|one| one == conf)
    }

    /// Whether `run-parts` takes a file of this name: letters, digits, `_` and `-`.
    pub(crate) fn has_plain_name(&self) -> bool {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        files::is_plain(&name)
    }
}
