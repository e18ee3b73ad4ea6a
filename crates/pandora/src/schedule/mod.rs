//! The hourly job: what is there, what is wrong with it, and what ours looks like.

mod files;
mod job;
mod judge;

use std::path::PathBuf;

pub use files::scheduled;
pub use job::{FileToWrite, HourlyJob};
pub use judge::judge_schedule;

/// A file that starts the maintenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledJob {
    /// Its path on the system (without the root that it was looked for under).
    pub path: PathBuf,
    /// What it starts.
    pub starts: Starts,
    /// Who looks into it.
    pub by: By,
    /// Permission bits.
    pub mode: u32,
    /// Owner and group.
    pub owner: (u32, u32),
    /// Its first line.
    pub first_line: String,
    /// Whether it throws away what the maintenance says.
    pub is_silent: bool,
    /// For a timer, whether it is enabled.
    pub is_enabled: bool,
}

/// What a job starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starts {
    /// The product's own tool.
    Incumbent,
    /// `elpis-maint`.
    Elpis,
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
    /// Whether it does start something.
    pub fn is_active(&self) -> bool {
        match self.by {
            By::RunParts => self.mode & 0o111 != 0 && self.has_plain_name(),
            By::Cron => true,
            By::Systemd => self.is_enabled,
        }
    }

    /// Whether `run-parts` takes a file of this name: letters, digits, `_` and `-`.
    pub(crate) fn has_plain_name(&self) -> bool {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        !name.is_empty() && name.chars().all(plain)
    }
}
