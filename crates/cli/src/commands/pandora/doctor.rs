//! `doctor`: what keeps the maintenance of an installation from doing its work.

use std::path::Path;

use anyhow::Result;
use elpis_maint_core::MySqlStore;
use elpis_maint_core::moves::pending_moves;
use elpis_mysql::{Params, Session};
use elpis_pandora::{
    Check, DatabaseFacts, Disk, HistorySettings, Origin, Schedule, SchemaVersion, State, Subject,
    TokenFinding, below, history_locks, judge_database, judge_history_schema, judge_moves,
    judge_schedule, scheduled, shell_word,
};
use elpis_run::{Clock, RealClock, fsx};
use serde::Serialize;

use super::further::further_servers;
use super::history::history_server;
use super::rooted::Rooted;
use super::state::judge_state;
use super::{Selection, Wanted, ask, master, named, session};
use crate::exit::{Code, Verdict};
use crate::output::{self, Printer};
use crate::settings::{Pandora, Server, Settings};

#[derive(Debug, Serialize)]
struct Report {
    checks: Vec<Check>,
}

/// Looks at everything that can be looked at, whatever else is wrong.
pub(crate) async fn doctor(rooted: &Rooted, printer: Printer) -> Result<Verdict> {
    let (root, settings) = (rooted.root(), rooted.load());
    let arguments = match &settings {
        Ok(settings) => settings.arguments(),
        Err(_) => rooted.arguments(),
    };
    let conf = match &settings {
        Ok(settings) => named(settings).map(|(pandora, _)| pandora.conf.as_path()),
        Err(_) => rooted.conf(),
    };
    let conf = conf.map(|conf| rooted.resolved(conf));
    let subject = Subject {
        root,
        conf: conf.as_deref(),
        arguments: &rooted.with_root(&arguments),
    };
    let schedule = scheduled(root);
    let mut checks = judge_schedule(&schedule, &subject);
    match settings {
        Err((error, hint)) => checks.push(Check::problem("config", error.to_string(), hint)),
        Ok(settings) => match named(&settings) {
            Some((pandora, server)) => {
                checks.extend(files(pandora, &schedule, root));
                checks.push(judge_state(&settings.state, root));
                checks.extend(database(&settings, (pandora, server), root, printer).await);
            }
            None => {
                let message = "there is no configuration of a Pandora FMS server to look at";
                let hint = "name it with --pandora FILE";
                return Ok(Verdict::new(Code::Usage, message, hint));
            }
        },
    }
    for check in &mut checks {
        check.remedy = check.remedy.take().map(|remedy| rooted.placed(remedy));
    }
    let is_well = checks.iter().all(|check| check.state == State::Ok);
    if printer.json {
        printer.document(&Report { checks })?;
    } else {
        printer.data(&output::checks(&checks))?;
    }
    Ok(Verdict::silent(if is_well {
        Code::Done
    } else {
        Code::Partial
    }))
}

/// The product's files.
fn files(pandora: &Pandora, schedule: &Schedule, root: &Path) -> Vec<Check> {
    let conf = pandora.conf.display();
    let mut checks = vec![Check::ok("config", format!("{conf} can be read"))];
    let file = shell_word(&below(root, &pandora.conf));
    checks.extend(pandora.warnings.iter().map(|warning| {
        Check::warning("config.mode", warning.clone(), format!("chmod o-r {file}"))
    }));
    checks.extend(pandora.disagreements.iter().map(|found| {
        let remedy = format!("write that line of {conf} the way both read");
        Check::warning("config.readers", found.to_string(), remedy)
    }));
    checks.extend(further_servers(pandora, &schedule.jobs, root));
    checks
}

/// The database; what cannot be asked is a finding.
async fn database(
    settings: &Settings,
    (pandora, server): (&Pandora, &Server),
    root: &Path,
    printer: Printer,
) -> Vec<Check> {
    let quiet = Printer {
        quiet: true,
        ..printer
    };
    let (now, arguments) = (RealClock::new().now(), settings.arguments());
    let wanted = ask(settings, (pandora, server), &Selection::all(), now, quiet).await;
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(error) => return vec![unreachable(&error)],
    };
    let findings = wanted.settings.findings.iter();
    let mut checks: Vec<Check> = findings
        .filter(|found| !matches!(found, TokenFinding::UnusableHistory(_)))
        .map(|found| {
            let remedy = setting(found, settings, root);
            Check::warning("settings", found.to_string(), remedy)
        })
        .collect();
    checks.push(match master(&wanted, pandora) {
        Ok(()) => Check::ok(
            "master",
            format!("{} is the master server", pandora.server_name),
        ),
        Err(error) => Check::warning(
            "master",
            error.to_string(),
            "let the job run on the master's host; --force does it here all the same",
        ),
    });
    match gather(&wanted, server, root).await {
        Ok(facts) => {
            let max_skew = wanted.housekeeping.max_clock_skew;
            checks.extend(judge_database(&facts, now, max_skew, &arguments));
        }
        Err(error) => checks.push(unreachable(&error)),
    }
    if let Some(Ok(own)) = &wanted.history {
        let remedy = "set it right in the tconfig of the history database, or under \
                      [pandora.history_tokens] of a configuration of Elpis";
        checks.extend(
            own.findings
                .iter()
                .map(|found| Check::warning("history.settings", found.to_string(), remedy)),
        );
    }
    match &wanted.settings.history {
        Ok(None) => {}
        Ok(Some(place)) => match history((pandora, server), place, &arguments).await {
            Ok(found) => checks.extend(found),
            Err(error) => checks.push(Check::problem(
                "history.database",
                format!("{error:#}"),
                hint(&error).unwrap_or_else(|| "see to that database".to_owned()),
            )),
        },
        Err(unusable) => checks.push(Check::problem(
            "history.database",
            format!("it cannot be used, and what should move there is not deleted: {unusable}"),
            "set it right in the console's setup",
        )),
    }
    checks
}

/// Where a setting is to be set right.
fn setting(found: &TokenFinding, settings: &Settings, root: &Path) -> String {
    let is_ours = match found {
        TokenFinding::Unknown { .. } | TokenFinding::OfHistory { .. } => true,
        TokenFinding::Junk(junk) | TokenFinding::Idle(junk) => {
            junk.origin == Origin::Override.to_string()
        }
        _ => false,
    };
    match &settings.config {
        Some(config) if is_ours => {
            format!("set it right in {}", below(root, config).display())
        }
        _ => "set it right in the console's setup".to_owned(),
    }
}

/// The history database, whether its schema is that of the other, and whether what moves there has
/// arrived.
async fn history(
    (pandora, server): (&Pandora, &Server),
    place: &HistorySettings,
    arguments: &str,
) -> Result<Vec<Check>> {
    let there = history_server(place, pandora)?;
    let mut asking = session(&there).await?;
    let mut history = store(&there).await?;
    let mut checks = vec![Check::ok(
        "history.database",
        "the history database can be reached",
    )];
    let mut here = session(server).await?;
    let active = SchemaVersion::read(&mut here).await?;
    here.close().await?;
    let of_history = SchemaVersion::read(&mut asking).await?;
    checks.push(judge_history_schema(&active, &of_history, arguments));
    let mut active = store(server).await?;
    let mut pending = pending_moves(&mut active, &mut history).await?;
    if !pending.is_empty() && is_at_work(&mut asking, &place.name).await? {
        // Of the two sides of a step, one commits first.
        pending.clear();
    }
    asking.close().await?;
    checks.extend(judge_moves(&pending, RealClock::new().now(), arguments));
    Ok(checks)
}

async fn store(server: &Server) -> Result<MySqlStore> {
    let mut options = server.connect_options(&mut Vec::new())?;
    options.database.clone_from(&server.name);
    Ok(MySqlStore::connect(&options, Vec::new()).await?)
}

/// Whether a run has the history database's locks.
async fn is_at_work(session: &mut Session, database: &str) -> Result<bool> {
    for lock in history_locks() {
        let lock = lock.replace("{database}", database);
        let holder = "SELECT IS_USED_LOCK(?)";
        let holder: Option<Option<u64>> = session
            .first(holder, Params::Positional(vec![lock.into()]))
            .await?;
        if holder.flatten().is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn gather(wanted: &Wanted, server: &Server, root: &Path) -> Result<DatabaseFacts> {
    let mut session = session(server).await?;
    let now = RealClock::new().now();
    let tokens = &wanted.installation.tokens;
    let tasks = &wanted.housekeeping.tasks;
    let mut facts = DatabaseFacts::gather(&mut session, tokens, tasks, now).await?;
    session.close().await?;
    if wanted.housekeeping.allow_replica {
        facts.replica_of = None;
    }
    if is_local(server)
        && let Some(datadir) = &facts.datadir
    {
        let space = fsx::space(&below(root, Path::new(datadir))).ok();
        facts.disk = space.map(|(free, total)| Disk { free, total });
    }
    Ok(facts)
}

/// Whether the server's disk is this host's.
fn is_local(server: &Server) -> bool {
    let server = match &server.under {
        Some(under) if server.host.is_none() && server.socket.is_none() => under,
        _ => server,
    };
    let local = ["localhost", "127.0.0.1", "::1"];
    server.socket.is_some()
        || server
            .host
            .as_deref()
            .is_some_and(|host| local.contains(&host))
}

fn unreachable(error: &anyhow::Error) -> Check {
    let remedy = hint(error).unwrap_or_else(|| "see what the database answered".to_owned());
    Check::problem("database.reachable", format!("{error:#}"), remedy)
}

fn hint(error: &anyhow::Error) -> Option<String> {
    Verdict::from(error).hint
}
