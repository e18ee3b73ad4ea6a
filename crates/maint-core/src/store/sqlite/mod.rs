//! A monitoring database in a SQLite file: the embedded default. On diesel, on a blocking thread.

mod executor;
mod relations;
mod schema;
mod series;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use elpis_run::{Clock, FileLock, Holder, Load, LockError, RealClock};

use super::error::BoxError;
use super::sql::{Dialect, Sql};
use super::{
    Counted, Extent, Position, Purged, ServerFacts, Shape, Store, StoreError, purge_work, walk,
};
use crate::{PurgeTask, Scalar, TableRule};

pub(super) use executor::quote;
use executor::{Sqlite, batch};

/// A SQLite file as a [`Store`].
///
/// The file's own journal mode is left as it is. `foreign_keys` is switched on for the session,
/// so that no purge leaves orphans behind. The lock is a file beside the database
/// (`NAME.elpis-lock`), since SQLite has no named locks.
pub struct SqliteStore {
    connection: Arc<Mutex<SqliteConnection>>,
    path: PathBuf,
    program: String,
    lock: Option<FileLock>,
}

impl SqliteStore {
    /// Opens an existing database; `program` names the holder of its lock.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] if the file is missing or is no SQLite database.
    pub fn open(path: &Path, program: &str) -> Result<SqliteStore, StoreError> {
        let target = path.display().to_string();
        let unreachable = |source: BoxError| StoreError::Unreachable {
            target: target.clone(),
            source,
        };
        // SQLite would create a missing file.
        if !path.is_file() {
            return Err(unreachable("there is no such file".into()));
        }
        // One file, one lock and one history, by whatever name it is opened.
        let path = path.canonicalize().map_err(|e| unreachable(e.into()))?;
        let text = path
            .to_str()
            .ok_or_else(|| unreachable("the path is not UTF-8".into()))?;
        let mut connection =
            SqliteConnection::establish(text).map_err(|e| unreachable(e.into()))?;
        connection
            .batch_execute(
                "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; \
                 SELECT COUNT(*) FROM sqlite_schema;",
            )
            .map_err(|e| unreachable(e.into()))?;
        Ok(SqliteStore {
            connection: Arc::new(Mutex::new(connection)),
            path,
            program: program.to_owned(),
            lock: None,
        })
    }

    /// The file that locks this database.
    fn lock_path(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".elpis-lock");
        name.into()
    }

    /// Runs `work` with the connection on a thread that may block.
    async fn blocking<T, F>(
        &self,
        work: impl FnOnce(Sqlite) -> F + Send + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>>,
    {
        let sqlite = Sqlite {
            connection: Arc::clone(&self.connection),
        };
        let runtime = tokio::runtime::Handle::current();
        let joined = tokio::task::spawn_blocking(move || runtime.block_on(work(sqlite)));
        joined.await.unwrap_or_else(|e| {
            Err(StoreError::Lost {
                doing: "using the connection".to_owned(),
                source: e.into(),
            })
        })
    }
}

/// IMMEDIATE takes the write lock before anything is read, so that no reader turns into a writer
/// half-way and fails.
fn begin(connection: &Sqlite) -> Result<(), StoreError> {
    batch(connection, "BEGIN IMMEDIATE")
}

/// Commits what was done, or rolls it back.
fn end<T>(connection: &Sqlite, done: Result<T, StoreError>) -> Result<T, StoreError> {
    match done {
        Ok(done) => batch(connection, "COMMIT").map(|()| done),
        Err(error) => {
            // The first error tells more than that of a failed rollback would.
            let _ = batch(connection, "ROLLBACK");
            Err(error)
        }
    }
}

impl Store for SqliteStore {
    async fn server(&mut self) -> Result<ServerFacts, StoreError> {
        let path = self.path.clone();
        self.blocking(async move |mut c| {
            let version = Sql::new(Dialect::Sqlite, "SELECT sqlite_version()");
            let version = walk::value(&mut c, &version).await?;
            let version = version.map(|v| v.to_string()).unwrap_or_default();
            let name = path
                .file_stem()
                .unwrap_or(path.as_os_str())
                .to_string_lossy();
            let read_only = path.metadata().map_or(true, |m| m.permissions().readonly());
            Ok(ServerFacts {
                product: format!("SQLite {version}"),
                database: name.into_owned(),
                target: path.display().to_string(),
                obstacles: if read_only {
                    vec!["the file is read-only".into()]
                } else {
                    vec![]
                },
                warnings: Vec::new(),
                replica_of: None,
                clock: None,
            })
        })
        .await
    }

    async fn shape(&mut self, table: &str) -> Result<Option<Shape>, StoreError> {
        let table = table.to_owned();
        self.blocking(async move |mut c| schema::shape(&mut c, &table).await)
            .await
    }

    async fn estimate(&mut self, task: &PurgeTask) -> Result<Extent, StoreError> {
        let task = task.clone();
        self.blocking(async move |mut c| {
            let total = schema::rows(&mut c, &task.table).await?;
            walk::estimate(&mut c, &task, total).await
        })
        .await
    }

    async fn nth_newest(
        &mut self,
        rule: &TableRule,
        keep: u64,
    ) -> Result<Option<Scalar>, StoreError> {
        let (table, time) = (rule.name.clone(), rule.time_column.clone());
        self.blocking(async move |mut c| walk::nth_newest(&mut c, &table, &time, keep).await)
            .await
    }

    async fn count_chunk(
        &mut self,
        task: &PurgeTask,
        from: Option<&Position>,
        limit: u64,
    ) -> Result<Counted, StoreError> {
        let (task, from) = (task.clone(), from.cloned());
        self.blocking(async move |mut c| {
            walk::count_chunk(&mut c, &task, from.as_ref(), limit).await
        })
        .await
    }

    async fn purge_chunk(
        &mut self,
        task: &PurgeTask,
        from: Option<&Position>,
        limit: u64,
    ) -> Result<Purged, StoreError> {
        let (task, from) = (task.clone(), from.cloned());
        self.blocking(async move |mut c| {
            begin(&c)?;
            let purged = purge_work::purge_chunk(&mut c, &task, from.as_ref(), limit).await;
            end(&c, purged)
        })
        .await
    }

    async fn lock(&mut self, names: &[String]) -> Result<(), StoreError> {
        let path = self.lock_path();
        let holder = Holder::current(&self.program, RealClock::new().now());
        match FileLock::acquire(&path, &holder) {
            Ok(lock) => {
                self.lock = Some(lock);
                Ok(())
            }
            Err(LockError::Held { path, holder }) => Err(StoreError::LockHeld {
                name: names.first().cloned().unwrap_or_default(),
                holder: match holder {
                    Some(holder) => holder.to_string(),
                    None => format!("a process that {} does not name", path.display()),
                },
            }),
            Err(error) => Err(StoreError::Failed {
                doing: format!("locking {}", path.display()),
                source: error.into(),
            }),
        }
    }

    async fn unlock(&mut self) -> Result<(), StoreError> {
        self.lock = None;
        Ok(())
    }

    async fn load(&mut self) -> Result<Load, StoreError> {
        Ok(Load::default())
    }
}
