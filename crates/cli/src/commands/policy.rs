//! `policy check`: the policy in words.

use anyhow::Result;
use elpis_maint_core::{Kind, Kinds, Mode, Retention, SeriesRule, TableRule};

use crate::exit::{Code, Verdict};
use crate::output::{Printer, number};
use crate::settings::{Database, Settings};

/// Says what the configuration asks for. That it could be read is most of the check.
pub(crate) fn check(settings: &Settings, printer: Printer) -> Result<Verdict> {
    if let Database::MySql(server) = &settings.database {
        // The files it names are part of the configuration; what they hold is not shown.
        for server in std::iter::once(server).chain(&settings.replicas) {
            let mut warnings = Vec::new();
            server.connect_options(&mut warnings)?;
            for warning in warnings {
                printer.say(&format!("warning: {warning}"));
            }
        }
    }
    printer.data(&words(settings))?;
    Ok(Verdict::silent(Code::Done))
}

fn words(settings: &Settings) -> String {
    let product = settings.pandora.iter().map(|pandora| &pandora.conf);
    let files = settings.config.iter().chain(product);
    let files: Vec<String> = files.map(|file| file.display().to_string()).collect();
    let be = if files.len() > 1 { "are" } else { "is" };
    let mut lines = vec![format!("{} {be} valid.", files.join(" and "))];
    let database = match &settings.database {
        Database::Sqlite(path) => format!("the SQLite file {}", path.display()),
        Database::MySql(server) => {
            let name = server.name.as_deref().unwrap_or_default();
            format!("the database {name} on a MySQL or MariaDB server")
        }
    };
    lines.push(format!("It keeps {database} in order:"));
    lines.extend(settings.policy.tables.iter().map(table));
    lines.extend(settings.policy.series.iter().map(series));
    let throttle = &settings.policy.throttle;
    lines.push(format!(
        "A run works in chunks of about {} ms ({} to {} rows), at work {:.0} % of the time.",
        throttle.target.as_millis(),
        number(throttle.min_rows),
        number(throttle.max_rows),
        throttle.duty * 100.0,
    ));
    if !settings.replicas.is_empty() {
        let names: Vec<&str> = settings
            .replicas
            .iter()
            .filter_map(|replica| replica.name.as_deref())
            .collect();
        lines.push(format!(
            "It waits while one of its replicas ({}) is more than {:.1} s behind.",
            names.join(", "),
            throttle.max_replica_lag.as_secs_f64()
        ));
    }
    let state = &settings.state;
    lines.push(format!(
        "Runs are remembered for {} days in {}.",
        state.keep_days,
        state.directory.display()
    ));
    lines.join("\n")
}

fn table(rule: &TableRule) -> String {
    let keep = match rule.keep {
        Retention::Days(1) => "younger than 1 day".to_owned(),
        Retention::Days(days) => format!("younger than {days} days"),
        Retention::Rows(rows) => format!("among the newest {}", number(rows)),
    };
    let (name, column, unit) = (&rule.name, &rule.time_column, rule.unit.name());
    let mut text = format!("  {name}: keeps rows {keep}, by {column} ({unit})");
    let mut conditions: Vec<String> = rule.filters.iter().map(ToString::to_string).collect();
    conditions.extend(rule.where_sql.clone());
    if !conditions.is_empty() {
        text.push_str(&format!(
            "; deletes only where {}",
            conditions.join(" and ")
        ));
    }
    if !rule.after.is_empty() {
        text.push_str(&format!("; after {}", rule.after.join(", ")));
    }
    text.push_str(&format!(
        "; at most {:.0} % of the table a run.",
        rule.max_share * 100.0
    ));
    text
}

pub(crate) fn series(rule: &SeriesRule) -> String {
    let (table, series, time) = (&rule.table, &rule.series_column, &rule.time_column);
    let kinds = match &rule.kinds {
        Kinds::All(kind) => format!("all series ({})", word(*kind)),
        Kinds::Listed(list) => format!("{} listed series", list.len()),
        Kinds::Lookup {
            table,
            key,
            column,
            types,
            except,
        } => {
            let types: Vec<String> = types
                .iter()
                .map(|(id, kind)| format!("{id} {}", word(*kind)))
                .collect();
            let mut text = format!(
                "the series that {table} knows by {key} with {column} {}",
                types.join(", ")
            );
            for except in except {
                let filters: Vec<String> = except
                    .filters
                    .iter()
                    .map(|f| format!(" where {f}"))
                    .collect();
                let (table, column) = (&except.table, &except.column);
                text.push_str(&format!(
                    " (not those in {column} of {table}{})",
                    filters.concat()
                ));
            }
            text
        }
    };
    let tiers: Vec<String> = rule
        .tiers
        .iter()
        .map(|tier| {
            let (days, hours) = (tier.older_than_days, tier.bucket_hours);
            format!("older than {days} days into buckets of {hours} h")
        })
        .collect();
    let keep = match (rule.mode, rule.max_mean_shift) {
        (Mode::Mean, _) => "one row with the mean (of deltas, the sum)".to_owned(),
        (Mode::Envelope, None) => "the first, lowest, highest and last real row".to_owned(),
        (Mode::Envelope, Some(shift)) => format!(
            "the first, lowest, highest and last real row, and more until the mean moves by at \
             most {} % of the range",
            shift * 100.0
        ),
    };
    let rollup = if rule.rollup {
        "; a side table remembers sums and weights"
    } else {
        ""
    };
    format!(
        "  {table}: compacts {kinds} by {series} and {time} ({}), {}; keeps {keep}{rollup}.",
        rule.unit.name(),
        tiers.join(", ")
    )
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Gauge => "gauge",
        Kind::Rate => "rate",
        Kind::Delta => "delta",
    }
}
