//! The ladder: ways to give all readers the same snapshot, the cheapest first.

use std::time::Duration;

use elpis_mysql::{Backoff, Flavour, Params, Session};
use elpis_run::{Clock, Observer};
use jiff::Timestamp;
use tokio::time::timeout;

use super::error::DumpError;
use super::event::DumpEvent;
use super::plan::DumpPlan;
use super::policy::SnapshotStep;
use super::query::Query;
use super::reader::{self, Reader};
use super::report::BinlogPosition;

/// How often a lock is asked for.
const LOCK_TRIES: u32 = 5;

/// A snapshot shared by the first readers.
pub(super) struct Taken {
    pub(super) step: SnapshotStep,
    /// How many readers share it.
    pub(super) readers: usize,
    pub(super) taken: Timestamp,
    /// One a reader, or none.
    pub(super) positions: Vec<BinlogPosition>,
    pub(super) lock_held: Duration,
    /// What the replica had applied; `None` if it is none or does not say.
    pub(super) replica_gtid: Option<String>,
    /// The steps that were tried in vain.
    pub(super) missed: Vec<String>,
}

/// What the steps need.
pub(super) struct Ladder<'a> {
    pub(super) plan: &'a DumpPlan,
    pub(super) control: &'a mut Session,
    pub(super) readers: &'a [Reader],
    pub(super) clock: &'a dyn Clock,
    pub(super) observer: &'a dyn Observer<DumpEvent>,
}

/// What a step came to, or why it did not work.
type Outcome = Result<Result<Taken, String>, DumpError>;

impl Ladder<'_> {
    /// Climbs down until a step holds.
    pub(super) async fn snapshot(mut self) -> Result<Taken, DumpError> {
        let mut missed = Vec::new();
        for &step in &self.plan.ladder {
            let outcome = match step {
                SnapshotStep::LockFree => self.lock_free().await?,
                SnapshotStep::BackupStage => self.locked(step, &STAGE).await?,
                SnapshotStep::GlobalReadLock => self.locked(step, &READ_LOCK).await?,
                SnapshotStep::SingleReader => self.single().await?,
            };
            match outcome {
                Ok(taken) => return Ok(Taken { missed, ..taken }),
                Err(reason) => {
                    missed.push(format!("{}: {reason}", step.words()));
                    self.observer
                        .on(&DumpEvent::SnapshotMissed { step, reason });
                }
            }
        }
        Err(DumpError::Snapshot { reasons: missed })
    }

    async fn lock_free(&mut self) -> Outcome {
        let mut backoff = Backoff::new(
            self.plan.policy.lock_free_tries,
            Duration::from_millis(1),
            Duration::from_millis(50),
        );
        while let Some(wait) = backoff.next() {
            let positions = positions(self.readers).await?;
            if positions.len() < self.readers.len() {
                return Ok(Err("the server tells no position of a snapshot".to_owned()));
            }
            if all_equal(&positions) {
                return Ok(Ok(self.taken(SnapshotStep::LockFree, positions).await?));
            }
            self.clock.sleep(wait).await;
        }
        Ok(Err(format!(
            "the readers saw different positions {} times",
            self.plan.policy.lock_free_tries
        )))
    }

    async fn single(&mut self) -> Outcome {
        let first = self.readers.get(..1).unwrap_or_default();
        let positions = positions(first).await?;
        let taken = self.taken(SnapshotStep::SingleReader, positions).await?;
        Ok(Ok(Taken {
            readers: 1,
            ..taken
        }))
    }

    async fn taken(
        &mut self,
        step: SnapshotStep,
        positions: Vec<BinlogPosition>,
    ) -> Result<Taken, DumpError> {
        Ok(Taken {
            step,
            readers: self.readers.len(),
            taken: self.clock.now(),
            positions,
            lock_held: Duration::ZERO,
            replica_gtid: self.replica_gtid().await?,
            missed: Vec::new(),
        })
    }

    async fn replica_gtid(&mut self) -> Result<Option<String>, DumpError> {
        if self.plan.server.replica_of.is_none() || !self.plan.server.is_mariadb() {
            return Ok(None);
        }
        self.control
            .ask_first("SELECT @@GLOBAL.gtid_slave_pos", Params::Empty)
            .await
    }

    /// Takes the snapshots while nobody can commit. The holder of the lock is never a reader: a
    /// backup stage does away with its holder's snapshot.
    async fn locked(&mut self, step: SnapshotStep, lock: &Lock) -> Outcome {
        let mut held_up = Duration::ZERO;
        let mut reason = String::new();
        let base = self.plan.policy.lock_wait;
        let mut backoff = Backoff::new(LOCK_TRIES, base, 8 * base);
        while let Some(wait) = backoff.next() {
            let begun = self.clock.monotonic();
            let attempt = self.while_locked(step, lock).await;
            held_up += self.clock.monotonic().saturating_sub(begun);
            match attempt? {
                Ok(taken) => return Ok(Ok(taken)),
                Err(missed) => reason = missed,
            }
            self.clock.sleep(wait).await;
        }
        Ok(Err(format!(
            "{reason} (tried {LOCK_TRIES} times, {held_up:.1?})"
        )))
    }

    async fn while_locked(&mut self, step: SnapshotStep, lock: &Lock) -> Outcome {
        self.limit_statements(Some(self.plan.policy.lock_wait))
            .await?;
        let mut begun = self.clock.monotonic();
        let mut refused = None;
        for (index, sql) in lock.take.iter().enumerate() {
            if index + 1 == lock.take.len() {
                // From here on writers wait.
                begun = self.clock.monotonic();
            }
            if let Err(error) = self.control.execute(sql, Params::Empty).await {
                if error.is_lost() {
                    return Err(DumpError::server(*sql, error));
                }
                refused = Some(format!("{sql} was refused: {error}"));
                break;
            }
        }
        let attempt = match refused {
            Some(reason) => Ok(Err(reason)),
            None => self.snapshots(step).await,
        };
        // Whatever happened, nobody is to wait longer.
        self.control.tell(lock.release).await?;
        let lock_held = self.clock.monotonic().saturating_sub(begun);
        self.limit_statements(None).await?;
        Ok(attempt?.map(|taken| Taken { lock_held, ..taken }))
    }

    async fn snapshots(&mut self, step: SnapshotStep) -> Outcome {
        let limit = self.plan.policy.lock_hold;
        let Ok(positions) = timeout(limit, positions(self.readers)).await else {
            return Ok(Err(format!("the readers took longer than {limit:?}")));
        };
        let positions = positions?;
        if !all_equal(&positions) {
            return Ok(Err(
                "the readers saw different positions under the lock".to_owned()
            ));
        }
        Ok(Ok(self.taken(step, positions).await?))
    }

    /// Bounds the waits of the holder, which are the waits of all writers.
    async fn limit_statements(&mut self, limit: Option<Duration>) -> Result<(), DumpError> {
        let set = match (self.control.server().flavour, limit) {
            (Flavour::MariaDb, Some(limit)) => format!(
                "SET SESSION max_statement_time = {:.3}",
                limit.as_secs_f64()
            ),
            (Flavour::MariaDb, None) => "SET SESSION max_statement_time = 0".to_owned(),
            // It knows no limit for these statements but that of the lock, in whole seconds.
            (Flavour::MySql, Some(limit)) => {
                format!("SET SESSION lock_wait_timeout = {}", limit.as_secs().max(1))
            }
            (Flavour::MySql, None) => "SET SESSION lock_wait_timeout = 60".to_owned(),
        };
        self.control.tell(&set).await
    }
}

struct Lock {
    /// The last one makes writers wait.
    take: &'static [&'static str],
    release: &'static str,
}

const STAGE: Lock = Lock {
    take: &[
        "BACKUP STAGE START",
        "BACKUP STAGE FLUSH",
        "BACKUP STAGE BLOCK_DDL",
        "BACKUP STAGE BLOCK_COMMIT",
    ],
    release: "BACKUP STAGE END",
};

const READ_LOCK: Lock = Lock {
    take: &["FLUSH TABLES WITH READ LOCK"],
    release: "UNLOCK TABLES",
};

/// Lets all readers take a snapshot at the same time.
async fn positions(readers: &[Reader]) -> Result<Vec<BinlogPosition>, DumpError> {
    let all = reader::all(readers.iter().map(Reader::snapshot)).await?;
    Ok(all.into_iter().flatten().collect())
}

fn all_equal(positions: &[BinlogPosition]) -> bool {
    positions.windows(2).all(|pair| pair[0] == pair[1])
}
