//! The whole maintenance at once, and what a plan says of it.

use elpis_testkit::Database;
use jiff::Timestamp;

use super::{Site, json};

/// Everything at once, the way the hourly job does it: every task in the manual's order, in the
/// manual's style, and the console is told.
#[test]
fn one_command_does_the_whole_maintenance() {
    let site = Site::with(&[("days_compact", "20")]);
    let begun = Timestamp::now().as_second();
    let sessions = "SELECT COUNT(*) FROM tsesion;";
    let before = site.number(sessions);
    let said = site.run(&["run", "--no-throttle"]);
    assert_eq!(said.code, 0, "{said:?}");
    // The summary: each task with its rows and time, and all of them together.
    let summary: Vec<Vec<&str>> = said
        .out
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let audit = summary.iter().find(|row| row.first() == Some(&"audit"));
    let [_, group, rows, time, unit, ..] = audit.unwrap()[..] else {
        panic!("{audit:?}")
    };
    let gone = rows.replace(',', "").parse::<u64>().unwrap();
    assert_eq!((group, gone), ("PURGE", before - site.number(sessions)));
    assert!(
        time.parse::<f64>().is_ok() && ["ms", "s"].contains(&unit),
        "{audit:?}"
    );
    // Rows, bytes, time: of the run, and the bytes of a task.
    let sum = said.out.lines().find(|line| line.starts_with("run "));
    let sum = sum.expect("a sum");
    assert!(
        sum.contains(" rows (old ones ~") && sum.contains("B) in "),
        "{sum}"
    );
    let events = said.out.lines().find(|line| line.starts_with("events "));
    let events = events.expect("a line on events");
    assert!(
        events.contains(" of tevento (~") && events.contains("B)"),
        "{events}"
    );
    let lines: Vec<&str> = said.err.lines().collect();
    let place = |text: &str| {
        let found = lines.iter().position(|line| line.contains(text));
        found.unwrap_or_else(|| panic!("{text:?} is missing: {}", said.err))
    };
    let order = [
        "Starting at 20",
        "[PURGE] ",
        "tsessions_php",
        "[CHECKDB] ",
        "[INTEGRITY] ",
        "[COMPACT] tagente_datos",
        "Ending at 20",
    ];
    let places: Vec<usize> = order.iter().map(|text| place(text)).collect();
    assert!(places.is_sorted(), "{places:?}: {}", said.err);
    // Fault 18 of the incumbent: nothing of a programmer's is among them.
    for line in &lines {
        let frame = ["Starting at 20", "Ending at 20", "warning: "];
        let meant =
            frame.iter().any(|begin| line.starts_with(begin)) || is_in_the_manuals_style(line);
        assert!(meant, "{line:?}");
    }
    assert_eq!(
        site.number("SELECT COUNT(*) FROM tagente_modulo WHERE delete_pending = 1;"),
        0
    );
    let [last] = site.last_run()[..] else {
        panic!("{:?}", site.last_run());
    };
    assert!(last as i64 >= begun, "{last}");

    // Nothing is due any more but what a few seconds have made so.
    let again = site.run(&["run", "--no-throttle", "--format", "json"]);
    assert_eq!(again.code, 0, "{again:?}");
    let finished = again.out.lines().map(json);
    let finished = finished.filter(|event| event["event"] == "task_finished");
    let mut tasks = 0;
    for task in finished {
        tasks += 1;
        for part in task["parts"].as_array().unwrap() {
            let changed = part["deleted"]
                .as_u64()
                .or(part["changed"].as_u64())
                .unwrap_or(0);
            assert!(changed < 50, "{task}");
        }
    }
    assert!(tasks > 30, "{tasks} tasks");
    let compacted = again.out.lines().map(json);
    let mut compacted = compacted.filter(|event| event["event"] == "compaction_finished");
    assert_eq!(compacted.next().unwrap()["ended"]["how"], "done");
    assert_eq!(site.last_run().len(), 1);

    let status = json(&site.run(&["status", "--format", "json"]).out);
    let jobs: Vec<&str> = status
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["last"]["job"].as_str().unwrap())
        .collect();
    assert!(
        jobs.contains(&"housekeeping") && jobs.contains(&"compact"),
        "{jobs:?}"
    );
}

/// `12:40:55 [PURGE] …`
fn is_in_the_manuals_style(line: &str) -> bool {
    let (clock, rest) = line.split_at_checked(9).unwrap_or_default();
    let mut clock = clock.bytes().enumerate();
    let is_time = clock.all(|(i, byte)| match i {
        2 | 5 => byte == b':',
        8 => byte == b' ',
        _ => byte.is_ascii_digit(),
    });
    let groups = [
        "PURGE",
        "CHECKDB",
        "INTEGRITY",
        "HISTORYDB",
        "ENTERPRISE",
        "COMPACT",
        "ELPIS",
    ];
    let tag = rest
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "));
    is_time && tag.is_some_and(|(tag, said)| groups.contains(&tag) && !said.trim().is_empty())
}

/// Only series of levels and rates get smaller, only where they are old enough, and none that a
/// report on service levels names.
#[test]
fn compaction_heeds_types_ages_and_reports() {
    let site = Site::with(&[("days_compact", "20"), ("step_compact", "6")]);
    // The run compacts up to a moment that comes a little later.
    let border = site.number("SELECT UNIX_TIMESTAMP() - 20 * 86400 + 3600;");
    let named = "SELECT id_agent_module FROM treport_content_sla_combined \
                 UNION SELECT id_agent_module_failover FROM treport_content_sla_combined";
    let kept = format!(
        "m.id_agente_modulo IS NULL OR m.id_tipo_modulo NOT IN (1, 4, 7, 8, 11, 15, 16, 30, 32, 34, 37) \
         OR m.history_data = 0 OR d.id_agente_modulo IN ({named}) \
         OR d.utimestamp >= {border}"
    );
    let sum = format!(
        "SELECT COUNT(*), SUM(CRC32(CONCAT_WS(',', d.id_agente_modulo, d.datos, d.utimestamp))) \
         FROM tagente_datos d LEFT JOIN tagente_modulo m ON m.id_agente_modulo = d.id_agente_modulo \
         WHERE {kept};"
    );
    let (before, all) = (
        site.db.sql(&sum),
        site.number("SELECT COUNT(*) FROM tagente_datos;"),
    );
    let said = site.run(&["run", "--no-throttle", "--only", "compact"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        site.number("SELECT COUNT(*) FROM tagente_datos;") < all,
        "{said:?}"
    );
    assert_eq!(site.db.sql(&sum), before);
    // Half a run is no run for the console.
    assert_eq!(site.last_run(), [1]);
}

#[test]
fn a_plan_counts_changes_nothing_and_lists_what_it_skips() {
    let site = Site::with(&[("event_purge", "0")]);
    let tables = ["tevento", "tagente_modulo", "tagente_datos", "tconfig"];
    let sums = || tables.map(|table| site.db.checksum(table));
    let before = sums();
    let said = site.run(&["plan", "--format", "json", "--exact"]);
    assert_eq!(said.code, 0, "{said:?}");
    let plan = json(&said.out);
    let tasks = plan["tasks"].as_array().unwrap();
    let events = tasks.iter().find(|task| task["id"] == "events").unwrap();
    assert!(events["parts"].to_string().contains("skipped"), "{events}");
    assert_eq!(sums(), before);
    let human = site.run(&["plan", "--only", "events,integrity"]);
    assert!(
        human.out.contains("events") && human.out.contains("INTEGRITY"),
        "{}",
        human.out
    );
    assert!(!human.out.contains("CHECKDB"), "{}", human.out);
}
