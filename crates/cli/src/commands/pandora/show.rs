//! `policy show`: every setting with its value and where it comes from.

use anyhow::Result;
use elpis_maint_core::ThrottleRules;
use elpis_pandora::{HistoryRetention, HistorySettings, Origin, Password, Setting, Tokens};
use elpis_run::{Clock, RealClock};
use serde::Serialize;

use super::{Selection, ask, named, session};
use crate::exit::{Code, Verdict};
use crate::output::{self, Printer};
use crate::settings::{ConfigError, Pandora, Server, Settings};

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
        let wanted = ask(settings, (pandora, server), &all, now, printer).await?;
        shown.tokens.clone_from(&wanted.settings.listing);
        if let Some(history) = &wanted.settings.history {
            match history_tokens(history, pandora).await {
                Ok(listing) => shown.history = listing,
                Err(error) => printer.say(&format!(
                    "warning: no look at the history database: {error:#}"
                )),
            }
        }
        let tasks = wanted.housekeeping.tasks.iter().map(|task| ShownTask {
            id: task.id.clone(),
            group: task.group.to_string(),
            title: task.title.clone(),
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
        let lines = shown
            .tasks
            .iter()
            .map(|task| format!("  {} [{}] {}", task.id, task.group, task.title));
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
    listing
}

/// The history database's own tokens.
async fn history_tokens(history: &HistorySettings, pandora: &Pandora) -> Result<Vec<Setting>> {
    let server = history_server(history, pandora)?;
    let mut session = session(&server).await?;
    let tokens = Tokens::read(&mut session).await?;
    session.close().await?;
    let (_, listing, _) = HistoryRetention::new(&tokens);
    Ok(listing)
}

/// How to reach the history database.
pub(super) fn history_server(
    history: &HistorySettings,
    pandora: &Pandora,
) -> Result<Server, ConfigError> {
    let password = match (&history.password, &pandora.history_password_file) {
        (_, Some(_)) => None,
        (Password::Plain(password), None) => password.clone(),
        (Password::Encrypted, None) => {
            return Err(ConfigError::Encrypted {
                conf: pandora.conf.clone(),
            });
        }
    };
    let socket = history
        .host
        .starts_with('/')
        .then(|| history.host.clone().into());
    Ok(Server {
        name: Some(history.name.clone()),
        host: socket.is_none().then(|| history.host.clone()),
        port: Some(history.port),
        socket,
        user: Some(history.user.clone()),
        password,
        password_file: pandora.history_password_file.clone(),
        ..Server::default()
    })
}
