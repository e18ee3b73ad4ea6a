//! Restoring a database: Elpis and its peers in the same run.
//!
//!     scripts/prepare bench
//!     cargo bench -p elpis-benches --bench restore_peers
//!
//! Everybody restores the same rows from a compressed backup of his own into the same server. Ours
//! replaces a live database, which a client reads in a loop meanwhile, and has to compare what it
//! loaded; that comparison is timed apart. A contestant is one process group; its memory is that
//! of the whole group.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

mod ours;
mod reader;
#[path = "../backup_peers/installation.rs"]
#[allow(dead_code, reason = "only its tables are wanted")]
mod tables;

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use elpis_benches::{Bench, Data, cpu_seconds};
use tokio::runtime::Runtime;

use reader::Reader;

#[derive(Parser)]
struct Args {
    /// Numeric rows.
    #[arg(long, default_value_t = 5_000_000)]
    rows: u64,
    /// Strings, and as many events.
    #[arg(long, default_value_t = 200_000)]
    strings: u64,
    /// Only these contestants.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Contestant>,
    /// How often each contestant runs.
    #[arg(long, default_value_t = 1)]
    repeat: u32,
    /// Parallel sessions of ours.
    #[arg(long, default_value_t = 2)]
    sessions: usize,
    /// What the child does: socket, directory, sessions.
    #[arg(long, hide = true, num_args = 3)]
    child: Vec<String>,
    /// Passed by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Contestant {
    /// elpis, replacing the live database.
    Elpis,
    /// zstd -dc dump | mariadb, into an empty database.
    Mariadb,
    /// myloader -t 2, into an empty database.
    Myloader,
    /// elpis-backup rehearse, on a private server of its own.
    Rehearse,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let [socket, dir, sessions] = args.child.as_slice() {
        return ours::restore(Path::new(socket), Path::new(dir), sessions.parse()?);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let bench = Bench::create(&runtime, Data::SixtyDays, args.rows)?;
    let dir = tempfile::tempdir()?;
    // The server was stopped for its snapshot.
    let mut bench = bench;
    bench.restore(&runtime)?;
    runtime.block_on(tables::add_tables(&bench.options(), args.strings))?;
    prepare(&bench, dir.path())?;
    println!(
        "| contestant | wall s | load s | indexes s | compare s | exchange ms | longest pause of a reader ms | client CPU s | server CPU s | client peak MB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let chosen = match args.only.is_empty() {
        true => Contestant::value_variants().to_vec(),
        false => args.only.clone(),
    };
    for _ in 0..args.repeat {
        for contestant in &chosen {
            run(&runtime, &bench, *contestant, dir.path(), args.sessions)?;
        }
    }
    Ok(())
}

/// A backup for each of them.
fn prepare(bench: &Bench, dir: &Path) -> Result<()> {
    ours::backup(&bench.socket(), dir)?;
    let socket = bench.socket();
    let socket = socket.display();
    let script = format!(
        "mariadb-dump --no-defaults -uroot -S {socket} --single-transaction bench | zstd -q -T2 > dump.sql.zst && \
         mydumper -u root -S {socket} -B bench -t 2 --compress -o mydumper"
    );
    sh(&script, dir)
}

fn sh(script: &str, dir: &Path) -> Result<()> {
    let mut command = bash(script, dir);
    let status = command.status()?;
    ensure!(status.success(), "{script}: {status}");
    Ok(())
}

fn bash(script: &str, dir: &Path) -> Command {
    let mut command = Command::new("bash");
    command
        .args(["-o", "pipefail", "-c", script])
        .stderr(Stdio::null())
        .current_dir(dir);
    command
}

fn run(
    runtime: &Runtime,
    bench: &Bench,
    contestant: Contestant,
    dir: &Path,
    sessions: usize,
) -> Result<()> {
    let socket = bench.socket();
    let client = format!("mariadb --no-defaults -uroot -S {}", socket.display());
    let fresh = format!("{client} -e 'DROP DATABASE IF EXISTS peer; CREATE DATABASE peer'");
    let command = match contestant {
        Contestant::Elpis => {
            let mut command = Command::new(std::env::current_exe()?);
            command
                .arg("--child")
                .arg(&socket)
                .arg(dir)
                .arg(sessions.to_string());
            command.stdout(std::fs::File::create(dir.join("report.json"))?);
            command
        }
        Contestant::Mariadb => {
            sh(&fresh, dir)?;
            bash(&format!("zstd -dc dump.sql.zst | {client} peer"), dir)
        }
        Contestant::Myloader => {
            sh(&fresh, dir)?;
            bash(
                &format!(
                    "myloader -u root -S {} -t 2 -o -d mydumper -B peer",
                    socket.display()
                ),
                dir,
            )
        }
        Contestant::Rehearse => {
            let state = dir.join("state");
            std::fs::write(
                dir.join("rehearse.toml"),
                format!("[state]\ndirectory = \"{}\"\n", state.display()),
            )?;
            let mut command = Command::new(elpis_benches::program("elpis-backup")?);
            command
                .args(["--quiet", "rehearse", "--config"])
                .arg(dir.join("rehearse.toml"))
                .arg("--target")
                .arg(dir.join("store"))
                .arg("--scratch")
                .arg(dir)
                .stdout(Stdio::null());
            command
        }
    };
    ensure!(Command::new("sync").status()?.success(), "sync");
    let reader = Reader::start(runtime, bench.options());
    let server_cpu = cpu_seconds(bench.pid()).unwrap_or_default();
    let usage = elpis_benches::run_group(command).with_context(|| format!("{contestant:?}"))?;
    let wall = usage.wall_s;
    let server_cpu = cpu_seconds(bench.pid()).unwrap_or_default() - server_cpu;
    let pause = reader.stop(runtime)?;
    let phases = match contestant {
        Contestant::Elpis => {
            let report: serde_json::Value =
                serde_json::from_str(&std::fs::read_to_string(dir.join("report.json"))?)?;
            let number = |at: &str| {
                let number = report.pointer(at).and_then(serde_json::Value::as_f64);
                number.unwrap_or(f64::NAN)
            };
            format!(
                "{:.2} | {:.2} | {:.2} | {:.1}",
                number("/phases/load_s"),
                number("/phases/indexes_s"),
                number("/phases/compare_s"),
                number("/exchange_ms")
            )
        }
        Contestant::Rehearse => "- | - | - | -".to_owned(),
        Contestant::Mariadb | Contestant::Myloader => {
            let rows = "SELECT (SELECT COUNT(*) FROM peer.tagente_datos) = (SELECT COUNT(*) FROM bench.tagente_datos)";
            ensure!(
                bench.number(runtime, rows)? == 1,
                "{contestant:?} lost rows"
            );
            "- | - | - | -".to_owned()
        }
    };
    println!(
        "| {contestant:?} | {wall:.2} | {phases} | {:.1} | {:.1} | {server_cpu:.1} | {:.0} |",
        pause.as_secs_f64() * 1000.0,
        usage.cpu_s,
        usage.peak_mb,
    );
    sh(&format!("{client} -e 'DROP DATABASE IF EXISTS peer'"), dir)
}
