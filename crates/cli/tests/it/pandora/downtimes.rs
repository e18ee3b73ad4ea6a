//! Planned downtimes outlive the data of their time, also where those have moved.

use elpis_testkit::pandora::tables;
use elpis_testkit::{Database, MariaDb};

use super::Site;
use super::history::with_history;

const ONLY: [&str; 4] = ["run", "--only", "planned_downtimes", "--no-throttle"];

#[test]
fn they_stay_as_long_as_the_history_database_keeps_data() {
    let history = MariaDb::on(Site::server());
    history.sql(&tables(&["tconfig", "tagente_datos"]));
    history.sql("INSERT INTO tconfig (token, value) VALUES ('days_purge', '45');");
    let site = with_history(&history);
    // None at a whole number of days: none grows old while this goes on.
    site.db
        .sql("UPDATE tplanned_downtime SET date_to = date_to - 3600;");
    let ended = |from: u32| {
        site.number(&format!(
            "SELECT COUNT(*) FROM tplanned_downtime WHERE type_execution = 'once' \
             AND date_to < UNIX_TIMESTAMP() - {from} * 86400;"
        ))
    };
    // The active database keeps 30 days.
    let (all, old) = (ended(30), ended(45));
    assert!(old > 5 && all > old + 5, "{all} {old}");

    // Whether it can be asked or not: nothing that may be needed goes.
    let account = format!("'{}'@'localhost'", history.name());
    history.sql(&format!("ALTER USER {account} ACCOUNT LOCK;"));
    let plan = site.run(&["plan", "--only", "planned_downtimes"]);
    assert!(plan.out.contains("could not be asked"), "{plan:?}");
    assert_eq!(site.run(&ONLY).code, 0);
    assert_eq!(ended(30), all);
    history.sql(&format!("ALTER USER {account} ACCOUNT UNLOCK;"));

    let said = site.run(&ONLY);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!((ended(45), ended(30)), (0, all - old));

    // Without a limit there its data stay for ever.
    history.sql("DELETE FROM tconfig WHERE token = 'days_purge';");
    let plan = site.run(&["plan", "--only", "planned_downtimes"]);
    assert!(plan.out.contains("for ever"), "{plan:?}");
    assert_eq!(site.run(&ONLY).code, 0);
    assert_eq!(ended(30), all - old);
}
