//! Housekeeping of a Pandora FMS installation: what it asks for, by its files, its database and
//! the operator.

mod doctor;
mod further;
mod history;
mod install;
mod locks;
mod moves;
mod plan;
mod rooted;
mod run;
mod selection;
mod show;
mod state;

use std::time::Duration;

use anyhow::Result;
use elpis_maint_core::housekeeping::{Group, Housekeeping, Task, Work};
use elpis_maint_core::{Policy, Retention, TableRule};
use elpis_mysql::{Error, Session, SessionSettings};
use elpis_pandora::{
    HistoryKeeps, HousekeepingSettings, Installation, NotMaster, PandoraSettings, check_master,
    locks, series_rule,
};
use jiff::Timestamp;

use crate::output::Printer;
use crate::settings::{Database, Pandora, Server, Settings};

pub(super) use doctor::doctor;
pub(crate) use history::HistoryPlan;
use history::OwnSettings;
pub(super) use install::{Options as InstallOptions, install};
pub(crate) use plan::PandoraPlans;
pub(super) use plan::plan;
pub(super) use rooted::Rooted;
pub(super) use run::{Options, run};
pub(super) use selection::Selection;
pub(crate) use selection::WrongPart;
pub(super) use show::show;

/// The longest that one question may take before a plan is made.
const QUESTION: Duration = Duration::from_secs(30);

/// What is wanted of an installation.
pub(super) struct Wanted {
    pub(super) installation: Installation,
    pub(super) settings: PandoraSettings,
    /// The tasks that were chosen.
    pub(super) housekeeping: Housekeeping,
    /// The rules of compaction, if it was chosen; no tables.
    pub(super) compaction: Policy,
    /// What the history database says of itself, if there is one.
    pub(super) history: Option<Result<OwnSettings>>,
}

/// The installation that `settings` name, and where its database is.
pub(super) fn named(settings: &Settings) -> Option<(&Pandora, &Server)> {
    match (&settings.pandora, &settings.database) {
        (Some(pandora), Database::MySql(server)) => Some((pandora, server)),
        _ => None,
    }
}

/// A session for questions. Its password and its lock are nobody else's.
pub(super) async fn session(server: &Server) -> Result<Session> {
    let mut options = server.connect_options(&mut Vec::new())?;
    options.database.clone_from(&server.name);
    let settings = SessionSettings {
        statement_timeout: QUESTION,
        ..SessionSettings::default()
    };
    Ok(Session::open(&options, &settings).await?)
}

/// Asks the database, and says what is odd.
pub(super) async fn ask(
    settings: &Settings,
    (pandora, server): (&Pandora, &Server),
    selection: &Selection,
    now: Timestamp,
    printer: Printer,
) -> Result<Wanted> {
    let mut session = session(server).await?;
    let installation = Installation::read(&mut session).await.map_err(Unknown)?;
    let installation = installation.with_overrides(&pandora.tokens);
    session.close().await?;
    let warnings = pandora.warnings.iter().cloned();
    let disagreements = pandora.disagreements.iter().map(ToString::to_string);
    let product = PandoraSettings::new(&installation.tokens, pandora.is_encrypted);
    let findings = product.findings.iter().map(ToString::to_string);
    for warning in warnings.chain(disagreements).chain(findings) {
        printer.say(&format!("warning: {warning}"));
    }
    let history = match &product.history {
        Ok(None) => None,
        Ok(Some(place)) => Some(OwnSettings::ask(pandora, place).await),
        Err(unusable) => Some(Err(unusable.clone().into())),
    };
    let history_keeps = match &history {
        None => HistoryKeeps::Nothing,
        Some(Ok(own)) => own.keeps(),
        Some(Err(error)) => HistoryKeeps::Unknown {
            why: format!("{error:#}"),
        },
    };
    let housekeeping = HousekeepingSettings {
        discovery_server: installation.discovery_server,
        history_keeps,
        max_share: pandora.max_share,
        ..product.housekeeping.clone()
    };
    let tasks = elpis_pandora::catalogue(&housekeeping, &pandora.zone, now);
    let tasks = with_own_rules(tasks, &settings.policy.tables);
    selection.check(tasks.iter().chain(&history::tasks()))?;
    let own = &settings.policy;
    let mut names = locks();
    names.extend(
        own.locks
            .iter()
            .filter(|name| !locks().contains(name))
            .cloned(),
    );
    let mut series = own.series.clone();
    if let Some(rule) = series_rule(product.compaction, &installation)
        && !series.iter().any(|own| own.table == rule.table)
    {
        series.insert(0, rule);
    }
    Ok(Wanted {
        housekeeping: chosen(settings, pandora, selection, names.clone(), tasks),
        compaction: Policy {
            locks: names,
            tables: Vec::new(),
            series: if selection.compact {
                series
            } else {
                Vec::new()
            },
            ..own.clone()
        },
        installation,
        settings: product,
        history,
    })
}

/// Those of `tasks` that are meant, on the operator's terms.
fn chosen(
    settings: &Settings,
    pandora: &Pandora,
    selection: &Selection,
    locks: Vec<String>,
    tasks: Vec<Task>,
) -> Housekeeping {
    let own = &settings.policy;
    let meant = tasks.into_iter().filter(|task| selection.takes(task));
    Housekeeping {
        locks,
        max_clock_skew: own.max_clock_skew,
        allow_replica: own.allow_replica,
        throttle: own.throttle.clone(),
        max_orphan_share: pandora.max_orphan_share,
        tasks: meant.collect(),
    }
}

/// The operator's own rules: instead of the product's for the same table, else after them.
fn with_own_rules(mut tasks: Vec<Task>, own: &[TableRule]) -> Vec<Task> {
    for rule in own {
        let mut same = tasks.iter_mut().filter_map(|task| {
            let mut works = task.work.iter_mut();
            let known = works.find_map(|work| match work {
                Work::Retention(known) if known.name == rule.name => Some(known),
                _ => None,
            });
            Some((&mut task.title, known?))
        });
        match same.next() {
            Some((title, known)) => {
                *title = own_title(title, rule.keep);
                *known = rule.clone();
            }
            None => tasks.push(Task {
                id: format!("table_{}", rule.name),
                group: Group::Purge,
                title: format!("Deleting old rows of {} (policy).", rule.name),
                work: vec![Work::Retention(rule.clone())],
            }),
        }
    }
    tasks
}

/// The title of one of the product's tasks that works by the operator's own rule: with what that
/// keeps in place of what the product's setting would.
fn own_title(title: &str, keep: Retention) -> String {
    let what = title.split(" (More than").next().unwrap_or(title);
    let what = what.trim_end_matches('.');
    match keep {
        Retention::Days(days) => format!("{what} (More than {days} days, by [[policy.table]])."),
        Retention::Rows(rows) => {
            format!("{what} (All but the newest {rows} rows, by [[policy.table]]).")
        }
    }
}

/// Whether this host's server is the one that maintains the database.
pub(super) fn master(wanted: &Wanted, pandora: &Pandora) -> Result<(), NotMaster> {
    check_master(&pandora.server_name, wanted.installation.master.as_deref())
}

/// The database did not answer as one of this product does.
#[derive(Debug)]
pub(crate) struct Unknown(pub(crate) Error);

impl std::fmt::Display for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the database does not look like one of Pandora FMS")
    }
}

impl std::error::Error for Unknown {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
