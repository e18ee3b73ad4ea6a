//! How much is asked about what an account may do.

use elpis_maint_core::housekeeping::PartPlan;
use elpis_maint_core::sweep::HeldBy;
use elpis_mysql::{Params, Session, SessionSettings};
use elpis_pandora::{DatabaseFacts, Tokens, catalogue, hold_what_is_denied};
use elpis_testkit::pandora::Installation;
use elpis_testkit::{Database, MariaDb};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::support::{Ask, settings};

/// The statements that a look at every part of a plan takes, and how many parts are held back.
async fn asked(db: &MariaDb, user: &str) -> (u64, usize) {
    let ask = Ask {
        exact: false,
        ..Ask::default()
    };
    let mut plan = ask.plan(db).await;
    let mut session = session_of(db, user).await;
    let before = statements(&mut session).await;
    hold_what_is_denied(&mut plan, &mut session).await.unwrap();
    let after = statements(&mut session).await;
    for task in &plan.tasks {
        let is_held = |part: &PartPlan| matches!(part, PartPlan::Held { .. });
        if !task.parts.iter().all(is_held) {
            continue;
        }
        let parts = plan.tasks.iter().flat_map(|task| &task.parts);
        let mut overlaps = parts.flat_map(|part| match part {
            PartPlan::Purge(plan) => &plan.overlaps[..],
            PartPlan::Sweep(plan) => &plan.overlaps[..],
            _ => &[],
        });
        assert!(
            !overlaps.any(|id| *id == task.id),
            "{} does nothing",
            task.id
        );
    }
    let parts = plan.tasks.iter().flat_map(|task| &task.parts);
    let is_held =
        |part: &&PartPlan| matches!(part, PartPlan::Held { by, .. } if *by == HeldBy::Privilege);
    // The second reading counts itself.
    (after - before - 1, parts.filter(is_held).count())
}

async fn session_of(db: &MariaDb, user: &str) -> Session {
    let mut options = db.options.clone();
    options.user = user.to_owned();
    let session = Session::open(&options, &SessionSettings::default()).await;
    session.unwrap()
}

async fn statements(session: &mut Session) -> u64 {
    let sql = "SHOW SESSION STATUS LIKE 'Questions'";
    let row: Option<(String, String)> = session.first(sql, Params::Empty).await.unwrap();
    row.unwrap().1.parse().unwrap()
}

/// Whatever way a database's name is written in the grant.
#[tokio::test]
async fn a_plain_grant_on_the_whole_database_is_one_question() {
    let db = Installation::small().install();
    let name = db.name();
    let escaped = name.replace('_', "\\_");
    for (number, grant) in [
        format!("GRANT ALL ON {name}.* TO"),
        format!("GRANT SELECT, INSERT, UPDATE, DELETE ON `{escaped}`.* TO"),
        "GRANT SELECT, INSERT, UPDATE, DELETE ON *.* TO".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        let user = format!("{name}_{number}");
        db.sql(&format!(
            "CREATE USER '{user}'@'localhost'; {grant} '{user}'@'localhost';"
        ));
        assert_eq!(asked(&db, &user).await, (1, 0), "{grant}");
        db.sql(&format!("DROP USER '{user}'@'localhost';"));
    }
}

/// The closest grant counts, not the widest; a role's are not an account's own.
#[tokio::test]
async fn other_grants_are_tried_on_every_table() {
    let db = Installation::small().install();
    let name = db.name();
    let escaped = name.replace('_', "\\_");
    let (user, role) = (format!("{name}_u"), format!("{name}_r"));
    for (grants, holds) in [
        (
            format!(
                "GRANT ALL ON `{name}`.* TO '{user}'@'localhost'; \
                 GRANT SELECT ON `{escaped}`.* TO '{user}'@'localhost';"
            ),
            true,
        ),
        (
            format!("GRANT SELECT, INSERT, UPDATE ON {name}.* TO '{user}'@'localhost';"),
            true,
        ),
        (
            format!(
                "CREATE ROLE '{role}'; GRANT ALL ON {name}.* TO '{role}'; \
                 GRANT '{role}' TO '{user}'@'localhost'; \
                 SET DEFAULT ROLE '{role}' FOR '{user}'@'localhost';"
            ),
            false,
        ),
    ] {
        db.sql(&format!("CREATE USER '{user}'@'localhost'; {grants}"));
        let (questions, held) = asked(&db, &user).await;
        assert!(questions > 20, "{questions}: {grants}");
        assert_eq!(held > 0, holds, "{held}: {grants}");
        db.sql(&format!(
            "DROP USER '{user}'@'localhost'; DROP ROLE IF EXISTS '{role}';"
        ));
    }
}

/// Whoever has no grant at all on a table does not see it: of those that every version has, a doctor
/// knows that they are there.
#[tokio::test]
async fn a_doctor_asks_about_shipped_tables_that_the_account_does_not_see() {
    let db = Installation::small().install();
    let name = db.name();
    let account = format!("'{name}'@'localhost'");
    let mut grants = format!("CREATE USER {account};");
    let hidden = ["ttrap", "tsessions_php"];
    let tables = db.sql("SHOW TABLES;");
    for table in tables.lines().filter(|table| !hidden.contains(table)) {
        grants += &format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.{table} TO {account};");
    }
    db.sql(&grants);
    let at = Timestamp::now();
    let tasks = catalogue(&settings(&db).await, &TimeZone::UTC, at);
    let mut session = session_of(&db, name).await;
    let tokens = Tokens::read(&mut session).await.unwrap();
    let facts = DatabaseFacts::gather(&mut session, &tokens, &tasks, at);
    let denied = facts.await.unwrap().denied;
    let denied: Vec<(&str, &str)> = denied
        .iter()
        .map(|denied| (denied.privilege, denied.table.as_str()))
        .collect();
    assert_eq!(denied, [("SELECT", "ttrap"), ("DELETE", "ttrap")]);
}
