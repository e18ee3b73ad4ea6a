//! What the doctor tells of the history database: a move that died between copy and deletion, and
//! a schema that is another one.

use std::process::Stdio;
use std::time::{Duration, Instant};

use elpis_testkit::{Database, MariaDb};
use jiff::Timestamp;

use super::moved::{Moving, STEPS};
use super::{Site, alone, json, schema};
use crate::crash::wait_for_free_lock;

/// What the doctor says of `name`, by people and by programs.
fn diagnosis_of(moving: &Moving, name: &str) -> Vec<serde_json::Value> {
    let said = moving.site.run(&["doctor", "--format", "json"]);
    let report = json(&said.out);
    let violations = schema::violations(&schema::schema("doctor"), &report);
    assert_eq!(violations, [""; 0], "{report}");
    let mut checks = report["checks"].as_array().unwrap().clone();
    checks.retain(|check| check["check"] == name);
    if checks.iter().any(|check| check["state"] != "ok") {
        assert_eq!(said.code, 7, "{said:?}");
    }
    checks
}

fn diagnosis(moving: &Moving) -> Vec<serde_json::Value> {
    diagnosis_of(moving, "history.moves")
}

#[test]
fn the_doctor_compares_the_schemas() {
    let moving = Moving::new(Site::server(), &[("MR", "70")]);
    let state = || {
        let found = diagnosis_of(&moving, "history.schema");
        assert_eq!(found.len(), 1, "{found:?}");
        found[0]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(), "ok", "it says nothing");
    // The manual's minimal configuration.
    moving
        .history
        .sql("INSERT INTO tconfig (token, value) VALUES ('MR', '0');");
    assert_eq!(state(), "warning");
    let found = diagnosis_of(&moving, "history.schema");
    let text = |name: &str| found[0][name].as_str().unwrap().to_owned();
    assert!(
        text("what").contains("MR 0") && text("what").contains("MR 70"),
        "{found:?}"
    );
    assert!(text("remedy").contains("elpis-maint plan"), "{found:?}");
    moving.history.sql(
        "UPDATE tconfig SET value = '70' WHERE token = 'MR'; \
         INSERT INTO tconfig (token, value) VALUES ('db_scheme_version', '7.0NG');",
    );
    assert_eq!(state(), "ok");
    moving
        .history
        .sql("UPDATE tconfig SET value = '6.0' WHERE token = 'db_scheme_version';");
    assert_eq!(state(), "warning");
}

#[test]
fn the_doctor_tells_of_a_step_that_was_cut_off() {
    let server = MariaDb::own_server(&[]);
    let moving = Moving::new(&server, &[]);
    moving.site.world.write("killed.toml", STEPS);
    moving.fill(300);
    let before = moving.contents();
    let is_well = |moving: &Moving| {
        let found = diagnosis(moving);
        assert!(found.len() == 1 && found[0]["state"] == "ok", "{found:?}");
    };
    is_well(&moving);

    // The deletion of what was copied takes its time, and the run dies in the midst of it.
    moving
        .site
        .db
        .sql("CREATE TRIGGER slow BEFORE DELETE ON tagente_datos FOR EACH ROW DO SLEEP(0.05);");
    let begun = Timestamp::now();
    let guard = alone();
    let config = moving.site.world.path("killed.toml").display().to_string();
    let mut command = moving
        .site
        .command(&["run", "--only", "history", "-q", "--config", &config]);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let give_up = Instant::now() + Duration::from_secs(60);
    while moving
        .history
        .sql("SHOW TABLES LIKE 'elpis_moves';")
        .is_empty()
        || moving.history.number("SELECT COUNT(*) FROM elpis_moves;") == 0
    {
        assert!(Instant::now() < give_up, "nothing was copied");
        std::thread::sleep(Duration::from_millis(5));
    }
    // A run that is at work is no finding.
    is_well(&moving);
    child.kill().unwrap();
    child.wait().unwrap();
    for db in [&moving.site.db, &moving.history] {
        wait_for_free_lock(db, Some(&format!("{}_elpis_maint", db.name())));
    }
    drop(guard);
    moving.site.db.sql("DROP TRIGGER slow;");

    let copied = moving.history.number("SELECT COUNT(*) FROM tagente_datos;");
    assert!(copied > 0);
    let found = diagnosis(&moving);
    assert_eq!(found.len(), 1, "{found:?}");
    let text = |name: &str| found[0][name].as_str().unwrap().to_owned();
    assert_eq!(
        (text("state"), text("table")),
        ("warning".to_owned(), "tagente_datos".to_owned())
    );
    let since: Timestamp = text("since").parse().unwrap();
    assert!(begun <= since && since <= Timestamp::now(), "{since}");
    assert!(
        text("what").contains(&format!("{copied} rows")),
        "{found:?}"
    );
    assert!(text("remedy").contains("elpis-maint run"), "{found:?}");
    let human = moving.site.run(&["doctor"]);
    assert_eq!(human.code, 7, "{human:?}");
    let mut lines = human.out.lines();
    let line = lines.find(|line| line.contains("history.moves")).unwrap();
    assert!(
        line.contains("warning") && line.contains("tagente_datos"),
        "{line}"
    );

    let said = moving
        .site
        .run(&["run", "--only", "history", "--no-throttle"]);
    assert_eq!(said.code, 0, "{said:?}");
    is_well(&moving);
    moving.assert_holds(&before);
    assert_eq!(moving.misplaced(), 0);
}
