//! Retention: [`PrunePlan`] decides, [`Prune`] removes.

mod plan;

use elpis_run::journal::close_dead_runs;
use elpis_run::{
    Clock, Event, Holder, Journal, JournalError, NewRun, Outcome, StopToken, with_causes,
};
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Value, json};

pub use plan::{Decision, KeepRules, NoRules, PrunePlan};

use crate::store::{ObjectStore, StoreError, Stored};

/// The job's name in the journal.
const JOB: &str = "prune";

/// Removes what no rule keeps.
pub struct Prune<'a> {
    /// Where the archives are.
    pub store: &'a dyn ObjectStore,
    /// Only archives of this prefix are looked at.
    pub prefix: &'a str,
    /// Remembers the run.
    pub journal: &'a dyn Journal,
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// The zone of days and weeks.
    pub zone: TimeZone,
    /// Ends it between two archives.
    pub stop: &'a StopToken,
    /// This process.
    pub holder: Holder,
}

/// What a prune came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PruneReport {
    /// What was decided.
    pub plan: PrunePlan,
    /// Archives that were removed.
    pub removed: u64,
    /// Their bytes.
    pub freed: u64,
    /// Whether it was stopped before all of them were.
    pub stopped: bool,
}

/// Why archives were not pruned, or not all of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PruneError {
    /// The rules.
    #[error(transparent)]
    Rules(#[from] NoRules),
    /// The store. Archives that went before are gone.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Prune<'_> {
    /// What would be removed now. Changes nothing.
    ///
    /// # Errors
    /// [`PruneError`].
    pub fn plan(&self, rules: &KeepRules) -> Result<PrunePlan, PruneError> {
        let mut archives = self.store.list()?;
        archives.retain(|archive: &Stored| archive.name.prefix() == self.prefix);
        Ok(PrunePlan::new(
            rules,
            &archives,
            self.clock.now(),
            &self.zone,
        )?)
    }

    /// Decides under the store's lock, and removes. Blocks.
    ///
    /// # Errors
    /// [`PruneError`].
    pub fn run(&self, rules: &KeepRules) -> Result<PruneReport, PruneError> {
        let _hold = self.store.hold(&self.holder)?;
        close_dead_runs(self.journal, self.clock, JOB, &self.store.place())?;
        let plan = self.plan(rules)?;
        let run = self.journal.create(&NewRun {
            job: JOB.to_owned(),
            target: self.store.place(),
            holder: self.holder.clone(),
            started: self.clock.now(),
            plan: json!({ "rules": rules, "archives": plan.archives }),
        })?;
        let mut report = PruneReport {
            plan: plan.clone(),
            removed: 0,
            freed: 0,
            stopped: false,
        };
        for decision in plan.removed() {
            if self.stop.is_stopped() {
                report.stopped = true;
                break;
            }
            let step = decision.name.to_string();
            let intent = Event::Intent {
                step: step.clone(),
                detail: Value::Null,
            };
            self.journal.append(run, self.clock.now(), &intent)?;
            if let Err(error) = self.store.remove(&decision.name) {
                let failed = with_causes(&error);
                let event = Event::Failed {
                    step,
                    error: failed.clone(),
                    detail: Value::Null,
                };
                self.journal.append(run, self.clock.now(), &event)?;
                self.journal
                    .finish(run, self.clock.now(), &Outcome::Failed { error: failed })?;
                return Err(error.into());
            }
            let detail = json!({ "bytes": decision.bytes });
            self.journal
                .append(run, self.clock.now(), &Event::Done { step, detail })?;
            report.removed += 1;
            report.freed += decision.bytes;
        }
        let outcome = match report.stopped {
            true => Outcome::Stopped {
                reason: "by request".to_owned(),
            },
            false => Outcome::Done,
        };
        self.journal.finish(run, self.clock.now(), &outcome)?;
        Ok(report)
    }
}
