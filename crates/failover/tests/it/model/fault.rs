//! What can go wrong on the model.

use elpis_failover::{Act, Unit};

/// What goes wrong, by script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The product's readiness check fails.
    ReadinessFails(Unit),
    /// It never ends, and writes nothing.
    ReadinessStalls(Unit),
    /// The first `start` of this act on this unit loses its connection; it did or did not arrive.
    StartLost(Act, Unit, bool),
    /// Nobody can tell whether an act was started.
    LocateUnclear,
    /// The first starts of this act are refused, so many times.
    StartRefused(Act, Unit, u32),
    /// It is refused for good.
    StartForbidden(Act, Unit),
    /// The installer fails; the unit keeps its version and its role.
    InstallFails(Unit),
    /// The installer stops writing.
    InstallStalls(Unit),
    /// Nobody can reach the unit for a while in the middle of its installation.
    InstallUnseen(Unit),
    /// The unit reboots into the old version.
    ComesBackOld(Unit),
    /// The unit reboots into a version nobody asked for.
    ComesBackOther(Unit),
    /// The unit never comes back.
    NeverBack(Unit),
    /// The installer says it is done, but there is no reboot and no new version.
    NoReboot(Unit),
    /// After the reboot its host key is another one.
    HostKeyChanged(Unit),
    /// After the reboot the peers cannot pair.
    Incompatible(Unit),
    /// After the reboot the synchronisation never ends.
    StuckSync(Unit),
    /// After the reboot high availability is off for so many seconds.
    Suspended(Unit, u64),
    /// The command to switch is taken, and nothing happens.
    SwitchIgnored(Unit),
    /// Both units are active for so many seconds after the switch to this unit.
    SplitBrain(Unit, u64),
    /// Traffic returns by itself so many seconds after the switch to this unit.
    FlapsBack(Unit, u64),
    /// The active unit crashes while this one is being installed; it comes back.
    ActiveCrashes(Unit),
    /// The unit's monitored interface is down from the beginning.
    InterfaceDown(Unit),
    /// It goes down when both units are upgraded.
    InterfaceDownAtEnd(Unit),
    /// The second unit's package disappears after the first installation.
    PackageVanishes(Unit),
    /// The configuration is never in sync again once both units are upgraded.
    UnsyncedAtEnd,
    /// The unit does not answer in the first seconds.
    LateUnit(Unit, u64),
    /// The unit's standby state takes so many seconds at the beginning.
    LateReady(Unit, u64),
    /// The probe says no after the switch to this unit.
    ProbeFails(Unit),
    /// The probe gives no answer at all after the switch to this unit.
    ProbeHangs(Unit),
}
