//! A database with everything wrong in it, the tasks that mend it, and what plain SQL says of both.

use std::time::Duration;

use elpis_maint_core::housekeeping::{
    Group, Housekeeping, HousekeepingEvent, HousekeepingInspection, HousekeepingPlan,
    HousekeepingReport, NoPrograms, ProgramTask, Task, Work,
};
use elpis_maint_core::sweep::{Act, Condition, Dependent, Expr, Relation, SweepRule};
use elpis_maint_core::{
    Filter, Limits, Rates, RelationStore, Retention, Run, Scalar, TableRule, Test, ThrottleRules,
    TimeUnit, Unthrottled,
};
use elpis_run::{Holder, Journal, Observer, StopToken, VirtualClock};
use elpis_testkit::{Database, MariaDb, now};

use crate::support::cutoff;

pub(super) const LIMIT: u64 = 200;

/// Modules with values, states, alerts (by foreign key) and old events; a third of the agents is
/// gone, some modules are pending, some have no state. The server does not recount the values by
/// itself: in the midst of many deletions it may come out with far too few.
pub(super) fn fill(db: &MariaDb, modules: u64, values: u64) {
    let cutoff = cutoff();
    db.sql(&format!(
        "CREATE TABLE agents (id INT PRIMARY KEY, name VARCHAR(40) NOT NULL) ENGINE=InnoDB STATS_AUTO_RECALC=0;
         CREATE TABLE modules (id INT UNSIGNED PRIMARY KEY, agent INT NOT NULL,
           pending INT NOT NULL, KEY by_agent (agent)) ENGINE=InnoDB STATS_AUTO_RECALC=0;
         CREATE TABLE vals (module INT UNSIGNED NOT NULL, v DOUBLE, utimestamp BIGINT,
           KEY by_module (module, utimestamp)) ENGINE=InnoDB STATS_AUTO_RECALC=0;
         CREATE TABLE states (id INT AUTO_INCREMENT PRIMARY KEY, module INT NOT NULL,
           state INT NOT NULL, KEY by_module (module)) ENGINE=InnoDB STATS_AUTO_RECALC=0;
         CREATE TABLE alerts (id INT AUTO_INCREMENT PRIMARY KEY, module INT UNSIGNED NOT NULL,
           KEY by_module (module), FOREIGN KEY (module) REFERENCES modules (id)
           ON DELETE CASCADE) ENGINE=InnoDB STATS_AUTO_RECALC=0;
         CREATE TABLE events (id INT PRIMARY KEY, utimestamp BIGINT, KEY by_time (utimestamp))
           ENGINE=InnoDB STATS_AUTO_RECALC=0;
         INSERT INTO agents SELECT seq, CONCAT('agent ', seq) FROM seq_1_to_300 WHERE seq % 3 > 0;
         INSERT INTO modules SELECT seq, seq % 300 + 1, seq % 50 = 0 FROM seq_1_to_{modules};
         INSERT INTO vals SELECT seq * seq % ({modules} * 2) + 1, seq, {cutoff} + seq
           FROM seq_1_to_{values};
         INSERT INTO states (module, state) SELECT seq * 2, 0 FROM seq_1_to_{modules};
         INSERT INTO alerts (module) SELECT seq FROM seq_1_to_{modules} WHERE seq % 4 = 0;
         INSERT INTO events SELECT seq, {cutoff} + IF(seq % 2, 1, -1) * CAST(seq AS SIGNED)
           FROM seq_1_to_1000;
         ANALYZE TABLE agents, modules, vals, states, alerts, events PERSISTENT FOR ALL;"
    ));
}

pub(super) fn is(column: &str, value: i64) -> Condition {
    Condition::Own(Filter {
        column: column.to_owned(),
        test: Test::Compare("=", Scalar::Int(value)),
    })
}

pub(super) fn delete(
    name: &str,
    table: &str,
    when: Vec<Condition>,
    dependents: Vec<Dependent>,
) -> Work {
    Work::Sweep(SweepRule {
        name: name.to_owned(),
        table: table.to_owned(),
        when,
        act: Act::Delete {
            dependents,
            marks: Vec::new(),
        },
    })
}

pub(super) fn orphans(table: &str, column: &str, (parent, key): (&str, &str)) -> Work {
    let missing = vec![Condition::Missing(Relation::to(column, parent, key))];
    delete(&format!("orphans of {table}"), table, missing, Vec::new())
}

pub(super) fn of_modules() -> Vec<Dependent> {
    ["vals", "states"]
        .map(|table| Dependent::new(table, "module", "id"))
        .into()
}

pub(super) fn task(id: &str, work: Vec<Work>) -> Task {
    Task {
        id: id.to_owned(),
        group: Group::Purge,
        title: format!("Doing {id}."),
        work,
    }
}

pub(super) fn tasks() -> Vec<Task> {
    let events = TableRule {
        name: "events".to_owned(),
        key: Vec::new(),
        time_column: "utimestamp".to_owned(),
        unit: TimeUnit::EpochSeconds,
        keep: Retention::Days(30),
        filters: Vec::new(),
        where_sql: None,
        after: Vec::new(),
        max_share: 1.0,
    };
    let elsewhere = TableRule {
        name: "elsewhere".to_owned(),
        ..events.clone()
    };
    let program = ProgramTask {
        name: "expiry".to_owned(),
        program: "/nowhere/expiry".into(),
        args: Vec::new(),
        directory: "/nowhere".into(),
    };
    let state = |column: &str, from| (column.to_owned(), from);
    let missing_state = SweepRule {
        name: "missing states".to_owned(),
        table: "modules".to_owned(),
        when: vec![
            is("pending", 0),
            Condition::Missing(Relation::to("id", "states", "module")),
        ],
        act: Act::Insert {
            into: "states".to_owned(),
            values: vec![
                state("module", Expr::Column("id".to_owned())),
                state("state", Expr::Value(Scalar::Int(4))),
            ],
            settle: Duration::from_secs(2),
        },
    };
    vec![
        task("events", vec![Work::Retention(events)]),
        task("not here", vec![Work::Retention(elsewhere)]),
        task(
            "pending",
            vec![delete(
                "pending",
                "modules",
                vec![is("pending", 1)],
                of_modules(),
            )],
        ),
        task("program", vec![Work::Program(program)]),
        task(
            "orphan modules",
            vec![delete(
                "orphan modules",
                "modules",
                vec![Condition::Missing(Relation::to("agent", "agents", "id"))],
                of_modules(),
            )],
        ),
        task(
            "orphans",
            vec![
                orphans("vals", "module", ("modules", "id")),
                orphans("states", "module", ("modules", "id")),
                orphans("tables", "of", ("another", "edition")),
            ],
        ),
        task("missing states", vec![Work::Sweep(missing_state)]),
    ]
}

pub(super) fn wanted() -> Housekeeping {
    Housekeeping {
        locks: vec!["{database}_test".to_owned()],
        max_clock_skew: Duration::MAX,
        allow_replica: false,
        throttle: ThrottleRules::default(),
        max_orphan_share: 1.0,
        tasks: tasks(),
    }
}

pub(super) async fn plan<S: RelationStore>(store: &mut S, exact: bool) -> HousekeepingPlan {
    plan_of(&wanted(), store, exact).await
}

pub(super) async fn plan_of<S: RelationStore>(
    wanted: &Housekeeping,
    store: &mut S,
    exact: bool,
) -> HousekeepingPlan {
    plan_beside(wanted, (store, None), exact).await
}

pub(super) async fn plan_beside<S: RelationStore>(
    wanted: &Housekeeping,
    (store, beside): (&mut S, Option<&mut S>),
    exact: bool,
) -> HousekeepingPlan {
    let (clock, stop) = (VirtualClock::new(now()), StopToken::new());
    let inspection = HousekeepingInspection {
        clock: &clock,
        observer: &(),
        stop: &stop,
        exact,
    };
    let facts = inspection.run_beside(wanted, store, beside).await;
    let facts = facts.unwrap();
    HousekeepingPlan::new(wanted, &facts, &Rates::new())
}

pub(super) struct Runner<'a> {
    pub(super) journal: &'a dyn Journal,
    pub(super) observer: &'a dyn Observer<HousekeepingEvent>,
    pub(super) stop: StopToken,
    pub(super) limits: Limits,
}

impl Runner<'_> {
    pub(super) async fn run<S: RelationStore>(
        &self,
        plan: &HousekeepingPlan,
        store: &mut S,
    ) -> HousekeepingReport {
        let mut run = Run {
            journal: self.journal,
            throttle: &mut Unthrottled { rows: LIMIT },
            observer: self.observer,
            clock: &VirtualClock::new(now()),
            stop: &self.stop,
            holder: Holder::current("elpis-test", now()),
            limits: self.limits,
        };
        run.housekeep(plan, store, &NoPrograms).await.unwrap()
    }
}

pub(super) fn runner<'a>(
    journal: &'a dyn Journal,
    observer: &'a dyn Observer<HousekeepingEvent>,
) -> Runner<'a> {
    Runner {
        journal,
        observer,
        stop: StopToken::new(),
        limits: Limits::default(),
    }
}

/// Everything that is still wrong, as the database itself counts it.
pub(super) fn wrong(db: &MariaDb) -> Vec<(&'static str, u64)> {
    let cutoff = cutoff();
    let gone = "NOT IN (SELECT id FROM modules)";
    [
        ("events", format!("events WHERE utimestamp < {cutoff}")),
        ("pending", "modules WHERE pending = 1".to_owned()),
        (
            "modules",
            "modules WHERE agent NOT IN (SELECT id FROM agents)".to_owned(),
        ),
        ("vals", format!("vals WHERE module {gone}")),
        ("states", format!("states WHERE module {gone}")),
        ("alerts", format!("alerts WHERE module {gone}")),
        (
            "no state",
            "modules WHERE id NOT IN (SELECT module FROM states)".to_owned(),
        ),
    ]
    .into_iter()
    .map(|(what, from)| (what, db.number(&format!("SELECT COUNT(*) FROM {from};"))))
    .filter(|(_, rows)| *rows > 0)
    .collect()
}

/// What must be there and may not be touched.
pub(super) fn right(db: &MariaDb) -> [u64; 3] {
    let live = "SELECT id FROM modules WHERE pending = 0 AND agent IN (SELECT id FROM agents)";
    [
        format!("SELECT COUNT(*) FROM ({live}) AS live;"),
        format!("SELECT COUNT(*) FROM vals WHERE module IN ({live});"),
        format!("SELECT COUNT(*) FROM alerts WHERE module IN ({live});"),
    ]
    .map(|query| db.number(&query))
}
