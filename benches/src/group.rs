//! What a process group used: pipelines are many processes.

use std::collections::HashMap;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::Usage;
use crate::usage::children_cpu_seconds;

/// Runs a command in a group of its own to its end, looking at the group 50 times a second. The
/// peak is the sum of the peaks of its processes.
pub fn run_group(mut command: Command) -> Result<Usage> {
    let before = children_cpu_seconds().context("/proc/self/stat")?;
    let begun = Instant::now();
    let mut child = command.process_group(0).stdin(Stdio::null()).spawn()?;
    let group = child.id().to_string();
    let mut peaks: HashMap<String, f64> = HashMap::new();
    let status = loop {
        for (pid, mb) in members(&group) {
            let peak = peaks.entry(pid).or_default();
            *peak = peak.max(mb);
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let wall_s = begun.elapsed().as_secs_f64();
    ensure!(status.success(), "{command:?} ended with {status}");
    let after = children_cpu_seconds().context("/proc/self/stat")?;
    Ok(Usage {
        wall_s,
        cpu_s: after - before,
        peak_mb: peaks.values().sum(),
    })
}

/// The processes of a group, each with its peak memory so far in MB.
fn members(group: &str) -> Vec<(String, f64)> {
    let Ok(all) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let names = all.flatten().map(|entry| entry.file_name());
    let pids = names.filter_map(|name| Some(name.to_str()?.to_owned()));
    let pids = pids.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    pids.filter_map(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let of = stat.rsplit(") ").next()?.split(' ').nth(2)?;
        if of != group {
            return None;
        }
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        let kb: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some((pid, kb / 1024.0))
    })
    .collect()
}
