//! The steps of a run and their records: each is announced before it changes anything, and a
//! step that is done is not done again.

use std::collections::BTreeSet;
use std::sync::Arc;

use elpis_run::{Clock, Event, History, Journal, Observer, RunId, with_causes};
use serde_json::Value;

use super::error::RestoreError;
use super::event::RestoreEvent;

/// What the note is about that tells of an exchange that was put back.
const PUT_BACK: &str = "put back";

/// Whether `known` is `step` in any try.
pub(super) fn is_try_of(known: &str, step: &str) -> bool {
    let rest = known.strip_prefix(step);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" (try "))
}

/// One run's records.
pub(super) struct Steps<'a> {
    pub(super) journal: &'a dyn Journal,
    pub(super) clock: &'a dyn Clock,
    pub(super) observer: Arc<dyn Observer<RestoreEvent>>,
    pub(super) run: RunId,
    /// Steps that were announced, and of these those that are done.
    announced: BTreeSet<String>,
    done: BTreeSet<String>,
    /// How often the exchange was put back.
    pub(super) put_back: usize,
}

impl<'a> Steps<'a> {
    /// Of a run that has just begun.
    pub(super) fn new(
        journal: &'a dyn Journal,
        clock: &'a dyn Clock,
        observer: Arc<dyn Observer<RestoreEvent>>,
        run: RunId,
    ) -> Steps<'a> {
        Steps {
            journal,
            clock,
            observer,
            run,
            announced: BTreeSet::new(),
            done: BTreeSet::new(),
            put_back: 0,
        }
    }

    /// Takes what another process has recorded into account.
    pub(super) fn replay(&mut self, history: &History) {
        for record in &history.records {
            match &record.event {
                Event::Intent { step, .. } => {
                    self.announced.insert(step.clone());
                }
                Event::Done { step, .. } => {
                    self.done.insert(step.clone());
                }
                Event::Note { step, .. } if step == PUT_BACK => self.put_back += 1,
                _ => {}
            }
        }
    }

    /// Goes on with a run whose process died: the step that it was in is closed.
    pub(super) fn take_over(&mut self, history: &History) -> Result<(), RestoreError> {
        self.replay(history);
        if let Some(step) = history.state()?.open_step() {
            self.append(&Event::Failed {
                step: step.to_owned(),
                error: "its process died".to_owned(),
                detail: Value::Null,
            })?;
        }
        Ok(())
    }

    /// The name of a step of the exchange, which may be tried more than once.
    pub(super) fn of_exchange(&self, step: &str) -> String {
        match self.put_back {
            0 => step.to_owned(),
            before => format!("{step} (try {})", before + 1),
        }
    }

    pub(super) fn is_done(&self, step: &str) -> bool {
        self.done.contains(step)
    }

    /// Whether the step was announced in any try.
    pub(super) fn was_announced(&self, step: &str) -> bool {
        self.announced.iter().any(|known| is_try_of(known, step))
    }

    /// Whether something of the live database is taken down and was not put back.
    pub(super) fn is_down(&self) -> bool {
        self.announced.contains(&self.of_exchange("take down"))
    }

    /// Whether the tables may have been exchanged in this try.
    pub(super) fn is_renaming(&self) -> bool {
        self.announced.contains(&self.of_exchange("rename"))
    }

    pub(super) fn announce(&mut self, step: &str) -> Result<(), RestoreError> {
        self.observer.on(&RestoreEvent::Step {
            step: step.to_owned(),
        });
        self.append(&Event::Intent {
            step: step.to_owned(),
            detail: Value::Null,
        })?;
        self.announced.insert(step.to_owned());
        Ok(())
    }

    pub(super) fn close(
        &mut self,
        step: &str,
        failure: Option<&RestoreError>,
    ) -> Result<(), RestoreError> {
        let (step, detail) = (step.to_owned(), Value::Null);
        match failure {
            None => {
                self.append(&Event::Done {
                    step: step.clone(),
                    detail,
                })?;
                self.done.insert(step);
            }
            Some(error) => self.append(&Event::Failed {
                step,
                error: with_causes(error),
                detail,
            })?,
        }
        Ok(())
    }

    /// The exchange was put back: the next try has steps of its own.
    pub(super) fn note_put_back(&mut self, why: &RestoreError) -> Result<(), RestoreError> {
        self.put_back += 1;
        self.append(&Event::Note {
            step: PUT_BACK.to_owned(),
            detail: Value::String(with_causes(why)),
        })
    }

    fn append(&self, event: &Event) -> Result<(), RestoreError> {
        Ok(self.journal.append(self.run, self.clock.now(), event)?)
    }
}
