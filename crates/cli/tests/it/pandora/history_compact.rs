//! Compaction in the history database, which does not know its modules: what is left is held
//! against plain SQL that knows the modules of the other database.

mod halves;
mod inspecting;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use elpis_mysql::{Session, SessionSettings};
use elpis_testkit::{Database, MariaDb};

use halves::{Halves, NUMBERS};

use super::{Site, alone, json};
use crate::crash::wait_for_free_lock;

/// What the plan and the run are asked for.
const ONLY: [&str; 3] = ["--only", "history", "--no-throttle"];

fn compaction(out: &str) -> serde_json::Value {
    let events = out.lines().map(json);
    let mut finished = events.filter(|event| event["event"] == "compaction_finished");
    finished.next().unwrap()
}

#[test]
fn modules_of_the_other_database_say_what_gets_smaller() {
    let halves = Halves::new(Site::server());
    let before = halves.while_nothing_ages(|| {
        halves.fill();
        halves.expect(2);
        let before = halves.sum("tagente_datos");
        let all = halves.rows();

        let planned = halves
            .site
            .run(&["plan", "--only", "history", "--format", "json"]);
        assert_eq!(planned.code, 0, "{planned:?}");
        let plan = json(&planned.out);
        let tier = &plan["history"]["compaction"]["tiers"][0];
        let kinds = &tier["task"]["kinds"];
        let listed = halves.site.number(&format!(
            "SELECT COUNT(*) FROM tagente_modulo WHERE id_tipo_modulo IN ({NUMBERS}) \
               AND history_data = 1 AND id_agente_modulo NOT IN \
                 (SELECT id_agent_module FROM treport_content_sla_combined) \
               AND id_agente_modulo NOT IN \
                 (SELECT id_agent_module_failover FROM treport_content_sla_combined);"
        ));
        assert_eq!(kinds["listed"]["series"], listed, "{kinds}");
        // Rows of all modules are due, and those that stay are none that go: within what the
        // estimate says of itself.
        let cutoff = halves.cutoff();
        let due = format!("SELECT COUNT(*) FROM tagente_datos WHERE utimestamp < {cutoff};");
        let due = halves.history.number(&due);
        assert_eq!(tier["due"].as_u64().unwrap(), due);
        let gone = all - halves.history.number("SELECT COUNT(*) FROM oracle_left;");
        let share = 1.0 - gone as f64 / due as f64;
        let estimate = &tier["estimate"];
        let (kept, error) = (&estimate["kept_share"], &estimate["error"]);
        let (kept, error) = (kept.as_f64().unwrap(), error.as_f64().unwrap());
        assert!(
            (kept - share).abs() < error + 0.05,
            "{kept} ± {error}, {share}"
        );
        let human = halves.site.run(&["plan", "--only", "history"]);
        assert!(human.out.contains("older than 20 d"), "{}", human.out);
        assert_eq!(
            halves.sum("tagente_datos"),
            before,
            "a plan changes nothing"
        );
        assert_eq!(halves.own_tables(), 0);

        let said = halves
            .site
            .run(&[&["run", "--format", "json"][..], &ONLY].concat());
        assert_eq!(said.code, 0, "{said:?}");
        let report = compaction(&said.out);
        let removed = report["tiers"][0]["sealed"]["removed"].as_u64().unwrap();
        assert_eq!(removed, all - halves.rows());
        assert!(
            report["target"]
                .as_str()
                .unwrap()
                .ends_with(halves.history.name())
        );
        before
    });
    let left = halves.sum("oracle_left");
    assert_ne!(left, before);
    assert_eq!(halves.sum("tagente_datos"), left);

    // Once more, and nothing changes; it is one of the runs of that database.
    let again = halves.site.run(&[&["run"][..], &ONLY].concat());
    assert_eq!(again.code, 0, "{again:?}");
    let line = "[HISTORYDB] Compacting data in the history DB (More than 20 days).";
    let place = |text: &str| {
        again
            .err
            .find(text)
            .unwrap_or_else(|| panic!("{text}: {again:?}"))
    };
    assert!(place(line) < place("[COMPACT] tagente_datos"), "{again:?}");
    assert_eq!(halves.sum("tagente_datos"), left);
    let status = json(&halves.site.run(&["status", "--format", "json"]).out);
    let mut last = status.as_array().unwrap().iter().map(|one| &one["last"]);
    let here = |run: &serde_json::Value| {
        run["job"] == "compact"
            && run["target"]
                .as_str()
                .unwrap()
                .ends_with(halves.history.name())
    };
    assert!(last.any(here), "{status}");
}

#[test]
fn its_own_settings_and_locks_are_heeded() {
    let halves = Halves::new(Site::server());
    let before = halves.sum("tagente_datos");
    let shown = halves
        .site
        .run(&["policy", "show", "--effective", "--format", "json"]);
    let shown = json(&shown.out);
    let origin = |token: &str| {
        let mut listing = shown["history"].as_array().unwrap().iter();
        let found = listing.find(|setting| setting["token"] == token).unwrap();
        (found["value"].clone(), found["origin"]["from"].clone())
    };
    assert_eq!(origin("days_compact"), ("20".into(), "tconfig".into()));
    assert_eq!(origin("step_compact"), ("6".into(), "tconfig".into()));

    // Purge and checks alone; the main database alone; another maintenance at work there.
    for args in [
        &["run", "-p", "--no-throttle"][..],
        &["run", "--only", "compact"],
    ] {
        let said = halves.site.run(args);
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(halves.sum("tagente_datos"), before, "{args:?}");
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut other = runtime.block_on(async {
        let settings = SessionSettings::default();
        let mut other = Session::open(&halves.history.options, &settings)
            .await
            .unwrap();
        let lock = [format!("{}_pandora_db", halves.history.name())];
        other.lock(&lock, Duration::ZERO).await.unwrap();
        other
    });
    let said = halves.site.run(&["run", "--only", "history_compact"]);
    assert_eq!(
        (said.code, halves.sum("tagente_datos")),
        (7, before.clone()),
        "{said:?}"
    );
    runtime.block_on(other.unlock()).unwrap();

    // A table that cannot be read in bounded steps: the rest is done.
    halves.history.sql(
        "INSERT INTO tconfig (token, value) VALUES ('days_purge', '32'); \
         ALTER TABLE tagente_datos DROP INDEX data_index1; \
         DELETE FROM tagente_datos WHERE utimestamp \
           BETWEEN UNIX_TIMESTAMP() - 32 * 86400 - 3600 AND UNIX_TIMESTAMP() - 32 * 86400 + 3600;",
    );
    // Nothing lies at the border: whichever moment the run takes, it finds the same.
    let older = |days: &str| {
        let sql = format!("SELECT COUNT(*) FROM tagente_datos WHERE utimestamp {days} * 86400;");
        halves.history.number(&sql)
    };
    let (old, young) = ("< UNIX_TIMESTAMP() - 32", ">= UNIX_TIMESTAMP() - 32");
    let kept = older(young);
    assert!(older(old) > 0 && kept > 0);
    let planned = halves.site.run(&["plan", "--only", "history"]);
    assert_eq!(planned.code, 7, "{planned:?}");
    let said = halves.site.run(&["run", "--only", "history"]);
    assert_eq!(said.code, 7, "{said:?}");
    for said in [planned, said] {
        assert!(
            said.err
                .contains("has no index on (id_agente_modulo, utimestamp)"),
            "{said:?}"
        );
    }
    assert_eq!((older(old), older(young)), (0, kept));

    halves
        .history
        .sql("UPDATE tconfig SET value = '0' WHERE token = 'days_compact';");
    let said = halves.site.run(&["run", "--only", "history"]);
    assert_eq!(said.code, 0, "{said:?}");
    let skipped = "skipped: days_compact is not set in the history database's own tconfig";
    assert!(said.err.contains(skipped), "{said:?}");
}

/// On another server, as the manual wants it.
#[test]
fn rows_that_move_into_compacted_time_follow_the_rule_for_late_ones() {
    let server = MariaDb::own_server(&elpis_testkit::pandora::QUICK);
    let halves = Halves::new(&server);
    let modules = halves.history.sql("SELECT id FROM oracle_modules;");
    let modules = modules.lines().collect::<Vec<_>>().join("), (");
    halves.site.db.sql(&format!(
        "CREATE TABLE late_modules (id INT PRIMARY KEY); INSERT INTO late_modules VALUES ({modules});"
    ));
    let said = halves.while_nothing_ages(|| {
        halves.fill();
        let said = halves.site.run(&[&["run"][..], &ONLY].concat());
        assert_eq!(said.code, 0, "{said:?}");
        // A row every 50 minutes: more than a bucket holds now, and of some buckets one.
        let late = "SELECT id, seq % 7, UNIX_TIMESTAMP() - 33 * 86400 + seq * 3000 FROM late_modules";
        let late = format!("{late} JOIN seq_1_to_40 WHERE seq < 15 OR seq % 9 = 0");
        halves.site.db.sql(&format!("DELETE FROM tagente_datos; INSERT INTO tagente_datos {late};"));
        // What is expected is made of what will be there: rows move as they are.
        let moving = halves.site.db.sql(
            "SELECT CONCAT('(', CONCAT_WS(', ', id_agente_modulo, datos, utimestamp), ')') \
             FROM tagente_datos;",
        );
        let moving = moving.lines().collect::<Vec<_>>().join(", ");
        halves.history.sql(&format!(
            "DROP TABLE IF EXISTS kept; CREATE TABLE kept LIKE tagente_datos; \
             INSERT INTO kept SELECT * FROM tagente_datos; INSERT INTO tagente_datos VALUES {moving};"
        ));
        halves.expect(2);
        halves.by_bucket("oracle_all", "oracle_left");
        halves.expect(4);
        halves.by_bucket("oracle_late", "oracle_left");
        halves.history.sql(
            "TRUNCATE TABLE tagente_datos; INSERT INTO tagente_datos SELECT * FROM kept;",
        );
        halves.site.run(&[&["run", "--format", "json"][..], &ONLY].concat())
    });
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(halves.site.number("SELECT COUNT(*) FROM tagente_datos;"), 0);
    let report = compaction(&said.out);
    let tier = &report["tiers"][0];
    assert!(tier["rechecked"]["removed"].as_u64().unwrap() > 0, "{tier}");
    // Of a bucket with up to four rows, all of them or its envelope; of any other, its envelope.
    halves.by_bucket("oracle_there", "tagente_datos");
    let rows = |table: &str| {
        halves
            .history
            .number(&format!("SELECT COUNT(*) FROM {table};"))
    };
    assert_eq!(rows("oracle_there"), rows("oracle_late"));
    let others = "SELECT COUNT(*) FROM (SELECT * FROM oracle_there EXCEPT \
                  (SELECT * FROM oracle_late UNION SELECT * FROM oracle_all)) AS others;";
    assert_eq!(halves.history.number(others), 0);
}

/// Small chunks, so that a kill has many places to fall into.
const CHUNKS: &str = "[state]\ndirectory = \"state\"\n[policy.throttle]\nmin_rows = 60\n\
                      max_rows = 120\nduty = 0.9\n";

fn kills() -> u64 {
    match std::env::var_os("ELPIS_SOAK") {
        Some(_) => 100,
        None => 4,
    }
}

/// Starts a run and kills it after so many chunks and a little more.
fn run_and_kill(halves: &Halves, chunks: usize, more: Duration) {
    let _alone = alone();
    let config = halves.site.world.path("killed.toml").display().to_string();
    let args = [
        "run",
        "--only",
        "history_compact",
        "--format",
        "json",
        "-v",
        "--config",
        &config,
    ];
    let mut child = halves
        .site
        .command(&args)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let lines = lines.map(Result::unwrap);
    let compacted = lines.filter(|line| line.contains("\"event\":\"compacted\""));
    compacted.take(chunks).for_each(drop);
    std::thread::sleep(more);
    child.kill().unwrap();
    child.wait().unwrap();
    let lock = format!("{}_elpis_maint", halves.history.name());
    wait_for_free_lock(&halves.history, Some(&lock));
}

#[test]
fn a_killed_compaction_is_completed_as_if_nobody_had_disturbed_it() {
    let seed = std::env::var("ELPIS_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(17);
    let mut random = fastrand::Rng::with_seed(seed);
    let halves = Halves::new(Site::server());
    halves.site.world.write("killed.toml", CHUNKS);
    let (mut counted, mut tried) = (0, 0);
    while counted < kills() {
        tried += 1;
        assert!(tried <= 3 * kills(), "{counted} of {tried} kills counted");
        let hit = halves.while_nothing_ages(|| {
            halves.fill();
            halves.expect(2);
            let (all, left) = (
                halves.rows(),
                halves.history.number("SELECT COUNT(*) FROM oracle_left;"),
            );
            run_and_kill(
                &halves,
                random.usize(1..60),
                Duration::from_micros(random.u64(0..6000)),
            );
            let there = halves.rows();
            let said = halves.site.run(&[&["run"][..], &ONLY].concat());
            assert_eq!(said.code, 0, "{said:?}");
            left < there && there < all
        });
        counted += u64::from(hit);
        assert_eq!(
            halves.sum("tagente_datos"),
            halves.sum("oracle_left"),
            "seed {seed}"
        );
    }
    println!("seed {seed}: {counted} of {tried} kills hit unfinished work");
}
