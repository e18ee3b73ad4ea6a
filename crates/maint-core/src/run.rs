//! What every run needs besides its plan and its store, and what every run does with it.

use std::time::Duration;

use elpis_run::journal::{Event, Journal, JournalError};
use elpis_run::{Clock, Holder, Observer, RunId, StopToken, Throttle};
use serde_json::Value;

/// What a run needs besides plan and store; `E` are the events that it tells.
///
/// The kind of the events says what can be done: [`purge`](Run::purge),
/// [`compact`](Run::compact), [`housekeep`](Run::housekeep), [`move_rows`](Run::move_rows).
pub struct Run<'a, E> {
    /// Where intents and results go before and after each table, tier or part.
    pub journal: &'a dyn Journal,
    /// Chooses chunk sizes and pauses.
    pub throttle: &'a mut dyn Throttle,
    /// Hears what happens.
    pub observer: &'a dyn Observer<E>,
    /// Where the time comes from.
    pub clock: &'a dyn Clock,
    /// Ends the run between two chunks.
    pub stop: &'a StopToken,
    /// Who runs it.
    pub holder: Holder,
    /// Bounds of the run.
    pub limits: Limits,
}

/// Bounds of one run; `None` is no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// No chunk begins after this long.
    pub max_time: Option<Duration>,
    /// No more rows than this are deleted, moved or left out, cascades not counted.
    pub max_rows: Option<u64>,
}

impl Limits {
    /// What is left of them after `rows` and `elapsed`.
    pub fn after(self, rows: u64, elapsed: Duration) -> Limits {
        Limits {
            max_time: self.max_time.map(|time| time.saturating_sub(elapsed)),
            max_rows: self.max_rows.map(|left| left.saturating_sub(rows)),
        }
    }

    /// Whether nothing more may be done: no row, or no time, is left.
    pub fn are_spent(&self) -> bool {
        self.max_rows == Some(0) || self.max_time.is_some_and(|time| time.is_zero())
    }
}

impl<E> Run<'_, E> {
    /// The same run with another audience, for a part of it that tells other events.
    pub(crate) fn heard_by<'b, F>(&'b mut self, observer: &'b dyn Observer<F>) -> Run<'b, F> {
        Run {
            journal: self.journal,
            throttle: &mut *self.throttle,
            observer,
            clock: self.clock,
            stop: self.stop,
            holder: self.holder.clone(),
            limits: self.limits,
        }
    }

    /// How long it is since `begun`.
    pub(crate) fn since(&self, begun: Duration) -> Duration {
        self.clock.monotonic().saturating_sub(begun)
    }

    /// Enters what is about to be done.
    pub(crate) fn intend(&self, id: RunId, step: &str, detail: Value) -> Result<(), JournalError> {
        let step = step.to_owned();
        self.note(id, &Event::Intent { step, detail })
    }

    /// Enters what came of it, and why it is not done if it is not.
    pub(crate) fn conclude(
        &self,
        id: RunId,
        step: String,
        detail: Value,
        error: Option<String>,
    ) -> Result<(), JournalError> {
        let event = match error {
            None => Event::Done { step, detail },
            Some(error) => Event::Failed {
                step,
                error,
                detail,
            },
        };
        self.note(id, &event)
    }

    pub(crate) fn note(&self, id: RunId, event: &Event) -> Result<(), JournalError> {
        self.journal.append(id, self.clock.now(), event)
    }
}
