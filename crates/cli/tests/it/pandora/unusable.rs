//! A history database that is enabled, and that nobody can use as its settings are: what should move
//! there stays where it is.

use elpis_testkit::Database;

use super::Site;
use super::moved::Moving;

/// What moves, and the purge of the same tables.
const ONLY: &str = "history,numeric_data,strings,events";

fn set(moving: &Moving, token: &str, value: &str) {
    moving.site.db.sql(&format!(
        "UPDATE tconfig SET value = '{value}' WHERE token = '{token}';"
    ));
}

fn get(moving: &Moving, token: &str) -> String {
    let query = format!("SELECT value FROM tconfig WHERE token = '{token}';");
    moving.site.db.sql(&query).trim_end().to_owned()
}

#[test]
fn what_should_move_is_not_purged_and_everybody_says_why() {
    let tokens = [("history_db_port", "3306"), ("days_compact", "9")];
    let moving = Moving::new(Site::server(), &tokens);
    moving.fill(200);
    // An hour that compaction would make a few rows of.
    moving.site.db.sql(
        "INSERT INTO tagente_datos \
         SELECT 1, seq % 7, UNIX_TIMESTAMP() - 12 * 86400 - 7200 + seq FROM seq_1_to_3000;",
    );
    let before = moving.contents();
    let due = |table: &str| {
        let old = "WHERE utimestamp < UNIX_TIMESTAMP() - 86400 * 7";
        moving
            .site
            .number(&format!("SELECT COUNT(*) FROM {table} {old};"))
    };
    assert!(due("tagente_datos") > 100 && due("tevento") > 100);
    let run = || moving.site.run(&["run", "--only", ONLY, "--no-throttle"]);
    for (token, value) in [
        ("history_db_port", "x"),
        ("history_db_host", ""),
        ("history_db_days", "15 days"),
        ("history_db_enabled", "on"),
    ] {
        let right = get(&moving, token);
        set(&moving, token, value);
        let said = run();
        assert_eq!(said.code, 7, "{token} = {value:?}: {said:?}");
        assert!(said.err.contains(token), "{said:?}");
        let held = "rows of tagente_datos should move to the history database first";
        assert!(said.err.contains(held), "{said:?}");
        moving.assert_holds(&before);
        assert!(due("tagente_datos") > 100, "{token} = {value:?}");
        let said = moving.site.run(&["run", "--only", "compact"]);
        assert_eq!(said.code, 7, "{token} = {value:?}: {said:?}");
        moving.assert_holds(&before);

        let plan = moving.site.run(&["plan", "--format", "json"]);
        assert_eq!(plan.code, 7, "{token} = {value:?}: {plan:?}");
        assert!(plan.out.contains(held), "{}", plan.out);
        assert!(
            plan.err.contains(token) && !plan.err.contains("counts as off"),
            "{plan:?}"
        );
        let shown = moving.site.run(&["policy", "show", "--effective"]);
        assert_eq!(shown.code, 0, "{shown:?}");
        assert!(shown.err.contains(token), "{}", shown.err);
        assert!(
            shown.out.contains(&format!("not done: {held}")),
            "{}",
            shown.out
        );
        let doctor = moving.site.run(&["doctor"]);
        assert_eq!(doctor.code, 7, "{doctor:?}");
        let mut lines = doctor.out.lines();
        assert!(
            lines.any(|line| line.contains("history.database")),
            "{}",
            doctor.out
        );
        assert!(doctor.out.contains(token), "{}", doctor.out);
        set(&moving, token, &right);
    }
    // What has nothing to do with it is done as if nothing were wrong.
    set(&moving, "history_db_enabled", "on");
    let other = moving
        .site
        .run(&["run", "--only", "messages", "--no-throttle"]);
    assert_eq!(other.code, 0, "{other:?}");
    set(&moving, "history_db_enabled", "1");

    // An empty port is no riddle.
    set(&moving, "history_db_port", "");
    let said = run();
    assert_eq!(said.code, 0, "{said:?}");
    moving.assert_holds(&before);
    assert_eq!(moving.misplaced(), 0);
    let said = moving.site.run(&["run", "--only", "compact"]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn one_that_is_off_holds_nothing_back_whatever_else_is_written() {
    let wrong = [("history_db_enabled", "0"), ("history_db_port", "x")];
    let moving = Moving::new(Site::server(), &wrong);
    moving.fill(200);
    let said = moving.site.run(&["run", "--only", ONLY, "--no-throttle"]);
    assert_eq!(said.code, 0, "{said:?}");
    let old = "SELECT COUNT(*) FROM tagente_datos WHERE utimestamp < UNIX_TIMESTAMP() - 86400 * 7;";
    assert_eq!(moving.site.number(old), 0);
}
