//! Backup of an installation beside foreground traffic: Elpis and its peers in the same run.
//!
//!     scripts/prepare bench
//!     cargo build --release -p elpis-cli
//!     cargo bench -p elpis-benches --bench backup_peers
//!
//! Everybody backs up the same database and the same files, warm, into a directory that is
//! synced before the next one begins. A contestant is one process group; its CPU time and its
//! memory are those of the whole group.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

mod contestant;
mod installation;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use tokio::runtime::Runtime;

use contestant::Contestant;
use elpis_benches::{Bench, Data, Foreground, HEAD, cpu_seconds};
use installation::Installation;

#[derive(Parser)]
struct Args {
    /// Numeric rows.
    #[arg(long, default_value_t = 5_000_000)]
    rows: u64,
    /// Strings, and as many events.
    #[arg(long, default_value_t = 300_000)]
    strings: u64,
    /// Megabytes of console.
    #[arg(long, default_value_t = 200)]
    console_mb: u64,
    /// Only these contestants.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Contestant>,
    /// How often each contestant runs.
    #[arg(long, default_value_t = 1)]
    repeat: u32,
    /// Without foreground traffic.
    #[arg(long)]
    alone: bool,
    /// Passed by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut bench = Bench::create(&runtime, Data::SixtyDays, args.rows)?;
    bench.restore(&runtime)?;
    let dir = tempfile::tempdir()?;
    let installation = Installation::create(dir.path(), args.console_mb)?;
    runtime.block_on(installation::add_tables(&bench.options(), args.strings))?;
    bench.settle(&runtime)?;
    println!(
        "| contestant | wall s | client CPU s | server CPU s | peak MB | MB written | writers locked ms | {HEAD} |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    if !args.alone {
        let foreground = Foreground::start(&runtime, bench.options());
        std::thread::sleep(Duration::from_secs(10));
        let idle = foreground.stop(&runtime)?;
        println!(
            "| nothing (idle) | 10.0 | - | - | - | - | - | {} |",
            idle.figures()
        );
    }
    let chosen = match args.only.is_empty() {
        true => Contestant::ALL.to_vec(),
        false => args.only.clone(),
    };
    for _ in 0..args.repeat {
        for contestant in &chosen {
            run(&runtime, &bench, *contestant, &installation, args.alone)?;
        }
    }
    Ok(())
}

fn run(
    runtime: &Runtime,
    bench: &Bench,
    contestant: Contestant,
    installation: &Installation,
    alone: bool,
) -> Result<()> {
    let work = tempfile::tempdir()?;
    let out = work.path().join("out");
    std::fs::create_dir(&out)?;
    let command = contestant.command(&bench.socket(), installation, work.path())?;
    installation.warm()?;
    ensure!(Command::new("sync").status()?.success(), "sync");
    let foreground = (!alone).then(|| Foreground::start(runtime, bench.options()));
    if let Some(foreground) = &foreground {
        // Let it settle, so that its connection does not count.
        std::thread::sleep(Duration::from_secs(1));
        foreground.reset();
    }
    let server_cpu = cpu_seconds(bench.pid()).unwrap_or_default();
    let usage = elpis_benches::run_group(command).with_context(|| format!("{contestant:?}"))?;
    let wall = usage.wall_s;
    let server_cpu = cpu_seconds(bench.pid()).unwrap_or_default() - server_cpu;
    let figures = match foreground {
        Some(foreground) => foreground.stop(runtime)?.figures(),
        None => "- | - | - | - | - | -".to_owned(),
    };
    let written = size(&out)?;
    ensure!(written > 1 << 20, "{contestant:?} wrote {written} bytes");
    let locked = contestant
        .locked(work.path())
        .map_or("-".to_owned(), |held| {
            format!("{:.1}", held.as_secs_f64() * 1000.0)
        });
    println!(
        "| {} | {wall:.2} | {:.1} | {server_cpu:.1} | {:.0} | {:.1} | {locked} | {figures} |",
        contestant.title(),
        usage.cpu_s,
        usage.peak_mb,
        written as f64 / 1e6,
    );
    Ok(())
}

/// Bytes of all files below `dir`.
fn size(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let found = entry.metadata()?;
        bytes += match found.is_dir() {
            true => size(&entry.path())?,
            false => found.len(),
        };
    }
    Ok(bytes)
}
