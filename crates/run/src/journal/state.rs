//! The legal order of a run's events: the one place that knows it.

use std::collections::BTreeMap;

use super::{Event, Outcome};

/// Where a run stands after its events so far. Pure: no clock, no storage.
///
/// - `Intent` of a step: the run has not finished, no step is open, and this step is not done
///   (after `Failed` it may be tried again).
/// - `Done` and `Failed` of a step: this very step is open.
/// - `Note`: the run has not finished. It changes nothing.
/// - The end comes once. `Done`, `Warnings` and `Partial` need every step closed, `Done` also that
///   none of them failed last. `Stopped`, `Failed` and `Interrupted` may leave a step open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunState {
    closed: BTreeMap<String, Closed>,
    open: Option<String>,
    finished: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closed {
    Done,
    Failed,
}

/// An event that may not come in this state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event} is not allowed while {state}")]
pub struct IllegalEvent {
    /// What was to be recorded.
    pub event: String,
    /// Where the run stood.
    pub state: String,
}

impl RunState {
    /// A run without events.
    pub fn new() -> RunState {
        RunState::default()
    }

    /// The state after `events` and, if the run has one, its end.
    ///
    /// # Errors
    /// The first event that is not allowed.
    pub fn replay<'a>(
        events: impl IntoIterator<Item = &'a Event>,
        outcome: Option<&Outcome>,
    ) -> Result<RunState, IllegalEvent> {
        let mut state = RunState::new();
        for event in events {
            state.apply(event)?;
        }
        if let Some(outcome) = outcome {
            state.finish(outcome)?;
        }
        Ok(state)
    }

    /// Takes the next event in.
    ///
    /// # Errors
    /// When it is not allowed now. The state is then unchanged.
    pub fn apply(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        let (verb, step, closed) = match event {
            Event::Intent { step, .. } => ("Intent", step, None),
            Event::Done { step, .. } => ("Done", step, Some(Closed::Done)),
            Event::Failed { step, .. } => ("Failed", step, Some(Closed::Failed)),
            Event::Note { .. } if !self.finished => return Ok(()),
            Event::Note { step, .. } => ("Note", step, None),
        };
        let allowed = match (closed, &self.open) {
            _ if self.finished => false,
            (None, None) => self.closed.get(step) != Some(&Closed::Done),
            (Some(_), Some(open)) => open == step,
            (None, Some(_)) | (Some(_), None) => false,
        };
        if !allowed {
            return Err(IllegalEvent {
                event: format!("{verb} of step `{step}`"),
                state: self.describe(Some(step)),
            });
        }
        match closed {
            None => self.open = Some(step.clone()),
            Some(closed) => {
                self.open = None;
                self.closed.insert(step.clone(), closed);
            }
        }
        Ok(())
    }

    /// Ends the run.
    ///
    /// # Errors
    /// When it may not end like this now. The state is then unchanged.
    pub fn finish(&mut self, outcome: &Outcome) -> Result<(), IllegalEvent> {
        let (name, allowed) = match outcome {
            Outcome::Done => ("Done", self.open.is_none() && self.failed().is_none()),
            Outcome::Warnings { .. } => ("Warnings", self.open.is_none()),
            Outcome::Partial { .. } => ("Partial", self.open.is_none()),
            Outcome::Stopped { .. } => ("Stopped", true),
            Outcome::Failed { .. } => ("Failed", true),
            Outcome::Interrupted => ("Interrupted", true),
        };
        if self.finished || !allowed {
            return Err(IllegalEvent {
                event: format!("the end `{name}`"),
                state: self.describe(None),
            });
        }
        self.finished = true;
        Ok(())
    }

    /// The step that was announced and has not reported back.
    pub fn open_step(&self) -> Option<&str> {
        self.open.as_deref()
    }

    /// Whether the run has ended.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    fn failed(&self) -> Option<&str> {
        let mut failed = self
            .closed
            .iter()
            .filter(|(_, closed)| **closed == Closed::Failed);
        failed.next().map(|(step, _)| step.as_str())
    }

    fn describe(&self, asked: Option<&str>) -> String {
        if self.finished {
            return "the run has finished".to_owned();
        }
        if let Some(open) = &self.open {
            return format!("step `{open}` is open");
        }
        match (asked, self.failed()) {
            (Some(step), _) if self.closed.contains_key(step) => {
                format!("no step is open and step `{step}` has been closed")
            }
            (None, Some(step)) => format!("step `{step}` has failed"),
            _ => "no step is open".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn intent(step: &str) -> Event {
        Event::Intent {
            step: step.into(),
            detail: Value::Null,
        }
    }

    fn done(step: &str) -> Event {
        Event::Done {
            step: step.into(),
            detail: Value::Null,
        }
    }

    fn failed(step: &str) -> Event {
        Event::Failed {
            step: step.into(),
            error: "e".into(),
            detail: Value::Null,
        }
    }

    fn note(step: &str) -> Event {
        Event::Note {
            step: step.into(),
            detail: Value::Null,
        }
    }

    #[derive(Debug, Clone)]
    enum Move {
        Event(Event),
        End(Outcome),
    }

    /// The rules once more, as one would read them off the whole list of moves so far: no state
    /// is carried along.
    fn is_legal(before: &[Move], next: &Move) -> bool {
        let finished = before.iter().any(|made| matches!(made, Move::End(_)));
        let mut moves = before
            .iter()
            .filter(|made| !matches!(made, Move::Event(Event::Note { .. })));
        let open = match moves.next_back() {
            Some(Move::Event(Event::Intent { step, .. })) => Some(step),
            _ => None,
        };
        let last_word_on = |name: &String| {
            before.iter().rev().find(|made| match made {
                Move::Event(
                    Event::Intent { step, .. }
                    | Event::Done { step, .. }
                    | Event::Failed { step, .. },
                ) => step == name,
                Move::Event(Event::Note { .. }) | Move::End(_) => false,
            })
        };
        let done_already =
            |step| matches!(last_word_on(step), Some(Move::Event(Event::Done { .. })));
        let some_failed = before.iter().any(|made| match made {
            Move::Event(Event::Failed { step, .. }) => {
                matches!(last_word_on(step), Some(Move::Event(Event::Failed { .. })))
            }
            _ => false,
        });
        !finished
            && match next {
                Move::Event(Event::Note { .. }) => true,
                Move::Event(Event::Intent { step, .. }) => open.is_none() && !done_already(step),
                Move::Event(Event::Done { step, .. } | Event::Failed { step, .. }) => {
                    open == Some(step)
                }
                Move::End(Outcome::Done) => open.is_none() && !some_failed,
                Move::End(Outcome::Warnings { .. } | Outcome::Partial { .. }) => open.is_none(),
                Move::End(_) => true,
            }
    }

    fn moves() -> impl Strategy<Value = Move> {
        let step = prop::sample::select(vec!["a", "b", "c"]);
        let reason = String::new;
        let ends = vec![
            Outcome::Done,
            Outcome::Warnings { reason: reason() },
            Outcome::Partial { reason: reason() },
            Outcome::Stopped { reason: reason() },
            Outcome::Failed { error: reason() },
            Outcome::Interrupted,
        ];
        prop_oneof![
            6 => step.clone().prop_map(|step| Move::Event(intent(step))),
            4 => step.clone().prop_map(|step| Move::Event(done(step))),
            4 => step.clone().prop_map(|step| Move::Event(failed(step))),
            2 => step.prop_map(|step| Move::Event(note(step))),
            1 => prop::sample::select(ends).prop_map(Move::End),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        /// Illegal moves are refused, change nothing, and the sequence goes on without them.
        #[test]
        fn the_machine_allows_what_the_rules_allow(tried in prop::collection::vec(moves(), 0..40)) {
            let mut state = RunState::new();
            let mut made: Vec<Move> = Vec::new();
            for next in tried {
                let before = state.clone();
                let taken = match &next {
                    Move::Event(event) => state.apply(event).is_ok(),
                    Move::End(outcome) => state.finish(outcome).is_ok(),
                };
                prop_assert_eq!(taken, is_legal(&made, &next), "{:?} after {:?}", next, made);
                if taken {
                    made.push(next);
                } else {
                    prop_assert_eq!(&state, &before);
                }
            }
        }
    }

    #[test]
    fn refusals_name_the_event_and_the_state() {
        let text = |result: Result<RunState, IllegalEvent>| result.unwrap_err().to_string();
        let cases = [
            (
                vec![done("a")],
                None,
                "Done of step `a` is not allowed while no step is open",
            ),
            (
                vec![intent("a"), intent("b")],
                None,
                "Intent of step `b` is not allowed while step `a` is open",
            ),
            (
                vec![intent("a"), done("a"), intent("a")],
                None,
                "Intent of step `a` is not allowed while no step is open and step `a` has been closed",
            ),
            (
                vec![intent("a"), failed("a")],
                Some(Outcome::Done),
                "the end `Done` is not allowed while step `a` has failed",
            ),
        ];
        for (events, end, expected) in cases {
            assert_eq!(text(RunState::replay(&events, end.as_ref())), expected);
        }
        let mut state = RunState::replay(&[intent("a")], Some(&Outcome::Interrupted)).unwrap();
        assert_eq!((state.open_step(), state.is_finished()), (Some("a"), true));
        assert_eq!(
            state.apply(&done("a")).unwrap_err().state,
            "the run has finished"
        );
    }
}
