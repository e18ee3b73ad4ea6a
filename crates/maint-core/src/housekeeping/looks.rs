//! What a quick inspection sees of the sweeps: small tables as a whole, of large ones the
//! beginning, and nothing twice.

use crate::store::{Count, RelationStore, RowKey, StoreError};
use crate::sweep::{SweepAct, SweepFacts, SweepTask, SweepWalk};

/// Rows (or values) that one look reads.
const LOOK: u64 = 5_000;
/// What is no larger than this is looked at as a whole: the run need not look again then.
const WHOLE: u64 = 20_000;
/// The most keys that are remembered of one sweep.
const FEW: usize = 1_000;

/// The looks of one inspection.
#[derive(Default)]
pub(super) struct Looks {
    taken: Vec<(SweepTask, Seen)>,
}

/// What the looks at one table came to.
#[derive(Clone)]
struct Seen {
    found: Found,
    examined: u64,
    /// Whether the end was reached.
    whole: bool,
}

impl Looks {
    /// What is true of the table of `task`, which has about `rows` rows. Several tasks of a run may
    /// look for the very same, to do different things about it.
    pub(super) async fn at<S: RelationStore>(
        &mut self,
        task: &SweepTask,
        rows: Count,
        store: &mut S,
    ) -> Result<SweepFacts, StoreError> {
        let known = self.taken.iter().find(|(known, _)| alike(known, task));
        let seen = match known {
            Some((_, seen)) => seen.clone(),
            None => {
                let seen = look(task, rows, store).await?;
                self.taken.push((task.clone(), seen.clone()));
                seen
            }
        };
        Ok(facts(task, rows, seen))
    }
}

/// Whether both look for the same rows in the same way.
fn alike(one: &SweepTask, other: &SweepTask) -> bool {
    one.table == other.table
        && one.walk == other.walk
        && one.filters == other.filters
        && one.missing == other.missing
        && one.present == other.present
}

async fn look<S: RelationStore>(
    task: &SweepTask,
    rows: Count,
    store: &mut S,
) -> Result<Seen, StoreError> {
    // How many different values there are is not known before.
    let along_values = matches!(task.walk, SweepWalk::Values { .. });
    let enough = match along_values || rows.rows <= WHOLE {
        true => WHOLE,
        false => LOOK,
    };
    let (mut found, mut examined, mut from) = (Found::default(), 0, None);
    loop {
        let looked = store.look(task, from.as_ref(), LOOK).await?;
        found.add(looked.found);
        examined += looked.examined;
        from = looked.next;
        if from.is_none() || examined >= enough {
            return Ok(Seen {
                found,
                examined,
                whole: from.is_none(),
            });
        }
    }
}

fn facts(task: &SweepTask, rows: Count, seen: Seen) -> SweepFacts {
    let Seen {
        found,
        examined,
        whole,
    } = seen;
    let number = found.number;
    let due = if whole {
        let along_values = matches!(task.walk, SweepWalk::Values { .. });
        let each_is_a_row = !along_values && !matches!(task.act, SweepAct::Clear { .. });
        Count {
            rows: number,
            exact: number == 0 || each_is_a_row,
        }
    } else {
        // The whole table is of the same kind as its beginning, for want of better.
        Count::estimated((number as f64 / examined as f64 * rows.rows as f64) as u64)
    };
    SweepFacts {
        due,
        dependents: None,
        rows,
        found: whole.then(|| found.all()).flatten(),
    }
}

/// What looks have found so far; the keys only while they are few.
#[derive(Clone, Default)]
pub(super) struct Found {
    number: u64,
    keys: Vec<RowKey>,
}

impl Found {
    pub(super) fn add(&mut self, keys: Vec<RowKey>) {
        self.number += keys.len() as u64;
        if self.number <= FEW as u64 {
            self.keys.extend(keys);
        }
    }

    /// All that was found, unless it is too much to remember.
    pub(super) fn all(self) -> Option<Vec<RowKey>> {
        (self.number <= FEW as u64).then_some(self.keys)
    }
}
