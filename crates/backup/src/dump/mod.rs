//! A consistent logical dump of MariaDB and MySQL databases, read by parallel readers.
//!
//! [`Dump::inspect`] looks at the server, [`Dump::plan`] decides, [`Dump::run`] reads. Every
//! reader is a connection on a thread of its own; all of them see the database as it was at one
//! moment, for which [`DumpReport::snapshot`] has the proof. The text goes in pieces to a
//! [`DumpSink`]; concatenated in the order of their [`PieceId`]s, the pieces of a database are a
//! plain SQL file for the stock `mariadb` or `mysql` client.
//!
//! ```text
//! Schema          header, sequences, CREATE TABLE ..., placeholders of views
//! Data t0 c0..cn  INSERT INTO t0 ...
//! Data t1 c0..cn  INSERT INTO t1 ...
//! Final           triggers, routines, views, events, "-- Dump completed"
//! ```

mod chunk;
mod create;
mod encode;
mod error;
mod event;
pub(crate) mod facts;
mod gate;
pub(crate) mod grants;
mod limits;
pub(crate) mod objects;
mod plan;
mod policy;
pub(crate) mod privileges;
mod query;
mod reader;
mod report;
mod run;
mod sink;
mod snapshot;
mod store;
mod text;
mod work;

use std::fmt;
use std::sync::Arc;

use elpis_mysql::{ConnectOptions, LoadProbe};
use elpis_run::{Clock, Observer, RealClock, Secret, StopToken, Throttle};

pub use error::DumpError;
pub use event::DumpEvent;
pub use facts::{Catalogue, DumpFacts, RangeColumn, ServerFacts, TableFacts};
pub use limits::DumpLimits;
pub use plan::DumpPlan;
pub use policy::{Definers, DumpPolicy, NonTransactional, SnapshotStep, Window};
pub use report::{
    BinlogPosition, DatabaseReport, DumpReport, ReplicaPosition, Snapshot, TableReport,
};
pub use sink::{DumpSink, Part, Piece, PieceId, PieceWriter, SinkError};

use gate::{End, Gate};

/// A dump of one server: where it is and what is wanted.
#[derive(Clone, Debug)]
pub struct Dump {
    connect: ConnectOptions,
    policy: DumpPolicy,
}

impl Dump {
    /// A dump through connections made with `connect`, whose database does not matter.
    #[must_use]
    pub fn new(connect: ConnectOptions, policy: DumpPolicy) -> Self {
        let connect = ConnectOptions {
            database: None,
            ..connect
        };
        Self { connect, policy }
    }

    /// Looks at the server, the account's privileges and the databases. Changes nothing.
    ///
    /// # Errors
    /// [`DumpError::Server`] if it cannot be asked, [`DumpError::NoDatabase`],
    /// [`DumpError::Undumpable`] for a table the server cannot open.
    pub async fn inspect(&self) -> Result<DumpFacts, DumpError> {
        let mut session = reader::open(&self.connect, reader::PATIENT).await?;
        let server = facts::server(&mut session).await?;
        let lock_tables = self.policy.non_transactional == NonTransactional::Lock;
        let mut databases = Vec::new();
        let mut missing = Vec::new();
        for name in &self.policy.databases {
            let found = facts::database(&mut session, name, None).await?;
            missing.extend(facts::missing(&server, &found, lock_tables));
            databases.push(found);
        }
        Ok(DumpFacts {
            server,
            databases,
            missing,
        })
    }

    /// Decides, from the policy and the facts alone and the number of cores.
    ///
    /// # Errors
    /// [`DumpError::Policy`]; [`DumpError::Privileges`] if something would be left out;
    /// [`DumpError::Snapshot`] if no step of the ladder can be used.
    pub fn plan(&self, facts: &DumpFacts, cores: usize) -> Result<DumpPlan, DumpError> {
        plan::plan(&self.policy, facts, cores)
    }

    /// Reads everything into `sink`. The work is done on threads of its own; dropping the future
    /// stops it.
    ///
    /// Tables are held against alteration (not against writing) until the end: a statement that
    /// wants to alter one waits, and whoever wants to use that table then waits behind it.
    ///
    /// # Errors
    /// Any: see [`DumpError`]. There is no dump then, and what the sink has got is worth nothing.
    pub async fn run(
        &self,
        plan: &DumpPlan,
        sink: Arc<dyn DumpSink>,
        control: DumpControl,
    ) -> Result<DumpReport, DumpError> {
        let gate = Arc::new(Gate::new(
            control.clock.clone(),
            plan.policy.bytes_per_second,
        ));
        let abandoned = EndOnDrop(gate.clone());
        let result = run::start(self.connect.clone(), plan.clone(), sink, control, gate)?;
        let result = result.await.unwrap_or_else(|_| {
            Err(DumpError::Reader {
                reason: "its conductor panicked".to_owned(),
            })
        });
        drop(abandoned);
        result
    }

    /// The statements that make the application's accounts and their rights again: those with
    /// rights on one of the databases, without what they may do on all (`*.*`).
    ///
    /// The text holds password hashes. It belongs into a file of its own that only root may
    /// read, and never into the SQL text.
    ///
    /// # Errors
    /// [`DumpError::Server`] if the account may not read the `mysql` database.
    pub async fn grants(&self) -> Result<Secret<String>, DumpError> {
        let mut session = reader::open(&self.connect, reader::PATIENT).await?;
        grants::grants(&mut session, &self.policy.databases).await
    }
}

/// What a running dump listens and talks to.
pub struct DumpControl {
    /// Hears what happens, from several threads.
    pub observer: Arc<dyn Observer<DumpEvent>>,
    /// Ends the dump.
    pub stop: StopToken,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Slows the dump down when the server is busy or replicas lag.
    pub throttle: Option<DumpThrottle>,
}

impl Default for DumpControl {
    /// Nobody listens, nobody stops it, and it goes as fast as it can.
    fn default() -> Self {
        Self {
            observer: Arc::new(()),
            stop: StopToken::new(),
            clock: Arc::new(RealClock::new()),
            throttle: None,
        }
    }
}

impl fmt::Debug for DumpControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DumpControl")
            .field("stop", &self.stop)
            .field("throttled", &self.throttle.is_some())
            .finish_non_exhaustive()
    }
}

/// Decides about once a second whether the dump goes on, pauses or ends.
pub struct DumpThrottle {
    /// Who decides. Of a [`Pace::Go`](elpis_run::Pace::Go) only the pause counts; a chunk's
    /// `examined` are the rows read since the last decision.
    pub throttle: Box<dyn Throttle>,
    /// Who measures. The dump's own readers do not count as running statements.
    pub probe: LoadProbe,
}

impl fmt::Debug for DumpThrottle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DumpThrottle")
            .field("probe", &self.probe)
            .finish_non_exhaustive()
    }
}

struct EndOnDrop(Arc<Gate>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end(End::Stopped);
    }
}
