//! What one unit says of itself and of its peer.

use std::time::Duration;

use elpis_run::Secret;
use jiff::Timestamp;

use super::parse::{Failover, FailoverState, Unreadable, Version, last_change, running_installers};
use super::session::{Mode, Session, SessionError};
use super::transcript::redacted;
use crate::driver::Exhibit;
use crate::observe::{Role, Unit, UnitReport};

/// Reads the unit's report. The outer error is the dialogue's, the inner one the answer's.
pub(super) async fn read(
    session: &mut Session,
    fxos: Option<&(String, String)>,
) -> Result<Result<UnitReport, Unreadable>, SessionError> {
    let mut answers = Answers {
        version: show(session, "show version").await?,
        failover: show(session, "show failover").await?,
        state: show(session, "show failover state").await?,
        history: show(session, "show failover history").await?,
        serial: None,
    };
    // Without failover the answer may not name the unit, and its name must not change for that.
    if !answers.failover.contains("Serial Number:") {
        let answer = show(session, "show serial-number").await?;
        answers.serial = answer.split_whitespace().next_back().map(str::to_owned);
    }
    let system = System::read(session).await?;
    Ok(answers.report(system, fxos))
}

/// What the command lines said.
struct Answers {
    version: String,
    failover: String,
    state: String,
    history: String,
    serial: Option<String>,
}

/// Asks CLISH, and the diagnostic CLI if CLISH does not know the command.
pub(super) async fn show(session: &mut Session, command: &str) -> Result<String, SessionError> {
    let answer = session.clish(command).await?;
    match is_refusal(&answer) {
        true => session.lina(command).await,
        false => Ok(answer),
    }
}

/// Whether a command line did not understand the command.
pub(super) fn is_refusal(answer: &str) -> bool {
    let start = answer.trim_start();
    [
        "Syntax error",
        "ERROR:",
        "% Invalid",
        "% Incomplete",
        "% Ambiguous",
        "Command not found",
    ]
    .iter()
    .any(|words| start.starts_with(words))
        || start.contains("% Invalid input detected")
}

/// What the shell knows and the command lines do not tell.
struct System {
    boot: String,
    time: Option<Timestamp>,
    installers: Vec<String>,
}

impl System {
    async fn read(session: &mut Session) -> Result<System, SessionError> {
        let boot = boot_id(session, Mode::Expert).await?;
        let time = device_time(session, Mode::Expert).await?;
        let processes = session.shell(Mode::Expert, "ps -eo pid,args").await?;
        Ok(System {
            boot,
            time: time.and_then(|seconds| Timestamp::from_second(seconds).ok()),
            installers: running_installers(&processes.output),
        })
    }
}

/// What is different after every boot and the same in between; empty if the unit has none.
pub(super) async fn boot_id(session: &mut Session, mode: Mode) -> Result<String, SessionError> {
    let ran = session
        .shell(mode, "cat /proc/sys/kernel/random/boot_id")
        .await?;
    let id = ran.output.trim();
    let is_id =
        ran.status == 0 && id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    Ok(if is_id { id.to_owned() } else { String::new() })
}

/// Seconds since the epoch on the unit's clock.
pub(super) async fn device_time(
    session: &mut Session,
    mode: Mode,
) -> Result<Option<i64>, SessionError> {
    let ran = session.shell(mode, "date +%s").await?;
    Ok(ran.output.trim().parse().ok())
}

impl Answers {
    fn report(
        &self,
        system: System,
        fxos: Option<&(String, String)>,
    ) -> Result<UnitReport, Unreadable> {
        let incompatible = [&self.failover, &self.state, &self.history]
            .into_iter()
            .find_map(|text| incompatibility(text));
        let version = Version::read(&self.version)?;
        let failover = Failover::read(&self.failover)?;
        let (own_role, peer_role, sync) = match FailoverState::read(&self.state) {
            Ok(state) if failover.on => (state.this.role(), state.other.role(), state.sync()),
            Ok(state) => (Role::Disabled, state.other.role(), state.sync()),
            // Without failover there may be no state to show.
            Err(_) if !failover.on => (
                Role::Disabled,
                Role::Unknown(String::from("failover is off")),
                crate::observe::ConfigSync::NotReported,
            ),
            Err(unreadable) => return Err(unreadable),
        };
        let state = FailoverState::read(&self.state).ok();
        let configured = state
            .as_ref()
            .and_then(|state| state.this.configured)
            .or(failover.configured);
        let (identity, peer_identity) = match &failover.serials {
            Some((ours, mate)) => {
                let known = mate != "Unknown" && !mate.is_empty();
                (ours.clone(), known.then(|| mate.clone()))
            }
            None => (
                self.serial.clone().unwrap_or_else(|| version.uuid.clone()),
                None,
            ),
        };
        Ok(UnitReport {
            identity,
            peer_identity,
            configured_as: configured.map(|role| role.word().to_owned()),
            own_role,
            peer_role,
            faults: faults(&failover, state.as_ref(), &version, fxos),
            notes: notes(
                &failover,
                state.as_ref(),
                &version,
                last_change(&self.history),
            ),
            version: version.release,
            platform: version.model,
            sync,
            incompatible,
            boot: (!system.boot.is_empty()).then_some(system.boot),
            busy: system.installers.first().cloned(),
            device_time: system.time,
        })
    }
}

/// Message 103006: versions that cannot pair. 103007 ("not identical") is normal half-way.
fn incompatibility(text: &str) -> Option<String> {
    text.lines()
        .find(|line| line.contains("-103006") || line.contains("is not compatible with ours"))
        .map(|line| line.trim().to_owned())
}

fn faults(
    failover: &Failover,
    state: Option<&FailoverState>,
    version: &Version,
    fxos: Option<&(String, String)>,
) -> Vec<String> {
    let monitored = failover
        .own_interfaces
        .iter()
        .filter(|interface| interface.is_faulty())
        .map(|interface| format!("interface {}: {}", interface.name, interface.status));
    let listed = state
        .into_iter()
        .flat_map(|state| &state.this.interfaces)
        .filter(|(name, _)| {
            !failover
                .own_interfaces
                .iter()
                .any(|known| known.name == *name)
        })
        .map(|(name, status)| format!("interface {name}: {status}"));
    let system = fxos
        .filter(|(release, wanted)| {
            *release == version.release && version.fxos.as_ref() != Some(wanted)
        })
        .map(|(release, wanted)| {
            let found = version.fxos.as_deref().unwrap_or("unknown");
            format!("FXOS is {found}, but {release} comes with {wanted} (CSCwi05618)")
        });
    monitored.chain(listed).chain(system).collect()
}

fn notes(
    failover: &Failover,
    state: Option<&FailoverState>,
    version: &Version,
    last_change: Option<String>,
) -> Vec<String> {
    let hosts = state.map(|state| [("this unit", &state.this), ("the peer", &state.other)]);
    let failures = hosts.into_iter().flatten().filter_map(|(who, host)| {
        let reason = host.last_failure.as_deref()?;
        let at = host.failed_at.as_deref().unwrap_or("unknown time");
        Some(format!("last failure of {who}: {reason} at {at}"))
    });
    let versions = failover
        .versions
        .iter()
        .map(|(ours, mate)| format!("Lina of both: {ours}, mate {mate}"));
    failures
        .chain(versions)
        .chain(
            failover
                .last_failover
                .iter()
                .map(|at| format!("last failover at {at}")),
        )
        .chain(
            failover
                .hold_seconds
                .iter()
                .map(|hold| format!("hold time {hold} s")),
        )
        .chain(
            last_change
                .into_iter()
                .map(|change| format!("last change {change}")),
        )
        .chain(version.lina.iter().map(|lina| format!("Lina {lina}")))
        .chain(version.fxos.iter().map(|fxos| format!("FXOS {fxos}")))
        .chain([
            format!("UUID {}", version.uuid),
            format!("LSP {}", version.lsp),
            format!("VDB {}", version.vdb),
        ])
        .collect()
}

/// The raw answers for the change record.
pub(super) async fn exhibits(
    session: &mut Session,
    unit: Unit,
    secrets: &[Secret<String>],
) -> Result<Vec<Exhibit>, SessionError> {
    let mut exhibits = Vec::new();
    for command in [
        "show version",
        "show failover state",
        "show failover",
        "show failover history",
    ] {
        exhibits.push(Exhibit {
            unit,
            title: command.to_owned(),
            text: redacted(&show(session, command).await?, secrets),
        });
    }
    Ok(exhibits)
}

/// After this long without a sign, a command that was sent has certainly not begun anything.
pub(super) const GRACE: Duration = Duration::from_secs(60);
