//! Time, CPU time and peak memory of a process, from the clock and `/proc`.

use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

pub struct Usage {
    pub wall_s: f64,
    pub cpu_s: f64,
    pub peak_mb: f64,
}

/// Runs a command to its end. Only its memory is sampled, 20 times a second; the end is waited
/// for, and its CPU time is what this process inherits then.
pub fn run(mut command: Command) -> Result<Usage> {
    let cpu_before = children_cpu_seconds().context("/proc/self/stat")?;
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn()?;
    let pid = child.id();
    let (ended, end) = mpsc::channel::<()>();
    let sampler = thread::spawn(move || {
        let mut peak = 0.0;
        loop {
            peak = peak_mb(pid).unwrap_or(peak);
            match end.recv_timeout(Duration::from_millis(50)) {
                Err(RecvTimeoutError::Timeout) => {}
                _ => return peak,
            }
        }
    });
    let status = child.wait();
    let wall_s = begun.elapsed().as_secs_f64();
    drop(ended);
    let peak_mb = sampler.join().unwrap_or(f64::NAN);
    let status = status?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(Usage {
        wall_s,
        cpu_s: children_cpu_seconds().context("/proc/self/stat")? - cpu_before,
        peak_mb,
    })
}

/// User and system time of a process and its threads, in seconds.
pub fn cpu_seconds(pid: u32) -> Option<f64> {
    let total = ticks(&pid.to_string(), 11)?;
    (total > 0.0).then_some(total)
}

/// The same of the children of this process that have ended.
pub(crate) fn children_cpu_seconds() -> Option<f64> {
    ticks("self", 13)
}

/// The user time of `/proc/PID/stat` at this place behind the name, and the system time after it.
fn ticks(pid: &str, at: usize) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit(") ").next()?.split(' ').collect();
    let ticks = |i: usize| fields.get(i)?.parse::<f64>().ok();
    // Linux counts in hundredths of a second on every platform we build for.
    Some((ticks(at)? + ticks(at + 1)?) / 100.0)
}

fn peak_mb(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kb: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kb / 1024.0)
}
