//! How fast a dump is read, next to the stock tool, on a private server:
//! `cargo run --release -p elpis-backup --example dump_rate -- 5000000`
//!
//! The rows are those of a monitoring database: most are narrow and numeric, in a table without
//! a primary key; some are events with text. A client inserts a row every few milliseconds all
//! the while, and its longest wait is told.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "an example that measures, for people"
)]

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use elpis_backup::{
    Dump, DumpControl, DumpPolicy, DumpReport, DumpSink, Piece, PieceId, PieceWriter, SinkError,
};
use elpis_mysql::{Params, PrivateServer, Session, SessionSettings};

fn main() {
    let rows: u64 = std::env::args()
        .nth(1)
        .map_or(3_000_000, |text| text.parse().unwrap());
    let server = PrivateServer::builder()
        .arg("--log-bin=bin")
        .arg("--binlog-format=ROW")
        .arg("--innodb-buffer-pool-size=2G")
        .arg("--innodb-log-file-size=512M")
        .start()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(fill(&server, rows));
    // What a dump writes before is not to be waited for by the first contestant.
    stock(&server, "cat > /dev/null");
    println!("{rows} numeric rows, {} events", rows / 10);
    for round in 1..=3 {
        println!("round {round}");
        measure(&runtime, &server, "mariadb-dump > /dev/null", || {
            stock(&server, "cat > /dev/null")
        });
        measure(&runtime, &server, "mariadb-dump | zstd -T2", || {
            stock(&server, "zstd -3 -T2 > /dev/null");
        });
        for readers in [1, 2, 4] {
            for level in [None, Some(3)] {
                let name = match level {
                    None => format!("elpis, {readers} readers"),
                    Some(level) => format!("elpis, {readers} readers, zstd -{level}"),
                };
                measure(&runtime, &server, &name, || {
                    let report = runtime.block_on(ours(&server, readers, level));
                    let bytes: u64 = report.pieces.iter().map(|piece| piece.bytes).sum();
                    let snapshot = &report.snapshot;
                    print!("  {} MB by {:?}", bytes / 1_000_000, snapshot.step);
                });
            }
        }
        println!("peak memory of this process: {} MB", peak());
    }
}

/// The most memory this process ever used, in megabytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        / 1000
}

async fn open(server: &PrivateServer) -> Session {
    let settings = SessionSettings {
        statement_timeout: Duration::from_secs(3600),
        ..SessionSettings::default()
    };
    Session::open(&server.options(), &settings).await.unwrap()
}

async fn fill(server: &PrivateServer, rows: u64) {
    let mut session = open(server).await;
    for sql in [
        "SET SESSION sql_log_bin = 0",
        "CREATE DATABASE rate",
        "USE rate",
        "CREATE TABLE tagente_datos (id_agente_modulo INT(10) UNSIGNED NOT NULL DEFAULT 0, \
         datos DOUBLE DEFAULT NULL, utimestamp BIGINT(20) DEFAULT 0, \
         KEY data_index1 (id_agente_modulo, utimestamp), KEY idx_utimestamp (utimestamp))",
        &format!(
            "INSERT INTO tagente_datos SELECT 1 + seq % 10000, ROUND(RAND(7) * 100000) / 1000, \
             1700000000 + seq DIV 40 FROM seq_1_to_{rows}"
        ),
        "CREATE TABLE tevento (id_evento BIGINT(20) UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, \
         id_agente INT NOT NULL, evento TEXT NOT NULL, timestamp DATETIME NOT NULL, \
         estado INT UNSIGNED NOT NULL, utimestamp BIGINT NOT NULL, tags TEXT, data DOUBLE(50,5), \
         KEY (utimestamp))",
        &format!(
            "INSERT INTO tevento SELECT seq, seq % 500, \
             CONCAT('Module ''CPU load ', seq % 10000, ''' is going to CRITICAL (', seq, ')'), \
             FROM_UNIXTIME(1700000000 + seq), seq % 3, 1700000000 + seq, REPEAT('tag,', seq % 20), \
             RAND(3) * 100 FROM seq_1_to_{}",
            rows / 10
        ),
        "CREATE TABLE foreground (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
    ] {
        session.execute(sql, Params::Empty).await.unwrap();
    }
}

/// Runs one contestant and tells its time, the CPU seconds of the server and of everybody else
/// here, and the longest wait of the client that goes on writing.
fn measure(
    runtime: &tokio::runtime::Runtime,
    server: &PrivateServer,
    name: &str,
    contestant: impl FnOnce(),
) {
    let stop = Arc::new(AtomicBool::new(false));
    let longest = Arc::new(AtomicU64::new(0));
    let mut session = runtime.block_on(open(server));
    let writer = runtime.spawn({
        let (stop, longest) = (stop.clone(), longest.clone());
        async move {
            while !stop.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let insert = "INSERT INTO rate.foreground (v) VALUES (1)";
                session.execute(insert, Params::Empty).await.unwrap();
                longest.fetch_max(begun.elapsed().as_micros() as u64, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    });
    let (own, its) = (own_cpu(), cpu(server.pid()));
    let begun = Instant::now();
    contestant();
    let took = begun.elapsed().as_secs_f64();
    let (own, its) = (own_cpu() - own, cpu(server.pid()) - its);
    stop.store(true, Ordering::Relaxed);
    runtime.block_on(writer).unwrap();
    println!(
        "  {name:32} {took:6.2} s  CPU client {own:5.2} server {its:5.2}  longest insert {:.1} ms",
        longest.load(Ordering::Relaxed) as f64 / 1000.0
    );
}

/// CPU seconds of this process and of the children that have ended.
fn own_cpu() -> f64 {
    fields(std::process::id(), 11..15)
}

fn cpu(pid: u32) -> f64 {
    fields(pid, 11..13)
}

/// `utime`, `stime`, `cutime` and `cstime` follow the name in parentheses, in hundredths.
fn fields(pid: u32, wanted: std::ops::Range<usize>) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks: u64 = fields[wanted]
        .iter()
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    ticks as f64 / 100.0
}

fn stock(server: &PrivateServer, rest: &str) {
    let line = format!(
        "mariadb-dump --no-defaults -uroot -S {} --single-transaction rate | {rest}",
        server.socket().display()
    );
    let status = Command::new("bash")
        .args(["-o", "pipefail", "-c", &line])
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}

async fn ours(server: &PrivateServer, readers: usize, level: Option<i32>) -> DumpReport {
    let policy = DumpPolicy {
        readers: Some(readers),
        ..DumpPolicy::new(vec!["rate".to_owned()])
    };
    let dump = Dump::new(server.options(), policy);
    let plan = dump.plan(&dump.inspect().await.unwrap(), readers).unwrap();
    dump.run(&plan, Arc::new(Compressed(level)), DumpControl::default())
        .await
        .unwrap()
}

/// Compresses in blocks of 1 MiB and forgets the result.
struct Compressed(Option<i32>);

struct Blocks {
    level: Option<i32>,
    block: Vec<u8>,
}

impl DumpSink for Compressed {
    fn begin(&self, _: &PieceId) -> Result<Box<dyn PieceWriter>, SinkError> {
        Ok(Box::new(Blocks {
            level: self.0,
            block: Vec::new(),
        }))
    }
}

impl PieceWriter for Blocks {
    fn write(&mut self, sql: &[u8]) -> Result<(), SinkError> {
        if let Some(level) = self.level {
            self.block.extend_from_slice(sql);
            if self.block.len() >= 1 << 20 {
                zstd::bulk::compress(&self.block, level)?;
                self.block.clear();
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>, _: &Piece) -> Result<(), SinkError> {
        Ok(())
    }
}
