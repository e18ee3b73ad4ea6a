//! What is asked of a live database before and after a run, on a real MariaDB.

use elpis_maint_core::housekeeping::{Task, Work};
use elpis_mysql::{Session, SessionSettings};
use elpis_pandora::{
    DatabaseFacts, Installation as Asked, Origin, PandoraSettings, Tokens, catalogue,
    last_maintenance, record_maintenance,
};
use elpis_testkit::pandora::{Installation, tables};
use elpis_testkit::{Database, MariaDb};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::support::settings;

async fn session(db: &MariaDb) -> Session {
    Session::open(&db.options, &SessionSettings::default())
        .await
        .unwrap()
}

#[tokio::test]
async fn an_installation_tells_its_settings_types_and_master() {
    let db = Installation::small().token("step_compact", "48").install();
    db.sql(
        "INSERT INTO tconfig (token, value) VALUES ('Event_Purge', '99'), ('gis_purge', x'ff31');\
         UPDATE tserver SET status = 0 WHERE name = 'pandorafms' AND server_type = 0;",
    );
    let asked = Asked::read(&mut session(&db).await).await.unwrap();
    assert_eq!(
        asked.master.as_deref(),
        Some("pandorafms"),
        "its other process runs"
    );
    assert_eq!(asked.discovery_server, Some(2));
    assert_eq!(
        asked.sla_columns,
        ["id_agent_module", "id_agent_module_failover"]
    );
    assert!(asked.has_history_flag);
    let types = db.number("SELECT COUNT(*) FROM ttipo_modulo;");
    assert_eq!(asked.module_types.len() as u64, types);
    let settings = PandoraSettings::new(&asked.tokens, false);
    assert_eq!(settings.housekeeping.days_purge, Some(30));
    assert_eq!(
        settings.housekeeping.event_purge,
        Some(7),
        "the first row counts"
    );
    assert_eq!(settings.compaction.step_hours, 24);
    let event = settings
        .listing
        .iter()
        .find(|one| one.token == "event_purge")
        .unwrap();
    let row = db.number("SELECT MIN(id_config) FROM tconfig WHERE token = 'event_purge';");
    assert_eq!(event.origin, Origin::Tconfig { row });
    let mut findings = settings.findings.iter().map(ToString::to_string);
    assert!(
        findings.any(|found| found.contains("event_purge")),
        "{:?}",
        settings.findings
    );
    assert_eq!(settings.findings.len(), 2, "{:?}", settings.findings);

    db.sql("DROP TABLE ttipo_modulo; DROP TABLE treport_content_sla_combined; UPDATE tserver SET status = 0;");
    let asked = Asked::read(&mut session(&db).await).await.unwrap();
    assert_eq!((asked.master, asked.discovery_server), (None, None));
    assert!(asked.module_types.is_empty() && asked.sla_columns.is_empty());
    db.sql("DROP TABLE tserver;");
    assert!(Asked::read(&mut session(&db).await).await.is_err());
}

#[tokio::test]
async fn the_last_run_is_one_row_whatever_was_there() {
    let db = MariaDb::on(Installation::server());
    db.sql(&tables(&["tconfig"]));
    db.sql(
        "INSERT INTO tconfig (token, value) VALUES ('days_purge', '30'), ('db_maintance', 'x'), \
           ('event_purge', '7'), ('db_maintance', '7');",
    );
    let others = "SELECT SUM(CRC32(CONCAT_WS(',', id_config, token, value))) FROM tconfig \
                  WHERE token <> 'db_maintance';";
    let before = db.number(others);
    let now = Timestamp::from_second(1_790_000_000).unwrap();
    let mut session = session(&db).await;
    record_maintenance(&mut session, now).await.unwrap();
    let rows = db.sql("SELECT value FROM tconfig WHERE token = 'db_maintance';");
    assert_eq!(rows.trim(), "1790000000");
    assert_eq!(db.number(others), before);
    let tokens = Tokens::read(&mut session).await.unwrap();
    assert_eq!(last_maintenance(&tokens), Some(now));
    // Half of it never stands alone.
    db.sql("CREATE TRIGGER full BEFORE INSERT ON tconfig FOR EACH ROW SIGNAL SQLSTATE '45000';");
    record_maintenance(&mut session, Timestamp::UNIX_EPOCH)
        .await
        .unwrap_err();
    drop(session);
    db.sql("DROP TRIGGER full;");
    assert_eq!(
        db.sql("SELECT value FROM tconfig WHERE token = 'db_maintance';")
            .trim(),
        "1790000000"
    );
}

#[tokio::test]
async fn a_doctor_sees_the_shipped_schema_whole_and_what_is_missing_of_it() {
    let db = Installation::small().install();
    let at = Timestamp::now();
    let gather = async |db: &MariaDb, tasks: &[Task]| {
        let mut session = session(db).await;
        let tokens = Tokens::read(&mut session).await.unwrap();
        DatabaseFacts::gather(&mut session, &tokens, tasks, at)
            .await
            .unwrap()
    };
    let tasks = catalogue(&settings(&db).await, &TimeZone::UTC, at);
    let facts = gather(&db, &tasks).await;
    assert!(
        facts.has_window_functions && facts.server.contains("MariaDb"),
        "{}",
        facts.server
    );
    assert_eq!(
        (facts.missing_indexes, facts.missing_columns),
        (vec![], vec![])
    );
    assert_eq!((facts.obstacles, facts.replica_of), (vec![], None));
    assert_eq!(
        (facts.denied.as_slice(), facts.may_create),
        (&[][..], Some(true))
    );
    assert_eq!(facts.keyless_in_cluster, [""; 0]);
    assert!(facts.clock_skew_s.abs() < 60.0, "{}", facts.clock_skew_s);
    assert_eq!(facts.last_run, Timestamp::from_second(1).ok());
    let datadir = db.sql("SELECT @@datadir;");
    assert_eq!(facts.datadir.as_deref(), Some(datadir.trim()));
    db.sql(
        "DROP INDEX data_index1 ON tagente_datos;\
         DROP INDEX idx_agentmodule ON tevento;\
         ALTER TABLE talert_template_modules DROP FOREIGN KEY talert_template_modules_ibfk_1,\
           DROP INDEX idx_template_module, DROP INDEX id_agent_module;\
         CREATE INDEX wrong_way ON tagente_datos (utimestamp, id_agente_modulo);\
         CREATE TABLE tnew (id INT PRIMARY KEY, utimestamp BIGINT NOT NULL);\
         INSERT INTO tnew SELECT seq, seq FROM seq_1_to_12000; ANALYZE TABLE tnew;\
         DROP TABLE tgis_data_history;\
         ALTER TABLE ttrap DROP COLUMN timestamp; \
         UPDATE tconfig SET value = '0' WHERE token = 'event_purge'; \
         INSERT INTO tevento (utimestamp, evento) SELECT 1, 'e' FROM seq_1_to_12000; \
         ANALYZE TABLE tevento; \
         CREATE TABLE tlater (id INT PRIMARY KEY, created_at INT NOT NULL);\
         INSERT INTO tlater SELECT seq, seq FROM seq_1_to_12000; ANALYZE TABLE tlater;",
    );
    // What is switched off is known all the same.
    let mut tasks = catalogue(&settings(&db).await, &TimeZone::UTC, at);
    let facts = gather(&db, &tasks).await;
    let missing = (
        "tagente_datos".to_owned(),
        "id_agente_modulo, utimestamp".to_owned(),
    );
    let other = |table: &str, column: &str| (table.to_owned(), column.to_owned());
    assert_eq!(
        facts.missing_indexes,
        [
            missing,
            other("talert_template_modules", "id_agent_module"),
            other("tevento", "id_agentmodule"),
        ]
    );
    assert_eq!(facts.missing_columns, [other("ttrap", "timestamp")]);
    let named = |facts: &DatabaseFacts| {
        let tables = facts.unknown_tables.iter();
        tables
            .map(|found| format!("{} {}", found.table, found.column))
            .collect::<Vec<_>>()
    };
    assert_eq!(named(&facts), ["tlater created_at", "tnew utimestamp"]);
    let mut works = tasks.iter().flat_map(|task| &task.work);
    let mut known = works.find_map(|work| match work {
        Work::Retention(rule) => Some(rule.clone()),
        _ => None,
    });
    known.as_mut().unwrap().name = "tnew".to_owned();
    tasks[0].work.extend(known.map(Work::Retention));
    assert_eq!(named(&gather(&db, &tasks).await), ["tlater created_at"]);
}

/// A server that says it is part of a cluster, without the library that would make it one: what
/// nobody can delete from there is gathered all the same.
#[tokio::test]
async fn a_doctor_names_tables_without_a_key_in_a_cluster() {
    let server = MariaDb::own_server(&["--wsrep-on=ON"]);
    let db = MariaDb::on(&server);
    assert_eq!(db.sql("SELECT @@GLOBAL.wsrep_on;").trim(), "1");
    db.sql(&tables(&[
        "tconfig",
        "tserver",
        "tagente_datos",
        "tagente_datos_string",
        "ttrap",
    ]));
    db.sql("CREATE VIEW seen AS SELECT * FROM tagente_datos;");
    let mut session = session(&db).await;
    let tokens = Tokens::read(&mut session).await.unwrap();
    let facts = DatabaseFacts::gather(&mut session, &tokens, &[], Timestamp::now());
    let facts = facts.await.unwrap();
    assert_eq!(
        facts.keyless_in_cluster,
        ["tagente_datos", "tagente_datos_string"]
    );
    assert_eq!(facts.obstacles, [""; 0]);
    db.sql(
        "SET GLOBAL read_only = 1, GLOBAL wsrep_on = 0; CHANGE MASTER TO MASTER_HOST = 'other';",
    );
    let facts = DatabaseFacts::gather(&mut session, &tokens, &[], Timestamp::now());
    let facts = facts.await.unwrap();
    assert_eq!(facts.obstacles, ["read_only is set"]);
    assert_eq!(facts.replica_of.as_deref(), Some("other:3306"));
}
