//! A run of the whole sequence, the way `elpis-maint run --pandora` puts it together.

use std::sync::Arc;
use std::time::Duration;

use elpis_maint_core::housekeeping::{
    Housekeeping, HousekeepingError, HousekeepingInspection, HousekeepingPlan, HousekeepingReport,
    PartPlan, PartReport, Task,
};
use elpis_maint_core::{Limits, Rates, Run, ThrottleRules, Unthrottled};
use elpis_mysql::{Session, SessionSettings};
use elpis_pandora::{HousekeepingSettings, Installation, PandoraSettings, Programs, catalogue};
use elpis_run::{Holder, MemoryJournal, StopToken, VirtualClock};
use elpis_testkit::{MariaDb, Recorded, now};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What a run is asked for.
#[derive(Clone)]
pub(crate) struct Ask {
    /// When.
    pub(crate) now: Timestamp,
    /// The zone of the DATETIME columns.
    pub(crate) zone: TimeZone,
    /// Only these tasks; all if it is empty.
    pub(crate) only: Vec<String>,
    /// Of each task only the part with this number, if there is one.
    pub(crate) part: Option<usize>,
    /// The locks; by default those that are the database's own, since tests share a server.
    pub(crate) locks: Vec<String>,
    /// Rows of a chunk.
    pub(crate) rows: u64,
    /// The largest share of a table that is believed to be orphans.
    pub(crate) orphans: f64,
    /// Whether the plan counts, or looks and estimates, as a run by cron does.
    pub(crate) exact: bool,
}

impl Default for Ask {
    fn default() -> Ask {
        Ask {
            now: now(),
            zone: TimeZone::UTC,
            only: Vec::new(),
            part: None,
            locks: own_locks(),
            rows: 500,
            orphans: 0.5,
            exact: true,
        }
    }
}

fn own_locks() -> Vec<String> {
    let mut locks = elpis_pandora::locks();
    locks.retain(|name| name.contains("{database}"));
    locks
}

impl Ask {
    pub(crate) fn only(tasks: &[&str]) -> Ask {
        Ask {
            only: tasks.iter().map(|task| (*task).to_owned()).collect(),
            ..Ask::default()
        }
    }

    /// The plan for `db`.
    pub(crate) async fn plan(&self, db: &MariaDb) -> HousekeepingPlan {
        let settings = settings(db).await;
        let tasks = catalogue(&settings, &self.zone, self.now);
        self.plan_for(tasks, db).await
    }

    /// The plan for `db` with tasks of one's own choice.
    pub(crate) async fn plan_for(&self, tasks: Vec<Task>, db: &MariaDb) -> HousekeepingPlan {
        let mut tasks: Vec<Task> = tasks
            .into_iter()
            .filter(|task| self.only.is_empty() || self.only.contains(&task.id))
            .collect();
        if let Some(part) = self.part {
            for task in &mut tasks {
                task.work = task.work.drain(..).skip(part).take(1).collect();
            }
        }
        let wanted = Housekeeping {
            locks: self.locks.clone(),
            max_clock_skew: Duration::MAX,
            allow_replica: false,
            throttle: ThrottleRules::default(),
            max_orphan_share: self.orphans,
            tasks,
        };
        let clock = VirtualClock::new(self.now);
        let inspection = HousekeepingInspection {
            clock: &clock,
            observer: &(),
            stop: &StopToken::new(),
            exact: self.exact,
        };
        let facts = inspection.run(&wanted, &mut db.store().await).await;
        let facts = facts.unwrap_or_else(|error| panic!("{error}: {:?}", source(&error)));
        HousekeepingPlan::new(&wanted, &facts, &Rates::new())
    }

    /// Carries out a plan.
    pub(crate) async fn carry_out(
        &self,
        plan: &HousekeepingPlan,
        db: &MariaDb,
    ) -> Result<HousekeepingReport, HousekeepingError> {
        let journal = Arc::new(MemoryJournal::new());
        let clock = VirtualClock::new(self.now);
        let mut run = Run {
            journal: &*journal,
            throttle: &mut Unthrottled { rows: self.rows },
            observer: &(),
            clock: &clock,
            stop: &StopToken::new(),
            holder: Holder::current("elpis-test", self.now),
            limits: Limits::default(),
        };
        let mut store = db.store().await;
        run.housekeep(plan, &mut store, &Programs::default()).await
    }

    /// Plans and carries out.
    pub(crate) async fn run(&self, db: &MariaDb) -> HousekeepingReport {
        let plan = self.plan(db).await;
        assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
        let done = self.carry_out(&plan, db).await;
        done.unwrap_or_else(|error| panic!("{error}: {:?}", source(&error)))
    }
}

/// What `tconfig` says, by the reader that the command line uses.
pub(crate) async fn settings(db: &MariaDb) -> HousekeepingSettings {
    let session = Session::open(&db.options, &SessionSettings::default()).await;
    let installation = Installation::read(&mut session.unwrap()).await.unwrap();
    let settings = PandoraSettings::new(&installation.tokens, false);
    HousekeepingSettings {
        discovery_server: installation.discovery_server,
        ..settings.housekeeping
    }
}

fn source(error: &dyn std::error::Error) -> Option<String> {
    error.source().map(ToString::to_string)
}

/// The rows that each task of a run changed.
pub(crate) fn changed(report: &HousekeepingReport) -> Vec<(String, u64)> {
    let tasks = report.tasks.iter();
    tasks
        .map(|task| (task.id.clone(), task.changed()))
        .collect()
}

/// Why parts of a task were skipped.
pub(crate) fn skipped(report: &HousekeepingReport, task: &str) -> Vec<String> {
    let task = report
        .tasks
        .iter()
        .find(|one| one.id == task)
        .expect("the task");
    let parts = task.parts.iter().filter_map(|part| match part {
        PartReport::Skipped { why } => Some(why.clone()),
        _ => None,
    });
    parts.collect()
}

/// How many parts a task has.
pub(crate) async fn parts_of(db: &MariaDb, task: &str) -> usize {
    let ask = Ask {
        exact: false,
        ..Ask::only(&[task])
    };
    ask.plan(db).await.tasks[0].parts.len()
}

/// All rows that a plan counts, with what hangs on them.
pub(crate) fn counted(plan: &HousekeepingPlan) -> u64 {
    let sum = |rows: &[(String, u64)]| rows.iter().map(|(_, rows)| rows).sum::<u64>();
    let parts = plan.tasks.iter().flat_map(|task| &task.parts);
    let rows = parts.map(|part| match part {
        PartPlan::Purge(plan) => plan.due.rows + plan.cascaded.as_deref().map_or(0, sum),
        PartPlan::Sweep(plan) => {
            plan.facts.due.rows + plan.facts.dependents.as_deref().map_or(0, sum)
        }
        PartPlan::Program(_) | PartPlan::Skipped { .. } | PartPlan::Held { .. } => 0,
    });
    rows.sum()
}

/// Rows of a table that a plan says will be deleted for their age.
pub(crate) fn due(plan: &HousekeepingPlan, table: &str) -> Option<u64> {
    let parts = plan.tasks.iter().flat_map(|task| &task.parts);
    let mut purges = parts.filter_map(|part| match part {
        PartPlan::Purge(plan) if plan.task.table == table => Some(plan.due.rows),
        _ => None,
    });
    purges.next()
}

/// What was recorded of a database, apart from questions about its structure.
pub(crate) fn logged(db: &MariaDb) -> Vec<Recorded> {
    let mut log = db.recorded();
    log.retain(|one| !one.text.contains("information_schema"));
    log
}
