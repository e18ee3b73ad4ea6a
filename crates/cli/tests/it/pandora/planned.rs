//! A plan of the whole maintenance, the history database included, writes nothing: not a row, not a
//! table, not a byte of a binary log, not a file. And it says of each table what there is to know.

use elpis_mysql::PrivateServer;
use elpis_testkit::pandora::Installation;
use elpis_testkit::{Database, MariaDb};
use jiff::Timestamp;
use serde_json::Value;

use super::json;
use super::moved::{EVERYTHING, HISTORY_LIMITS, Moving};

/// Quick at commits, with a binary log.
const SERVER: [&str; 2] = ["--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0"];

const CONFIG: &str = "[state]\ndirectory = \"state\"\n";

/// Every way to ask for a plan.
const PLANS: [&[&str]; 6] = [
    &["plan"],
    &["plan", "--exact"],
    &["plan", "--format", "json"],
    &["plan", "--exact", "--format", "json"],
    &["run", "--dry-run"],
    &["run", "--dry-run", "--exact", "--format", "json"],
];

/// Moves, purge and compaction are due, and purge and compaction of the history database, too.
fn with_everything_due(active: &PrivateServer, history: &PrivateServer) -> Moving {
    let installation = Installation {
        now: Timestamp::now(),
        ..Installation::small()
    };
    let moving = Moving::of(installation, (active, history), &EVERYTHING);
    // Modules whose series get smaller; the history database knows none of them by itself.
    let ids = moving.site.db.sql(
        "SELECT id_agente_modulo FROM tagente_modulo WHERE id_tipo_modulo = 1 \
         AND history_data = 1 AND delete_pending = 0 ORDER BY 1 LIMIT 3;",
    );
    let ids: Vec<&str> = ids.lines().collect();
    assert_eq!(ids.len(), 3);
    let module = format!("ELT(1 + seq % 3, {})", ids.join(", "));
    // A row every 20 minutes, of 80 days.
    let age = "UNIX_TIMESTAMP() - seq * 1200";
    moving.history.sql(&format!(
        "{HISTORY_LIMITS} \
         INSERT INTO tagente_datos SELECT {module}, seq % 11, {age} FROM seq_1_to_5760; \
         INSERT INTO tagente_datos_string SELECT {module}, 'x', {age} FROM seq_1_to_5760; \
         INSERT INTO tevento (id_evento, utimestamp, evento) \
           SELECT 1000000 + seq, {age}, seq FROM seq_1_to_5760; \
         ANALYZE TABLE tagente_datos, tagente_datos_string, tevento;"
    ));
    moving.site.world.write("planned.toml", CONFIG);
    moving
}

/// How far the binary log of a database's server is, and what its tables hold.
fn state(db: &MariaDb) -> Vec<String> {
    let tables = db.sql("SHOW TABLES;");
    let names: Vec<&str> = tables.lines().collect();
    let sums = db.sql(&format!("CHECKSUM TABLE {};", names.join(", ")));
    let mut state = vec![
        db.sql("SHOW MASTER STATUS;"),
        db.sql("SHOW DATABASES;"),
        tables.clone(),
    ];
    state.extend(sums.lines().map(str::to_owned));
    state
}

fn states(moving: &Moving) -> [Vec<String>; 2] {
    [state(&moving.site.db), state(&moving.history)]
}

/// What differs from `before`; one more table or one less differs in their list.
fn changed(moving: &Moving, before: &[Vec<String>; 2]) -> Vec<String> {
    let now = states(moving);
    let pairs = now.iter().flatten().zip(before.iter().flatten());
    let differing = pairs.filter(|(now, before)| now != before);
    differing
        .map(|(now, before)| format!("{before:?} became {now:?}"))
        .collect()
}

/// The files beside the configuration, of which a journal would be one.
fn files(moving: &Moving) -> Vec<String> {
    let entries = std::fs::read_dir(moving.site.world.dir.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// The one of `list` whose `field` is `name`.
fn find<'a>(list: &'a Value, field: &str, name: &str) -> &'a Value {
    let mut all = list.as_array().unwrap().iter();
    let found = all.find(|one| one[field] == name);
    assert!(found.is_some(), "{name} is missing: {list}");
    found.unwrap()
}

fn is_some_exactly(due: &Value) -> bool {
    due["exact"] == true && due["rows"].as_u64().unwrap() > 0
}

/// A table that loses rows: how many, how large, how old, how, and how long.
fn says_everything(tasks: &Value, id: &str, table: &str) {
    let task = find(tasks, "id", id);
    let mut parts = task["parts"].as_array().unwrap().iter();
    let part = parts.find(|part| part["task"]["table"] == table).unwrap();
    assert_eq!(part["part"], "purge", "{part}");
    assert!(is_some_exactly(&part["due"]), "{part}");
    assert!(part["bytes"].as_u64().unwrap() > 0, "{part}");
    let at = |field: &str| {
        let instant = part[field]["instant"].as_str().unwrap();
        instant.parse::<Timestamp>().unwrap()
    };
    assert!(at("oldest") < at("newest"), "{part}");
    assert!(!part["method"].as_str().unwrap().is_empty(), "{part}");
    assert!(part["duration_s"].as_f64().unwrap() > 0.0, "{part}");
}

fn says_what_gets_smaller(compaction: &Value) {
    let tier = &compaction["tiers"][0];
    assert!(tier["due"].as_u64().unwrap() > 0, "{compaction}");
    let left = tier["estimate"]["rows_after"].as_u64();
    assert!(left.unwrap() > 0, "{compaction}");
    assert!(tier["duration_s"].as_f64().unwrap() > 0.0, "{compaction}");
}

#[test]
fn a_plan_of_everything_writes_nothing_on_either_server() {
    let servers = [MariaDb::own_server(&SERVER), MariaDb::own_server(&SERVER)];
    let moving = with_everything_due(&servers[0], &servers[1]);
    let (before, beside) = (states(&moving), files(&moving));
    for state in &before {
        assert!(state[0].starts_with("bin."), "no binary log: {state:?}");
    }
    let config = moving.site.world.path("planned.toml").display().to_string();
    let mut exact = Vec::new();
    for plan in PLANS {
        let said = moving.site.run(&[plan, &["--config", &config]].concat());
        assert_eq!(said.code, 0, "{plan:?}: {said:?}");
        assert_eq!(changed(&moving, &before), [""; 0], "{plan:?}");
        assert_eq!(files(&moving), beside, "{plan:?}");
        if plan.contains(&"--exact") && plan.contains(&"json") {
            exact.push(json(&said.out));
        }
    }

    // None of them had nothing to say.
    assert_eq!(exact.len(), 2);
    for plan in exact {
        for table in ["tagente_datos", "tagente_datos_string", "tevento"] {
            let moved = find(&plan["moves"]["tables"], "table", table);
            assert!(is_some_exactly(&moved["due"]), "{moved}");
        }
        says_everything(&plan["tasks"], "audit", "tsesion");
        says_everything(&plan["tasks"], "traps", "ttrap");
        says_what_gets_smaller(&plan["compaction"]);
        let there = &plan["history"];
        for (id, table) in [
            ("history_purge_data", "tagente_datos"),
            ("history_purge_strings", "tagente_datos_string"),
            ("history_purge_events", "tevento"),
        ] {
            says_everything(&there["tasks"], id, table);
        }
        says_what_gets_smaller(&there["compaction"]);
    }

    // What was looked at can tell: a run shows in all of it.
    let run = ["run", "--no-throttle", "-q", "--config", &config];
    let said = moving.site.run(&run);
    assert_eq!(said.code, 0, "{said:?}");
    for (after, before) in states(&moving).iter().zip(&before) {
        assert!(after[0] != before[0] && after[3..] != before[3..]);
    }
    assert!(files(&moving).contains(&"state".to_owned()));
    assert!(moving.site.world.path("state/journal.db").exists());
}
