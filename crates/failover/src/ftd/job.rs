//! The readiness check and the installation: started once, then watched from other sessions
//! through the files that they write.

use std::collections::BTreeMap;

use elpis_run::with_causes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Duration;

use super::driver::{FtdDriver, before_sending};
use super::installer::{command, main_log, package_of, refusal, status_files};
use super::marker::Marker;
use super::parse::{
    FailoverState, FileStat, PackageName, StatusLine, UnitState, Verdict, latest,
    running_installers,
};
use super::report::{GRACE, boot_id, device_time, show};
use super::session::{Mode, Session, SessionError};
use crate::driver::{Act, ActError, Handle, Located, Order, Progress};

/// How long the installer is given to show that it has begun.
const ACKNOWLEDGEMENT: Duration = Duration::from_secs(20);
/// The end of a status file is enough: the last line decides.
const MOST_STATUS: u32 = 16_384;
/// Lines of the main log for the vendor's support.
const LOG_TAIL: u32 = 40;

/// What is needed to find a job again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Job {
    /// The boot that it was started in.
    boot: String,
    /// When, on the unit's clock, in seconds since the epoch.
    started: i64,
    /// The status files as they were before, with what an earlier attempt left in them.
    before: BTreeMap<String, FileStat>,
}

impl Job {
    pub(super) fn of(marker: &Marker) -> Option<Job> {
        Some(Job {
            boot: marker.boot.clone(),
            started: marker.started,
            before: serde_json::from_value(marker.act.clone()).ok()?,
        })
    }
}

/// Starts the act, once. The unit's state is read last, in the session that types the command.
pub(super) async fn start(driver: &FtdDriver, order: &Order) -> Result<Handle, ActError> {
    let package = package_of(order).map_err(|reason| not_started(&reason, false))?;
    let before = |error: SessionError| before_sending(order.unit, &error);
    let mut session = driver.connect(order.unit).await.map_err(before)?;
    let found = Marker::find(&mut session, order).await.map_err(before)?;
    if let Some(job) = found.as_ref().and_then(Job::of) {
        return handle(&job);
    }
    let job = mark(&mut session, order, &package).await.map_err(before)?;
    if let Err(refused) = may_begin(&mut session, order).await {
        Marker::remove(&mut session, order).await;
        return Err(refused);
    }
    let begun = |output: &str| {
        output.contains("MAIN_UPGRADE_SCRIPT_START") || output.contains("UPGRADE STARTING")
    };
    let launched = session
        .launch(&command(order), begun, ACKNOWLEDGEMENT)
        .await;
    let launched = launched.map_err(|error| ActError::OutcomeUnknown {
        reason: with_causes(&error),
    })?;
    if let Some(reason) = refusal(&launched) {
        // It is certain that nothing runs; a later attempt must not find this marker.
        Marker::remove(&mut session, order).await;
        return Err(not_started(&reason, false));
    }
    // A detached installer prints on its terminal until the unit reboots.
    tokio::spawn(session.drain());
    handle(&job)
}

/// Looks how far it is, through the status files.
pub(super) async fn poll(
    session: &mut Session,
    order: &Order,
    handle: &Handle,
) -> Result<Progress, SessionError> {
    let (Ok(job), Ok(package)) = (
        serde_json::from_value::<Job>(handle.0.clone()),
        package_of(order),
    ) else {
        return Ok(Progress::Failed {
            message: String::from("the journal's handle is not one of this driver"),
            details: Vec::new(),
        });
    };
    let found = look(session, &job, order.act, &package).await?;
    let rebooted = !job.boot.is_empty() && found.boot != job.boot;
    let message = match &found.line {
        Some(line) => line.message.clone(),
        None => String::from("no word from it yet"),
    };
    match found.line.as_ref().map(StatusLine::verdict) {
        Some(Verdict::Failed) => Ok(Progress::Failed {
            message,
            details: log_tail(session, order.act, &package).await?,
        }),
        Some(Verdict::Succeeded) => Ok(Progress::Done { message }),
        _ if rebooted && order.act == Act::Install => Ok(Progress::Done {
            message: String::from("the unit has rebooted"),
        }),
        _ if rebooted => Ok(Progress::Failed {
            message: String::from("the unit rebooted during the check"),
            details: Vec::new(),
        }),
        None if !found.is_running && is_late(session, &job).await? => Ok(Progress::Failed {
            message: String::from("no installer is running, and it has left no word"),
            details: log_tail(session, order.act, &package).await?,
        }),
        _ => Ok(Progress::Running {
            percent: found.line.as_ref().and_then(|line| line.percent),
            message: match found.is_running {
                true => with_minutes(message, found.line.as_ref()),
                false => format!("{message} (no installer is running)"),
            },
            activity: found.activity,
        }),
    }
}

/// Whether a job that was begun must have shown itself by now.
async fn is_late(session: &mut Session, job: &Job) -> Result<bool, SessionError> {
    let now = device_time(session, Mode::Root).await?;
    Ok(now.is_some_and(|now| now.saturating_sub(job.started) > 2 * GRACE.as_secs() as i64))
}

/// Whether an unacknowledged start did begin something.
pub(super) async fn locate(session: &mut Session, order: &Order) -> Result<Located, SessionError> {
    let Some(marker) = Marker::find(session, order).await? else {
        return Ok(Located::Absent);
    };
    let (Some(job), Ok(package)) = (Job::of(&marker), package_of(order)) else {
        return Ok(Located::Unclear(String::from(
            "the marker on the unit is not understood",
        )));
    };
    let found = look(session, &job, order.act, &package).await?;
    if found.is_running || found.line.is_some() || found.grew || found.boot != job.boot {
        return Ok(match serde_json::to_value(&job) {
            Ok(value) => Located::Found(Handle(value)),
            Err(error) => Located::Unclear(error.to_string()),
        });
    }
    marker
        .nothing_seen(session, "neither an installer nor a status file is seen")
        .await
}

/// Everything there is to see of a job at one moment.
struct Found {
    line: Option<StatusLine>,
    /// A status file is there that was not, or is another or larger one.
    grew: bool,
    activity: u64,
    boot: String,
    is_running: bool,
}

async fn look(
    session: &mut Session,
    job: &Job,
    act: Act,
    package: &PackageName,
) -> Result<Found, SessionError> {
    let since = Timestamp::from_second(job.started).ok();
    let mut found = Found {
        line: None,
        grew: false,
        activity: 0,
        boot: boot_id(session, Mode::Root).await?,
        is_running: false,
    };
    for path in status_files(act, package) {
        let Some(now) = stat(session, &path).await? else {
            continue;
        };
        let before = job.before.get(&path);
        if before == Some(&now) {
            continue;
        }
        found.grew = true;
        found.activity = found
            .activity
            .wrapping_add(now.size)
            .wrapping_add(now.modified.unsigned_abs());
        let text = read_new(session, &path, before, now).await?;
        if found.line.is_none() {
            found.line = latest(&text, since);
        }
    }
    if let Some(log) = stat(session, &main_log(act, package)).await? {
        found.activity = found.activity.wrapping_add(log.size);
    }
    let processes = session.shell(Mode::Root, "ps -eo pid,args").await?;
    found.is_running = !running_installers(&processes.output).is_empty();
    Ok(found)
}

/// What was written to a status file since it was as `before`: behind its old end, or all of it
/// if it is another file or was cut.
async fn read_new(
    session: &mut Session,
    path: &str,
    before: Option<&FileStat>,
    now: FileStat,
) -> Result<String, SessionError> {
    let old_end = before
        .filter(|before| before.inode == now.inode && before.size <= now.size)
        .map_or(0, |before| before.size);
    let command = match now.size - old_end {
        new if new > u64::from(MOST_STATUS) => format!("tail -c {MOST_STATUS} {path}"),
        _ => format!("tail -c +{} {path}", old_end + 1),
    };
    let ran = session.shell(Mode::Root, &command).await?;
    Ok(ran.output)
}

/// The checks that are made last, in the session that then types the command.
async fn may_begin(session: &mut Session, order: &Order) -> Result<(), ActError> {
    let before = |error: SessionError| before_sending(order.unit, &error);
    let processes = session
        .shell(Mode::Root, "ps -eo pid,args")
        .await
        .map_err(before)?;
    if let Some(other) = running_installers(&processes.output).first() {
        return Err(not_started(
            &format!("the unit already runs {other}"),
            false,
        ));
    }
    let state = show(session, "show failover state").await.map_err(before)?;
    let state =
        FailoverState::read(&state).map_err(|error| not_started(&error.to_string(), true))?;
    if order.act == Act::Install && state.this.state != UnitState::StandbyReady {
        let reason = format!("the unit is {}, not Standby Ready", state.this.words);
        return Err(not_started(&reason, false));
    }
    Ok(())
}

/// Writes down how things are before the command is typed.
async fn mark(
    session: &mut Session,
    order: &Order,
    package: &PackageName,
) -> Result<Job, SessionError> {
    let mut before = BTreeMap::new();
    for path in status_files(order.act, package) {
        if let Some(found) = stat(session, &path).await? {
            before.insert(path, found);
        }
    }
    let act = serde_json::to_value(&before).unwrap_or_default();
    let marker = Marker::new(session, order, act).await?;
    marker.write(session, order).await?;
    Ok(Job {
        boot: marker.boot,
        started: marker.started,
        before,
    })
}

/// Inode, size and time of a file, if there is one.
pub(super) async fn stat(
    session: &mut Session,
    path: &str,
) -> Result<Option<FileStat>, SessionError> {
    let ran = session
        .shell(Mode::Root, &format!("stat -c '%i %s %Y' {path}"))
        .await?;
    Ok(FileStat::read(&ran.output).filter(|_| ran.status == 0))
}

/// The end of the main log: what the vendor's support asks for first.
async fn log_tail(
    session: &mut Session,
    act: Act,
    package: &PackageName,
) -> Result<Vec<String>, SessionError> {
    let path = main_log(act, package);
    let ran = session
        .shell(Mode::Root, &format!("tail -n {LOG_TAIL} {path}"))
        .await?;
    let support = String::from(
        "open a case with the vendor's support (TAC) and attach this and the log directory",
    );
    Ok(std::iter::once(support)
        .chain(ran.output.lines().map(str::to_owned))
        .collect())
}

fn with_minutes(message: String, line: Option<&StatusLine>) -> String {
    match line.and_then(|line| line.minutes_left) {
        Some(minutes) => format!("{message} ({minutes} min to the reboot)"),
        None => message,
    }
}

fn handle(job: &Job) -> Result<Handle, ActError> {
    serde_json::to_value(job)
        .map(Handle)
        .map_err(|error| ActError::OutcomeUnknown {
            reason: error.to_string(),
        })
}

fn not_started(reason: &str, retryable: bool) -> ActError {
    ActError::NotStarted {
        reason: reason.to_owned(),
        retryable,
    }
}
