//! Which reader reads what.

use std::sync::Arc;
use std::time::Duration;

use elpis_run::{Clock, Observer};

use super::hold::TableLocks;
use super::{Conductor, piece, place};
use crate::dump::chunk::{self, Slice};
use crate::dump::error::DumpError;
use crate::dump::event::DumpEvent;
use crate::dump::facts::{self, Catalogue, TableFacts};
use crate::dump::objects::unquotable;
use crate::dump::plan::{Cut, cut, has_rows};
use crate::dump::policy::DumpPolicy;
use crate::dump::reader;
use crate::dump::sink::{Part, PieceId};
use crate::dump::work::{Task, Work};

/// Everything there is to read.
pub(super) struct AllWork {
    /// What any reader may take.
    pub(super) free: Arc<Work>,
    /// What the locker reads.
    pub(super) locked: Arc<Work>,
}

impl Conductor {
    pub(super) async fn work(
        &self,
        databases: &[Catalogue],
        locks: &TableLocks,
        observer: &dyn Observer<DumpEvent>,
    ) -> Result<AllWork, DumpError> {
        let (mut free, mut locked) = (Vec::new(), Vec::new());
        let (mut tables, mut data_bytes) = (0, 0_u64);
        for (index, found) in databases.iter().enumerate() {
            for (number, table) in found.tables.iter().enumerate() {
                if !has_rows(&self.plan.policy, table) {
                    continue;
                }
                tables += 1;
                data_bytes = data_bytes.saturating_add(table.data_bytes);
                let is_locked = locks.hold(&found.name, &table.name);
                let slices = if is_locked {
                    vec![Slice::Whole]
                } else {
                    self.slices(found, table).await?
                };
                let tasks = if is_locked { &mut locked } else { &mut free };
                let bytes = table.data_bytes / slices.len().max(1) as u64;
                let unquotable = |error| unquotable(&table.name, &error);
                let insert = chunk::insert(table).map_err(unquotable)?;
                let forms = chunk::forms(table);
                for (chunk, slice) in slices.iter().enumerate() {
                    tasks.push(Task {
                        piece: PieceId {
                            table: place(number),
                            chunk: place(chunk),
                            table_name: table.name.clone(),
                            window: closed(&self.plan.policy, table, slice),
                            ..piece(index, &found.name, Part::Data)
                        },
                        select: chunk::select(&found.name, table, slice).map_err(unquotable)?,
                        insert: insert.clone(),
                        forms: forms.clone(),
                        bytes,
                    });
                }
            }
        }
        observer.on(&DumpEvent::Cut {
            tables,
            chunks: free.len() + locked.len(),
            data_bytes,
        });
        let statement_bytes = self.plan.policy.statement_bytes;
        let work = |tasks| {
            let (gate, shelf) = (self.gate.clone(), self.shelf.clone());
            Arc::new(Work::new(tasks, statement_bytes, gate, shelf))
        };
        Ok(AllWork {
            free: work(free),
            locked: work(locked),
        })
    }

    async fn slices(&self, found: &Catalogue, table: &TableFacts) -> Result<Vec<Slice>, DumpError> {
        let cut = cut(&self.plan.policy, table);
        let range = match &cut {
            Cut::Whole => return Ok(vec![Slice::Whole]),
            Cut::Partitions(groups) => {
                return Ok(groups.iter().cloned().map(Slice::Partitions).collect());
            }
            Cut::Ranges(range, _) | Cut::Windows(range, _) => range,
        };
        let sql = chunk::bounds(&found.name, table, range)
            .map_err(|error| unquotable(&table.name, &error))?;
        let rows = self.readers[0].ask(sql).get().await?;
        let bound = |column| rows.first()?.as_ref(column).and_then(facts::number);
        let (Some(min), Some(max)) = (bound(0), bound(1)) else {
            return Ok(vec![Slice::Whole]);
        };
        Ok(match cut {
            Cut::Windows(_, width) => chunk::windows(range, min, max, width),
            Cut::Ranges(_, count) => chunk::even(range, min, max, count),
            Cut::Whole | Cut::Partitions(_) => vec![Slice::Whole],
        })
    }

    /// Lets all readers work, and gives the locked tables free as soon as they are read. Returns
    /// how long they were locked.
    pub(super) async fn read(
        &mut self,
        work: &AllWork,
        locks: &TableLocks,
        clock: &dyn Clock,
    ) -> Result<Duration, DumpError> {
        let answers: Vec<_> = self
            .readers
            .iter()
            .map(|reader| reader.work(work.free.clone()))
            .collect();
        let mut locked = Duration::ZERO;
        let mut of_locker = Ok(());
        if let Some(locker) = &self.locker {
            of_locker = locker.work(work.locked.clone()).get().await;
        }
        if let Some(locker) = self.locker.take() {
            locker.end();
            locked = clock.monotonic().saturating_sub(locks.since);
        }
        let of_readers = reader::all(answers).await;
        // An ended reader is the consequence of another's failure.
        match (of_locker, of_readers) {
            (Err(DumpError::Reader { .. }), Err(error))
            | (Err(error), _)
            | (Ok(()), Err(error)) => Err(error),
            (Ok(()), Ok(_)) => Ok(locked),
        }
    }
}

/// The bounds of a window that does not reach to either end of the table.
fn closed(policy: &DumpPolicy, table: &TableFacts, slice: &Slice) -> Option<[i64; 2]> {
    match (cut(policy, table), slice) {
        (Cut::Windows(..), Slice::Range(_, Some(from), Some(to))) => {
            Some([i64::try_from(*from).ok()?, i64::try_from(*to).ok()?])
        }
        _ => None,
    }
}
