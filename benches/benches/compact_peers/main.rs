//! Compaction beside foreground traffic, and what the server itself could do at best.
//!
//!     cargo build --release --workspace --all-features
//!     cargo bench -p elpis-benches --all-features --bench compact_peers
//!
//! Needs `mariadb-server` and `percona-toolkit`. Every contestant is a process of its own and
//! starts from a copy of the same data directory, warmed up in the same way.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

mod contestant;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use elpis_benches::{Bench, Data, Foreground, HEAD, cpu_seconds};
use jiff::Timestamp;

use contestant::Contestant;

#[derive(Parser)]
struct Args {
    /// Rows of the table; all of them are due.
    #[arg(long, default_value_t = 5_000_000)]
    rows: u64,
    /// What the table is filled with.
    #[arg(long, value_enum, default_value_t = Series::Dense)]
    series: Series,
    /// Only these contestants.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Contestant>,
    /// Without foreground traffic.
    #[arg(long)]
    alone: bool,
    /// Lines for the `[policy.throttle]` table of the throttled contestants.
    #[arg(long)]
    throttle: Vec<String>,
    /// Works as the limit of the server on this socket (used by the benchmark itself).
    #[arg(long, hide = true)]
    limit: Option<String>,
    /// Passed by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Series {
    /// A row every 300 s with jitter.
    Dense,
    /// A row about every 20 minutes.
    ChangeOnly,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    if let Some(socket) = &args.limit {
        return runtime.block_on(contestant::limit(socket.as_ref()));
    }
    let data = match args.series {
        Series::Dense => Data::Dense,
        Series::ChangeOnly => Data::ChangeOnly,
    };
    let mut bench = Bench::create(&runtime, data, args.rows)?;
    println!(
        "| contestant | raw rows/s | wall s | rows left | client CPU s | server CPU s | client MB | {HEAD} |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    let chosen = if args.only.is_empty() {
        Contestant::value_variants().to_vec()
    } else {
        args.only.clone()
    };
    for contestant in chosen {
        run(&runtime, &mut bench, contestant, &args)?;
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
    let cutoff = Timestamp::now().as_second() - 7 * 86_400;
    let due = format!("SELECT COUNT(*) FROM tagente_datos WHERE utimestamp < {cutoff}");
    let before = bench.number(runtime, &due)?;
    ensure!(before == args.rows, "{before} rows are due");
    let foreground = (!args.alone).then(|| Foreground::start(runtime, bench.options()));
    // Let the foreground settle, so that its connection does not count.
    std::thread::sleep(Duration::from_secs(1));
    if let Some(foreground) = &foreground {
        foreground.reset();
    }
    let server_cpu = cpu_seconds(bench.pid()).unwrap_or_default();
    let work = tempfile::tempdir()?;
    let command = contestant.command(&bench.socket(), cutoff, work.path(), &args.throttle)?;
    let usage = elpis_benches::run(command).with_context(|| format!("{contestant:?}"))?;
    let wall = usage.wall_s;
    let server_cpu = cpu_seconds(bench.pid()).unwrap_or_default() - server_cpu;
    let latencies = foreground.map(|foreground| foreground.stop(runtime));
    let figures = match latencies.transpose()? {
        Some(latencies) => latencies.figures(),
        None => "- | - | - | - | - | -".to_owned(),
    };
    let left = bench.number(runtime, &due)?;
    ensure!(left < before, "{contestant:?} compacted nothing");
    println!(
        "| {} | {:.0} | {wall:.1} | {left} | {:.1} | {server_cpu:.1} | {:.1} | {figures} |",
        contestant.title(),
        before as f64 / wall,
        usage.cpu_s,
        usage.peak_mb,
    );
    Ok(())
}
