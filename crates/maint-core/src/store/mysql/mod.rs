//! A monitoring database on MariaDB or MySQL, through `elpis-mysql`.

mod executor;
mod moves;
mod relations;
mod schema;
mod series;

use std::time::Duration;

use elpis_mysql::{
    Backoff, ConnectOptions, Error as MySqlError, Flavour, Isolation, LoadProbe, Params, Session,
    SessionSettings,
};
use elpis_run::Load;
use jiff::Timestamp;

use super::walk;
use super::{Counted, Extent, Position, Purged, ServerFacts, Shape, Store, StoreError, purge_work};
use crate::{PurgeTask, Scalar, TableRule};

/// How often a chunk is tried before deadlocks or lock waits end the run.
const TRIES: u32 = 6;
/// The most keys that one statement names. MariaDB and MySQL look into the index for each of fewer
/// than 200 (`eq_range_index_dive_limit`); of more they guess, by statistics that may be of another
/// time, and if these mislead them, a delete of 200 keys reads the whole table. From 1,000 on
/// (`in_predicate_conversion_threshold`) a query is made a join besides.
const MOST_KEYS: usize = 199;

/// MariaDB or MySQL as a [`Store`].
///
/// One session does everything that must be consistent: the locks, the reads and the writes. It
/// never reconnects: when it is lost, so are the locks, and the run ends before the next write.
/// The load is watched over connections of its own.
pub struct MySqlStore {
    session: Session,
    probe: LoadProbe,
    database: String,
    target: String,
    /// How many locks each call of `lock` took that was not given back yet.
    locked: Vec<usize>,
}

impl MySqlStore {
    /// Connects. `replicas` are watched for lag under the given names.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`], also if `options` name no database.
    pub async fn connect(
        options: &ConnectOptions,
        replicas: Vec<(String, ConnectOptions)>,
    ) -> Result<MySqlStore, StoreError> {
        let target = options.target();
        let Some(database) = options.database.clone() else {
            let source = "the configuration names no database".into();
            return Err(StoreError::Unreachable { target, source });
        };
        let settings = SessionSettings {
            statement_timeout: Duration::from_secs(30),
            lock_wait: Duration::from_secs(3),
            // Deletes then lock the rows they delete and no gaps between them, so that nobody
            // waits who inserts beside them. Needs row-based replication: see `server`.
            isolation: Isolation::ReadCommitted,
            ..SessionSettings::default()
        };
        let unreachable = |e: MySqlError| StoreError::Unreachable {
            target: target.clone(),
            source: e.into(),
        };
        let mut session = Session::open(options, &settings)
            .await
            .map_err(unreachable)?;
        let server = session.server();
        if server.flavour == Flavour::MariaDb && server.version >= (10, 0, 1) {
            // What ANALYZE ... PERSISTENT wrote down of a table is never brought up to date: of one
            // that was small then it says for ever that it is best read as a whole. What InnoDB
            // itself knows is of today.
            let fresh = "SET SESSION use_stat_tables = 'never'";
            let set = session.execute(fresh, Params::Empty).await;
            set.map_err(unreachable)?;
        }
        let probe = LoadProbe::new(options.clone(), replicas);
        Ok(MySqlStore {
            session,
            probe,
            database,
            target,
            locked: Vec::new(),
        })
    }

    /// Where it is, as runs are filed in the journal.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// One try at a chunk: a single statement, or a transaction if children go first.
    async fn try_chunk(
        &mut self,
        task: &PurgeTask,
        from: Option<&Position>,
        limit: u64,
    ) -> Result<Purged, StoreError> {
        if task.cascades.is_empty() {
            return purge_work::purge_chunk(&mut self.session, task, from, limit).await;
        }
        begin(&mut self.session).await?;
        let purged = purge_work::purge_chunk(&mut self.session, task, from, limit).await;
        end(&mut self.session, purged).await
    }
}

async fn begin(session: &mut Session) -> Result<(), StoreError> {
    session.begin().await.map_err(|e| failed("at BEGIN", e))
}

/// Commits what was done, or rolls it back.
async fn end<T>(session: &mut Session, done: Result<T, StoreError>) -> Result<T, StoreError> {
    match done {
        Ok(done) => {
            let committed = session.commit().await;
            committed.map_err(|e| failed("at COMMIT", e))?;
            Ok(done)
        }
        Err(error) => {
            // The first error tells more; a lost session has rolled back by itself.
            let _ = session.rollback().await;
            Err(error)
        }
    }
}

/// Waits before the next try, or says that there is none.
struct Tries {
    backoff: Backoff,
    failed: u32,
}

impl Tries {
    fn new() -> Tries {
        Tries {
            backoff: Backoff::new(TRIES - 1, Duration::from_millis(20), Duration::from_secs(2)),
            failed: 0,
        }
    }

    /// # Errors
    /// `error`, if it is no contention or there were too many tries.
    async fn again(&mut self, error: StoreError) -> Result<(), StoreError> {
        let StoreError::Contended { doing, source, .. } = error else {
            return Err(error);
        };
        self.failed += 1;
        match self.backoff.next() {
            Some(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            None => Err(StoreError::Contended {
                doing,
                tries: self.failed,
                source,
            }),
        }
    }
}

impl Store for MySqlStore {
    async fn server(&mut self) -> Result<ServerFacts, StoreError> {
        let asking = |e| failed("asking the server about itself", e);
        let role = elpis_mysql::role(&mut self.session).await.map_err(asking)?;
        let micros = elpis_mysql::now(&mut self.session).await.map_err(asking)?;
        let mut warnings = Vec::new();
        if role.replica_unknown {
            warnings.push(
                "this account may not see whether the server is a replica: grant it REPLICA \
                 MONITOR (REPLICATION CLIENT on MySQL)"
                    .to_owned(),
            );
        }
        let info = self.session.server();
        if info.flavour == Flavour::MySql {
            warnings.push("Elpis has only been tested on MariaDB, not on MySQL".to_owned());
        }
        Ok(ServerFacts {
            product: format!("{:?} {}", info.flavour, info.version_text),
            database: self.database.clone(),
            target: self.target.clone(),
            obstacles: role.obstacles().into_iter().map(str::to_owned).collect(),
            warnings,
            replica_of: role.replica_of,
            clock: Timestamp::from_microsecond(micros).ok(),
        })
    }

    async fn shape(&mut self, table: &str) -> Result<Option<Shape>, StoreError> {
        schema::shape(&mut self.session, table).await
    }

    async fn estimate(&mut self, task: &PurgeTask) -> Result<Extent, StoreError> {
        let total = schema::rows(&mut self.session, &task.table).await?;
        walk::estimate(&mut self.session, task, total).await
    }

    async fn nth_newest(
        &mut self,
        rule: &TableRule,
        keep: u64,
    ) -> Result<Option<Scalar>, StoreError> {
        walk::nth_newest(&mut self.session, &rule.name, &rule.time_column, keep).await
    }

    async fn count_chunk(
        &mut self,
        task: &PurgeTask,
        from: Option<&Position>,
        limit: u64,
    ) -> Result<Counted, StoreError> {
        walk::count_chunk(&mut self.session, task, from, limit).await
    }

    async fn purge_chunk(
        &mut self,
        task: &PurgeTask,
        from: Option<&Position>,
        limit: u64,
    ) -> Result<Purged, StoreError> {
        let mut tries = Tries::new();
        loop {
            match self.try_chunk(task, from, limit).await {
                Ok(purged) => {
                    return Ok(Purged {
                        retries: tries.failed,
                        ..purged
                    });
                }
                Err(error) => tries.again(error).await?,
            }
        }
    }

    async fn lock(&mut self, names: &[String]) -> Result<(), StoreError> {
        let taken = self.session.lock(names, Duration::ZERO).await;
        taken.map_err(|e| match e {
            MySqlError::LockHeld { name, holder } => StoreError::LockHeld { name, holder },
            other => failed("taking the locks", other),
        })?;
        self.locked.push(names.len());
        Ok(())
    }

    async fn unlock(&mut self) -> Result<(), StoreError> {
        let last = self.locked.pop().unwrap_or_default();
        let given_back = self.session.unlock_last(last).await;
        given_back.map_err(|e| failed("giving the locks back", e))
    }

    async fn load(&mut self) -> Result<Load, StoreError> {
        Ok(self.probe.sample().await)
    }
}

fn failed(doing: &str, error: MySqlError) -> StoreError {
    let doing = doing.to_owned();
    if error.is_lost() {
        StoreError::Lost {
            doing,
            source: error.into(),
        }
    } else if error.is_retryable() {
        StoreError::Contended {
            doing,
            tries: 1,
            source: error.into(),
        }
    } else {
        StoreError::Failed {
            doing,
            source: error.into(),
        }
    }
}
