//! No statement of any task changes more rows than a chunk has, or reads a table from end to end:
//! what the server itself recorded of each, in its slow log. And what nobody else could: many
//! orphans in little memory.

use elpis_testkit::pandora::oracle::Oracle;
use elpis_testkit::pandora::{Installation, QUICK, tables};
use elpis_testkit::{Database, MariaDb};

use crate::support::{Ask, changed};

const LIMIT: u64 = 200;

/// Peers' rows 11, 12 and 16 and statement 6 of the acceptance list, for every task.
#[tokio::test]
async fn every_statement_of_every_task_is_bounded() {
    let server = MariaDb::own_server(&[
        QUICK[0],
        QUICK[1],
        "--slow-query-log=1",
        "--long-query-time=0",
        "--log-output=TABLE",
    ]);
    let installation = Installation {
        numeric: 24_000,
        strings: 12_000,
        events: 12_000,
        audit: 12_000,
        traps: 12_000,
        gis: 12_000,
        export: 12_000,
        php_sessions: 12_000,
        ..Installation::small()
    };
    let db = installation.install_on(&server);
    let oracle = Oracle::new(&installation, &db);
    oracle.apply(&[]);
    let ask = Ask {
        rows: LIMIT,
        ..Ask::default()
    };
    let plan = ask.plan(&db).await;
    db.sql("TRUNCATE mysql.slow_log;");
    let report = ask.carry_out(&plan, &db).await.unwrap();
    assert!(report.changed() > 30_000, "{:?}", changed(&report));
    let statements = db.sql(&format!(
        "SELECT rows_affected, rows_examined, LEFT(REPLACE(sql_text, '\\n', ' '), 400) \
         FROM mysql.slow_log WHERE db = '{}' AND sql_text NOT LIKE '%slow_log%' \
         AND sql_text NOT LIKE 'SET time_zone%' AND sql_text NOT LIKE '%information_schema%';",
        db.name()
    ));
    let mut changed_rows = 0;
    for line in statements.lines() {
        let mut parts = line.splitn(3, '\t');
        let mut number = || parts.next().unwrap().parse::<u64>().unwrap();
        let (affected, examined) = (number(), number());
        assert!(affected <= LIMIT, "{affected} rows changed by {line}");
        // A walk may measure a window of 2000 index entries for several chunks at once, or ask of
        // 2000 values elsewhere, which the server counts up to four times; the large tables have
        // 12,000 rows and more.
        assert!(examined <= 4 * 2000 + 100, "{examined} rows read by {line}");
        changed_rows += affected;
    }
    assert!(changed_rows >= report.changed(), "{changed_rows} recorded");
    // Modules whose rows do not fit one chunk go whole all the same, with the state that says
    // that they are to go.
    let differences = oracle.differences();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Statement 24: orphans are found by anti-join in bounded steps, here fifty thousand and
/// five million with `ELPIS_SOAK`, and the process does not grow with them.
#[tokio::test]
async fn many_orphans_need_little_memory() {
    let rows: u64 = match std::env::var("ELPIS_SOAK") {
        Ok(_) => 5_000_000,
        Err(_) => 50_000,
    };
    // What is deleted here is nothing to find again: no log, no commit to the disk.
    let server = MariaDb::own_server(&[QUICK[0], QUICK[1], "--innodb-buffer-pool-size=1G"]);
    let db = MariaDb::on(&server);
    db.sql(&tables(&[
        "tconfig",
        "tserver",
        "ttipo_modulo",
        "tagente",
        "tagente_modulo",
        "tagente_datos_inc",
        "talert_template_modules",
        "talert_template_module_actions",
        "talert_templates",
    ]));
    db.sql(&format!(
        "SET foreign_key_checks = 0; \
         INSERT INTO talert_templates VALUES (1, 't'); \
         INSERT INTO tagente (id_agente, nombre, alias) VALUES (1, 'a', 'a'); \
         INSERT INTO tagente_modulo (id_agente_modulo, id_agente) SELECT seq * 10, 1 FROM seq_1_to_1000; \
         INSERT INTO tagente_datos_inc (id_agente_modulo, datos, utimestamp) \
           SELECT seq, seq, 1 FROM seq_1_to_{rows}; \
         INSERT INTO talert_template_modules (id_agent_module, id_alert_template) \
           SELECT seq, 1 FROM seq_1_to_{rows};"
    ));
    let before = peak_kb();
    let ask = Ask {
        rows: 2000,
        // Nearly all of them, which a person would have to confirm.
        orphans: 1.0,
        // To count five million beforehand proves nothing more.
        exact: false,
        ..Ask::only(&["orphan_alerts", "orphan_increments"])
    };
    let report = ask.run(&db).await;
    assert_eq!(
        report.changed(),
        2 * (rows - 1000),
        "{:?}",
        changed(&report)
    );
    assert_eq!(db.number("SELECT COUNT(*) FROM tagente_datos_inc;"), 1000);
    assert_eq!(
        db.number("SELECT COUNT(*) FROM talert_template_modules;"),
        1000
    );
    // Other tests of this process may grow meanwhile; the ids alone of five million would be more.
    let grown = peak_kb().saturating_sub(before);
    assert!(grown < 60_000, "the process grew by {grown} kB");
}

/// The most memory that this process ever had, in kB.
fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
