//! What the tool that Elpis replaces was seen to do, fault by fault, and that Elpis does not. The
//! numbers are those of the list of observed faults.

use std::time::{Duration, Instant};

use elpis_maint_core::housekeeping::{HousekeepingReport, PartReport};
use elpis_mysql::{Session, SessionSettings};
use elpis_pandora::{PandoraSettings, series_rule};
use elpis_testkit::pandora::{Installation, tables};
use elpis_testkit::{CompactRun, Database, MariaDb, compaction_policy, now};

use tokio::sync::OnceCell;

use crate::support::{Ask, changed, skipped};

const DAY: i64 = 86_400;

/// Compacts by the product's own settings, in one pass. False if they switch it off.
async fn compact(db: &MariaDb) -> bool {
    let session = Session::open(&db.options, &SessionSettings::default()).await;
    let mut session = session.unwrap();
    let installation = elpis_pandora::Installation::read(&mut session)
        .await
        .unwrap();
    let settings = PandoraSettings::new(&installation.tokens, false);
    let Some(rule) = series_rule(settings.compaction, &installation) else {
        return false;
    };
    let mut policy = compaction_policy(&[(1, 1)], "");
    policy.series = vec![rule];
    let mut run = CompactRun::at(now().as_second(), 2000);
    run.on(&policy, &mut db.store().await).await.unwrap();
    true
}

/// An installation after one whole run.
struct Finished {
    db: MariaDb,
    report: HousekeepingReport,
    /// The highest number of a module's state before the run.
    newest_state: u64,
    /// How long the run took by a real clock.
    took: Duration,
}

/// States of modules that are gone, besides the installation's own.
const STALE: u64 = 1200;

async fn finished() -> &'static Finished {
    static FINISHED: OnceCell<Finished> = OnceCell::const_new();
    let finish = || async {
        let db = Installation::small().install();
        db.sql(&format!(
            "INSERT INTO tagente_estado (id_agente_modulo) \
             SELECT 8000000 + seq FROM seq_1_to_{STALE};"
        ));
        let newest_state = db.number("SELECT MAX(id_agente_estado) FROM tagente_estado;");
        let ask = Ask {
            rows: 1000,
            // More states than modules are stale, which a person would have to confirm.
            orphans: 1.0,
            ..Ask::default()
        };
        let begun = Instant::now();
        let report = ask.run(&db).await;
        Finished {
            took: begun.elapsed(),
            report,
            db,
            newest_state,
        }
    };
    FINISHED.get_or_init(finish).await
}

fn rows_of(report: &HousekeepingReport, task: &str) -> u64 {
    let changed = changed(report);
    changed.iter().find(|(id, _)| id == task).unwrap().1
}

fn count(db: &MariaDb, query: &str) -> u64 {
    db.number(&format!("SELECT COUNT(*) FROM ({query}) AS q;"))
}

#[tokio::test]
async fn fault_1_to_7_compaction_loses_nothing_it_has_not_kept() {
    // Into days, after 15 days.
    let installation = Installation::small()
        .token("days_compact", "15")
        .token("step_compact", "24");
    let db = installation.install();
    db.sql("CREATE TABLE before_it AS SELECT * FROM tagente_datos;");
    let texts = db.checksum("tagente_datos_string");
    assert!(count(&db, "SELECT 1 FROM tagente_datos_string") > 4000);
    assert!(compact(&db).await);
    assert_eq!(db.checksum("tagente_datos_string"), texts);
    let (all, kept) = (
        count(&db, "SELECT 1 FROM before_it"),
        count(&db, "SELECT 1 FROM tagente_datos"),
    );
    assert!(kept < all * 3 / 4, "{kept} of {all}");
    // 1, 2, 6: nothing is invented, and no value gets another time.
    assert_eq!(
        count(
            &db,
            "SELECT * FROM tagente_datos EXCEPT ALL SELECT * FROM before_it"
        ),
        0
    );
    // 3: what is younger than days_compact stays row by row.
    let young = now().as_second() - 15 * DAY;
    let young = format!("WHERE utimestamp >= {young} OR utimestamp IS NULL");
    let lost =
        format!("SELECT * FROM before_it {young} EXCEPT ALL SELECT * FROM tagente_datos {young}");
    assert_eq!(count(&db, &lost), 0);
    // 1, 2: every day of every module keeps its ends and extremes, whatever holes there are; and
    // 6: days are days of the clock, not of a module's first value.
    let days = |table: &str| {
        format!(
            "SELECT id_agente_modulo, utimestamp DIV 86400, MIN(datos), MAX(datos), \
             MIN(utimestamp), MAX(utimestamp) FROM {table} WHERE utimestamp IS NOT NULL \
             GROUP BY 1, 2"
        )
    };
    let (before, after) = (days("before_it"), days("tagente_datos"));
    assert_eq!(count(&db, &format!("{before} EXCEPT {after}")), 0);
    assert_eq!(count(&db, &format!("{after} EXCEPT {before}")), 0);
    // 2: booleans, texts' modules, deltas and unknown types are as they were.
    let untouched = |table: &str| {
        format!(
            "SELECT d.* FROM {table} AS d JOIN tagente_modulo AS m USING (id_agente_modulo) \
             WHERE m.id_tipo_modulo IN (2, 5, 6, 9, 18, 21, 22, 31, 35, 100, 200) \
                OR m.history_data = 0"
        )
    };
    let lost = format!(
        "{} EXCEPT ALL {}",
        untouched("before_it"),
        untouched("tagente_datos")
    );
    assert_eq!(count(&db, &lost), 0);
    // 4: modules are found by what they are, not by a place in a count; 7: however few there are.
    // Module 1 stands in a report on service levels and stays as it is.
    let one = |table: &str| format!("SELECT * FROM {table} WHERE id_agente_modulo = 1");
    let lost = format!("{} EXCEPT ALL {}", one("before_it"), one("tagente_datos"));
    assert_eq!(count(&db, &lost), 0);
    for id in [5, 4_000_000] {
        let rows = |table: &str| {
            count(
                &db,
                &format!("SELECT 1 FROM {table} WHERE id_agente_modulo = {id}"),
            )
        };
        assert!(rows("tagente_datos") < rows("before_it"), "module {id}");
    }
    // 3: and 0 days are no compaction at all.
    db.sql("UPDATE tconfig SET value = '0' WHERE token = 'days_compact';");
    assert!(!compact(&db).await);
}

/// A step of no hours, or none at all, is one of an hour, and the run comes to its end.
#[tokio::test]
async fn fault_5_without_a_step_buckets_are_hours() {
    // Two hours for comparison.
    for (step, hours) in [(None, 1), (Some("0"), 1), (Some("1"), 1), (Some("2"), 2)] {
        let db = MariaDb::on(Installation::server());
        compactable(&db, "(1), (5)");
        if let Some(step) = step {
            db.sql(&format!(
                "INSERT INTO tconfig (token, value) VALUES ('step_compact', '{step}');"
            ));
        }
        // Twelve hours with six values each, each higher than the one before: the first and the
        // last of a bucket stay.
        let day = now().as_second() / DAY * DAY - 30 * DAY;
        db.sql(&format!(
            "INSERT INTO tagente_datos SELECT id, seq, {day} + (seq - 1) * 600 \
               FROM ids JOIN seq_1_to_72; \
             CREATE TABLE before_it AS SELECT * FROM tagente_datos;"
        ));
        let done = tokio::time::timeout(Duration::from_secs(120), compact(&db)).await;
        assert_eq!(done, Ok(true), "step {step:?}");
        let values = 6 * hours;
        let kept = "SELECT * FROM tagente_datos";
        let expected = format!("SELECT * FROM before_it WHERE datos % {values} IN (0, 1)");
        assert_eq!(count(&db, &expected), 2 * 2 * 72 / values);
        for (one, other) in [(kept, expected.as_str()), (&expected, kept)] {
            let differ = count(&db, &format!("{one} EXCEPT ALL {other}"));
            assert_eq!(differ, 0, "step {step:?}");
        }
    }
}

/// Empty series of `modules`, numbers in brackets, that are compacted after 15 days.
fn compactable(db: &MariaDb, modules: &str) {
    db.sql(&tables(&[
        "tconfig",
        "tserver",
        "ttipo_modulo",
        "tagente_modulo",
        "tagente_datos",
        "treport_content_sla_combined",
    ]));
    db.sql(&format!(
        "INSERT INTO tconfig (token, value) VALUES ('days_compact', '15'); \
         INSERT INTO ttipo_modulo (id_tipo, nombre) VALUES (1, 'generic_data'); \
         CREATE TABLE ids (id INT PRIMARY KEY); INSERT INTO ids VALUES {modules}; \
         INSERT INTO tagente_modulo (id_agente_modulo, id_agente, id_tipo_modulo, history_data) \
           SELECT id, 1, 1, 1 FROM ids;"
    ));
}

/// The incumbent took a share of modules by their count and their place, so that up to 287 modules
/// were none at all, and those with numbers beyond the count were never reached.
#[tokio::test]
async fn fault_4_and_7_modules_of_any_number_and_any_count_are_compacted() {
    let numbers = [
        "(1), (5), (900000), (4000000)".to_owned(),
        "(4000000)".to_owned(),
    ];
    let counts = [287, 288, 5000];
    let counts = counts.map(|count| {
        let ids: Vec<String> = (1..=count)
            .map(|n| format!("({})", n * 97 + n / 7))
            .collect();
        ids.join(", ")
    });
    for modules in numbers.into_iter().chain(counts) {
        let db = MariaDb::on(Installation::server());
        compactable(&db, &modules);
        // Six values of one day, each higher than the one before: the first and the last stay.
        let day = now().as_second() / DAY * DAY - 30 * DAY;
        db.sql(&format!(
            "INSERT INTO tconfig (token, value) VALUES ('step_compact', '24'); \
             INSERT INTO tagente_datos SELECT id, seq, {day} + seq * 3600 FROM ids JOIN seq_1_to_6; \
             CREATE TABLE before_it AS SELECT * FROM tagente_datos;"
        ));
        assert!(compact(&db).await);
        let kept = "SELECT * FROM tagente_datos";
        let expected = "SELECT * FROM before_it WHERE datos IN (1, 6)";
        let many = count(&db, "SELECT 1 FROM ids");
        for (one, other) in [(kept, expected), (expected, kept)] {
            let differ = count(&db, &format!("{one} EXCEPT ALL {other}"));
            assert_eq!(differ, 0, "of {many} modules");
        }
    }
}

#[tokio::test]
async fn fault_8_agents_go_after_days_and_not_after_a_tenth_of_them() {
    let db = &finished().await.db;
    let behind = |behind: u64| {
        let id = Installation::small().agents - behind + 5000;
        db.number(&format!(
            "SELECT COUNT(*) FROM tagente WHERE id_agente = {id};"
        ))
    };
    // Silent for 31 days, for 30 days and a second, and for ever; disabled by themselves for 16
    // and for 15 days and a second.
    for gone in [0, 1, 9, 5, 7] {
        assert_eq!(behind(gone), 0, "agent {gone}");
    }
    // 30 days, a second less, three and a half days (30 times 8600 s are less); two days of 15;
    // silent for 400 days but not disabled.
    for stays in [2, 3, 4, 6, 10, 8] {
        assert_eq!(behind(stays), 1, "agent {stays}");
    }
}

#[tokio::test]
async fn fault_9_values_go_with_their_module() {
    let db = &finished().await.db;
    for table in [
        "tagente_datos",
        "tagente_datos_string",
        "tagente_datos_inc",
        "tagente_datos_log4x",
    ] {
        let lost = format!(
            "SELECT 1 FROM {table} WHERE id_agente_modulo NOT IN \
             (SELECT id_agente_modulo FROM tagente_modulo)"
        );
        assert_eq!(count(db, &lost), 0, "{table}");
    }
}

/// Slices of the range left the remainder of a division behind.
#[tokio::test]
async fn fault_10_no_old_row_is_left() {
    let db = &finished().await.db;
    for (table, days) in [
        ("tagente_datos", 30),
        ("tagente_datos_string", 7),
        ("tevento", 7),
        ("tsesion", 7),
    ] {
        let limit = now().as_second() - days * DAY;
        let old = format!("SELECT 1 FROM {table} WHERE utimestamp < {limit}");
        assert_eq!(count(db, &old), 0, "{table}");
    }
}

/// A hundred events a commit.
#[tokio::test]
async fn fault_11_chunks_are_as_large_as_the_throttle_says() {
    let report = &finished().await.report;
    for id in ["numeric_data", "strings", "events", "audit"] {
        let task = report.tasks.iter().find(|task| task.id == id).unwrap();
        let PartReport::Purge(part) = &task.parts[0] else {
            panic!("{task:?}");
        };
        // Children count too, and one event has 700 comments.
        let least = part.all_deleted().div_ceil(1000);
        assert!(part.deleted > 0 && part.chunks <= 2 * least + 3, "{part:?}");
    }
}

/// 12 is in `bounded`, 13 in `time`.
#[tokio::test]
async fn fault_14_and_15_only_modules_that_stay_get_a_state_and_it_is_not_critical() {
    let Finished {
        db,
        report,
        newest_state,
        ..
    } = finished().await;
    let added = format!("SELECT * FROM tagente_estado WHERE id_agente_estado > {newest_state}");
    let rows = count(db, &added);
    assert!(rows > 0);
    let reported = rows_of(report, "missing_status");
    assert_eq!(reported, rows, "all that were added are there at the end");
    // Not critical and not of 1970: not initialised, since the moment of the run. It had no value.
    let others = format!(
        "SELECT 1 FROM ({added}) AS a WHERE estado <> 4 OR known_status <> 4 OR last_status <> 4 \
           OR last_known_status <> 4 OR last_status_change <> {} OR datos <> '' OR utimestamp <> 0",
        now().as_second()
    );
    assert_eq!(count(db, &others), 0);
    let without = "SELECT 1 FROM tagente_modulo WHERE delete_pending = 0 AND id_agente_modulo \
                   NOT IN (SELECT id_agente_modulo FROM tagente_estado)";
    assert_eq!(count(db, without), 0);
}

/// A tenth of a second for each row would be two minutes, by the clock of the run, which only its
/// pauses move, or by a real one.
#[tokio::test]
async fn fault_16_rows_cost_no_sleep() {
    let Finished { report, took, .. } = finished().await;
    assert!(rows_of(report, "missing_module") >= STALE);
    let paused = report.finished.duration_since(report.started);
    assert!(paused.as_secs_f64() < 10.0, "{paused:?}");
    assert!(*took < Duration::from_millis(100 * STALE), "{took:?}");
}

/// Tasks that do nothing say so, and why.
#[tokio::test]
async fn fault_17_nothing_is_a_silent_no_op() {
    let report = &finished().await.report;
    assert!(rows_of(report, "inventory") > 0);
    for task in &report.tasks {
        assert!(!task.parts.is_empty(), "{} says nothing", task.id);
    }
    for task in [
        "netflow",
        "sflow",
        "log_data",
        "history_data",
        "history_events",
        "snmp_modules",
        "dynamic_limits",
    ] {
        let why = skipped(report, task);
        let told = why.iter().all(|why| why.len() > 10);
        assert!(told && !why.is_empty(), "{task}: {why:?}");
    }
}

/// No line of a programmer's is left in what is printed.
#[tokio::test]
async fn fault_18_every_line_is_meant_for_the_operator() {
    for task in &finished().await.report.tasks {
        let title = &task.title;
        let begins = title.chars().next().is_some_and(char::is_uppercase);
        let told = title.len() > 15 && !title.contains("RC:");
        assert!(begins && told, "{title}");
    }
}
