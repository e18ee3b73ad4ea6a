//! What a quick inspection sees of the sweeps: small tables as a whole, of large ones the
//! beginning, and nothing twice.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use elpis_run::Clock;
use jiff::Timestamp;

use crate::inspect::InspectError;
use crate::store::{Count, RelationStore, RowKey, StoreError};
use crate::sweep::{Join, SweepAct, SweepFacts, SweepTask, SweepWalk};
use crate::task::Shapes;

/// Rows (or values) that one look reads.
const LOOK: u64 = 5_000;
/// What is no larger than this is looked at as a whole: the run need not look again then.
const WHOLE: u64 = 20_000;
/// The most values whose rows one statement counts.
const MOST_VALUES: usize = 200;
/// The most keys that are remembered of one sweep.
const FEW: usize = 1_000;

/// The looks of one inspection.
#[derive(Default)]
pub(super) struct Looks {
    taken: Vec<(SweepTask, Seen)>,
}

/// What the looks at one table came to for one task.
#[derive(Clone)]
struct Seen {
    found: Found,
    examined: u64,
    /// Whether the end was reached.
    whole: bool,
    /// When it was.
    at: Timestamp,
}

/// The looks that are still to be taken, by one session or several.
pub(super) struct Looking<'a> {
    left: Mutex<std::vec::IntoIter<Vec<SweepTask>>>,
    shapes: &'a Shapes,
    clock: &'a dyn Clock,
}

impl<'a> Looking<'a> {
    /// Looks for what `tasks` look for in the database that `shapes` describe. Tables that several
    /// of them walk in the same way are read once.
    pub(super) fn new(
        tasks: Vec<SweepTask>,
        shapes: &'a Shapes,
        clock: &'a dyn Clock,
    ) -> Looking<'a> {
        Looking {
            left: Mutex::new(groups(tasks, shapes).into_iter()),
            shapes,
            clock,
        }
    }

    /// Takes one look after the other until none is left.
    pub(super) async fn take<S: RelationStore>(
        &self,
        store: &mut S,
    ) -> Result<Looks, InspectError> {
        let mut looks = Looks::default();
        while let Some(group) = self.next() {
            let Some(table) = group.first().map(|task| task.table.clone()) else {
                continue;
            };
            let rows = rows_of(self.shapes, &table);
            let seen = look(&group, rows, self.clock, store).await;
            let seen = seen.map_err(|source| InspectError::Store { table, source })?;
            looks.taken.extend(group.into_iter().zip(seen));
        }
        Ok(looks)
    }

    fn next(&self) -> Option<Vec<SweepTask>> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.next()
    }
}

impl Looks {
    /// Those of another session too.
    pub(super) fn join(&mut self, others: Looks) {
        self.taken.extend(others.taken);
    }

    /// What is true of the table of `task`, if that is one of those that were looked for.
    pub(super) fn facts(&self, task: &SweepTask, shapes: &Shapes) -> Option<SweepFacts> {
        let mut taken = self.taken.iter();
        let (_, seen) = taken.find(|(known, _)| alike(known, task))?;
        Some(facts(task, rows_of(shapes, &task.table), seen.clone()))
    }
}

fn rows_of(shapes: &Shapes, table: &str) -> Count {
    shapes
        .get(table)
        .map(|shape| shape.rows)
        .unwrap_or_default()
}

/// Whether both look for the same rows in the same way.
fn alike(one: &SweepTask, other: &SweepTask) -> bool {
    same_walk(one, other)
        && one.filters == other.filters
        && one.missing == other.missing
        && one.present == other.present
}

fn same_walk(one: &SweepTask, other: &SweepTask) -> bool {
    one.table == other.table && one.walk == other.walk
}

/// The tasks that one look can serve, none twice. Several rows of another table may belong to a row;
/// those of two such tables together would be very many, so a group has one at most, or those of one
/// of its tasks.
fn groups(tasks: Vec<SweepTask>, shapes: &Shapes) -> Vec<Vec<SweepTask>> {
    let mut groups: Vec<Vec<SweepTask>> = Vec::new();
    for task in tasks {
        if groups.iter().flatten().any(|known| alike(known, &task)) {
            continue;
        }
        let fits = |group: &&mut Vec<SweepTask>| {
            let many = |tasks: &[&SweepTask]| {
                let all = tasks.iter().flat_map(|one| many_to_one(one, shapes));
                all.collect::<BTreeSet<_>>().len()
            };
            let together: Vec<&SweepTask> = group.iter().chain([&task]).collect();
            let alone = together.iter().map(|one| many(&[one])).max();
            same_walk(&group[0], &task) && many(&together) <= alone.unwrap_or(0).max(1)
        };
        match groups.iter_mut().find(fits) {
            Some(group) => group.push(task),
            None => groups.push(vec![task]),
        }
    }
    groups
}

/// The tables, and their columns, of which more than one row may belong to a row; each once for the
/// rows that have to be there, and once for each kind of rows that must not.
fn many_to_one<'a>(
    task: &'a SweepTask,
    shapes: &'a Shapes,
) -> impl Iterator<Item = (&'a str, Vec<&'a str>, Option<String>)> {
    let kind = |join: &Join| Some(format!("{:?}", join.filters));
    let missing = task.missing.iter().map(move |join| (join, kind(join)));
    let joins = missing.chain(task.present.iter().map(|join| (join, None)));
    joins.filter_map(|(join, kind)| {
        let columns: Vec<&str> = join.on.iter().map(|(_, there)| there.as_str()).collect();
        let mut keys = shapes.get(&join.table).into_iter().flat_map(|s| &s.keys);
        let unique = keys.any(|key| key.iter().all(|column| columns.contains(&column.as_str())));
        (!unique).then_some((join.table.as_str(), columns, kind))
    })
}

/// Looks for what all of `tasks` look for, which walk the same table of about `rows` rows in the
/// same way.
async fn look<S: RelationStore>(
    tasks: &[SweepTask],
    rows: Count,
    clock: &dyn Clock,
    store: &mut S,
) -> Result<Vec<Seen>, StoreError> {
    let wanted: Vec<&SweepTask> = tasks.iter().collect();
    // How many different values there are is not known before.
    let along_values = tasks.iter().any(walks_values);
    let enough = match along_values || rows.rows <= WHOLE {
        true => WHOLE,
        false => LOOK,
    };
    let (mut examined, mut from) = (0, None);
    let mut found = vec![Found::default(); tasks.len()];
    loop {
        let looked = store.look_for(&wanted, from.as_ref(), LOOK).await?;
        for (sum, found) in found.iter_mut().zip(looked.found) {
            sum.add(found);
        }
        examined += looked.examined;
        from = looked.next;
        if from.is_none() || examined >= enough {
            break;
        }
    }
    let mut seen = Vec::with_capacity(tasks.len());
    for (task, found) in tasks.iter().zip(found) {
        let whole = from.is_none();
        let found = match whole && walks_values(task) && !task.filters.is_empty() {
            true => less_what_has_no_rows(task, found, store).await?,
            false => found,
        };
        let at = clock.now();
        seen.push(Seen {
            found,
            examined,
            whole,
            at,
        });
    }
    Ok(seen)
}

/// Along values only the value is judged; of all its rows there may be none that meets the filters.
async fn less_what_has_no_rows<S: RelationStore>(
    task: &SweepTask,
    found: Found,
    store: &mut S,
) -> Result<Found, StoreError> {
    let known = found.clone().all().unwrap_or_default();
    if known.is_empty() || rows_of_values(task, &known, |rows| rows > 0, store).await? > 0 {
        return Ok(found);
    }
    Ok(Found::default())
}

/// Counts the rows that have one of these values, until they are `enough`. Nobody knows how many rows a
/// value has: statements that count few are followed by ones about more values.
pub(super) async fn rows_of_values<S: RelationStore>(
    task: &SweepTask,
    values: &[RowKey],
    enough: impl Fn(u64) -> bool,
    store: &mut S,
) -> Result<u64, StoreError> {
    let (mut rows, mut many, mut left) = (0, 4, values);
    while !left.is_empty() && !enough(rows) {
        let (these, rest) = left.split_at(many.min(left.len()));
        let counted = store.weigh(task, these).await?.rows;
        many = match counted {
            0..=2_000 => (many * 2).min(MOST_VALUES),
            2_001..=20_000 => many,
            _ => (many / 2).max(1),
        };
        rows += counted;
        left = rest;
    }
    Ok(rows)
}

pub(super) fn walks_values(task: &SweepTask) -> bool {
    matches!(task.walk, SweepWalk::Values { .. })
}

fn facts(task: &SweepTask, rows: Count, seen: Seen) -> SweepFacts {
    let Seen {
        found,
        examined,
        whole,
        at,
    } = seen;
    let number = found.number;
    let due = if whole {
        let each_is_a_row = !walks_values(task) && !matches!(task.act, SweepAct::Clear { .. });
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
        looked: Some(at),
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
