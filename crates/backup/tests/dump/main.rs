//! Dumps of a real MariaDB, which must be installed, loaded again by its stock client.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

mod awkward;
mod beside;
mod chunks;
mod endings;
mod money;
mod objects;
mod packets;
mod privileges;
mod promises;
mod snapshots;
mod values;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use elpis_backup::{
    Dump, DumpControl, DumpError, DumpPolicy, DumpReport, DumpSink, Piece, PieceId, PieceWriter,
    SinkError,
};
use elpis_mysql::{ConnectOptions, Params, PrivateServer, Session, SessionSettings};

/// One server for all tests that do not change it as a whole. It writes a binary log.
fn server() -> &'static PrivateServer {
    static SERVER: OnceLock<PrivateServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        PrivateServer::builder()
            .arg("--log-bin=bin")
            .arg("--innodb-flush-log-at-trx-commit=0")
            .arg("--sync-binlog=0")
            .arg("--character-set-server=utf8mb4")
            .start()
            .unwrap()
    })
}

async fn open(options: &ConnectOptions) -> Session {
    let settings = SessionSettings {
        statement_timeout: Duration::from_secs(120),
        ..SessionSettings::default()
    };
    let mut session = Session::open(options, &settings).await.unwrap();
    run(&mut session, "SET SESSION sql_mode = ''").await;
    session
}

async fn run(session: &mut Session, sql: &str) {
    session
        .execute(sql, Params::Empty)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

/// A fresh, empty database, and a session in it.
async fn database(options: &ConnectOptions, name: &str) -> Session {
    let mut session = open(options).await;
    run(&mut session, &format!("CREATE DATABASE {name}")).await;
    run(&mut session, &format!("USE {name}")).await;
    session
}

/// Keeps the pieces in memory.
#[derive(Default)]
struct Memory {
    finished: Mutex<BTreeMap<PieceId, (Piece, Vec<u8>)>>,
}

impl Memory {
    /// The text of the plan's database number `index`.
    fn text(&self, index: u32) -> Vec<u8> {
        let finished = self.finished.lock().unwrap();
        let pieces = finished.iter().filter(|(id, _)| id.database == index);
        pieces.flat_map(|(_, (_, sql))| sql.clone()).collect()
    }
}

struct Shared(Arc<Memory>);

struct Buffer {
    to: Arc<Memory>,
    id: PieceId,
    sql: Vec<u8>,
}

impl DumpSink for Shared {
    fn begin(&self, piece: &PieceId) -> Result<Box<dyn PieceWriter>, SinkError> {
        Ok(Box::new(Buffer {
            to: self.0.clone(),
            id: piece.clone(),
            sql: Vec::new(),
        }))
    }
}

impl PieceWriter for Buffer {
    fn write(&mut self, sql: &[u8]) -> Result<(), SinkError> {
        self.sql.extend_from_slice(sql);
        Ok(())
    }

    fn finish(self: Box<Self>, piece: &Piece) -> Result<(), SinkError> {
        let mut finished = self.to.finished.lock().unwrap();
        let before = finished.insert(self.id, (piece.clone(), self.sql));
        assert!(before.is_none(), "{piece:?} twice");
        Ok(())
    }
}

async fn dump_with(
    options: &ConnectOptions,
    policy: DumpPolicy,
    control: DumpControl,
) -> Result<(DumpReport, Arc<Memory>), DumpError> {
    let dump = Dump::new(options.clone(), policy);
    let facts = dump.inspect().await?;
    let plan = dump.plan(&facts, 4)?;
    let memory = Arc::new(Memory::default());
    let report = dump
        .run(&plan, Arc::new(Shared(memory.clone())), control)
        .await?;
    Ok((report, memory))
}

async fn dump(options: &ConnectOptions, policy: DumpPolicy) -> (DumpReport, Arc<Memory>) {
    dump_with(options, policy, DumpControl::default())
        .await
        .unwrap()
}

fn policy(database: &str) -> DumpPolicy {
    DumpPolicy::new(vec![database.to_owned()])
}

/// Loads a text with the stock client into a database that exists.
fn load(server: &PrivateServer, database: &str, sql: &[u8]) {
    let (good, errors) = try_load(server, database, sql);
    if !good {
        std::fs::write("/tmp/elpis-dump-failed.sql", sql).unwrap();
        panic!("mariadb: {errors}");
    }
}

fn try_load(server: &PrivateServer, database: &str, sql: &[u8]) -> (bool, String) {
    let mut client = Command::new("mariadb")
        // Without `--comments` this client leaves the comments out of routines' bodies.
        .args(["--no-defaults", "--user=root", "--batch", "--comments"])
        .arg(format!("--socket={}", server.socket().display()))
        .arg(database)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = client.stdin.take().unwrap();
    let sql = sql.to_owned();
    let feeder = std::thread::spawn(move || stdin.write_all(&sql).ok());
    let output = client.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert!(
        output.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), errors)
}

/// Table by table, as the server counts it.
async fn checksums(session: &mut Session, database: &str) -> Vec<(String, Option<u64>)> {
    let tables: Vec<String> = session
        .rows(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? \
             AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY TABLE_NAME",
            Params::Positional(vec![database.into()]),
        )
        .await
        .unwrap();
    let mut sums = Vec::new();
    for table in tables {
        let sql = format!(
            "CHECKSUM TABLE `{database}`.`{}` EXTENDED",
            table.replace('`', "``")
        );
        let sum: Option<(String, Option<u64>)> = session.first(&sql, Params::Empty).await.unwrap();
        sums.push((table, sum.unwrap().1));
    }
    sums
}
