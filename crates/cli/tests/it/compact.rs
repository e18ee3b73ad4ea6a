//! Compaction through the binary: plan, run, status, history, limits and refusals.

use elpis_maint_core::chart::Point;
use elpis_testkit::{
    Charts, Database, MariaDb, SeriesSpec, SqliteFile, create_series, reference_envelope,
    store_series, stored_series,
};
use serde_json::Value;

use crate::harness::{World, redact};

const DAY: i64 = 86_400;
const SPECS: u64 = 12;
/// How old the newest rows are: every bucket is older than any tier of these tests, whatever the
/// time of day.
const AGE_DAYS: i64 = 60;

/// A rule for `tagente_datos`; `more` adds settings.
pub(crate) fn rule(more: &str) -> String {
    format!(
        "[[policy.compact]]\ntable = \"tagente_datos\"\nseries = \"id_agente_modulo\"\n\
         value = \"datos\"\ntime = {{ column = \"utimestamp\", unit = \"epoch_seconds\" }}\n\
         kind = \"gauge\"\ntiers = [{{ older_than_days = 2, bucket_hours = 1 }}, \
         {{ older_than_days = 5, bucket_hours = 6 }}]\n{more}\n"
    )
}

/// Sessions of a week, of which the newest 300 stay.
// With a throttle of its own, so that the number of chunks does not follow the defaults.
const PURGE: &str = "[policy.throttle]\ntarget_ms = 2\nduty = 0.5\n\n\
                     [[policy.table]]\nname = \"tsesion\"\n\
                     time = { column = \"utimestamp\", unit = \"epoch_seconds\" }\n\
                     keep = { rows = 300 }\nmax_share = 0.9\n\n";

fn sessions(on: &dyn Database) {
    on.sql("CREATE TABLE tsesion (id_sesion INTEGER PRIMARY KEY, utimestamp BIGINT);");
    let rows: Vec<String> = (0..1000)
        .map(|i| format!("({i}, {})", 1_000_000 + i * 60))
        .collect();
    on.sql(&format!(
        "CREATE INDEX sesion_time ON tsesion (utimestamp);\n\
         INSERT INTO tsesion VALUES {};",
        rows.join(", ")
    ));
}

pub(crate) fn specs() -> Vec<(u64, SeriesSpec)> {
    (0..SPECS)
        .map(|seed| (seed * 7 + 3, SeriesSpec::of(seed)))
        .collect()
}

/// Whole days between the time that the series were made for and the time they are wanted at.
fn shift(spec: &SeriesSpec) -> i64 {
    let now = jiff::Timestamp::now().as_second();
    ((now - spec.end()) / DAY - AGE_DAYS) * DAY
}

/// Fills `on` with series whose last rows are long ago.
pub(crate) fn fill(on: &dyn Database) {
    create_series(on);
    for (id, spec) in specs() {
        let points: Vec<Point> = spec
            .points()
            .into_iter()
            .map(|(at, value)| (at + shift(&spec), value))
            .collect();
        store_series(on, id, &points);
    }
}

/// Rows and charts of every series are those that the reference makes of the rows `before`; how
/// many rows are gone.
pub(crate) fn assert_compacted(on: &dyn Database, before: &[Vec<Point>]) -> u64 {
    let sorted = |mut rows: Vec<Point>| {
        rows.sort_by(|a, b| a.partial_cmp(b).unwrap());
        rows
    };
    let mut gone = 0;
    for ((id, spec), was) in specs().iter().zip(before) {
        let is = stored_series(on, *id);
        // Every row is older than both tiers, so the coarse one took them all.
        let expected = reference_envelope(was, 6 * 3600, i64::MAX);
        assert_eq!(sorted(is.clone()), sorted(expected), "{spec:?}");
        let end = spec.end() + shift(spec);
        Charts::of(was, spec.interval, 6 * 3600).assert_same(&is, end, &format!("{spec:?}"));
        gone += (was.len() - is.len()) as u64;
    }
    gone
}

pub(crate) fn stored(on: &dyn Database) -> Vec<Vec<Point>> {
    specs()
        .iter()
        .map(|(id, _)| stored_series(on, *id))
        .collect()
}

pub(crate) fn sqlite(policy: &str) -> (World, SqliteFile) {
    let (world, file) = (World::empty(), SqliteFile::new());
    world.write(
        "maint.toml",
        &format!(
            "[database]\nkind = \"sqlite\"\npath = \"{}\"\n[state]\ndirectory = \"state\"\n{policy}",
            file.path().display()
        ),
    );
    (world, file)
}

pub(crate) fn mariadb(policy: &str) -> (World, MariaDb) {
    let (world, database) = (World::empty(), MariaDb::new());
    world.write(
        "maint.toml",
        &format!(
            "[database]\nkind = \"mysql\"\nname = \"{}\"\nsocket = \"{}\"\nuser = \"root\"\n\
             [state]\ndirectory = \"state\"\n{policy}",
            database.name(),
            elpis_testkit::server().socket().display(),
        ),
    );
    (world, database)
}

/// The text with what differs between two days and two databases replaced.
fn timeless(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let words = line.split_whitespace().map(|word| {
            let digits = word.bytes().filter(u8::is_ascii_digit).count();
            match word {
                _ if word.starts_with("20") && digits == 8 => "[DATE]",
                _ if digits >= 6 && word.contains(':') => "[TIME]",
                _ if word.starts_with('~') => "~N",
                _ if word.starts_with('─') || word.starts_with('╌') => "────",
                word => word,
            }
        });
        let mut words: Vec<&str> = words.collect();
        if let Some(days) = words.windows(2).position(|pair| pair == ["days", "ago"]) {
            words[days - 1] = "N";
        }
        // What a sample says depends on where the cutoff lies in the day.
        if words.first() == Some(&"envelope") {
            words.truncate(5);
        }
        lines.push(words.join(" "));
    }
    lines[0] = "[SERVER]".to_owned();
    lines.join("\n")
}

#[test]
fn a_plan_shows_both_jobs_or_the_one_there_is() {
    let both = format!("{PURGE}{}", rule(""));
    let (world, file) = sqlite(&both);
    fill(&file);
    sessions(&file);
    let said = world.run(&["plan"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
    insta::assert_snapshot!("compact_plan_human", timeless(&said.out));
    let said = world.run(&["plan", "--only", "compact"]);
    assert!(!said.out.contains("tsesion"), "{}", said.out);
    let said = world.run(&["run", "--dry-run", "--only", "purge"]);
    assert!(!said.out.contains("compact"), "{}", said.out);

    let said = world.run(&["plan", "--format", "json"]);
    let plan: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(plan["tables"].as_array().unwrap().len(), 1);
    let mut compaction = plan["compaction"].clone();
    redact(
        &mut compaction,
        &[
            "now",
            "product",
            "target",
            "cutoff",
            "locks",
            "from",
            "to",
            "due",
            "duration_s",
            "buckets",
            "series",
            "kept_share",
            "error",
            "rows_after",
        ],
    );
    let shown = serde_json::to_string_pretty(&compaction).unwrap();
    insta::assert_snapshot!("compact_plan_json", shown);

    let (world, file) = sqlite(PURGE);
    sessions(&file);
    let said = world.run(&["plan"]);
    assert!(!said.out.contains("compact"), "{}", said.out);
    let wrong = world.run(&["run", "--only", "compact"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert!(wrong.err.contains("[[policy.compact]]"), "{}", wrong.err);
}

#[test]
fn a_policy_says_what_is_compacted() {
    let (world, _file) = sqlite(&rule("max_mean_shift = 0.05"));
    let said = world.run(&["policy", "check"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let words = said.out.lines().find(|line| line.contains("tagente_datos"));
    insta::assert_snapshot!("compact_policy_check", words.unwrap());
}

#[test]
fn a_mean_says_beforehand_what_it_loses() {
    let (world, file) = sqlite(&rule("mode = \"mean\""));
    fill(&file);
    let said = world.run(&["plan"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("mean loses"), "{}", said.out);
    assert!(said.out.contains("apart on average"), "{}", said.out);
}

/// Runs both jobs through the binary, then compares rows and charts with the reference.
fn compacts_and_purges(world: &World, on: &dyn Database) {
    fill(on);
    sessions(on);
    let before = stored(on);
    let plan = world.run(&["plan", "--format", "json"]);
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    let run = world.run(&["run", "--format", "json"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{}", run.out);
    let events: Vec<Value> = run
        .out
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let names: Vec<&str> = events
        .iter()
        .map(|e| e["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "started",
            "table_started",
            "table_finished",
            "finished",
            "compaction_started",
            "tier_started",
            "tier_finished",
            "tier_started",
            "tier_finished",
            "compaction_finished"
        ]
    );
    assert_eq!(on.number("SELECT COUNT(*) FROM tsesion;"), 300);
    let removed: u64 = events
        .iter()
        .filter(|event| event["event"] == "tier_finished")
        .map(|event| event["sealed"]["removed"].as_u64().unwrap())
        .sum();
    let gone = assert_compacted(on, &before);
    assert_eq!(removed, gone, "the report tells the truth");
    assert!(gone > 1000, "{gone}");
    let estimate = &plan["compaction"]["tiers"][0]["estimate"];
    let kept = estimate["kept_share"].as_f64().unwrap();
    assert!(kept > 0.0 && kept < 1.0, "{kept}");

    let again = world.run(&["run"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.err.contains(" [COMPACT] run 4 on "), "{}", again.err);
    assert!(
        again.out.contains("everything old enough is compacted"),
        "{}",
        again.out
    );
    let status = world.run(&["status", "--format", "json"]);
    let status: Value = serde_json::from_str(&status.out).unwrap();
    let jobs: Vec<&Value> = status
        .as_array()
        .unwrap()
        .iter()
        .map(|s| &s["last"]["job"])
        .collect();
    assert_eq!(jobs, ["compact", "purge"]);
    let history = world.run(&["history", "--limit", "3"]);
    assert_eq!(history.out.matches(" purge ").count(), 1, "{}", history.out);
    assert_eq!(
        history.out.matches(" compact ").count(),
        2,
        "{}",
        history.out
    );
    let one = world.run(&["history", "2"]);
    assert!(
        one.out.contains("compact tagente_datos to 21600 s: done"),
        "{}",
        one.out
    );
}

#[test]
fn a_run_does_both_on_sqlite() {
    let (world, file) = sqlite(&format!("{PURGE}{}", rule("")));
    compacts_and_purges(&world, &file);
}

#[test]
fn a_run_does_both_on_mariadb() {
    let (world, database) = mariadb(&format!("{PURGE}{}", rule("")));
    compacts_and_purges(&world, &database);
}

#[test]
fn a_limit_is_of_both_jobs_together() {
    let (world, file) = sqlite(&format!("{PURGE}{}", rule("")));
    fill(&file);
    sessions(&file);
    let rows = || file.number("SELECT COUNT(*) FROM tagente_datos;");
    let before = rows();
    let early = world.run(&["run", "--max-rows", "500"]);
    assert_eq!(early.code, 7, "{early:?}");
    assert!(
        early
            .err
            .contains("compaction did not begin: the purge ended early"),
        "{}",
        early.err
    );
    assert_eq!(rows(), before);
    // 200 of the 700 are left to purge; a chunk of compaction is a whole bucket at least.
    let late = world.run(&["run", "--max-rows", "300"]);
    assert_eq!(late.code, 7, "{late:?}");
    assert_eq!(file.number("SELECT COUNT(*) FROM tsesion;"), 300);
    let gone = before - rows();
    assert!(gone > 0 && gone < 1000, "{gone}");
    assert_eq!(world.run(&["run"]).code, 0);
}

#[test]
fn neither_job_begins_if_one_is_refused() {
    let policy = format!(
        "{PURGE}{}",
        rule("").replace("datos\"\ntime", "nosuch\"\ntime")
    );
    let (world, file) = sqlite(&policy);
    fill(&file);
    sessions(&file);
    for verb in ["plan", "run"] {
        let said = world.run(&[verb]);
        assert_eq!(said.code, 3, "{said:?}");
        assert!(said.err.contains("no column nosuch"), "{}", said.err);
    }
    assert_eq!(file.number("SELECT COUNT(*) FROM tsesion;"), 1000);
    assert_eq!(world.run(&["run", "--only", "purge"]).code, 0);
    assert_eq!(file.number("SELECT COUNT(*) FROM tsesion;"), 300);
}
