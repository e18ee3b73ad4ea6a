//! The move of old rows to a history database beside foreground traffic: Elpis and its peers in the
//! same run. Both databases are on one server.
//!
//!     cargo build --release -p elpis-cli
//!     cargo bench -p elpis-benches --bench move_peers
//!
//! Needs `mariadb-server` and `percona-toolkit`. Every contestant is a process of its own and starts
//! from a copy of the same data directory, warmed up in the same way. Afterwards what came is held
//! against what was due, value by value.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

mod contestant;
mod site;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use jiff::Timestamp;

use contestant::Contestant;
use elpis_benches::{Foreground, HEAD, cpu_seconds};
use site::Site;

#[derive(Parser)]
struct Args {
    /// Rows of the table; half of them are due.
    #[arg(long, default_value_t = 2_000_000)]
    rows: u64,
    /// Only these contestants.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Contestant>,
    /// How often each contestant runs.
    #[arg(long, default_value_t = 1)]
    repeat: u32,
    /// Works as the plain loop on this socket, from one database to another (used by the benchmark
    /// itself).
    #[arg(long, hide = true, num_args = 3)]
    plain_loop: Vec<String>,
    /// The cutoff of the plain loop.
    #[arg(long, hide = true, default_value_t = 0)]
    cutoff: i64,
    /// Passed by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    if let [socket, from, to] = args.plain_loop.as_slice() {
        let databases = (from.as_str(), to.as_str());
        return runtime.block_on(contestant::plain_loop(
            socket.as_ref(),
            databases,
            args.cutoff,
        ));
    }
    let mut site = Site::create(args.rows)?;
    println!(
        "| contestant | rows/s | values that came otherwise | wall s | client CPU s | server CPU s | client MB | {HEAD} |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    let chosen = if args.only.is_empty() {
        Contestant::ALL.to_vec()
    } else {
        args.only.clone()
    };
    for _ in 0..args.repeat {
        for contestant in &chosen {
            measure(&runtime, &mut site, *contestant)?;
        }
    }
    Ok(())
}

fn measure(
    runtime: &tokio::runtime::Runtime,
    site: &mut Site,
    contestant: Contestant,
) -> Result<()> {
    site.restore()?;
    let cutoff = Timestamp::now().as_second() - site::KEEP_DAYS * 86_400;
    let due = site.remember_due(cutoff);
    ensure!(due > 0, "nothing is due");
    let foreground = Foreground::start(runtime, site.options());
    // Let the foreground settle, so that its connection does not count.
    std::thread::sleep(Duration::from_secs(2));
    foreground.reset();
    let server_cpu = cpu_seconds(site.pid()).unwrap_or_default();
    let usage = elpis_benches::run(contestant.command(site, cutoff)?);
    let usage = usage.with_context(|| format!("{contestant:?}"))?;
    let wall = usage.wall_s;
    let server_cpu = cpu_seconds(site.pid()).unwrap_or_default() - server_cpu;
    let latencies = foreground.stop(runtime)?;
    let left = site.due(cutoff);
    ensure!(left == 0, "{contestant:?} left {left} rows");
    println!(
        "| {} | {:.0} | {} | {wall:.1} | {:.1} | {server_cpu:.1} | {:.1} | {} |",
        contestant.title(),
        due as f64 / wall,
        site.changed_on_the_way(),
        usage.cpu_s,
        usage.peak_mb,
        latencies.figures(),
    );
    Ok(())
}
