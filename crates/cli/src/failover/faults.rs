//! What can go wrong in a rehearsal, by name.

use std::time::Duration;

use elpis_failover::Unit;
use elpis_failover::rehearse::{Fault, Scenario};

type Make = fn(Unit) -> Fault;

/// Name, what happens, and how.
const FAULTS: [(&str, &str, Make); 23] = [
    (
        "deployment-pending",
        "the manager has changes of the unit that are not deployed",
        Fault::ManagerPending,
    ),
    (
        "manager-shows-old",
        "the manager goes on showing the old versions",
        |_| Fault::ManagerShowsOld,
    ),
    (
        "switch-not-understood",
        "the command of the switchover to it is not understood",
        Fault::SwitchRefused,
    ),
    (
        "unreachable",
        "the unit does not answer",
        Fault::Unreachable,
    ),
    (
        "package-missing",
        "the package is not there",
        Fault::PackageMissing,
    ),
    (
        "package-corrupt",
        "the package has another content",
        Fault::PackageCorrupt,
    ),
    ("disk-full", "/ngfw is nearly full", |unit| {
        Fault::FreeSpace(unit, 1_000_000)
    }),
    (
        "readiness-fails",
        "the readiness check fails",
        Fault::ReadinessFails,
    ),
    (
        "readiness-hangs",
        "the readiness check stops in the middle",
        Fault::ReadinessHangs,
    ),
    (
        "cut-at-install",
        "the connection breaks as the installation begins",
        |unit| Fault::CutAtInstall(unit, true),
    ),
    (
        "cut-during-install",
        "connections break in the middle of it",
        Fault::CutDuringInstall,
    ),
    ("install-fails", "a script ends the installation", |unit| {
        Fault::ScriptFails(
            unit,
            "Fatal error: Error running script 300_os/100_install".into(),
        )
    }),
    (
        "install-stands",
        "the percentage stands still for half an hour",
        |unit| Fault::Stands(unit, Duration::from_secs(1_800)),
    ),
    (
        "never-back",
        "the unit does not come back from its reboot",
        Fault::NeverBack,
    ),
    (
        "back-as-before",
        "it comes back with the old version",
        |unit| Fault::ComesBackAs(unit, "7.2.2-54".into()),
    ),
    (
        "new-host-key",
        "it comes back with another host key",
        Fault::NewHostKey,
    ),
    (
        "suspended",
        "it comes back with high availability off for good",
        |unit| Fault::Suspended(unit, None),
    ),
    ("stuck-in-sync", "its synchronisation never ends", |unit| {
        Fault::StuckIn(unit, "Bulk Sync".into())
    }),
    (
        "incompatible",
        "the versions cannot pair",
        Fault::Incompatible,
    ),
    (
        "cut-at-switch",
        "the connection breaks as the switchover begins",
        |unit| Fault::CutAtSwitch(unit, true),
    ),
    (
        "switch-ignored",
        "the switchover to it does not happen",
        Fault::SwitchIgnored,
    ),
    (
        "both-active",
        "after the switchover to it both are active",
        Fault::BothActive,
    ),
    (
        "flaps-back",
        "half a minute after the switchover to it the roles go back",
        |unit| Fault::FlapsBack(unit, Duration::from_secs(30)),
    ),
];

/// `name:unit` as a fault, or a case of the catalogue as all of its faults.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn parse(text: &str) -> Result<Vec<Fault>, String> {
    if let Some(scenario) = Scenario::find(text) {
        return Ok(scenario.faults);
    }
    let (name, unit) = text.split_once(':').unwrap_or((text, ""));
    let unit = match unit {
        "a" => Unit::A,
        "b" => Unit::B,
        _ => {
            return Err(format!(
                "{text:?} names no unit: write {name}:a or {name}:b"
            ));
        }
    };
    let found = FAULTS.iter().find(|(known, ..)| *known == name);
    let (.., make) = found.ok_or_else(|| format!("there is no fault {name:?}"))?;
    Ok(vec![make(unit)])
}

/// All of them, one a line, and the cases.
pub(super) fn list() -> String {
    let faults = FAULTS
        .iter()
        .map(|(name, what, _)| format!("{name:<20} {what}\n"));
    let cases = Scenario::all();
    let cases = cases.iter().map(|scenario| format!("{}\n", scenario.id));
    faults
        .chain(std::iter::once(
            "\nCases of docs/failure-modes.md:\n".to_owned(),
        ))
        .chain(cases)
        .collect()
}
