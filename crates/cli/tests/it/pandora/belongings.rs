//! What belongs to events moves with them, and what belongs to deleted modules waits for the move.

use elpis_testkit::Database;
use elpis_testkit::pandora::tables;

use super::Site;
use super::moved::Moving;

/// Comments of every user on events of every age.
fn commented(moving: &Moving) {
    moving.fill(400);
    moving.site.db.sql(
        "DELETE FROM tevent_comment; \
         INSERT INTO tevent_comment (id_event, utimestamp, comment, id_user) \
           SELECT id_evento, utimestamp, CONCAT('on ', id_evento), 'admin' FROM tevento \
           WHERE id_evento % 3 = 0; \
         INSERT INTO tevent_comment (id_event, utimestamp, comment, id_user) \
           SELECT id_evento, utimestamp, 'again', NULL FROM tevento WHERE id_evento % 9 = 0;",
    );
}

/// Comments and details of both databases together, and those without their event.
fn hanging(moving: &Moving) -> (Vec<String>, u64) {
    let comments = "SELECT id, id_event, utimestamp, comment, id_user FROM tevent_comment;";
    let details = "SELECT id, id_evento, external_id, utimestamp FROM tevent_extended;";
    let (here, there) = (&moving.site.db, &moving.history);
    let all = [comments, details].map(|query| here.sql(query) + &there.sql(query));
    let mut lines: Vec<String> = all.concat().lines().map(str::to_owned).collect();
    lines.sort_unstable();
    let lost = [
        ("tevent_comment", "id_event"),
        ("tevent_extended", "id_evento"),
    ]
    .map(|(table, column)| {
        let lost = format!(
            "SELECT COUNT(*) FROM {table} WHERE {column} NOT IN (SELECT id_evento FROM tevento);"
        );
        here.number(&lost) + there.number(&lost)
    });
    (lines, lost.iter().sum())
}

/// The history database has the product's tables and none of its users, as its manual makes it.
#[test]
fn comments_move_with_their_events_though_nobody_is_a_user_there() {
    let moving = Moving::new(Site::server(), &[]);
    let key = "ALTER TABLE tevent_comment ADD FOREIGN KEY (id_user) REFERENCES tusuario (id_user) \
               ON DELETE SET NULL;";
    moving.history.sql(&tables(&["tusuario"]));
    moving.history.sql(key);
    moving.site.db.sql(key);
    commented(&moving);
    let before = hanging(&moving);
    assert_eq!(before.1, 0);
    let said = moving
        .site
        .run(&["run", "--only", "history,events", "--no-throttle"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(hanging(&moving), before);
    let moved = "SELECT COUNT(*) FROM tevent_comment WHERE id_user = 'admin';";
    assert!(moving.history.number(moved) > 50);
    assert_eq!(moving.misplaced_events(), 0);
}

/// Tables of installations that came from elsewhere, without the foreign keys of the shipped schema.
#[test]
fn comments_move_with_their_events_where_no_foreign_key_says_so() {
    let moving = Moving::new(Site::server(), &[]);
    for db in [&moving.site.db, &moving.history] {
        db.sql(
            "ALTER TABLE tevent_comment DROP FOREIGN KEY tevent_comment_ibfk_1; \
             ALTER TABLE tevent_extended DROP FOREIGN KEY tevent_extended_ibfk_1;",
        );
    }
    commented(&moving);
    let before = hanging(&moving);
    assert_eq!(before.1, 0);
    let only = "history,events,orphan_references";
    let said = moving.site.run(&["run", "--only", only, "--no-throttle"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(hanging(&moving), before);
    assert!(
        moving
            .history
            .number("SELECT COUNT(*) FROM tevent_comment;")
            > 50
    );
    assert_eq!(moving.misplaced_events(), 0);
    // Without an index nobody finds them row by row: then the events stay, too.
    commented(&moving);
    let before = hanging(&moving);
    moving
        .site
        .db
        .sql("ALTER TABLE tevent_comment DROP INDEX id_event;");
    let planned = moving
        .site
        .run(&["plan", "--only", "events,pending_modules"]);
    assert_eq!(planned.code, 7, "{planned:?}");
    let told = planned.out.split_whitespace().collect::<Vec<_>>().join(" ");
    let waits = "skipped: rows of tevento should move to the history database first";
    assert_eq!(told.matches(waits).count(), 2, "{told}");
    let said = moving.site.run(&["run", "--only", only, "--no-throttle"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(
        said.err.contains("has no index on id_event"),
        "{}",
        said.err
    );
    assert_eq!(hanging(&moving), before);
}

#[test]
fn modules_wait_for_their_deletion_until_their_old_values_have_moved() {
    let moving = Moving::new(Site::server(), &[]);
    moving.fill(400);
    moving.site.db.sql(
        "UPDATE tagente_modulo SET delete_pending = 1, disabled = 1 WHERE id_agente_modulo = 2;\
         INSERT IGNORE INTO tagente_modulo (id_agente_modulo, id_agente, nombre, delete_pending, disabled) \
           VALUES (2, 1, 'going', 1, 1);",
    );
    let old = "SELECT COUNT(*) FROM tagente_datos WHERE id_agente_modulo = 2 \
               AND utimestamp < UNIX_TIMESTAMP() - 86400 * 5;";
    let its = "SELECT COUNT(*) FROM tagente_datos WHERE id_agente_modulo = 2;";
    let (values, all) = (moving.site.number(old), moving.site.number(its));
    assert!(values > 50 && all > values, "{values} of {all}");
    let only = "pending_modules_data,pending_modules,disabled_agents";
    let account = format!("'{}'@'localhost'", moving.history.name());
    moving
        .history
        .sql(&format!("ALTER USER {account} ACCOUNT LOCK;"));
    let said = moving.site.run(&["run", "--only", only, "--no-throttle"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert_eq!(moving.site.number(its), all, "{said:?}");
    let module = "SELECT COUNT(*) FROM tagente_modulo WHERE id_agente_modulo = 2;";
    assert_eq!(moving.site.number(module), 1);

    moving
        .history
        .sql(&format!("ALTER USER {account} ACCOUNT UNLOCK;"));
    let said = moving.site.run(&["run", "--only", only, "--no-throttle"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(
        (moving.site.number(its), moving.site.number(module)),
        (0, 0)
    );
    assert_eq!(moving.history.number(old), values);
}
