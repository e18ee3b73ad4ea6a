//! CPU time and peak memory of a process, from `/proc`.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};

pub struct Usage {
    pub cpu_s: f64,
    pub peak_mb: f64,
}

/// Runs a command to its end, sampling it 20 times a second.
pub fn run(mut command: Command) -> Result<Usage> {
    let mut child = command.stdout(Stdio::null()).spawn()?;
    let mut usage = Usage {
        cpu_s: 0.0,
        peak_mb: 0.0,
    };
    let status = loop {
        if let Some(cpu) = cpu_seconds(child.id()) {
            usage.cpu_s = cpu;
        }
        if let Some(peak) = peak_mb(child.id()) {
            usage.peak_mb = peak;
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(usage)
}

/// User and system time of a process and its threads, in seconds.
pub fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit(") ").next()?.split(' ').collect();
    let ticks = |i: usize| fields.get(i)?.parse::<f64>().ok();
    // Linux counts in hundredths of a second on every platform we build for.
    let total = ticks(11)? + ticks(12)?;
    (total > 0.0).then_some(total / 100.0)
}

fn peak_mb(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kb: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kb / 1024.0)
}
