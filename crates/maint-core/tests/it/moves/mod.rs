//! Moves between two real databases, recounted by the database's own client: what both hold
//! together is the same multiset of rows before and after, and what is due is on one side.

mod deaths;
mod drift;
mod dying;

use std::time::Duration;

use elpis_maint_core::moves::{
    MoveEvent, MoveFacts, MoveInspection, MovePlan, MovePolicy, MoveReport, MoveRule, Steps,
};
use elpis_maint_core::store::MoveStore;
use elpis_maint_core::{Limits, Run, ThrottleRules, TimeUnit, Unthrottled};
use elpis_run::journal::MemoryJournal;
use elpis_run::{Clock, FnObserver, Holder, Observer, RealClock, StopToken};
use elpis_testkit::pandora::tables;
use elpis_testkit::{Database, MariaDb};

/// The oracle's copies of what both sides hold, by the time they were taken.
const SIDES: &str = "SET SESSION sql_mode = '';";

/// An active and a history database.
struct Pair {
    active: MariaDb,
    history: MariaDb,
}

fn rule(table: &str, split: Option<&str>) -> MoveRule {
    MoveRule {
        id: format!("move_{table}"),
        title: format!("Moving {table}"),
        table: table.to_owned(),
        time_column: "utimestamp".to_owned(),
        unit: TimeUnit::EpochSeconds,
        days: 5,
        split: split.map(str::to_owned),
        children: Vec::new(),
    }
}

fn policy(rules: Vec<MoveRule>) -> MovePolicy {
    MovePolicy {
        locks: vec!["{database}_active".to_owned()],
        history_locks: vec!["{database}_history".to_owned()],
        max_clock_skew: Duration::from_secs(60),
        allow_replica: false,
        throttle: ThrottleRules::default(),
        steps: Steps::default(),
        rules,
    }
}

fn data() -> Vec<MoveRule> {
    vec![
        rule("tagente_datos", Some("id_agente_modulo")),
        rule("tagente_datos_string", Some("id_agente_modulo")),
        rule("tevento", None),
    ]
}

/// All columns of a table as an exact text of the server's own: two rows are the same if it is.
fn row_text(table: &str) -> &'static str {
    match table {
        "tagente_datos" => "id_agente_modulo, datos, utimestamp",
        "tagente_datos_string" => "id_agente_modulo, BINARY datos, utimestamp",
        "tevent_extended" => "id, id_evento, external_id, utimestamp, BINARY description",
        "tevent_comment" => "id, id_event, utimestamp, BINARY comment",
        _ => "id_evento, id_agente, utimestamp, timestamp, BINARY evento, event_type, BINARY data",
    }
}

const TABLES: [&str; 4] = [
    "tagente_datos",
    "tagente_datos_string",
    "tevento",
    "tevent_extended",
];

impl Pair {
    /// Both on the shared server, with the product's tables.
    fn new() -> Pair {
        let pair = Pair {
            active: MariaDb::new(),
            history: MariaDb::new(),
        };
        for side in [&pair.active, &pair.history] {
            let charset = format!("ALTER DATABASE {} CHARACTER SET utf8mb4;", side.name());
            side.sql(&(charset + &tables(&TABLES)));
        }
        pair
    }

    /// Old and young rows of every kind: duplicates, NULLs, numbers with all their digits, texts
    /// that a collation takes for one another, and many rows of one instant.
    fn fill(&self, n: u64) {
        let age = "UNIX_TIMESTAMP() - 86400 * 8 + 97 + seq * (86400 * 8 DIV ?n)"
            .replace("?n", &n.to_string());
        let numbers = format!("seq_1_to_{n}");
        self.active.sql(&format!(
            "SET sql_mode = ''; \
             INSERT INTO tagente_datos SELECT seq % 7, RAND(seq) * EXP((seq % 600) * 1e0 - 300), {age} FROM {numbers}; \
             INSERT INTO tagente_datos SELECT seq % 7, RAND(seq) * EXP((seq % 600) * 1e0 - 300), {age} FROM {numbers} \
               WHERE seq % 5 = 0; \
             INSERT INTO tagente_datos SELECT seq, NULL, UNIX_TIMESTAMP() - 86400 * 6 FROM seq_1_to_40; \
             INSERT INTO tagente_datos SELECT 3, 1 / 3, UNIX_TIMESTAMP() - 86400 * 7 FROM seq_1_to_30; \
             INSERT INTO tagente_datos VALUES (1, 1, NULL), (1, 1, 0); \
             INSERT INTO tagente_datos_string SELECT seq % 7, ELT(1 + seq % 4, 'a', 'A', 'a ', 'ä€😀'), {age} \
               FROM {numbers}; \
             INSERT INTO tagente_datos_string VALUES (1, NULL, 7), (1, '', 7); \
             INSERT INTO tevento (id_agente, utimestamp, timestamp, evento, event_type, data) \
               SELECT seq, {age}, FROM_UNIXTIME({age}), CONCAT('é', seq), 'system', NULL FROM {numbers}; \
             INSERT INTO tevent_extended (id_evento, external_id, utimestamp, description) \
               SELECT id_evento, NULL, utimestamp, 'x' FROM tevento WHERE id_evento % 3 = 0; \
             INSERT INTO tevent_extended (id_evento, utimestamp) \
               SELECT id_evento, 5 FROM tevento WHERE id_evento % 6 = 0; \
             ANALYZE TABLE tagente_datos, tagente_datos_string, tevento;"
        ));
    }

    /// Rows that are in the history database before, of the same times: from another tool.
    fn fill_history(&self) {
        let name = self.active.name();
        self.history.sql(&format!(
            "SET sql_mode = ''; \
             INSERT INTO tagente_datos SELECT * FROM {name}.tagente_datos WHERE id_agente_modulo = 3 AND \
               utimestamp < UNIX_TIMESTAMP() - 86400 * 6; \
             INSERT INTO tagente_datos_string SELECT * FROM {name}.tagente_datos_string \
               WHERE utimestamp < UNIX_TIMESTAMP() - 86400 * 7;"
        ));
    }

    /// Remembers what both sides hold together.
    fn remember(&self, as_: &str) {
        let (a, h) = (self.active.name(), self.history.name());
        for table in TABLES {
            let columns = row_text(table);
            self.active.sql(&format!(
                "{SIDES} CREATE OR REPLACE TABLE {as_}_{table} AS SELECT {columns} FROM {a}.{table} \
                 UNION ALL SELECT {columns} FROM {h}.{table};"
            ));
        }
    }

    /// How many rows of what was remembered are missing, and how many are there too often.
    fn difference(&self, as_: &str) -> Vec<(u64, u64)> {
        self.remember("now");
        let count = |table: &&str| {
            let columns = self.active.sql(&format!(
                "SELECT GROUP_CONCAT(CONCAT('`', column_name, '`') ORDER BY ordinal_position) FROM \
                 information_schema.columns WHERE table_schema = DATABASE() AND table_name = '{as_}_{table}';"
            ));
            let columns = columns.trim();
            let off = |sign: &str| {
                self.active.number(&format!(
                    "SELECT COALESCE(SUM(GREATEST({sign}n, 0)), 0) FROM (SELECT SUM(s) AS n FROM \
                       (SELECT *, 1 AS s FROM {as_}_{table} UNION ALL SELECT *, -1 FROM now_{table}) b \
                     GROUP BY {columns}) d;"
                ))
            };
            (off(""), off("-"))
        };
        TABLES.iter().map(count).collect()
    }

    fn due(&self) -> Vec<u64> {
        let due = |table: &&str| {
            self.active.number(&format!(
                "SELECT COUNT(*) FROM {table} WHERE utimestamp < UNIX_TIMESTAMP() - 86400 * 5;"
            ))
        };
        TABLES[..3].iter().map(due).collect()
    }

    /// Rows in the history database younger than what moves.
    fn young_in_history(&self) -> u64 {
        let young = |table: &str| {
            self.history.number(&format!(
                "SELECT COUNT(*) FROM {table} WHERE utimestamp > UNIX_TIMESTAMP() - 86400 * 5 + 60;"
            ))
        };
        TABLES[..3].iter().map(|table| young(table)).sum()
    }
}

async fn facts<A: MoveStore, H: MoveStore>(
    policy: &MovePolicy,
    active: &mut A,
    history: &mut H,
) -> MoveFacts {
    let inspection = MoveInspection {
        clock: &RealClock::new(),
        observer: &(),
        stop: &StopToken::new(),
        exact: true,
    };
    inspection.run(policy, active, history).await.unwrap()
}

async fn plan(policy: &MovePolicy, pair: &Pair) -> MovePlan {
    let (mut active, mut history) = (pair.active.store().await, pair.history.store().await);
    MovePlan::new(policy, &facts(policy, &mut active, &mut history).await)
}

/// Runs `plan` in steps of `rows`.
async fn run<A: MoveStore, H: MoveStore>(
    plan: &MovePlan,
    (active, history): (&mut A, &mut H),
    rows: u64,
    observer: &dyn Observer<MoveEvent>,
) -> Result<MoveReport, elpis_maint_core::moves::MoveError> {
    let clock = RealClock::new();
    let mut run = Run {
        journal: &MemoryJournal::new(),
        throttle: &mut Unthrottled { rows },
        observer,
        clock: &clock,
        stop: &StopToken::new(),
        holder: Holder::current("test", clock.now()),
        limits: Limits::default(),
    };
    run.move_rows(plan, active, history).await
}

async fn move_all(plan: &MovePlan, pair: &Pair, rows: u64) -> MoveReport {
    let (mut active, mut history) = (pair.active.store().await, pair.history.store().await);
    let moved = run(plan, (&mut active, &mut history), rows, &());
    moved.await.unwrap()
}

#[tokio::test]
async fn every_due_row_is_on_the_other_side_once_and_the_plan_knew_how_many() {
    let pair = Pair::new();
    pair.fill(400);
    pair.fill_history();
    pair.remember("before");
    let policy = policy(data());
    let plan = plan(&policy, &pair).await;
    assert_eq!(plan.refusals, []);
    let planned: Vec<u64> = plan.tables.iter().map(|table| table.due.rows).collect();
    assert!(plan.due().exact && planned == pair.due(), "{planned:?}");

    let report = move_all(&plan, &pair, 16).await;
    assert_eq!(report.concerns(), Vec::<String>::new());
    assert!(
        report
            .tables
            .iter()
            .all(|table| table.complete && table.chunks > 3)
    );
    let moved: Vec<u64> = report.tables.iter().map(|table| table.moved).collect();
    assert_eq!(moved, planned);
    let children = |plan: &MovePlan| plan.tables[2].children.clone().unwrap();
    assert_eq!(report.tables[2].children, children(&plan));
    assert_eq!(pair.difference("before"), [(0, 0); 4]);
    assert_eq!((pair.due(), pair.young_in_history()), (vec![0; 3], 0));
    // A time that is NULL is no age.
    let timeless = "SELECT COUNT(*) FROM tagente_datos WHERE utimestamp IS NULL;";
    assert_eq!(pair.active.number(timeless), 1);
    assert_eq!(
        pair.history.sql("SHOW TABLES LIKE 'elpis%';").trim(),
        "elpis_moves"
    );

    let again = self::plan(&policy, &pair).await;
    assert_eq!(again.due().rows, 0);
    let report = move_all(&again, &pair, 16).await;
    assert_eq!((report.moved(), report.tables.len()), (0, 3));
    assert_eq!(pair.difference("before"), [(0, 0); 4]);
}

#[tokio::test]
async fn the_row_at_the_very_end_stays_and_the_one_before_it_moves() {
    let pair = Pair::new();
    let policy = policy(vec![rule("tagente_datos", None)]);
    let plan = plan(&policy, &pair).await;
    let end = plan.tables[0].cutoff.clone().unwrap().value;
    let values = format!("(1, 1, {end} - 1), (1, 2, {end}), (1, 3, {end} + 1)");
    pair.active
        .sql(&format!("INSERT INTO tagente_datos VALUES {values};"));
    let report = move_all(&plan, &pair, 10).await;
    assert_eq!(report.moved(), 1);
    assert_eq!(
        pair.history.sql("SELECT datos FROM tagente_datos;").trim(),
        "1"
    );
}

#[tokio::test]
async fn steps_are_bounded_and_of_one_instant_too() {
    let pair = Pair::new();
    pair.active.sql(
        "INSERT INTO tagente_datos SELECT seq % 100, seq, 77 FROM seq_1_to_1000; \
         INSERT INTO tagente_datos SELECT 5, seq, 78 FROM seq_1_to_3;",
    );
    pair.remember("before");
    let mut policy = policy(vec![rule("tagente_datos", Some("id_agente_modulo"))]);
    policy.steps.rows = Some(50);
    let plan = plan(&policy, &pair).await;
    let sizes = std::sync::Mutex::new(Vec::new());
    let observer = FnObserver(|event: &MoveEvent| {
        if let MoveEvent::Moved { moved, .. } = event {
            sizes.lock().unwrap().push(*moved);
        }
    });
    let (mut active, mut history) = (pair.active.store().await, pair.history.store().await);
    let report = run(&plan, (&mut active, &mut history), 1000, &observer).await;
    assert_eq!(report.unwrap().moved(), 1003);
    let sizes = sizes.into_inner().unwrap();
    assert!(
        sizes.len() >= 20 && sizes.iter().all(|size| *size <= 50),
        "{sizes:?}"
    );
    assert_eq!(pair.difference("before")[0], (0, 0));
}

/// As the console needs it: it asks the history database only for what is older than everything
/// here.
#[tokio::test]
async fn after_every_step_history_has_the_beginning_of_every_series() {
    let pair = Pair::new();
    pair.fill(120);
    let policy = policy(vec![rule("tagente_datos", Some("id_agente_modulo"))]);
    let plan = plan(&policy, &pair).await;
    let series = |database: &MariaDb, end: &str| {
        format!(
            "(SELECT id_agente_modulo, {end}(utimestamp) AS t FROM {}.tagente_datos \
             GROUP BY id_agente_modulo)",
            database.name()
        )
    };
    let crossed = format!(
        "SELECT COUNT(*) FROM {} a JOIN {} h USING (id_agente_modulo) WHERE a.t <= h.t;",
        series(&pair.active, "MIN"),
        series(&pair.history, "MAX")
    );
    let steps = std::sync::atomic::AtomicU64::new(0);
    let observer = FnObserver(|event: &MoveEvent| {
        if let MoveEvent::Moved { .. } = event {
            assert_eq!(pair.active.number(&crossed), 0);
            steps.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    });
    let (mut active, mut history) = (pair.active.store().await, pair.history.store().await);
    let moved = run(&plan, (&mut active, &mut history), 12, &observer).await;
    assert!(moved.unwrap().tables[0].complete);
    assert!(steps.into_inner() > 5);
}

#[tokio::test]
async fn rows_that_come_late_into_what_is_being_moved_are_not_lost() {
    let pair = Pair::new();
    pair.fill(300);
    pair.remember("before");
    let policy = policy(data());
    let plan = plan(&policy, &pair).await;
    let late = pair.active.clone();
    // Rows of the oldest times, equal to rows that are just moving, as fast as one client can.
    let writer = std::thread::spawn(move || {
        let came = (0..30).map(|n| {
            late.number(&format!(
                "INSERT INTO tagente_datos SELECT id_agente_modulo, datos, utimestamp FROM \
                   (SELECT * FROM before_tagente_datos ORDER BY utimestamp LIMIT {}, 10) o; \
                 SELECT ROW_COUNT();",
                n * 10
            ))
        });
        came.sum::<u64>()
    });
    let (mut active, mut history) = (pair.active.store().await, pair.history.store().await);
    while !writer.is_finished() {
        let moved = run(&plan, (&mut active, &mut history), 8, &()).await;
        assert_eq!(moved.unwrap().concerns(), Vec::<String>::new());
    }
    let came = writer.join().unwrap();
    let last = run(&plan, (&mut active, &mut history), 50, &())
        .await
        .unwrap();
    assert!(last.tables[0].complete);
    let expected = [(0, came), (0, 0), (0, 0), (0, 0)];
    assert_eq!(pair.difference("before"), expected);
    assert_eq!(pair.due()[0], 0);
}
