//! [`Store`] for tables in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use elpis_maint_core::store::{Count, Counted, Extent, Position, Purged, ServerFacts, Shape};
use elpis_maint_core::{PurgeTask, Scalar, Store, StoreError, TableRule};
use elpis_run::Load;

use crate::MemoryTable;

/// A database in memory that several sessions share.
#[derive(Debug, Clone, Default)]
pub struct MemoryDatabase {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    tables: BTreeMap<String, MemoryTable>,
    /// Who holds the lock on the whole database.
    holder: Option<String>,
}

/// One session on a [`MemoryDatabase`].
#[derive(Debug)]
pub struct MemoryStore {
    database: MemoryDatabase,
    name: String,
    locked: bool,
}

impl MemoryDatabase {
    /// Adds or replaces a table.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if a session panicked in the middle of a change.
    pub fn put(&self, name: &str, table: MemoryTable) -> Result<(), StoreError> {
        self.get()?.tables.insert(name.to_owned(), table);
        Ok(())
    }

    /// A copy of a table.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if there is none of that name.
    pub fn table(&self, name: &str) -> Result<MemoryTable, StoreError> {
        let inner = self.get()?;
        Ok(find(&inner, name)?.clone())
    }

    /// A session; `name` names it when it holds the lock.
    pub fn store(&self, name: &str) -> MemoryStore {
        MemoryStore {
            database: self.clone(),
            name: name.to_owned(),
            locked: false,
        }
    }

    fn get(&self) -> Result<MutexGuard<'_, Inner>, StoreError> {
        self.inner
            .lock()
            .map_err(|_| failed("a session panicked in the middle of a change"))
    }
}

fn failed(reason: &str) -> StoreError {
    StoreError::Failed {
        doing: "in memory".to_owned(),
        source: reason.into(),
    }
}

fn find<'a>(inner: &'a Inner, name: &str) -> Result<&'a MemoryTable, StoreError> {
    inner
        .tables
        .get(name)
        .ok_or_else(|| failed("there is no such table"))
}

/// The part of a walk that lies behind a position.
fn behind<T>(walk: &[(Vec<Scalar>, i64, T)], from: Option<&Position>) -> usize {
    let passed = |place: &Vec<Scalar>| {
        from.is_some_and(|from| (place.len(), place) <= (from.at.len(), &from.at))
    };
    walk.iter().take_while(|(place, ..)| passed(place)).count()
}

impl Store for MemoryStore {
    async fn server(&mut self) -> Result<ServerFacts, StoreError> {
        Ok(ServerFacts {
            product: "memory".to_owned(),
            database: "memory".to_owned(),
            target: "memory".to_owned(),
            obstacles: vec![],
            warnings: vec![],
            replica_of: None,
            clock: None,
        })
    }

    async fn shape(&mut self, table: &str) -> Result<Option<Shape>, StoreError> {
        Ok(self
            .database
            .get()?
            .tables
            .get(table)
            .map(MemoryTable::shape))
    }

    async fn estimate(&mut self, task: &PurgeTask) -> Result<Extent, StoreError> {
        let inner = self.database.get()?;
        let table = find(&inner, &task.table)?;
        let times = || {
            table
                .rows()
                .filter_map(|row| table.value(row, &task.due.time_column))
        };
        Ok(Extent {
            rows: Count::exact(table.rows().count() as u64),
            due: Count::exact(
                table
                    .rows()
                    .filter(|row| table.is_due(row, &task.due))
                    .count() as u64,
            ),
            oldest: times().min().cloned(),
            newest: times().max().cloned(),
        })
    }

    async fn nth_newest(
        &mut self,
        rule: &TableRule,
        keep: u64,
    ) -> Result<Option<Scalar>, StoreError> {
        let inner = self.database.get()?;
        let table = find(&inner, &rule.name)?;
        let mut times: Vec<_> = table
            .rows()
            .filter_map(|row| table.value(row, &rule.time_column))
            .collect();
        times.sort();
        Ok(times
            .into_iter()
            .rev()
            .nth(keep.saturating_sub(1) as usize)
            .cloned())
    }

    async fn count_chunk(
        &mut self,
        task: &PurgeTask,
        from: Option<&Position>,
        limit: u64,
    ) -> Result<Counted, StoreError> {
        let inner = self.database.get()?;
        let table = find(&inner, &task.table)?;
        let walk = table.walk(task);
        let ahead = walk.get(behind(&walk, from)..).unwrap_or_default();
        let stretch = ahead.get(..limit as usize).unwrap_or(ahead);
        let mut counted = Counted {
            rows: stretch.len() as u64,
            ..Counted::default()
        };
        for (_, _, row) in stretch {
            counted.due += u64::from(table.is_due(row, &task.due));
            match table.value(row, &task.due.time_column) {
                None => counted.untimed += 1,
                Some(time) => {
                    let (oldest, newest) = counted.span.unwrap_or((time.clone(), time.clone()));
                    counted.span = Some((oldest.min(time.clone()), newest.max(time.clone())));
                }
            }
        }
        counted.next = next(ahead, stretch.len());
        Ok(counted)
    }

    async fn purge_chunk(
        &mut self,
        task: &PurgeTask,
        from: Option<&Position>,
        limit: u64,
    ) -> Result<Purged, StoreError> {
        let mut inner = self.database.get()?;
        let table = find(&inner, &task.table)?;
        let walk = table.walk(task);
        let ahead = walk.get(behind(&walk, from)..).unwrap_or_default();
        let stretch = ahead.get(..limit as usize).unwrap_or(ahead);
        let dying = stretch
            .iter()
            .filter(|(_, _, row)| table.is_due(row, &task.due));
        let ids: Vec<i64> = dying.map(|(_, id, _)| *id).collect();
        let purged = Purged {
            examined: stretch.len() as u64,
            deleted: ids.len() as u64,
            next: next(ahead, stretch.len()),
            ..Purged::default()
        };
        if let Some(table) = inner.tables.get_mut(&task.table) {
            table.delete(&ids);
        }
        Ok(purged)
    }

    async fn lock(&mut self, names: &[String]) -> Result<(), StoreError> {
        let mut inner = self.database.get()?;
        if let Some(holder) = inner.holder.clone() {
            let name = names.first().cloned().unwrap_or_default();
            return Err(StoreError::LockHeld { name, holder });
        }
        inner.holder = Some(format!("{} (pid {})", self.name, std::process::id()));
        self.locked = true;
        Ok(())
    }

    async fn unlock(&mut self) -> Result<(), StoreError> {
        if std::mem::take(&mut self.locked) {
            self.database.get()?.holder = None;
        }
        Ok(())
    }

    async fn load(&mut self) -> Result<Load, StoreError> {
        Ok(Load::default())
    }
}

/// Where a walk goes on after its first `done` rows; `None` at the end.
fn next<T>(ahead: &[(Vec<Scalar>, i64, T)], done: usize) -> Option<Position> {
    let last = done.checked_sub(1).filter(|_| done < ahead.len())?;
    ahead
        .get(last)
        .map(|(place, ..)| Position::at(place.clone(), false))
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        if self.locked
            && let Ok(mut inner) = self.database.get()
        {
            inner.holder = None;
        }
    }
}
