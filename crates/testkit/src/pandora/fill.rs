//! The rows, as SQL that the server computes from sequences: the same for the same parameters.

use super::{Edition, Installation};

/// Rows of one statement, so that no transaction becomes huge.
const STEP: u64 = 250_000;

/// The statements that fill an empty database.
pub(super) fn script(of: &Installation) -> String {
    let mut text = format!(
        "SET time_zone = '{}', sql_log_bin = 0, foreign_key_checks = 0, unique_checks = 0, \
         sql_mode = 'STRICT_TRANS_TABLES,NO_UNSIGNED_SUBTRACTION';\nBEGIN;\n",
        of.zone
    );
    // The orphans need the checks off; the children of existing rows are right all the same.
    text.push_str(include_str!("fill/agents.sql"));
    text.push_str(include_str!("fill/series.sql"));
    for first in (1..=of.numeric).step_by(STEP as usize) {
        let last = (first + STEP - 1).min(of.numeric);
        text.push_str(
            &include_str!("fill/series_rows.sql")
                .replace("{first}", &first.to_string())
                .replace("{last}", &last.to_string()),
        );
        text.push_str("COMMIT; BEGIN;\n");
    }
    text.push_str(include_str!("fill/series_rest.sql"));
    text.push_str(include_str!("fill/events.sql"));
    text.push_str(include_str!("fill/system.sql"));
    if of.edition == Edition::Enterprise {
        text.push_str(include_str!("fill/enterprise.sql"));
    }
    for (token, value) in &of.tokens {
        text.push_str(&format!(
            "INSERT INTO tconfig (token, value) VALUES ('{token}', '{}');\n",
            value.replace('\'', "''")
        ));
    }
    text.push_str("COMMIT;\n");
    parameters(of).iter().fold(text, |text, (name, value)| {
        text.replace(name, &value.to_string())
    })
}

fn parameters(of: &Installation) -> [(&'static str, u64); 19] {
    let counts = [
        ("{agents}", of.agents),
        ("{modules}", of.modules),
        ("{dense}", of.dense),
        ("{numeric}", of.numeric),
        ("{numeric_days}", of.days.numeric),
        ("{strings}", of.strings),
        ("{string_days}", of.days.strings),
        ("{events}", of.events),
        ("{event_days}", of.days.events),
        ("{crowd}", of.crowd),
        ("{audit}", of.audit),
        ("{audit_days}", of.days.audit),
        ("{traps}", of.traps),
        ("{trap_days}", of.days.traps),
        ("{gis}", of.gis),
        ("{gis_days}", of.days.gis),
        ("{export}", of.export),
        ("{php_sessions}", of.php_sessions),
        ("{now}", of.now.as_second().unsigned_abs()),
    ];
    for (name, value) in counts {
        assert!(value > 0, "{name} of an installation must not be zero");
    }
    counts
}
