//! One step of a move, and what became of one that was cut off.

use std::collections::BTreeMap;

use elpis_run::with_causes;

use super::MoveTask;
use crate::store::{Batch, MoveRow, MoveStore, Received, StoreError};

/// How often one step is taken up again because other rows came between.
const TRIES: u32 = 6;

/// What one step came to.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) moved: u64,
    pub(super) children: Vec<u64>,
    pub(super) known: u64,
}

/// Why a table was not finished.
pub(super) enum Trouble {
    /// The session is gone, and with it the run.
    Lost(StoreError),
    /// This table alone: a person has to see to it.
    Held(String),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        match error {
            StoreError::Lost { .. } | StoreError::Unreachable { .. } => Trouble::Lost(error),
            other => Trouble::Held(format!("could not be moved: {}", with_causes(&other))),
        }
    }
}

/// Moves the oldest rows, about `limit`; `None` if none is due.
pub(super) async fn step<A: MoveStore, H: MoveStore>(
    task: &MoveTask,
    limit: u64,
    active: &mut A,
    history: &mut H,
) -> Result<Option<Step>, Trouble> {
    let Some(batch) = active.hold(task, limit, None).await? else {
        return Ok(None);
    };
    match pass_on(task, &batch, false, active, history).await? {
        Some(step) => Ok(Some(step)),
        // Others came between copy and deletion.
        None => Ok(Some(settled(task, active, history).await?)),
    }
}

/// Sends what is held and deletes it here. `None` if it was sent and could not be deleted, because
/// of what came between; nothing is held any more then.
async fn pass_on<A: MoveStore, H: MoveStore>(
    task: &MoveTask,
    batch: &Batch,
    newer: bool,
    active: &mut A,
    history: &mut H,
) -> Result<Option<Step>, Trouble> {
    let sent = async {
        let id = history.new_move().await?;
        let received = history.receive(task, batch, &id, newer).await?;
        Ok::<_, StoreError>((id, received))
    };
    let (id, known) = match sent.await {
        Ok((id, Received::Proven { known })) => (id, known),
        Ok((_, Received::Conflict { why })) => {
            active.let_go().await;
            return Err(Trouble::Held(why));
        }
        Err(error) => {
            active.let_go().await;
            return Err(error.into());
        }
    };
    if !active.delete_held(task, batch, &id).await? {
        return Ok(None);
    }
    Ok(Some(Step {
        moved: batch.rows.len() as u64,
        children: batch
            .children
            .iter()
            .map(|rows| rows.len() as u64)
            .collect(),
        known,
    }))
}

/// Deletes here what was copied to the history database and not deleted, if there is such a thing.
pub(super) async fn settled<A: MoveStore, H: MoveStore>(
    task: &MoveTask,
    active: &mut A,
    history: &mut H,
) -> Result<Step, Trouble> {
    for _ in 0..TRIES {
        let Some(copied) = history.last_move(&task.table).await? else {
            return Ok(Step::default());
        };
        let deleted = active.last_move(&task.table).await?;
        if deleted.is_some_and(|deleted| deleted.id == copied.id) {
            return Ok(Step::default());
        }
        let there = match task.key {
            Some(_) => Vec::new(),
            None => history.received(task, &copied).await?,
        };
        // Fewer may be left: the history database has a retention of its own.
        if there.len() as u64 > copied.rows {
            return Err(Trouble::Held(format!(
                "was left between two steps by a run that was cut off, and since then other rows \
                 of the same time came into the history database ({} instead of {}): compare both \
                 databases from {} to {}, then delete its row of elpis_moves in the history database",
                there.len(),
                copied.rows,
                copied.window.from,
                copied.window.to
            )));
        }
        let Some(batch) = active.hold(task, u64::MAX, Some(&copied.window)).await? else {
            // Somebody else deleted them: the purge, for instance. Rows that come now are others.
            active.none_left(&task.table, &copied.id).await?;
            return Ok(Step::default());
        };
        if task.key.is_some() {
            // Rows that were changed since then are what counts.
            match pass_on(task, &batch, true, active, history).await? {
                Some(step) => return Ok(step),
                None => continue,
            }
        }
        let both = in_both(&batch.rows, &there);
        if both.len() == batch.rows.len() {
            if !active.delete_held(task, &batch, &copied.id).await? {
                continue;
            }
        } else {
            active.delete_some(task, &batch, &both, &copied.id).await?;
        }
        return Ok(Step {
            moved: both.len() as u64,
            ..Step::default()
        });
    }
    Err(Trouble::Held(
        "changed between every copy and its deletion: the next run goes on".to_owned(),
    ))
}

/// The rows of `here` that are in `there` as well, each as often as it is in both.
fn in_both(here: &[MoveRow], there: &[MoveRow]) -> Vec<MoveRow> {
    let mut left: BTreeMap<&MoveRow, u64> = BTreeMap::new();
    for row in there {
        *left.entry(row).or_default() += 1;
    }
    let mut both = Vec::new();
    for row in here {
        if let Some(n) = left.get_mut(row).filter(|n| **n > 0) {
            *n -= 1;
            both.push(row.clone());
        }
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Cell;

    #[test]
    fn equal_rows_are_counted() {
        let rows = |numbers: &[i64]| -> Vec<MoveRow> {
            numbers.iter().map(|n| vec![Cell::Int(*n)]).collect()
        };
        let both = |here: &[i64], there: &[i64]| in_both(&rows(here), &rows(there));
        assert_eq!(both(&[1, 1, 1, 2], &[1, 1, 3]), rows(&[1, 1]));
        assert_eq!(both(&[1, 2], &[2, 1]), rows(&[1, 2]));
        assert_eq!(both(&[1], &[]), rows(&[]));
    }
}
