//! Carrying a plan out: the conductor, on a thread of its own, tells the readers what to do.

mod hold;
mod sums;
mod tables;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use elpis_mysql::{ConnectOptions, Params, Session, SessionSettings};
use elpis_run::{Clock, Observer};
use tokio::sync::oneshot;

use super::DumpControl;
use super::error::DumpError;
use super::event::DumpEvent;
use super::facts::Catalogue;
use super::gate::{End, Gate};
use super::objects::{Objects, objects};
use super::plan::DumpPlan;
use super::reader::{self, Reader, Setup};
use super::report::{DumpReport, ReplicaPosition, Snapshot};
use super::sink::{DumpSink, Part, PieceId};
use super::snapshot::Taken;
use super::store::Shelf;
use super::text;
use hold::TableLocks;
use sums::reports;
use watch::{asked_to_end, watch};

/// Starts the conductor. The receiver gets what it came to.
pub(super) fn start(
    connect: ConnectOptions,
    plan: DumpPlan,
    sink: Arc<dyn DumpSink>,
    control: DumpControl,
    gate: Arc<Gate>,
) -> Result<oneshot::Receiver<Result<DumpReport, DumpError>>, DumpError> {
    let (done, result) = oneshot::channel();
    let failed = |error: std::io::Error| DumpError::Reader {
        reason: error.to_string(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    std::thread::Builder::new()
        .name("elpis-dump".to_owned())
        .spawn(move || {
            let shelf = Shelf::new(sink, control.observer.clone(), gate.clone());
            let mut conductor = Conductor {
                connect,
                plan,
                gate,
                shelf: Arc::new(shelf),
                readers: Vec::new(),
                locker: None,
                warnings: Vec::new(),
            };
            // Whoever does not wait any more has ended the dump.
            let _ = done.send(runtime.block_on(conductor.run(control)));
        })
        .map_err(failed)?;
    Ok(result)
}

struct Conductor {
    connect: ConnectOptions,
    plan: DumpPlan,
    gate: Arc<Gate>,
    shelf: Arc<Shelf>,
    readers: Vec<Reader>,
    /// Holds and reads the tables that are locked.
    locker: Option<Reader>,
    warnings: Vec<String>,
}

impl Conductor {
    async fn run(&mut self, mut control: DumpControl) -> Result<DumpReport, DumpError> {
        let gate = self.gate.clone();
        let (deadline, readers) = (self.plan.policy.deadline, self.plan.readers);
        let clock = control.clock.clone();
        let observer = control.observer.clone();
        let result = tokio::select! {
            biased;
            end = asked_to_end(&gate) => Err(end.into_error()),
            result = self.conduct(&*clock, &*observer) => result,
            never = watch(&gate, &mut control, deadline, readers) => match never {},
        };
        if result.is_err() {
            gate.end(End::Failed);
            self.kill().await;
        }
        for reader in self.readers.drain(..).chain(self.locker.take()) {
            reader.end();
        }
        result
    }

    /// Ends what the readers' connections are doing at the server, which might notice only when
    /// it has rows to send.
    async fn kill(&self) {
        let options = ConnectOptions {
            connect_timeout: self.connect.connect_timeout.min(Duration::from_secs(2)),
            ..self.connect.clone()
        };
        let settings = SessionSettings {
            statement_timeout: Duration::from_secs(2),
            grace: Duration::ZERO,
            ..SessionSettings::default()
        };
        let Ok(mut session) = Session::open(&options, &settings).await else {
            return;
        };
        for reader in self.readers.iter().chain(&self.locker) {
            let kill = format!("KILL CONNECTION {}", reader.connection());
            // It may be gone already.
            let _ = session.execute(&kill, Params::Empty).await;
        }
    }

    async fn conduct(
        &mut self,
        clock: &dyn Clock,
        observer: &dyn Observer<DumpEvent>,
    ) -> Result<DumpReport, DumpError> {
        let started = clock.now();
        self.warnings = self.plan.warnings.clone();
        let mut control = reader::open(&self.connect, reader::PATIENT).await?;
        self.start_readers().await?;
        let (taken, locks, names) = self.snapshot(&mut control, clock, observer).await?;
        observer.on(&DumpEvent::SnapshotTaken {
            step: taken.step,
            readers: taken.readers,
            lock_held: taken.lock_held,
        });
        let gtid = self.gtid(&taken, &mut control).await;
        let databases = self.catalogues(&mut control, &names, &locks).await?;
        let mut texts = Vec::new();
        for found in &databases {
            texts.push(objects(&mut control, found, self.plan.policy.definers).await?);
        }
        self.put_schemas(&databases, &texts)?;
        let work = self.work(&databases, &locks, observer).await?;
        let tables_locked = self.read(&work, &locks, clock).await?;
        let longest_statement = work.free.longest().max(work.locked.longest());
        self.check_length(longest_statement);
        let finished = clock.now();
        self.put_finals(&databases, &texts, finished)?;
        for warning in texts.iter().flat_map(|objects| &objects.warnings) {
            self.warnings.push(warning.clone());
        }
        for message in &self.warnings {
            let message = message.clone();
            observer.on(&DumpEvent::Warning { message });
        }
        let pieces = self.shelf.pieces();
        Ok(DumpReport {
            started,
            finished,
            server_version: self.plan.server.version_text.clone(),
            snapshot: self.proof(taken, &locks, tables_locked, gtid),
            databases: reports(&self.plan, &databases, &texts, &pieces, &locks),
            reused_pieces: self.shelf.reused(),
            pieces,
            longest_statement,
            warnings: std::mem::take(&mut self.warnings),
        })
    }

    async fn start_readers(&mut self) -> Result<(), DumpError> {
        for number in 0..self.plan.readers {
            self.readers
                .push(Reader::start(number, self.setup()).await?);
        }
        Ok(())
    }

    fn setup(&self) -> Arc<Setup> {
        Arc::new(Setup {
            connect: self.connect.clone(),
            gate: self.gate.clone(),
            stall: self.plan.policy.stall,
        })
    }

    fn check_length(&mut self, longest: u64) {
        let taken = self.plan.server.max_allowed_packet;
        if longest >= taken {
            self.warnings.push(format!(
                "the longest statement has {longest} bytes, more than this server's \
                 max_allowed_packet of {taken}: whoever loads the dump must raise it, on the \
                 server and for the client"
            ));
        }
    }

    fn put_schemas(&self, databases: &[Catalogue], texts: &[Objects]) -> Result<(), DumpError> {
        for (index, (found, objects)) in databases.iter().zip(texts).enumerate() {
            let header = text::header(&found.name, &self.plan.server, env!("CARGO_PKG_VERSION"));
            let sql = [header.as_bytes(), &objects.before].concat();
            self.shelf
                .put(piece(index, &found.name, Part::Schema), &sql)?;
        }
        Ok(())
    }

    /// Only now, when every row is stored: the mark of completeness is in it.
    fn put_finals(
        &self,
        databases: &[Catalogue],
        texts: &[Objects],
        finished: jiff::Timestamp,
    ) -> Result<(), DumpError> {
        for (index, (found, objects)) in databases.iter().zip(texts).enumerate() {
            let footer = text::footer(finished);
            let sql = [&objects.after, footer.as_bytes()].concat();
            self.shelf
                .put(piece(index, &found.name, Part::Final), &sql)?;
        }
        Ok(())
    }

    /// The GTIDs up to the snapshot's position; empty if the server does not say: that needs a
    /// privilege of its own.
    async fn gtid(&self, taken: &Taken, control: &mut Session) -> String {
        let Some(position) = taken.positions.first() else {
            return String::new();
        };
        let params = vec![position.file.as_str().into(), position.position.into()];
        let gtid: Result<Option<Option<String>>, _> = control
            .first("SELECT BINLOG_GTID_POS(?, ?)", Params::Positional(params))
            .await;
        gtid.ok().flatten().flatten().unwrap_or_default()
    }

    fn proof(
        &self,
        taken: Taken,
        locks: &TableLocks,
        tables_locked: Duration,
        gtid: String,
    ) -> Snapshot {
        let server = &self.plan.server;
        let replica = server.replica_of.clone().map(|primary| ReplicaPosition {
            primary,
            gtid: taken.replica_gtid.unwrap_or_default(),
            exact: !taken.lock_held.is_zero(),
        });
        let mut passed_over = self.plan.ruled_out.clone();
        passed_over.extend(taken.missed);
        Snapshot {
            step: taken.step,
            passed_over,
            taken: taken.taken,
            readers: taken.readers,
            positions: taken.positions,
            gtid,
            replica,
            lock_held: taken.lock_held,
            locked_tables: locks
                .tables
                .iter()
                .map(|(database, table)| format!("{database}.{table}"))
                .collect(),
            tables_locked,
        }
    }
}

fn piece(database: usize, name: &str, part: Part) -> PieceId {
    PieceId {
        database: place(database),
        part,
        table: 0,
        chunk: 0,
        database_name: name.to_owned(),
        table_name: String::new(),
        window: None,
    }
}

/// No server holds more tables than that.
fn place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
