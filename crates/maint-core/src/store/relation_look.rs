//! The looks of sweeps, the same for every SQL store.

use std::collections::BTreeMap;

use super::relations::{LookedFor, RowKey};
use super::sql::{Stretch, looks as stmt};
use super::walk::{Executor, first};
use super::{Position, StoreError};
use crate::Scalar;
use crate::sweep::{SweepTask, SweepWalk};

/// [`super::RelationStore::look_for`].
pub(super) async fn look_for<E: Executor>(
    on: &mut E,
    tasks: &[&SweepTask],
    from: Option<&Position>,
    limit: u64,
) -> Result<LookedFor, StoreError> {
    let Some(walked) = tasks.first() else {
        return Ok(LookedFor::default());
    };
    match &walked.walk {
        SweepWalk::Key { .. } => along_key(on, tasks, walked, from, limit).await,
        SweepWalk::Values { .. } => along_values(on, tasks, walked, from, limit).await,
    }
}

async fn along_key<E: Executor>(
    on: &mut E,
    tasks: &[&SweepTask],
    walked: &SweepTask,
    from: Option<&Position>,
    limit: u64,
) -> Result<LookedFor, StoreError> {
    let boundary = first(on, &stmt::boundary(E::DIALECT, walked, from, limit)?).await?;
    let stretch = Stretch {
        from,
        to: boundary.as_deref(),
    };
    let rows = stmt::candidates(E::DIALECT, tasks, walked, stretch)?;
    let (mut keys, mut last) = (0, None);
    let mut found = vec![Vec::new(); tasks.len()];
    for mut row in on.query(&rows).await? {
        let meant = row.split_off(walked.key().len().min(row.len()));
        if last.as_ref() != Some(&row) {
            keys += 1;
            last = Some(row.clone());
        }
        enter(&mut found, &meant, &row);
    }
    Ok(LookedFor {
        // At the end the rest of the stretch is not counted for its own sake.
        examined: if boundary.is_some() { limit } else { keys },
        found,
        next: boundary.map(|at| Position::at(at, false)),
    })
}

/// Enters `key` where the verdict is 1, unless it is the last one there already.
fn enter(found: &mut [Vec<RowKey>], verdicts: &[Scalar], key: &RowKey) {
    for (found, verdict) in found.iter_mut().zip(verdicts) {
        if *verdict == Scalar::Int(1) && found.last() != Some(key) {
            found.push(key.clone());
        }
    }
}

async fn along_values<E: Executor>(
    on: &mut E,
    tasks: &[&SweepTask],
    walked: &SweepTask,
    from: Option<&Position>,
    limit: u64,
) -> Result<LookedFor, StoreError> {
    let rows = stmt::values(E::DIALECT, tasks, walked, from, limit)?;
    let mut values: BTreeMap<Scalar, Vec<Vec<Scalar>>> = BTreeMap::new();
    for mut row in on.query(&rows).await? {
        let verdicts = row.split_off(1.min(row.len()));
        if let Some(value) = row.pop() {
            values.entry(value).or_default().push(verdicts);
        }
    }
    let examined = values.len() as u64;
    let last = values.keys().next_back().cloned();
    let mut found = vec![Vec::new(); tasks.len()];
    for (value, verdicts) in values {
        let key = vec![value];
        for verdicts in verdicts {
            enter(&mut found, &verdicts, &key);
        }
    }
    let next = last.filter(|_| examined >= limit);
    Ok(LookedFor {
        examined,
        found,
        next: next.map(|last| Position::at(vec![last], false)),
    })
}
