//! What moves to the history database, by the tokens of the active one.

use std::time::Duration;

use elpis_maint_core::TimeUnit;
use elpis_maint_core::moves::{MoveChild, MoveRule, Steps};
use jiff::tz::TimeZone;

use crate::tokens::HistorySettings;

/// The tables whose old rows move, in the manual's order, each under the name of its task.
///
/// What the product is not known to move (increments, log4x, inventory) stays. `zone` is the zone
/// in which the product writes its DATETIME columns.
pub fn move_rules(settings: &HistorySettings, zone: &TimeZone) -> Vec<MoveRule> {
    let epoch = || TimeUnit::EpochSeconds;
    let series = Some("id_agente_modulo");
    let rule = |id: &str, what: &str, days: Option<u32>, (table, column, unit), split| {
        let days = days.filter(|days| *days > 0)?;
        let split: Option<&str> = split;
        Some(MoveRule {
            id: id.to_owned(),
            title: format!("Moving {what} older than {days} days to the history DB..."),
            table: str::to_owned(table),
            time_column: str::to_owned(column),
            unit,
            days,
            split: split.map(str::to_owned),
            children: children(table),
        })
    };
    let data = ("tagente_datos", "utimestamp", epoch());
    let strings = ("tagente_datos_string", "utimestamp", epoch());
    let events = ("tevento", "utimestamp", epoch());
    let traps = ("ttrap", "timestamp", TimeUnit::Datetime(zone.clone()));
    let rules = [
        rule("history_data", "data", settings.days, data, series),
        rule(
            "history_data",
            "string data",
            settings.string_days,
            strings,
            series,
        ),
        rule(
            "history_events",
            "events",
            settings.event_days,
            events,
            None,
        ),
        rule(
            "history_events",
            "SNMP traps",
            settings.trap_days,
            traps,
            None,
        ),
    ];
    rules.into_iter().flatten().collect()
}

/// What belongs to the rows of `table`; by foreign keys, where an installation has them all.
fn children(table: &str) -> Vec<MoveChild> {
    let of_events = [
        ("tevent_extended", "id_evento"),
        ("tevent_comment", "id_event"),
    ];
    let known: &[(&str, &str)] = match table {
        "tevento" => &of_events,
        _ => &[],
    };
    let child = |(table, column): &(&str, &str)| MoveChild {
        table: (*table).to_owned(),
        column: (*column).to_owned(),
        parent_column: "id_evento".to_owned(),
    };
    known.iter().map(child).collect()
}

/// How the operator wants the steps: at most so many rows (`history_db_step`), and a rest of so many
/// seconds after as many (`history_db_delay`).
pub fn move_steps(settings: &HistorySettings) -> Steps {
    Steps {
        rows: settings.step.filter(|rows| *rows > 0),
        pause: Duration::from_secs(settings.delay_s.unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Password;

    #[test]
    fn each_token_moves_its_table() {
        let settings = HistorySettings {
            host: "h".to_owned(),
            port: 3306,
            name: "h".to_owned(),
            user: "h".to_owned(),
            password: Password::Plain(None),
            days: Some(5),
            string_days: None,
            step: Some(10_000),
            delay_s: Some(1),
            event_days: Some(7),
            trap_days: Some(9),
        };
        let rules = move_rules(&settings, &TimeZone::UTC);
        let short: Vec<_> = rules
            .iter()
            .map(|rule| (rule.id.as_str(), rule.table.as_str(), rule.days))
            .collect();
        assert_eq!(
            short,
            [
                ("history_data", "tagente_datos", 5),
                ("history_events", "tevento", 7),
                ("history_events", "ttrap", 9),
            ]
        );
        // As the manual prints it.
        assert_eq!(
            rules[0].title,
            "Moving data older than 5 days to the history DB..."
        );
        let steps = move_steps(&settings);
        assert_eq!(
            (steps.rows, steps.pause),
            (Some(10_000), Duration::from_secs(1))
        );
        let none = HistorySettings {
            days: None,
            event_days: None,
            trap_days: Some(0),
            step: Some(0),
            delay_s: None,
            ..settings
        };
        assert!(move_rules(&none, &TimeZone::UTC).is_empty());
        assert_eq!(move_steps(&none), Steps::default());
    }
}
