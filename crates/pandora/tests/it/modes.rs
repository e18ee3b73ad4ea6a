//! Servers as they are in the field: strict and lax, in another zone than the host, with fewer
//! tables, and with everything else that runs on them.

use elpis_maint_core::StoreError;
use elpis_maint_core::housekeeping::HousekeepingError;
use elpis_testkit::pandora::oracle::Oracle;
use elpis_testkit::pandora::{Edition, Installation, QUICK, tables};
use elpis_testkit::{Database, MariaDb};
use jiff::tz::{Offset, TimeZone};

use crate::support::{Ask, changed, skipped};

async fn agrees_with_the_recount(installation: &Installation, db: &MariaDb, ask: &Ask) {
    let oracle = Oracle::new(installation, db);
    oracle.apply(&[]);
    let report = ask.run(db).await;
    assert!(report.changed() > 10_000, "{:?}", changed(&report));
    let differences = oracle.differences();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The server's zone is not the host's, its mode is the strictest, and DATETIME columns are in
/// the zone of the host that writes them: none of it moves a limit.
#[tokio::test]
async fn a_strict_server_in_another_zone() {
    let server = MariaDb::own_server(&[
        QUICK[0],
        QUICK[1],
        "--default-time-zone=-07:00",
        "--sql-mode=TRADITIONAL,ONLY_FULL_GROUP_BY,ANSI_QUOTES,NO_BACKSLASH_ESCAPES",
    ]);
    let installation = Installation {
        zone: "+05:30".to_owned(),
        ..Installation::small()
    };
    let db = installation.install_on(&server);
    let ask = Ask {
        zone: TimeZone::fixed(Offset::from_seconds(19_800).unwrap()),
        ..Ask::default()
    };
    agrees_with_the_recount(&installation, &db, &ask).await;
}

/// A lax server, and the open edition alone: what only other editions have is skipped in words.
#[tokio::test]
async fn a_lax_server_with_the_tables_of_the_open_edition() {
    let server = MariaDb::own_server(&[
        QUICK[0],
        QUICK[1],
        "--sql-mode=",
        "--default-time-zone=+05:30",
    ]);
    let installation = Installation {
        edition: Edition::Open,
        ..Installation::small()
    };
    let db = installation.install_on(&server);
    db.sql("DROP TABLE tagente_datos_log4x; DROP TABLE tplanned_downtime_modules;");
    agrees_with_the_recount(&installation, &db, &Ask::default()).await;
    let report = Ask::default().run(&db).await;
    for (task, table) in [
        ("log4x", "tagente_datos_log4x"),
        ("policy_queue", "tpolicy_queue"),
        ("service_elements", "tservice_element"),
        ("access_data", "tagent_access"),
        ("network_configuration", "tncm_agent_data"),
    ] {
        let why = skipped(&report, task);
        assert!(
            !why.is_empty() && why.iter().all(|why| why.contains(table)),
            "{task}: {why:?}"
        );
    }
}

/// Versions that know nothing of policies, or of the console's figures: the tasks do their work all
/// the same.
#[tokio::test]
async fn older_tables_skip_a_condition_and_not_the_task() {
    let db = Installation::small().install();
    let tasks = ["not_init", "old_not_init", "unknown"];
    let policies = db.number("SELECT COUNT(*) FROM tagente_modulo WHERE id_policy_module <> 0;");
    assert!(policies >= 5);
    let with = Ask::only(&tasks).plan(&db).await;
    db.sql(
        "ALTER TABLE tagente_modulo DROP COLUMN id_policy_module; \
         ALTER TABLE tagente DROP COLUMN update_alert_count;",
    );
    let without = Ask::only(&tasks).plan(&db).await;
    // Four modules of policies are in such a state, one of them in two of the tasks' sight.
    assert!(
        without.due() >= with.due() + 4,
        "{} {}",
        with.due(),
        without.due()
    );
    let report = Ask::only(&tasks).run(&db).await;
    for task in tasks {
        assert_eq!(skipped(&report, task), Vec::<String>::new());
    }
    assert!(report.changed() > 0);
    assert_eq!(
        db.number("SELECT SUM(update_module_count) FROM tagente;"),
        0
    );
}

/// Whoever holds one of the product's own locks keeps Elpis away, and is named; nothing is touched.
#[tokio::test]
async fn the_incumbent_at_work_excludes_us_and_we_exclude_it() {
    // Two of the names belong to the whole server.
    let server = MariaDb::own_server(&QUICK);
    let db = MariaDb::on(&server);
    db.sql(&tables(&["tconfig", "tserver", "tsesion"]));
    db.sql("INSERT INTO tsesion (utimestamp) VALUES (1), (2);");
    let ask = Ask {
        locks: elpis_pandora::locks(),
        ..Ask::default()
    };
    let plan = ask.plan(&db).await;
    for name in [
        format!("{}_pandora_db", db.name()),
        "merging-events".to_owned(),
    ] {
        let mut incumbent = db.store().await;
        elpis_maint_core::Store::lock(&mut incumbent, std::slice::from_ref(&name))
            .await
            .unwrap();
        let sums = checksums(&db);
        let error = ask.carry_out(&plan, &db).await.unwrap_err();
        let HousekeepingError::NotBegun(StoreError::LockHeld { name: held, holder }) = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!(*held, name);
        assert!(holder.contains("root"), "{holder}");
        assert_eq!(checksums(&db), sums);
    }
    // The other way round: while a run is under way nobody gets the lock.
    let mut store = db.store().await;
    elpis_maint_core::Store::lock(&mut store, &plan.locks)
        .await
        .unwrap();
    let name = format!("{}_pandora_db", db.name());
    assert_eq!(db.number(&format!("SELECT GET_LOCK('{name}', 0);")), 0);
}

fn checksums(db: &MariaDb) -> String {
    let tables = db
        .sql("SHOW TABLES;")
        .lines()
        .collect::<Vec<_>>()
        .join(", ");
    db.sql(&format!("CHECKSUM TABLE {tables};"))
}

/// Rows that have a limit and cannot be told by it stay, and somebody has to hear of that: a table
/// that lacks is another edition's, one that lacks its index grows for ever.
#[tokio::test]
async fn tables_that_cannot_be_purged_are_a_concern() {
    let db = Installation::small().install();
    let index = db.sql(
        "SELECT DISTINCT index_name FROM information_schema.statistics \
         WHERE table_schema = DATABASE() AND table_name = 'tagente_datos_string' \
           AND column_name = 'utimestamp';",
    );
    let drops: Vec<String> = index
        .lines()
        .map(|name| format!("DROP INDEX `{name}`"))
        .collect();
    db.sql(&format!(
        "ALTER TABLE tagente_datos_string {}; \
         ALTER TABLE tsesion MODIFY utimestamp VARCHAR(20) NOT NULL; \
         DROP TABLE tserver_export_data;",
        drops.join(", ")
    ));
    let before = db.sql("SELECT COUNT(*) FROM tsesion;");
    let report = Ask::default().run(&db).await;
    let concerns = report.concerns();
    assert_eq!(concerns.len(), 2, "{concerns:?}");
    for table in ["tagente_datos_string", "tsesion"] {
        let told = |why: &&str| why.contains(&format!("table {table} "));
        assert!(concerns.iter().any(told), "{table}: {concerns:?}");
    }
    assert_eq!(db.sql("SELECT COUNT(*) FROM tsesion;"), before);
    assert!(!report.is_held_by_share());
}

/// What may hang on a row often does not, anywhere: nothing was lost, and nobody has to look.
#[tokio::test]
async fn tables_of_children_may_be_empty() {
    let db = Installation::small().install();
    db.sql(
        "CREATE TABLE tplugin_of_ours (id INT PRIMARY KEY AUTO_INCREMENT, module INT UNSIGNED, \
           FOREIGN KEY (module) REFERENCES tagente_modulo (id_agente_modulo)); \
         TRUNCATE treport_content_sla_combined; TRUNCATE treport_content_item;",
    );
    let report = Ask::default().run(&db).await;
    assert_eq!(report.concerns(), [""; 0]);
    for left in [
        "tagente_modulo WHERE delete_pending = 1",
        "treport_content WHERE type IN ('SLA', 'exception')",
    ] {
        assert_eq!(
            db.number(&format!("SELECT COUNT(*) FROM {left};")),
            0,
            "{left}"
        );
    }
}

/// Tables that moved from server to server often came without their foreign keys.
#[tokio::test]
async fn what_hangs_on_events_goes_without_foreign_keys_too() {
    let db = Installation::small().install();
    let children = [
        ("tevent_extended", "id_evento"),
        ("tevent_comment", "id_event"),
    ];
    for (table, column) in children {
        let key = db.sql(&format!(
            "SELECT constraint_name FROM information_schema.key_column_usage \
             WHERE table_schema = DATABASE() AND table_name = '{table}' \
               AND referenced_table_name = 'tevento';"
        ));
        db.sql(&format!(
            "ALTER TABLE {table} DROP FOREIGN KEY {};",
            key.trim()
        ));
        let old = format!(
            "SELECT COUNT(*) FROM {table} JOIN tevento ON tevento.id_evento = {table}.{column} \
             WHERE tevento.utimestamp < UNIX_TIMESTAMP('{}') - 8 * 86400;",
            elpis_testkit::now().strftime("%F %T")
        );
        assert!(db.number(&old) > 0, "{table}");
    }
    Ask::default().run(&db).await;
    for (table, column) in children {
        let of = |word: &str| {
            db.number(&format!(
                "SELECT COUNT(*) FROM {table} WHERE {column} {word} (SELECT id_evento FROM tevento);"
            ))
        };
        assert_eq!(of("NOT IN"), 0, "{table}");
        assert!(of("IN") > 0, "{table}");
    }
}

/// A foreign key that our facts do not know is obeyed: it is read from the live schema.
#[tokio::test]
async fn foreign_keys_nobody_told_us_about_are_obeyed() {
    let db = Installation::small().install();
    db.sql(
        "CREATE TABLE tplugin_of_ours (id INT PRIMARY KEY AUTO_INCREMENT, module INT UNSIGNED, \
           FOREIGN KEY (module) REFERENCES tagente_modulo (id_agente_modulo)); \
         CREATE TABLE tnote_of_ours (id INT PRIMARY KEY AUTO_INCREMENT, plugin INT, \
           FOREIGN KEY (plugin) REFERENCES tplugin_of_ours (id) ON DELETE CASCADE); \
         INSERT INTO tplugin_of_ours (module) \
           SELECT id_agente_modulo FROM tagente_modulo WHERE id_agente_modulo % 3 = 0; \
         INSERT INTO tnote_of_ours (plugin) SELECT id FROM tplugin_of_ours;",
    );
    let pending = "SELECT COUNT(*) FROM tagente_modulo WHERE delete_pending = 1";
    assert!(db.number(&format!("{pending};")) > 0);
    let report = Ask::default().run(&db).await;
    let held = "AND id_agente_modulo NOT IN (SELECT module FROM tplugin_of_ours)";
    assert_eq!(
        db.number(&format!("{pending} {held};")),
        0,
        "{:?}",
        changed(&report)
    );
    // A key that forbids the delete keeps its module, and every note its plugin.
    let lost =
        "SELECT COUNT(*) FROM tnote_of_ours WHERE plugin NOT IN (SELECT id FROM tplugin_of_ours);";
    assert_eq!(db.number(lost), 0);
}
