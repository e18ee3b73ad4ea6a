//! How a process's work on a run ends, and how another one takes it up.

use elpis_run::{History, Outcome};

use super::UpgradeError;
use super::drive::{Drive, Halt};
use crate::concern::{Cause, Concern};
use crate::driver::PairDriver;
use crate::event::UpgradeEvent;
use crate::hold::Hold;
use crate::inspect::within;
use crate::ledger::{Note, Sent};
use crate::policy::Window;
use crate::report::{Ended, Report};
use crate::state::Serving;

impl<D: PairDriver> Drive<'_, '_, D> {
    /// Looks at the pair, and records who has the run now. A report: the operator left.
    pub(super) async fn take_up(
        &mut self,
        window: Option<Window>,
        edited: Vec<String>,
    ) -> Result<Option<Report>, UpgradeError> {
        let sighting = match self.look().await {
            Ok(sighting) => sighting,
            Err(halt) => return self.stand(halt).await.map(Some),
        };
        let from = self.ledger.holder().cloned();
        let note = Note::Resumed {
            dead: from
                .as_ref()
                .and_then(elpis_run::Holder::is_alive)
                .map(|alive| !alive),
            from: from.unwrap_or_else(|| self.up.holder.clone()),
            by: self.up.holder.clone(),
            window,
            adopting: self.adopting,
            edited,
            sighting: Box::new(sighting),
        };
        match self.note("resume", &note) {
            Ok(()) => Ok(None),
            Err(halt) => self.stand(halt).await.map(Some),
        }
    }

    /// Closes the run, or leaves it standing.
    pub(super) async fn conclude(
        mut self,
        walked: Result<(), Halt>,
    ) -> Result<Report, UpgradeError> {
        match walked {
            Err(halt) => self.stand(halt).await,
            Ok(()) if self.ledger.is_undone() => {
                self.lower_flag().await?;
                let why = self
                    .ledger
                    .undo_reason()
                    .map_or("", |why| why.text.as_str());
                let why = format!("the switchover was undone: {why}");
                let hold = self.hold_at("undo", Concern::new(Cause::Undone, why));
                let reason = hold.concern.text.clone();
                self.close(Ended::Undone { hold }, Outcome::Stopped { reason })
            }
            Ok(()) => {
                if let Err(Halt::Error(error)) = self.hear_remarks().await {
                    return Err(error);
                }
                // Not having them stops nothing; the journal's failure does.
                match self.collect_exhibits(true).await {
                    Err(Halt::Error(error)) => return Err(error),
                    Ok(()) | Err(Halt::Hold(_) | Halt::Undo(..)) => {}
                }
                let warnings = self.ledger.warnings();
                if warnings.is_empty() {
                    return self.close(Ended::Done, Outcome::Done);
                }
                let reason = warnings.join("; ");
                self.close(Ended::Warnings, Outcome::Warnings { reason })
            }
        }
    }

    /// What is left to do at the end, beside the units themselves.
    async fn hear_remarks(&mut self) -> Result<(), Halt> {
        let up = self.up;
        let (limit, target) = (
            self.plan.policy.limits.call,
            self.plan.policy.target.clone(),
        );
        let answer = within(up.clock, up.leave, limit, up.driver.remarks(&target)).await;
        let remarks = match answer.map_err(|_| Halt::left())? {
            Some(Ok(remarks)) => remarks,
            Some(Err(reason)) => vec![reason],
            None => vec!["it is not known what is left to do: no answer".to_owned()],
        };
        for remark in remarks {
            self.warn("end", remark)?;
        }
        Ok(())
    }

    async fn stand(&mut self, halt: Halt) -> Result<Report, UpgradeError> {
        let concern = match halt {
            Halt::Error(error) => return Err(error),
            Halt::Hold(concern) | Halt::Undo(_, concern) => concern,
        };
        let resumable = matches!(concern.cause, Cause::Approval | Cause::Stopped);
        let untouched = !self.ledger.is_touched(&self.plan) && self.ledger.outstanding().is_none();
        if untouched && !resumable {
            self.lower_flag().await?;
            let error = concern.text.clone();
            let concerns = vec![concern];
            return self.close(Ended::Refused { concerns }, Outcome::Failed { error });
        }
        let step = match (self.ledger.undoing(), self.ledger.next(&self.plan)) {
            (Some(undo), _) => undo.to_owned(),
            (None, Some(step)) => step.id.clone(),
            (None, None) => String::from("end"),
        };
        let hold = self.hold_at(&step, concern);
        let note = Note::Held { hold: hold.clone() };
        if let Err(Halt::Error(error)) = self.note(&step, &note) {
            return Err(error);
        }
        self.report(Ended::Held { hold })
    }

    pub(super) async fn abort(mut self) -> Result<Report, UpgradeError> {
        // For the report only; a pair that does not answer can be given up as well.
        if let Err(Halt::Error(error)) = self.look().await {
            return Err(error);
        }
        let going_on = self.going_on();
        let by = self.up.holder.to_string();
        if let Err(Halt::Error(error)) = self.note("abort", &Note::Aborted { by, going_on }) {
            return Err(error);
        }
        self.lower_flag().await?;
        let text = "given up on request; the pair is left as it is";
        let mut hold = self.hold_at("abort", Concern::new(Cause::Stopped, text));
        hold.next = "Make a new plan when the pair is at rest.".to_owned();
        let reason = text.to_owned();
        self.close(Ended::Aborted { hold }, Outcome::Stopped { reason })
    }

    fn hold_at(&self, step: &str, concern: Concern) -> Hold {
        let state = self.last.as_ref().map(crate::state::Sighting::state);
        Hold {
            step: step.to_owned(),
            serving: state
                .as_ref()
                .map_or(Serving::Unsure, |state| state.serving()),
            pair: state.map_or_else(|| "not looked at".to_owned(), |state| state.to_string()),
            going_on: self.going_on(),
            next: concern.cause.next_step().to_owned(),
            concern,
        }
    }

    /// What a unit does or may do without us.
    fn going_on(&self) -> Option<String> {
        let (order, sent) = self.ledger.outstanding()?;
        let (act, unit) = (order.act, order.unit);
        Some(match sent {
            Sent::Acknowledged(_) => format!("`{act}` goes on by itself on unit {unit}"),
            Sent::Unknown => format!("`{act}` may have been started on unit {unit}"),
        })
    }

    /// The run ends here, so nobody would lower the flag later.
    async fn lower_flag(&mut self) -> Result<(), UpgradeError> {
        if !self.ledger.is_flagged(&self.plan) {
            return Ok(());
        }
        let failed = match self.set_flag(false).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(reason)) => reason,
            Err(Halt::Error(error)) => return Err(error),
            Err(_) => "stopped on request".to_owned(),
        };
        let text = format!("the monitoring still believes in maintenance: {failed}");
        match self.warn("maintenance", text) {
            Err(Halt::Error(error)) => Err(error),
            _ => Ok(()),
        }
    }

    fn history(&self) -> Result<History, UpgradeError> {
        Ok(self.up.journal.replay(self.run)?)
    }

    fn close(&self, ended: Ended, outcome: Outcome) -> Result<Report, UpgradeError> {
        let now = self.up.clock.now();
        self.up.journal.finish(self.run, now, &outcome)?;
        self.report(ended)
    }

    fn report(&self, ended: Ended) -> Result<Report, UpgradeError> {
        let history = self.history()?;
        let steps = crate::report::steps(&self.plan, &history).map_err(|source| {
            UpgradeError::Unreadable {
                run: self.run,
                source,
            }
        })?;
        let report = Report {
            run: Some(self.run),
            pair: self.plan.pair.clone(),
            target: self.plan.policy.target.version.clone(),
            started: history.summary.started,
            finished: self.up.clock.now(),
            ended,
            steps,
            switches: self.ledger.switches(),
            warnings: self.ledger.warnings().to_vec(),
        };
        self.tell(UpgradeEvent::Finished(Box::new(report.clone())));
        Ok(report)
    }
}
