//! Who holds something, in a form that can be written into a lock or a journal and checked later.

use std::fmt;
use std::path::Path;

use jiff::Timestamp;
use rustix::io::Errno;
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use crate::fsx;

/// A process that holds a lock or drives a run.
///
/// A pid alone is not a name: it is used again, on this boot and on the next, so the boot and the
/// process's start time stand beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The host's name as the kernel knows it.
    pub host: String,
    /// The process id on that host.
    pub pid: u32,
    /// The program, as it calls itself.
    pub program: String,
    /// The kernel's id of this boot, where there is one.
    pub boot_id: Option<String>,
    /// When the process took hold.
    pub since: Timestamp,
    /// When the process was started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start_ticks: Option<u64>,
}

impl Holder {
    /// The calling process. What the system does not tell is left out.
    pub fn current(program: impl Into<String>, now: Timestamp) -> Holder {
        Holder {
            host: this_host(),
            pid: std::process::id(),
            program: program.into(),
            boot_id: this_boot(),
            since: now,
            start_ticks: Process::look("self").map(|process| process.start_ticks),
        }
    }

    /// Whether this very process still runs. `None` when it is on another host, where nobody here
    /// can tell. In doubt on this host, yes.
    pub fn is_alive(&self) -> Option<bool> {
        if self.host != this_host() {
            return None;
        }
        if let (Some(then), Some(now)) = (&self.boot_id, this_boot())
            && *then != now
        {
            return Some(false);
        }
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Some(false);
        };
        // Ask the kernel first: `/proc` may hide other users' processes.
        if rustix::process::test_kill_process(pid) == Err(Errno::SRCH) {
            return Some(false);
        }
        let Some(process) = Process::look(&self.pid.to_string()) else {
            return Some(true);
        };
        let reused = self
            .start_ticks
            .is_some_and(|ticks| ticks != process.start_ticks);
        Some(!reused && !process.is_dead)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Holder {
            host,
            pid,
            program,
            since,
            ..
        } = self;
        write!(f, "{program} (pid {pid} on {host}) since {since:.0}")
    }
}

fn this_host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

fn this_boot() -> Option<String> {
    let id = fsx::read_to_string(Path::new("/proc/sys/kernel/random/boot_id")).ok()?;
    Some(id.trim().to_owned())
}

/// What `/proc/PID/stat` says.
struct Process {
    start_ticks: u64,
    /// Ended, only not yet collected by its parent.
    is_dead: bool,
}

impl Process {
    fn look(pid: &str) -> Option<Process> {
        let path = Path::new("/proc").join(pid).join("stat");
        Process::parse(&fsx::read_to_string(&path).ok()?)
    }

    /// The second field is the program's name in parentheses and may hold anything, also spaces
    /// and parentheses: count from the last one.
    fn parse(stat: &str) -> Option<Process> {
        let (_, rest) = stat.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?;
        Some(Process {
            is_dead: matches!(state, "Z" | "X" | "x"),
            start_ticks: fields.nth(18)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn me() -> Holder {
        Holder::current("test", Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn the_calling_process_is_alive_and_survives_json() {
        let holder = me();
        assert!(holder.boot_id.is_some() && holder.start_ticks.is_some());
        let json = serde_json::to_string(&holder).unwrap();
        let read: Holder = serde_json::from_str(&json).unwrap();
        assert_eq!(read, holder);
        assert_eq!(read.is_alive(), Some(true));
    }

    #[test]
    fn another_boot_and_a_reused_pid_are_not_this_process() {
        let other_boot = Holder {
            boot_id: Some("another".into()),
            ..me()
        };
        assert_eq!(other_boot.is_alive(), Some(false));
        let reused = Holder {
            start_ticks: Some(1),
            ..me()
        };
        assert_eq!(reused.is_alive(), Some(false));
        let no_pid = Holder {
            pid: u32::MAX,
            ..me()
        };
        assert_eq!(no_pid.is_alive(), Some(false));
    }

    #[test]
    fn nobody_can_tell_about_another_host() {
        let elsewhere = Holder {
            host: "elsewhere.invalid".into(),
            ..me()
        };
        assert_eq!(elsewhere.is_alive(), None);
    }

    #[test]
    fn a_killed_process_is_dead_both_before_and_after_its_parent_collects_it() {
        let mut child = Command::new("sleep")
            .arg("600")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let start_ticks = Process::look(&child.id().to_string()).map(|found| found.start_ticks);
        let holder = Holder {
            pid: child.id(),
            start_ticks,
            ..me()
        };
        assert_eq!(holder.is_alive(), Some(true));
        child.kill().unwrap();
        // A zombie from here on; the kernel takes a moment to make it one.
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while holder.is_alive() != Some(false) {
            assert!(
                std::time::Instant::now() < patience,
                "still alive after SIGKILL"
            );
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert_eq!(holder.is_alive(), Some(false));
    }

    #[test]
    fn a_program_named_to_confuse_is_read_right() {
        let stat = "7 (a) R 1 (b) ) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4242 9 9";
        let process = Process::parse(stat).unwrap();
        assert_eq!((process.start_ticks, process.is_dead), (4242, false));
        assert!(Process::parse("7 (cut").is_none());
    }

    #[test]
    fn display_names_program_pid_host_and_time() {
        let holder = Holder {
            host: "db1".into(),
            pid: 123,
            program: "elpis-maint".into(),
            ..me()
        };
        assert_eq!(
            holder.to_string(),
            "elpis-maint (pid 123 on db1) since 1970-01-01T00:00:00Z"
        );
    }
}
