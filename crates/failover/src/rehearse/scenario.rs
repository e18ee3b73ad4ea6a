//! Ready-made rehearsals: the catalogue's cases in which a device has a part.

use std::time::Duration;

use super::fault::Fault::{self, *};
use crate::observe::Unit::{A, B};

/// One case of the catalogue of failure modes, on a pair that is upgraded with unit A active.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The catalogue's number and a few words, such as `43-connection-lost-installing`.
    pub id: &'static str,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

impl Scenario {
    /// All of them, in the catalogue's order.
    pub fn all() -> Vec<Scenario> {
        let mut all = before_the_plan();
        all.extend(during_the_upgrade());
        all
    }

    /// The one with this `id`.
    pub fn find(id: &str) -> Option<Scenario> {
        Scenario::all()
            .into_iter()
            .find(|scenario| scenario.id == id)
    }
}

fn scenario(id: &'static str, faults: impl Into<Vec<Fault>>) -> Scenario {
    Scenario {
        id,
        faults: faults.into(),
    }
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn before_the_plan() -> Vec<Scenario> {
    vec![
        scenario("frozen-after-the-login", [FreezesAtLogin(B, 1)]),
        scenario(
            "3-answers-to-questions",
            [
                AsksQuestions(A, vec![(text("Password: "), false)]),
                AsksQuestions(B, vec![(text("암호: "), false)]),
            ],
        ),
        scenario(
            "3-a-second-factor",
            [AsksQuestions(
                B,
                vec![(text("Password: "), false), (text("Token: "), false)],
            )],
        ),
        scenario(
            "3-asks-for-something-else",
            [AsksQuestions(B, vec![(text("Your name: "), true)])],
        ),
        scenario(
            "3-hangs-up-on-a-wrong-password",
            [HangsUpOnWrongPassword(B)],
        ),
        scenario("4-lands-in-the-chassis", [LandsInChassis(B)]),
        scenario("5-no-expert", [ExpertRefused(B)]),
        scenario(
            "5-noise-of-all-kinds",
            [
                ExpertNotice(A),
                ExpertNotice(B),
                SudoQuestion(B, text("[sudo] admin 암호: ")),
                Pager(A),
                Pager(B),
                ConsoleNoise(A),
                ConsoleNoise(B),
                EchoesPassword(A),
                EchoesPassword(B),
            ],
        ),
        scenario(
            "5-prompts-with-name-and-state",
            [Named(A, text("edge-fw-01")), Named(B, text("edge-fw-02"))],
        ),
        scenario("6-sudo-asks-for-a-pin", [SudoQuestion(B, text("PIN: "))]),
        scenario(
            "6-sudo-wants-another-password",
            [SudoPassword(B, text("other"))],
        ),
        scenario(
            "6-sudo-hangs-up",
            [SudoPassword(B, text("other")), SudoHangsUp(B)],
        ),
        scenario("6-line-breaks-at-sudo", [CutAtSudo(B)]),
        scenario("7-one-unit-does-not-answer", [Unreachable(B)]),
        scenario("9-a-stranger-for-a-mate", [StrangerForMate(B)]),
        scenario("10-failover-off", [FailoverOff(B)]),
        scenario("11-cold-standby", [State(B, text("Cold Standby"), None)]),
        scenario("11-bulk-sync", [State(B, text("Bulk Sync"), None)]),
        scenario(
            "11-ready-after-a-while",
            [State(B, text("Bulk Sync"), Some(seconds(40)))],
        ),
        scenario("12-failed-standby", [State(B, text("Failed"), None)]),
        scenario("12-disabled-standby", [State(B, text("Disabled"), None)]),
        scenario("13-both-active", [State(B, text("Active"), None)]),
        scenario("14-both-standby", [State(A, text("Standby Ready"), None)]),
        scenario(
            "14-both-negotiate",
            [
                State(A, text("Negotiation"), None),
                State(B, text("Negotiation"), None),
            ],
        ),
        scenario("15-views-contradict", [SeesPeerAs(A, text("Active"), None)]),
        scenario(
            "15-contradict-for-a-moment",
            [SeesPeerAs(A, text("Active"), Some(seconds(25)))],
        ),
        scenario(
            "16-synchronised-after-a-while",
            [ConfigState(B, text("Config Syncing"), Some(seconds(40)))],
        ),
        scenario(
            "16-configuration-syncing",
            [ConfigState(B, text("Config Syncing"), None)],
        ),
        scenario(
            "16-unknown-configuration-state",
            [ConfigState(B, text("Sync Impossible"), None)],
        ),
        scenario(
            "17-sync-skipped",
            [
                ConfigState(A, text("Sync Skipped"), None),
                ConfigState(B, text("Sync Skipped"), None),
            ],
        ),
        scenario(
            "18-monitored-interface-down",
            [Interface(B, text("No Link (Waiting)"))],
        ),
        scenario(
            "18-accepted-interface",
            [Interface(B, text("No Link (Waiting)"))],
        ),
        scenario("19-an-old-failure", [OldFailure(A), OldFailure(B)]),
        scenario("20-deployment-pending", [ManagerPending(A)]),
        scenario("20-manager-does-not-answer", [ManagerDown]),
        scenario("21-manager-is-older", [ManagerRuns(text("7.1.0"))]),
        scenario("22-no-package", [PackageMissing(B)]),
        scenario("23-other-size", [PackageSize(B, 1_123_000_000)]),
        scenario("23-still-growing", [PackageGrows(B, minutes(600))]),
        scenario("23-copied-after-a-while", [PackageGrows(B, seconds(40))]),
        scenario("24-other-digest", [PackageCorrupt(B)]),
        scenario(
            "25-other-platform",
            [Model(B, text("Cisco Firepower 2130 Threat Defense"))],
        ),
        scenario(
            "26-downgrade",
            [Runs(A, text("7.3.0-69")), Runs(B, text("7.3.0-69"))],
        ),
        scenario(
            "27-already-there",
            [Runs(A, text("7.2.7-500")), Runs(B, text("7.2.7-500"))],
        ),
        scenario("28-standby-is-new", [Runs(B, text("7.2.7-500"))]),
        scenario("28-active-is-new", [Runs(A, text("7.2.7-500"))]),
        scenario("29-third-version", [Runs(B, text("7.1.0-90"))]),
        scenario("30-disk-full", [FreeSpace(B, 1_000_000)]),
        scenario("31-an-installer-runs", [InstallerRuns(B)]),
        scenario("32-clocks-differ", [ClockSkew(B, -86_400)]),
        scenario("82-answers-always-end-early", [CutAnswer(B, 999)]),
        scenario("84-password-expired", [PasswordExpired(B)]),
    ]
}

fn during_the_upgrade() -> Vec<Scenario> {
    vec![
        scenario("37-the-check-fails", [ReadinessFails(B)]),
        scenario("38-the-check-hangs", [ReadinessHangs(B)]),
        scenario("39-last-months-success", [StaleSuccess(A), StaleSuccess(B)]),
        scenario(
            "40-the-state-changes",
            [StateAtLogin(B, 3, text("Bulk Sync"))],
        ),
        scenario("41-connection-breaks", [CutDuringReadiness(B)]),
        scenario("42-roles-flip-before-the-command", [TakesOverAtLogin(B, 4)]),
        scenario("43-connection-lost-installing", [CutAtInstall(B, true)]),
        scenario("43-connection-lost-not-begun", [CutAtInstall(B, false)]),
        scenario("44-connection-breaks-half-way", [CutDuringInstall(B)]),
        scenario("45-archive-corrupt", [ArchiveCorrupt(B)]),
        scenario(
            "46-a-script-fails",
            [ScriptFails(
                B,
                text("Fatal error: Error running script 200_pre/200_enable_maintenance_mode.pl"),
            )],
        ),
        scenario("47-stands-for-40-minutes", [Stands(B, minutes(40))]),
        scenario("47-stands-for-2-hours", [Stands(B, minutes(120))]),
        scenario("48-percent-falls-file-rotates", [Rotates(B)]),
        scenario("49-garbage-in-the-file", [Garbage(B)]),
        scenario(
            "50-the-older-format",
            [OldStatusFormat(A), OldStatusFormat(B)],
        ),
        scenario(
            "51-disk-full",
            [ScriptFails(
                B,
                text("Upgrade failed: No space left on device"),
            )],
        ),
        scenario("52-the-active-unit-dies", [PeerDies(B)]),
        scenario("53-the-active-unit-reboots", [PeerReboots(B)]),
        scenario("58-does-not-come-back", [NeverBack(B)]),
        scenario("59-comes-back-old", [ComesBackAs(B, text("7.2.2-54"))]),
        scenario(
            "60-comes-back-as-another",
            [ComesBackAs(B, text("7.2.5-208"))],
        ),
        scenario("61-new-host-key", [NewHostKey(B)]),
        scenario("62-clish-is-slow", [SlowClish(B, minutes(4))]),
        scenario(
            "63-suspended-for-a-while",
            [Suspended(B, Some(minutes(15)))],
        ),
        scenario("63-suspended-for-ever", [Suspended(B, None)]),
        scenario("64-stuck-in-app-sync", [StuckIn(B, text("App Sync"))]),
        scenario("64-stuck-in-sync-config", [StuckIn(B, text("Sync Config"))]),
        scenario("64-stuck-in-bulk-sync", [StuckIn(B, text("Bulk Sync"))]),
        scenario(
            "64-stuck-in-cold-standby",
            [StuckIn(B, text("Cold Standby"))],
        ),
        scenario("65-versions-cannot-pair", [Incompatible(B)]),
        scenario("66-old-system-below", [OldSystem(B)]),
        scenario("67-no-reboot", [NoReboot(B)]),
        scenario("68-not-seen-again", [NotSeenAgain(B)]),
        scenario(
            "69-readiness-lost-at-the-last-moment",
            [StateAtLogin(B, 6, text("Bulk Sync"))],
        ),
        scenario("70-command-not-understood", [SwitchRefused(B)]),
        scenario("70-switched-by-the-manager", [SwitchRefused(B)]),
        scenario("71-connection-lost-switched", [CutAtSwitch(B, true)]),
        scenario("71-connection-lost-not-switched", [CutAtSwitch(B, false)]),
        scenario("72-roles-do-not-change", [SwitchIgnored(B)]),
        scenario("73-both-active", [BothActive(B)]),
        scenario("74-flaps-back", [FlapsBack(B, Duration::from_secs(4))]),
        scenario(
            "77-old-primary-stays-cold",
            [PeerStays(B, text("Cold Standby"))],
        ),
        scenario(
            "78-the-second-installation-fails",
            [ScriptFails(A, text("Upgrade failed."))],
        ),
        scenario("79-no-switching-back", [SwitchRefused(A), SwitchRefused(A)]),
        scenario("80-not-synchronised-at-the-end", [UnsyncedAfterBoot(A)]),
        scenario("81-manager-shows-the-old-version", [ManagerShowsOld]),
    ]
}
