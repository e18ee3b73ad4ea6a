//! The whole hourly maintenance of a generated Pandora FMS installation beside foreground traffic:
//! the first run, where half of everything is due, and the steady state, where an hour is.
//!
//!     cargo build --release --workspace
//!     cargo bench -p elpis-benches --bench pandora_hourly
//!
//! Needs `mariadb-server`. Every first run starts from a copy of the same data directory.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

mod site;

use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;

use elpis_benches::{Foreground, HEAD, PlainLoop, cpu_seconds};
use site::Site;

#[derive(Parser)]
struct Args {
    /// Numeric rows; everything else keeps its proportion to them.
    #[arg(long, default_value_t = 5_000_000)]
    rows: u64,
    /// Only these kinds of run. `loop` is the yardstick for how quick the host is: the numeric rows
    /// that the first run deletes, and nothing else, deleted by the plainest loop.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "loop,unthrottled,default"
    )]
    only: Vec<String>,
    /// How often each kind is measured.
    #[arg(long, default_value_t = 1)]
    repeat: u32,
    /// Show so many of each run's longest statements, of those above 20 ms.
    #[arg(long, default_value_t = 0)]
    longest: u32,
    /// Show so many kinds of statements, by the time that all of a kind took together. Recording
    /// each statement makes a run a little slower.
    #[arg(long, default_value_t = 0)]
    kinds: u32,
    #[command(flatten)]
    plain_loop: PlainLoop,
    /// Passed by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    if runtime.block_on(args.plain_loop.ran())? {
        return Ok(());
    }
    let mut site = Site::create(args.rows)?;
    let show = |site: &Site| {
        site.show_longest(args.longest);
        site.show_kinds(args.kinds);
    };
    println!(
        "| run | rows gone | wall s | client CPU s | server CPU s | client MB | longest statement ms | {HEAD} |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    site.restore()?;
    idle(&runtime, &site)?;
    let chosen = |kind: &str| args.only.iter().any(|only| only == kind);
    for _ in 0..args.repeat {
        if chosen("loop") {
            let title = "numeric rows alone, plain loop, LIMIT 10000";
            site.restore()?;
            measure(&runtime, &site, title, site.plain_loop()?)?;
        }
        for (kind, more) in [("unthrottled", &["--no-throttle"][..]), ("default", &[])] {
            if !chosen(kind) {
                continue;
            }
            site.restore()?;
            if args.kinds > 0 {
                site.record_all_statements();
            }
            let run = site.command(more)?;
            measure(&runtime, &site, &format!("first, {kind}"), run)?;
            show(&site);
            for (state, age) in [("steady (an hour is due)", true), ("nothing is due", false)] {
                if age {
                    site.an_hour_later();
                }
                site.wait_until_cleared_up()?;
                let run = site.command(more)?;
                measure(&runtime, &site, &format!("{state}, {kind}"), run)?;
                show(&site);
            }
        }
    }
    Ok(())
}

/// What the foreground takes by itself.
fn idle(runtime: &tokio::runtime::Runtime, site: &Site) -> Result<()> {
    let foreground = Foreground::on(runtime, site.options(), site.monitored()?);
    std::thread::sleep(Duration::from_secs(2));
    foreground.reset();
    std::thread::sleep(Duration::from_secs(15));
    let latencies = foreground.stop(runtime)?;
    println!(
        "| nothing (idle) | - | 15.0 | - | - | - | - | {} |",
        latencies.figures()
    );
    Ok(())
}

fn measure(
    runtime: &tokio::runtime::Runtime,
    site: &Site,
    title: &str,
    contestant: Command,
) -> Result<()> {
    let before = site.rows();
    let modules = site.monitored()?;
    site.forget_statements();
    let foreground = Foreground::on(runtime, site.options(), modules);
    // Let the foreground settle, so that its connection does not count; and a short run must not
    // be all there is of it.
    std::thread::sleep(Duration::from_secs(2));
    foreground.reset();
    let server_cpu = cpu_seconds(site.pid()).unwrap_or_default();
    let usage = elpis_benches::run(contestant)?;
    let server_cpu = cpu_seconds(site.pid()).unwrap_or_default() - server_cpu;
    std::thread::sleep(Duration::from_secs(2));
    let latencies = foreground.stop(runtime)?;
    let inserted = latencies.inserts.len() as u64;
    println!(
        "| {title} | {} | {:.3} | {:.2} | {server_cpu:.2} | {:.1} | {:.0} | {} |",
        (before + inserted).saturating_sub(site.rows()),
        usage.wall_s,
        usage.cpu_s,
        usage.peak_mb,
        site.longest_statement_ms(),
        latencies.figures(),
    );
    Ok(())
}
