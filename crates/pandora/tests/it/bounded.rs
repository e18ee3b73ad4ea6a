//! No statement of any task changes more rows than a chunk has, or reads a table from end to end:
//! what the server itself recorded of each, in its slow log.

use std::collections::BTreeMap;

use elpis_testkit::pandora::oracle::Oracle;
use elpis_testkit::pandora::{Installation, QUICK};
use elpis_testkit::{Database, MariaDb, Recorded};

use crate::support::{Ask, changed, logged};

const LIMIT: u64 = 200;

/// Peers' rows 11, 12 and 16 and statement 6 of the acceptance list, for every task.
#[tokio::test]
async fn every_statement_of_every_task_is_bounded() {
    let server = MariaDb::recording_server(&QUICK);
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
    db.forget_recorded();
    let report = ask.carry_out(&plan, &db).await.unwrap();
    assert!(report.changed() > 30_000, "{:?}", changed(&report));
    let statements = logged(&db);
    let mut changed_rows = 0;
    for statement in &statements {
        let (affected, examined) = (statement.affected, statement.examined);
        let text = short(&statement.text);
        assert!(affected <= LIMIT, "{affected} rows changed by {text}");
        // A walk may measure a window of 2000 index entries for several chunks at once, or ask of
        // 2000 values elsewhere, which the server counts up to four times; the large tables have
        // 12,000 rows and more.
        assert!(examined <= 4 * 2000 + 100, "{examined} rows read by {text}");
        changed_rows += affected;
    }
    assert!(changed_rows >= report.changed(), "{changed_rows} recorded");
    // Modules whose rows do not fit one chunk go whole all the same, with the state that says
    // that they are to go.
    let differences = oracle.differences();
    assert!(differences.is_empty(), "{}", differences.join("\n"));

    // And each kind of statement finds its rows by an index in every table, where there still is
    // something to find and no table is so small that to read it is cheaper.
    let fresh = installation.install_on(&server);
    grow(&fresh);
    let kinds = kinds_of(&statements);
    let (reads, writes): (Vec<&String>, Vec<&String>) =
        kinds.iter().partition(|text| text.starts_with("SELECT"));
    assert!(reads.len() > 50 && writes.len() > 50, "{kinds:?}");
    let wholes = explained(&fresh, &kinds).into_iter();
    let wholes: Vec<String> = wholes
        .filter(|access| access.how == "ALL")
        .map(|access| format!("{}, whole: {}", access.table, short(&access.text)))
        .collect();
    assert!(wholes.is_empty(), "{}", wholes.join("\n"));
}

/// Tables of at most so many rows are counted and read to their end when a plan is made.
const WHOLE: u64 = 20_000;
/// Rows, or values, that a look at a larger table sees.
const LOOK: u64 = 5_000;

/// A run by cron does not count, but looks at each table before it begins, once for all tasks that
/// walk it.
#[tokio::test]
async fn the_looks_of_a_plan_are_bounded() {
    let server = MariaDb::recording_server(&QUICK);
    // Far more rows than a look sees, of few modules.
    let many_rows = Installation {
        numeric: 60_000,
        strings: 40_000,
        events: 40_000,
        audit: 40_000,
        traps: 40_000,
        gis: 40_000,
        export: 40_000,
        php_sessions: 40_000,
        ..Installation::small()
    };
    let many_modules = Installation {
        modules: 24_000,
        numeric: 1000,
        ..Installation::small()
    };
    let both = [
        many_rows.install_on(&server),
        many_modules.install_on(&server),
    ];
    grow(&both[0]);
    for db in &both {
        // However many orphans there are: no share of them is counted.
        look_and_check(db, 1.0, LOOK).await;
    }
    // Where only a share of orphans is believed, they may be counted, a larger step at a time.
    look_and_check(&both[1], 0.5, WHOLE).await;
}

/// Plans without counting and checks what the server saw of it: statements that look at `step` rows
/// (or values) at most, and find each by an index.
async fn look_and_check(db: &MariaDb, orphans: f64, step: u64) {
    let ask = Ask {
        exact: false,
        orphans,
        ..Ask::default()
    };
    db.forget_recorded();
    let plan = ask.plan(db).await;
    assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
    let statements = logged(db);
    let mut looks = 0;
    for statement in &statements {
        let (affected, examined) = (statement.affected, statement.examined);
        let text = short(&statement.text);
        assert_eq!(affected, 0, "a plan changes nothing: {text}");
        let most = if statement.text.contains(" LEFT JOIN ") {
            looks += 1;
            // Each row is looked for in every table that is joined; values are read, stored and
            // read again; some few rows have several of another table.
            step * (3 + statement.text.matches(" LEFT JOIN ").count() as u64) + 1000
        } else if statement
            .text
            .starts_with("SELECT COUNT(*) FROM (SELECT 1 ")
        {
            // Whether there is any row: it is read, and counted.
            2
        } else if statement.text.contains("COUNT(CASE WHEN ") {
            // What is counted of a table is copied first; and its two ends.
            2 * WHOLE + 2
        } else if text.starts_with("SELECT 1 FROM ") && text.contains(" LIMIT 1 OFFSET ") {
            // Passed over, where the server's statistics deny what was just seen.
            50 * WHOLE
        } else {
            WHOLE
        };
        assert!(examined <= most, "{examined} rows read by {text}");
    }
    assert!(looks > 20, "{looks} looks of {}", statements.len());
    let kinds = kinds_of(&statements);
    let wrong = explained(db, &kinds).into_iter().filter(|access| {
        // An index may be read from its beginning where the statement stops by itself; never
        // once for each row of another table.
        let is_joined = access.table.starts_with('j');
        access.how == "ALL" || access.how == "index" && (is_joined || !stops(&access.text))
    });
    let wrong: Vec<String> = wrong
        .map(|access| format!("{}, {}: {}", access.table, access.how, short(&access.text)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a statement ends after a number of rows: by its limit, at the end of a stretch that was
/// measured, or as the count of a table that was seen to be small.
fn stops(text: &str) -> bool {
    text.contains(" LIMIT ")
        || text.starts_with("SELECT STRAIGHT_JOIN ")
        || text.starts_with("SELECT COUNT(*) FROM `") && !text.contains(" WHERE ")
}

/// Adds rows to what is so small that to read all of it is cheaper than to search.
fn grow(db: &MariaDb) {
    let small = [
        ("tevent_comment", "id_event"),
        ("tlayout_data", "id_agente_modulo"),
        ("tmodule_relationship", "module_a"),
        ("tplanned_downtime", "date_to"),
        ("tplanned_downtime_agents", "id_downtime"),
        ("tplanned_downtime_modules", "id_downtime"),
        ("treport_content", "id_agent"),
        ("treport_content_item", "id_report_content"),
        ("treport_content_sla_combined", "id_report_content"),
        ("tservice_element", "id_agente_modulo"),
        ("tvisual_console_elements_cache", "vc_item_id"),
    ];
    let grown = small.map(|(table, column)| {
        format!(
            "INSERT INTO {table} ({column}) SELECT 1000000 + seq FROM seq_1_to_40000; \
             ANALYZE TABLE {table};\n"
        )
    });
    let lax = "SET foreign_key_checks = 0, sql_mode = '';\n";
    let of_one_service = "UPDATE tservice_element SET id_service = 1 WHERE id_service = 0;\n";
    db.sql(&[lax, &grown.concat(), of_one_service].concat());
}

/// How a table is read, by the server's own plan of a statement.
struct Access {
    table: String,
    how: String,
    text: String,
}

/// How each of these statements reads each of its tables.
fn explained(db: &MariaDb, kinds: &[String]) -> Vec<Access> {
    let asked = kinds.iter().enumerate();
    let asked = asked.map(|(i, text)| format!("EXPLAIN {text};\nSELECT 'of {i}';\n"));
    let told = db.sql(&asked.collect::<String>());
    let (mut all, mut so_far) = (Vec::new(), Vec::new());
    for line in told.lines() {
        if let Some(i) = line.strip_prefix("of ") {
            let text = &kinds[i.parse::<usize>().unwrap()];
            all.extend(so_far.drain(..).map(|(table, how)| Access {
                table,
                how,
                text: text.clone(),
            }));
            continue;
        }
        let cells: Vec<&str> = line.split('\t').collect();
        let [_, _, table, how, ..] = cells.as_slice() else {
            panic!("{line}");
        };
        // The bounded part of a look is a table of its own.
        if !table.starts_with('<') {
            so_far.push(((*table).to_owned(), (*how).to_owned()));
        }
    }
    all
}

/// One statement of each kind: those that differ in more than their numbers and texts.
fn kinds_of(log: &[Recorded]) -> Vec<String> {
    let texts = log.iter().map(|logged| logged.text.as_str());
    let about_rows = |text: &&str| {
        let verbs = ["SELECT", "DELETE", "UPDATE", "INSERT"];
        text.contains(" `") && verbs.iter().any(|verb| text.starts_with(verb))
    };
    let mut kinds = BTreeMap::new();
    for text in texts.filter(about_rows) {
        let mut shape = String::new();
        let mut quoted = false;
        for letter in text.chars() {
            quoted ^= letter == '\'';
            if !quoted && (letter.is_alphabetic() || "`_.<>=".contains(letter)) {
                shape.push(letter);
            }
        }
        kinds.entry(shape).or_insert_with(|| text.to_owned());
    }
    kinds.into_values().collect()
}

/// The beginning of a statement.
fn short(text: &str) -> String {
    text.chars().take(400).collect()
}
