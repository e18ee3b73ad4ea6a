//! The purge of a large table beside foreground traffic: Elpis and its peers in the same run.
//!
//!     cargo build --release --workspace
//!     cargo bench -p elpis-benches --bench purge_peers
//!
//! Needs `mariadb-server` and `percona-toolkit`. Every contestant is a process of its own and
//! starts from a copy of the same data directory, warmed up in the same way.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

mod contestant;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use jiff::Timestamp;

use contestant::Contestant;
use elpis_benches::{Bench, Data, Foreground, HEAD, PlainLoop, cpu_seconds};

#[derive(Parser)]
struct Args {
    /// Rows of the table; half of them are expired.
    #[arg(long, default_value_t = 5_000_000)]
    rows: u64,
    /// Only these contestants.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Contestant>,
    /// How often each contestant runs.
    #[arg(long, default_value_t = 1)]
    repeat: u32,
    /// Lines for the `[policy.throttle]` table of the throttled contestant, such as `duty=0.4`.
    #[arg(long)]
    throttle: Vec<String>,
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
    let mut bench = Bench::create(&runtime, Data::SixtyDays, args.rows)?;
    let idle = bench.restore(&runtime).and_then(|()| {
        let foreground = Foreground::start(&runtime, bench.options());
        std::thread::sleep(Duration::from_secs(15));
        foreground.stop(&runtime)
    })?;
    println!(
        "| contestant | rows/s | wall s | client CPU s | server CPU s | client MB | {} |",
        HEAD
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    println!(
        "| nothing (idle) | - | 15.0 | - | - | - | {} |",
        idle.figures()
    );
    let all = [
        Contestant::Elpis,
        Contestant::Unthrottled,
        Contestant::PtArchiver,
        Contestant::Loop,
    ];
    let chosen = if args.only.is_empty() {
        all.to_vec()
    } else {
        args.only.clone()
    };
    for _ in 0..args.repeat {
        for contestant in &chosen {
            run(&runtime, &mut bench, *contestant, &args)?;
        }
    }
    Ok(())
}

fn run(
    runtime: &tokio::runtime::Runtime,
    bench: &mut Bench,
    contestant: Contestant,
    args: &Args,
) -> Result<()> {
    bench.restore(runtime)?;
    let cutoff = Timestamp::now().as_second() - 30 * 86_400;
    let expired = format!("SELECT COUNT(*) FROM tagente_datos WHERE utimestamp < {cutoff}");
    let before = bench.number(runtime, &expired)?;
    ensure!(before > 0, "nothing is expired");
    let foreground = Foreground::start(runtime, bench.options());
    // Let the foreground settle, so that its connection does not count.
    std::thread::sleep(Duration::from_secs(1));
    foreground.reset();
    let server_cpu = cpu_seconds(bench.pid()).unwrap_or_default();
    let work = tempfile::tempdir()?;
    let command = contestant.command(&bench.socket(), cutoff, work.path(), &args.throttle)?;
    let usage = elpis_benches::run(command).with_context(|| format!("{contestant:?}"))?;
    let wall = usage.wall_s;
    let server_cpu = cpu_seconds(bench.pid()).unwrap_or_default() - server_cpu;
    let latencies = foreground.stop(runtime)?;
    let left = bench.number(runtime, &expired)?;
    ensure!(left == 0, "{contestant:?} left {left} expired rows");
    println!(
        "| {} | {:.0} | {wall:.1} | {:.1} | {server_cpu:.1} | {:.1} | {} |",
        contestant.title(),
        before as f64 / wall,
        usage.cpu_s,
        usage.peak_mb,
        latencies.figures(),
    );
    Ok(())
}
