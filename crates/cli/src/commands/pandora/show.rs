//! `policy show`: every setting with its value and where it comes from.

use anyhow::Result;
use elpis_maint_core::housekeeping::{Task, Work};
use elpis_maint_core::{Retention, TableRule, ThrottleRules};
use elpis_pandora::{Origin, Setting};
use elpis_run::{Clock, RealClock};
use serde::Serialize;

use super::{Selection, ask, moves, named};
use crate::exit::{Code, Verdict};
use crate::output::{self, Printer};
use crate::settings::Settings;

/// What takes effect.
#[derive(Debug, Serialize)]
struct Effective {
    /// Of the product's files and of ours.
    files: Vec<Setting>,
    /// Of the product's database.
    tokens: Vec<Setting>,
    /// Of the history database's own.
    history: Vec<Setting>,
    /// How a run shares the server.
    elpis: Vec<Setting>,
    /// The tasks of a run, in their order.
    tasks: Vec<ShownTask>,
    /// The rules of compaction, in words.
    compaction: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ShownTask {
    id: String,
    group: String,
    title: String,
    /// Why it does nothing, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<String>,
}

pub(crate) async fn show(
    settings: &Settings,
    effective: bool,
    printer: Printer,
) -> Result<Verdict> {
    let Some((pandora, server)) = named(settings) else {
        return Ok(Verdict::new(
            Code::Usage,
            "there is no configuration of a Pandora FMS server to show",
            "name it with --pandora FILE; `elpis-maint policy check` says what a configuration of \
             Elpis asks for",
        ));
    };
    let mut shown = Effective {
        files: pandora.settings.clone(),
        tokens: Vec::new(),
        history: Vec::new(),
        elpis: elpis(settings),
        tasks: Vec::new(),
        compaction: Vec::new(),
    };
    if effective {
        let now = RealClock::new().now();
        let all = Selection::all();
        let mut wanted = ask(settings, (pandora, server), &all, now, printer).await?;
        // Said among the findings.
        let is_unusable = moves::unusable(&mut wanted, &all).is_some();
        shown.tokens.clone_from(&wanted.settings.listing);
        under_own_rules(&mut shown.tokens, &settings.policy.tables);
        match &wanted.history {
            None => {}
            Some(Ok(own)) => {
                for finding in &own.findings {
                    printer.say(&format!("warning: the history database: {finding}"));
                }
                shown.history.clone_from(&own.listing);
            }
            Some(Err(_)) if is_unusable => {}
            Some(Err(error)) => printer.say(&format!(
                "warning: no look at the history database: {error:#}"
            )),
        }
        let tasks = wanted.housekeeping.tasks.iter().map(|task| ShownTask {
            id: task.id.clone(),
            group: task.group.to_string(),
            title: task.title.clone(),
            skipped: skipped(task),
        });
        shown.tasks = tasks.collect();
        let rules = wanted.compaction.series.iter();
        shown.compaction = rules.map(crate::commands::policy::series).collect();
    }
    if printer.json {
        printer.document(&shown)?;
    } else {
        printer.data(&words(&shown))?;
    }
    Ok(Verdict::silent(Code::Done))
}

fn words(shown: &Effective) -> String {
    let mut parts = Vec::new();
    for (title, settings) in [
        ("files", &shown.files),
        ("tconfig", &shown.tokens),
        ("tconfig of the history database", &shown.history),
        ("Elpis", &shown.elpis),
    ] {
        if !settings.is_empty() {
            parts.push(output::settings(title, settings));
        }
    }
    if !shown.tasks.is_empty() {
        let lines = shown.tasks.iter().map(|task| {
            let why = task.skipped.iter().map(|why| format!(" - not done: {why}"));
            let why: String = why.collect();
            format!("  {} [{}] {}{why}", task.id, task.group, task.title)
        });
        let lines: Vec<String> = lines.collect();
        parts.push(format!("tasks, in their order:\n{}", lines.join("\n")));
        let compaction = match shown.compaction.is_empty() {
            true => "  compaction is off".to_owned(),
            false => shown.compaction.join("\n"),
        };
        parts.push(format!("then:\n{compaction}"));
    }
    parts.join("\n\n")
}

/// Why a task does nothing, if it has nothing else to say.
fn skipped(task: &Task) -> Option<String> {
    let whys = task.work.iter().map(|work| match work {
        Work::Skip { why } => Some(why.as_str()),
        _ => None,
    });
    let whys: Option<Vec<&str>> = whys.collect();
    whys.filter(|whys| !whys.is_empty())
        .map(|whys| whys.join("; "))
}

/// Tokens that say how long one table is kept, and nothing else.
const OF_ONE_TABLE: [(&str, &str); 7] = [
    ("string_purge", "tagente_datos_string"),
    ("event_purge", "tevento"),
    ("trap_purge", "ttrap"),
    ("gis_purge", "tgis_data_history"),
    ("inventory_purge", "tagente_datos_inventory"),
    ("delete_old_messages", "tmensajes"),
    ("num_past_special_days", "talert_special_days"),
];
/// Those that are about more.
const OF_SEVERAL: [(&str, &[&str]); 2] = [
    (
        "days_purge",
        &[
            "tagente_datos",
            "tserver_export_data",
            "tagente_datos_log4x",
            "tpolicy_queue",
            "tncm_agent_data",
            "tplanned_downtime",
        ],
    ),
    ("audit_purge", &["tsesion"]),
];

/// Where the operator's own rules go before the product's settings, these say so.
fn under_own_rules(listing: &mut [Setting], own: &[TableRule]) {
    for setting in listing {
        let token = setting.token.as_str();
        let of_one = OF_ONE_TABLE.iter().find(|(known, _)| *known == token);
        let table = of_one.map(|(_, table)| *table);
        if let Some(rule) = own.iter().find(|rule| Some(rule.name.as_str()) == table) {
            let (value, unit) = kept(rule.keep);
            setting.value = Some(value);
            setting.unit = unit;
            setting.origin = Origin::Override;
            setting.meaning = "keep rows, by a [[policy.table]] of the configuration";
        }
        let mut of_several = OF_SEVERAL.iter().filter(|(known, _)| *known == token);
        let is_named = |table: &&str| own.iter().any(|rule| rule.name == *table);
        if of_several.any(|(_, tables)| tables.iter().any(is_named)) {
            setting.meaning = "keep what it is about, except the tables with a [[policy.table]], \
                               which are listed under Elpis";
        }
    }
}

fn kept(keep: Retention) -> (String, &'static str) {
    match keep {
        Retention::Days(days) => (days.to_string(), "days"),
        Retention::Rows(rows) => (rows.to_string(), "rows"),
    }
}

/// How a run shares the server: set by us alone, so what is not the default was written.
fn elpis(settings: &Settings) -> Vec<Setting> {
    let (own, usual) = (&settings.policy.throttle, ThrottleRules::default());
    let optional = |value: Option<u64>| value.map(|value| value.to_string());
    let setting = |token: &str, value: Option<String>, default, unit, meaning| Setting {
        token: token.to_owned(),
        origin: if value == default {
            Origin::Default
        } else {
            Origin::Override
        },
        value,
        unit,
        meaning,
    };
    let all = |rules: &ThrottleRules| {
        [
            Some((rules.target.as_micros() as f64 / 1000.0).to_string()),
            Some(rules.min_rows.to_string()),
            Some(rules.max_rows.to_string()),
            Some(rules.duty.to_string()),
            optional(rules.max_threads_running.map(u64::from)),
            optional(rules.critical_threads_running.map(u64::from)),
            optional(rules.max_history_list),
            Some(rules.max_replica_lag.as_secs_f64().to_string()),
        ]
    };
    let names = [
        ("throttle.target_ms", "ms", "how long one chunk should take"),
        ("throttle.min_rows", "rows", "the smallest chunk"),
        ("throttle.max_rows", "rows", "the largest chunk"),
        ("throttle.duty", "", "share of the time spent deleting"),
        (
            "throttle.max_threads_running",
            "",
            "wait while more statements run",
        ),
        (
            "throttle.critical_threads_running",
            "",
            "stop when more statements run",
        ),
        (
            "throttle.max_history_list",
            "",
            "wait while InnoDB's history list is longer",
        ),
        (
            "throttle.max_replica_lag_s",
            "seconds",
            "wait while a replica lags more",
        ),
    ];
    let values = all(own).into_iter().zip(all(&usual));
    let throttle = names.into_iter().zip(values);
    let mut listing: Vec<Setting> = throttle
        .map(|((name, unit, meaning), (value, default))| {
            setting(name, value, default, unit, meaning)
        })
        .collect();
    let share = settings
        .pandora
        .as_ref()
        .and_then(|pandora| pandora.max_share);
    let share = share.map(|share| share.to_string());
    listing.push(setting(
        "max_share",
        share,
        None,
        "",
        "the most of a table that one run may delete; of orphans 0.5 if it is not set",
    ));
    let skew = settings.policy.max_clock_skew.as_secs().to_string();
    let usual = Some("30".to_owned());
    listing.push(setting(
        "max_clock_skew_s",
        Some(skew),
        usual,
        "seconds",
        "refuse if the clocks differ more",
    ));
    let replica = settings.policy.allow_replica.then(|| "yes".to_owned());
    listing.push(setting(
        "allow_replica",
        replica,
        None,
        "",
        "work on a server that is itself a replica",
    ));
    let file = settings.config.as_ref();
    let file = file.map(|file| file.display().to_string());
    let meaning = "the configuration of Elpis that was read";
    listing.push(setting("config", file, None, "", meaning));
    listing.extend(settings.policy.tables.iter().map(|rule| {
        let (value, unit) = kept(rule.keep);
        let token = format!("policy.table {}", rule.name);
        let meaning = "keep rows of this table, whatever tconfig says";
        setting(&token, Some(value), None, unit, meaning)
    }));
    listing
}
