//! Counting what a restore of one owner's rows would insert: the tables are loaded aside, counted
//! and dropped again. The live database is only read.

use elpis_run::{Outcome, Query, with_causes};
use serde_json::json;

use super::COUNT_JOB;
use super::engine::Restore;
use super::error::RestoreError;
use super::plan::RestorePlan;
use super::report::{CountReport, RestoreReport};
use super::session::{Ask, quoted};
use super::text::{SqlText, Surveyed};
use super::work::{Work, control, runtime};

impl Restore<'_> {
    /// Counts what [`run`](Self::run) of the same plan would insert, for a plan of scope
    /// [`Rows`](super::Scope::Rows). It needs a side database for as long as it takes; what a
    /// process that died has left of one is removed by the next.
    ///
    /// # Errors
    /// As [`run`](Self::run); nothing is left of it then.
    pub fn count(
        &self,
        plan: &RestorePlan,
        text: &SqlText<Surveyed>,
    ) -> Result<CountReport, RestoreError> {
        if !plan.refusals.is_empty() {
            let refusals = plan.refusals.clone();
            return Err(RestoreError::Refused { refusals });
        }
        let runtime = runtime()?;
        let opening = self.opening(&plan.policy);
        let mut session = runtime.block_on(control(&opening, &plan.policy.database))?;
        self.drop_counted(&runtime, &mut session, plan)?;
        let run = self
            .journal
            .create(&self.new_run(COUNT_JOB, plan, json!(plan)))?;
        let mut work = self.work(plan, runtime, session, self.steps(run));
        let counted = count(&mut work, text);
        // A session that was in the middle of something may not drop.
        let dropped = work
            .reconnect()
            .and_then(|()| work.exchange_step("clean up", |work| work.drop_database(&plan.side)));
        let outcome = match counted.as_ref().map(drop).and(dropped.as_ref().map(drop)) {
            Ok(()) => Outcome::Done,
            Err(error) if dropped.is_ok() => Outcome::Failed {
                error: with_causes(error),
            },
            // It stays open: the next one drops the side database.
            Err(_) => return counted.and_then(|counted| dropped.map(|()| counted)),
        };
        self.journal.finish(run, self.clock.now(), &outcome)?;
        counted
    }

    /// Removes what processes that died have left of their counting.
    pub(super) fn drop_counted(
        &self,
        runtime: &tokio::runtime::Runtime,
        session: &mut elpis_mysql::Session,
        plan: &RestorePlan,
    ) -> Result<(), RestoreError> {
        let open = self.journal.list(&Query {
            job: Some(COUNT_JOB.to_owned()),
            open_only: true,
            ..Query::default()
        })?;
        let target = plan.target();
        for run in open.into_iter().filter(|run| run.target == target) {
            let history = self.journal.replay(run.id)?;
            let left: Option<RestorePlan> = serde_json::from_value(history.plan).ok();
            if let Some(left) = left {
                let drop = format!("DROP DATABASE IF EXISTS {}", quoted(&left.side)?);
                runtime.block_on(session.tell(&drop))?;
            }
            let now = self.clock.now();
            self.journal.finish(run.id, now, &Outcome::Interrupted)?;
        }
        Ok(())
    }
}

fn count(work: &mut Work<'_>, text: &SqlText<Surveyed>) -> Result<CountReport, RestoreError> {
    work.step("side database", Work::make_side)?;
    work.step("load", |work| {
        work.load(text, &mut RestoreReport::default())
    })?;
    work.step("indexes", Work::indexes)?;
    let (missing, remark) = work.count_rows()?;
    Ok(CountReport {
        missing,
        warnings: remark.into_iter().collect(),
    })
}
