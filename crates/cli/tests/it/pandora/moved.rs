//! Old rows move to the history database before anything is deleted: by the tokens, exactly once,
//! whatever dies in between.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use elpis_mysql::PrivateServer;
use elpis_testkit::pandora::{Installation, tables};
use elpis_testkit::{Database, MariaDb};
use jiff::Timestamp;

use super::killed::run_and_kill;
use super::{Site, alone, json};

const TABLES: [&str; 4] = [
    "tagente_datos",
    "tagente_datos_string",
    "tevento",
    "tevent_extended",
];
/// What moves, and the purge of the same tables; what else deletes their rows is left out.
const ONLY: &str = "history,numeric_data,strings,events";
const PASSWORD: &str = "p4ss of its own";

/// Limits with which every part of a run has something to do.
pub(super) const EVERYTHING: [(&str, &str); 7] = [
    ("days_compact", "20"),
    ("days_purge", "35"),
    ("history_db_days", "30"),
    ("string_purge", "12"),
    ("history_db_string_days", "10"),
    ("event_purge", "12"),
    ("history_event_days", "10"),
];

/// Puts the history database's own beside them.
pub(super) const HISTORY_LIMITS: &str = "INSERT INTO tconfig (token, value) VALUES ('days_purge', '50'), ('days_compact', '40'), \
       ('step_compact', '6'), ('string_purge', '13'), ('event_purge', '13');";

/// An installation and its history database, on one server or on two.
pub(super) struct Moving {
    pub(super) site: Site,
    pub(super) history: MariaDb,
}

impl Moving {
    pub(super) fn new(server: &PrivateServer, tokens: &[(&str, &str)]) -> Moving {
        Moving::between(Site::server(), server, tokens)
    }

    /// With the installation on the server `active`, and the history database on `server`.
    pub(super) fn between(
        active: &PrivateServer,
        server: &PrivateServer,
        tokens: &[(&str, &str)],
    ) -> Moving {
        let installation = Installation {
            now: Timestamp::now(),
            ..Installation::small()
        };
        Moving::of(installation, (active, server), tokens)
    }

    pub(super) fn of(
        mut installation: Installation,
        (active, server): (&PrivateServer, &PrivateServer),
        tokens: &[(&str, &str)],
    ) -> Moving {
        let history = MariaDb::on(server);
        history.sql(&tables(&[
            "tconfig",
            "tagente_datos",
            "tagente_datos_string",
            "tevento",
            "tevent_extended",
            "tevent_comment",
            "ttrap",
        ]));
        let socket = history.options.socket.clone().unwrap();
        let socket = socket.display().to_string();
        let mut all = vec![
            ("history_db_enabled", "1"),
            ("history_db_host", socket.as_str()),
            ("history_db_name", history.name()),
            ("history_db_user", history.name()),
            ("history_db_pass", PASSWORD),
            ("history_db_days", "5"),
            ("history_db_adv", "1"),
            ("history_db_string_days", "5"),
            ("history_event_enabled", "1"),
            ("history_event_days", "5"),
            ("history_db_step", "400"),
            ("days_purge", "7"),
            ("string_purge", "7"),
            ("event_purge", "7"),
        ];
        let given = |token: &str| tokens.iter().any(|(other, _)| *other == token);
        all.retain(|(token, _)| !given(token));
        all.extend(tokens);
        for (token, value) in all {
            installation = installation.token(token, value);
        }
        let site = Site::on(active, installation);
        let account = format!("'{}'@'localhost'", history.name());
        history.sql(&format!(
            "CREATE USER {account} IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON {}.* TO {account};",
            history.name()
        ));
        Moving { site, history }
    }

    /// Rows of 0 to 19 days, each an hour away from a whole number of days, with equal ones among
    /// them.
    pub(super) fn fill(&self, n: u64) {
        let age = "UNIX_TIMESTAMP() - (seq % 20) * 86400 - 3600 - seq % 7";
        let empty: String = TABLES
            .iter()
            .rev()
            .map(|table| format!("DELETE FROM {table};"))
            .collect();
        self.site.db.sql(&format!(
            "SET foreign_key_checks = 0; {empty} SET foreign_key_checks = 1; \
             INSERT INTO tagente_datos SELECT 1 + seq % 3, seq / 7, {age} FROM seq_1_to_{n}; \
             INSERT INTO tagente_datos SELECT 1 + seq % 3, seq / 7, {age} FROM seq_1_to_{n} WHERE seq % 4 = 0; \
             INSERT INTO tagente_datos_string SELECT 1 + seq % 3, 'x', {age} FROM seq_1_to_{n}; \
             INSERT INTO tevento (utimestamp, evento) SELECT {age}, seq FROM seq_1_to_{n}; \
             INSERT INTO tevent_extended (id_evento, utimestamp) SELECT id_evento, 1 FROM tevento \
               WHERE id_evento % 5 = 0; \
             ANALYZE TABLE tagente_datos, tagente_datos_string, tevento, tevent_extended;"
        ));
    }

    /// What both databases hold of a table, as sorted lines: whichever server they are on.
    fn content(&self, table: &str) -> Vec<String> {
        let query = format!("SELECT * FROM {table};");
        let both = self.site.db.sql(&query) + &self.history.sql(&query);
        let mut lines: Vec<String> = both.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    }

    pub(super) fn contents(&self) -> Vec<Vec<String>> {
        TABLES.iter().map(|table| self.content(table)).collect()
    }

    /// Both databases together hold what they held `before`.
    pub(super) fn assert_holds(&self, before: &[Vec<String>]) {
        for (table, before) in TABLES.iter().zip(before) {
            let now = self.content(table);
            let rows = (now.len(), before.len());
            let first = now.iter().zip(before).find(|(now, before)| now != before);
            assert!(now == *before, "{table}: {rows:?} rows; from {first:?}");
        }
    }

    fn rows(&self, of: &MariaDb) -> Vec<u64> {
        let count = |table: &&str| of.number(&format!("SELECT COUNT(*) FROM {table};"));
        TABLES.iter().map(count).collect()
    }

    /// Events that should be on the other side.
    pub(super) fn misplaced_events(&self) -> u64 {
        let limit = "utimestamp < UNIX_TIMESTAMP() - 86400 * 5";
        let old = format!("SELECT COUNT(*) FROM tevento WHERE {limit};");
        let young = format!("SELECT COUNT(*) FROM tevento WHERE NOT {limit};");
        self.site.number(&old) + self.history.number(&young)
    }

    /// Rows that should be on the other side: old ones here, young ones there.
    pub(super) fn misplaced(&self) -> u64 {
        let misplaced = |table: &&str| {
            let limit = "UNIX_TIMESTAMP() - 86400 * 5";
            let old = format!("SELECT COUNT(*) FROM {table} WHERE utimestamp < {limit};");
            let young = format!("SELECT COUNT(*) FROM {table} WHERE utimestamp > {limit};");
            self.site.number(&old) + self.history.number(&young)
        };
        TABLES[..3].iter().map(misplaced).sum()
    }
}

fn due(plan: &serde_json::Value, table: &str) -> u64 {
    let tables = plan["moves"]["tables"].as_array().unwrap();
    let found = tables.iter().find(|one| one["table"] == table).unwrap();
    found["due"]["rows"].as_u64().unwrap()
}

#[test]
fn what_is_old_moves_before_anything_is_purged() {
    let moving = Moving::new(Site::server(), &[]);
    moving.fill(400);
    let before = moving.contents();
    let here = moving.rows(&moving.site.db);
    let planned = moving.site.run(&["plan", "--exact", "--format", "json"]);
    assert_eq!(planned.code, 0, "{planned:?}");
    assert_eq!(moving.rows(&moving.history), [0; 4]);
    let plan = json(&planned.out);
    // What moves is not purged; it was all due for both.
    let tasks = plan["tasks"].as_array().unwrap();
    for (task, table) in [("numeric_data", "tagente_datos"), ("events", "tevento")] {
        let task = tasks.iter().find(|one| one["id"] == task).unwrap();
        assert_eq!(task["parts"][0]["due"]["rows"], 0, "{task}");
        assert!(due(&plan, table) > 200, "{plan}");
    }
    let human = moving.site.run(&["plan"]);
    assert!(human.out.contains("rows to move to"), "{}", human.out);

    let said = moving.site.run(&["run", "--only", ONLY, "--no-throttle"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.err
            .contains("[HISTORYDB] Moving data older than 5 days to the history DB..."),
        "{}",
        said.err
    );
    assert!(said.out.contains("rows moved to"), "{}", said.out);
    let there = moving.rows(&moving.history);
    let moved: Vec<u64> = TABLES[..3].iter().map(|table| due(&plan, table)).collect();
    assert_eq!(there[..3], moved);
    assert!(there[3] > 20);
    moving.assert_holds(&before);
    assert_eq!(moving.misplaced(), 0);
    let left = moving.rows(&moving.site.db);
    assert!(
        left.iter()
            .zip(&here)
            .zip(&there)
            .all(|((l, h), t)| l + t == *h)
    );

    // Nothing is due any more.
    let again = moving.site.run(&["run", "--only", ONLY, "--no-throttle"]);
    assert_eq!(again.code, 0, "{again:?}");
    moving.assert_holds(&before);
    // Late rows that a purge alone would delete move first, even if only the purge is asked for.
    let late = "INSERT INTO tagente_datos VALUES (1, 0.5, 86400), (1, 0.5, 86400);";
    moving.site.db.sql(late);
    let purge = moving
        .site
        .run(&["run", "--only", "numeric_data", "--no-throttle"]);
    assert_eq!(purge.code, 0, "{purge:?}");
    let kept = "SELECT COUNT(*) FROM tagente_datos WHERE utimestamp = 86400;";
    assert_eq!(moving.history.number(kept), 2);
    // Each run of moves has its place in the journal.
    let config = moving.site.world.path("state.toml").display().to_string();
    let runs = moving
        .site
        .run(&["history", "--format", "json", "--config", &config]);
    assert!(runs.out.contains("\"move\""), "{runs:?}");
}

#[test]
fn what_cannot_move_is_not_purged_and_the_rest_is_done() {
    let moving = Moving::new(Site::server(), &[]);
    moving.fill(200);
    moving
        .history
        .sql("ALTER TABLE tagente_datos MODIFY datos FLOAT;");
    let before = moving.contents();
    let planned = moving.site.run(&["plan"]);
    assert_eq!(planned.code, 7, "{planned:?}");
    assert!(planned.out.contains("HELD BACK"), "{}", planned.out);
    let said = moving.site.run(&["run", "--only", ONLY, "--no-throttle"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.err.contains("float"), "{said:?}");
    moving.assert_holds(&before);
    assert_eq!(
        moving.history.number("SELECT COUNT(*) FROM tagente_datos;"),
        0
    );
    let old = "SELECT COUNT(*) FROM tevento WHERE utimestamp < UNIX_TIMESTAMP() - 86400 * 5;";
    assert_eq!(moving.site.number(old), 0, "events moved");
    moving
        .history
        .sql("ALTER TABLE tagente_datos MODIFY datos DOUBLE;");
    assert_eq!(
        moving
            .site
            .run(&["run", "--only", ONLY, "--no-throttle"])
            .code,
        0
    );
    assert_eq!(moving.misplaced(), 0);
    moving.assert_holds(&before);
}

#[test]
fn a_server_of_its_own_that_is_read_only_full_or_gone() {
    let server = Mutex::new(MariaDb::own_server(&[]));
    let moving = Moving::new(&server.lock().unwrap(), &[("history_db_step", "100")]);
    moving.fill(500);
    let before = moving.contents();

    // Root may write on a read-only server; the account of the configuration may not.
    moving.history.sql("SET GLOBAL read_only = 1;");
    let said = moving.site.run(&["run", "--only", ONLY, "--no-throttle"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.err.contains("read_only"), "{said:?}");
    moving.assert_holds(&before);
    moving.history.sql("SET GLOBAL read_only = 0;");

    // No room for what comes: it answers as a full disk does, in the middle of a step.
    moving.history.sql(
        "CREATE TRIGGER full AFTER INSERT ON tagente_datos_string FOR EACH ROW SIGNAL SQLSTATE 'HY000' \
         SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'The table is full';",
    );
    let said = moving.site.run(&["run", "--only", ONLY, "--no-throttle"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.err.contains("full"), "{said:?}");
    moving.assert_holds(&before);
    let strings = "SELECT COUNT(*) FROM tagente_datos_string;";
    assert_eq!(moving.history.number(strings), 0);
    moving.history.sql("DROP TRIGGER full;");
    moving.fill(500);
    for table in TABLES.iter().rev() {
        moving.history.sql(&format!("DELETE FROM {table};"));
    }
    let before = moving.contents();

    // Gone in the middle.
    moving.site.world.write("steps.toml", STEPS);
    let config = moving.site.world.path("steps.toml").display().to_string();
    let guard = alone();
    let args = [
        "run", "--only", ONLY, "--format", "json", "-v", "--config", &config,
    ];
    let mut child = moving
        .site
        .command(&args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let moved = lines.by_ref().map(Result::unwrap);
    let moved = moved
        .filter(|line| line.contains("\"moved\""))
        .take(3)
        .count();
    assert_eq!(moved, 3);
    server.lock().unwrap().kill().unwrap();
    lines.for_each(drop);
    let said = moving.site.world.said(&child.wait_with_output().unwrap());
    drop(guard);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.err.contains("history database"), "{said:?}");
    server.lock().unwrap().restart().unwrap();
    // Not a row that should have moved was purged.
    assert!(moving.misplaced() > 0);
    let said = moving.site.run(&["run", "--only", ONLY, "--no-throttle"]);
    assert_eq!(said.code, 0, "{said:?}");
    moving.assert_holds(&before);
    assert_eq!(moving.misplaced(), 0);
}

/// Small steps, so that a kill has many places to fall into.
pub(super) const STEPS: &str = "[state]\ndirectory = \"state\"\n[policy.throttle]\nmin_rows = 20\n\
                     max_rows = 60\nduty = 0.9\n";

fn kills() -> u64 {
    match std::env::var_os("ELPIS_SOAK") {
        Some(_) => 100,
        None => 4,
    }
}

#[test]
fn kill_nine_at_any_moment_loses_and_doubles_nothing() {
    let server = MariaDb::own_server(&[]);
    let moving = Moving::new(&server, &[]);
    moving.site.world.write("killed.toml", STEPS);
    let (mut counted, mut tried, mut between) = (0, 0, 0);
    let pending = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND \
                   table_name = 'elpis_moves';";
    while counted < kills() {
        tried += 1;
        assert!(
            tried < 6 * kills() + 20,
            "{counted} of {tried} kills were in mid-run"
        );
        moving.fill(300);
        for table in TABLES.iter().rev() {
            moving.history.sql(&format!("DELETE FROM {table};"));
        }
        let before = moving.contents();
        let spread = (tried * 7919) % 14;
        let more = Duration::from_micros((tried * 104_729) % 9_000);
        let (only, sides) = (["--only", "history"], [&moving.site.db, &moving.history]);
        let at = (3 + spread as usize, more);
        if run_and_kill(&moving.site, &only, &sides, |_| true, at).is_none() {
            continue;
        }
        counted += u64::from(moving.misplaced() > 0);
        let id = "SELECT GROUP_CONCAT(move_id ORDER BY table_name) FROM elpis_moves;";
        if moving.site.number(pending) > 0 && moving.history.number(pending) > 0 {
            between += u64::from(moving.site.db.sql(id) != moving.history.sql(id));
        }
        let said = moving
            .site
            .run(&["run", "--only", "history", "--no-throttle"]);
        assert_eq!(said.code, 0, "{said:?}");
        moving.assert_holds(&before);
        assert_eq!(moving.misplaced(), 0);
    }
    println!("{counted} of {tried} kills were in mid-run, {between} between copy and deletion");
}
