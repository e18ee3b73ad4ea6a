//! What goes wrong while units are installed, rebooted and switched.

use std::time::Duration;

use elpis_failover::{Cause, HookAnswer, HookPoint};

use super::*;

pub(super) fn installation() -> Vec<Case> {
    vec![
        case(
            "42-roles-flip-before-the-command",
            refused(Cause::NotStarted),
        )
        .and(|rig| assert_eq!(installs(rig), 0)),
        case("43-connection-lost-installing", End::Done).and(|rig| assert_eq!(installs(rig), 2)),
        case("43-connection-lost-not-begun", End::Done).and(|rig| assert_eq!(installs(rig), 2)),
        case("44-connection-breaks-half-way", End::Done),
        case("45-archive-corrupt", refused(Cause::NotStarted)).and(serving_on_a),
        case("46-a-script-fails", End::Held(Cause::ActFailed)).and(serving_on_a),
        case("47-stands-for-40-minutes", End::Done),
        case("47-stands-for-2-hours", End::Held(Cause::Stalled)).and(serving_on_a),
        case("48-percent-falls-file-rotates", End::Done),
        case("49-garbage-in-the-file", End::Done),
        case("50-the-older-format", End::Done),
        case("51-disk-full", End::Held(Cause::ActFailed)).and(serving_on_a),
        case("52-the-active-unit-dies", End::Held(Cause::Unreachable))
            .and(|rig| assert_eq!(installs(rig), 1)),
        case("53-the-active-unit-reboots", End::Done).and(|rig| assert_eq!(installs(rig), 2)),
    ]
}

pub(super) fn rejoining() -> Vec<Case> {
    vec![
        case("58-does-not-come-back", End::Held(Cause::TimedOut)).and(serving_on_a),
        case("59-comes-back-old", End::Held(Cause::WrongVersion)).and(serving_on_a),
        case("60-comes-back-as-another", End::Held(Cause::WrongVersion)).and(serving_on_a),
        case("61-new-host-key", End::Held(Cause::Rejected)).and(serving_on_a),
        case("62-clish-is-slow", End::Done),
        case("63-suspended-for-a-while", End::Done),
        case("63-suspended-for-ever", End::Held(Cause::StandbyFailed)).and(serving_on_a),
        case("64-stuck-in-app-sync", End::Held(Cause::StandbyNotReady)).and(|rig| {
            serving_on_a(rig);
            // The vendor's 20 minutes for this state, not the hour for the whole way.
            let said = "in transition (App Sync) for 20 minutes";
            assert!(rig.log().contains(said), "{}", rig.log());
        }),
        case("64-stuck-in-sync-config", End::Held(Cause::StandbyNotReady)).and(serving_on_a),
        case("64-stuck-in-bulk-sync", End::Held(Cause::StandbyNotReady)).and(serving_on_a),
        case(
            "64-stuck-in-cold-standby",
            End::Held(Cause::StandbyNotReady),
        )
        .and(serving_on_a),
        case("65-versions-cannot-pair", End::Held(Cause::Incompatible)).and(serving_on_a),
        case("66-old-system-below", End::Held(Cause::Faults))
            .after(|rig| rig.options.fxos = Some((text("7.2.7-500"), text("2.12(0.500)"))))
            .and(serving_on_a),
        case("67-no-reboot", End::Held(Cause::NotRebooted)).and(serving_on_a),
        case("68-not-seen-again", End::Held(Cause::Disagree)).and(serving_on_a),
    ]
}

pub(super) fn switching() -> Vec<Case> {
    vec![
        case(
            "69-readiness-lost-at-the-last-moment",
            End::Held(Cause::NotStarted),
        )
        .and(|rig| assert_eq!(switchovers(rig), 0)),
        case("70-command-not-understood", End::Done).and(|rig| assert_eq!(switchovers(rig), 1)),
        case("70-switched-by-the-manager", End::Done)
            .after(Rig::add_manager)
            .and(|rig| {
                assert_eq!(switchovers(rig), 1);
                assert!(rig.log().contains("attempt: 2"), "{}", rig.log());
            }),
        case("71-connection-lost-switched", End::Done).and(|rig| assert_eq!(switchovers(rig), 1)),
        case("71-connection-lost-not-switched", End::Done)
            .and(|rig| assert_eq!(switchovers(rig), 2)),
        case("72-roles-do-not-change", End::Held(Cause::Roles))
            .after(|rig| rig.policy.limits.outage = Duration::from_secs(30))
            .and(|rig| assert_eq!(switchovers(rig), 1)),
        case("73-both-active", End::Held(Cause::SplitBrain))
            .after(|rig| rig.policy.limits.outage = Duration::from_secs(30))
            .and(|rig| assert_eq!(switchovers(rig), 1)),
        case("74-flaps-back", End::Held(Cause::Roles)).and(|rig| assert_eq!(switchovers(rig), 1)),
        own("75-the-probe-fails", End::Undone)
            .after(|rig| {
                rig.hook = |count, _| {
                    Some(match count {
                        0 => Err(text("no traffic")),
                        _ => Ok(HookAnswer::default()),
                    })
                };
                rig.add_probe();
            })
            .and(|rig| {
                assert_eq!(rig.pair.state(A), "Active");
                assert_eq!(switchovers(rig), 2);
            }),
        own("76-the-probe-hangs", End::Undone)
            .after(|rig| {
                rig.hook = |_, _| None;
                rig.add_probe();
            })
            .and(|rig| {
                assert_eq!(rig.pair.state(A), "Active");
                assert_eq!(switchovers(rig), 2);
            }),
        case(
            "77-old-primary-stays-cold",
            End::Held(Cause::StandbyNotReady),
        )
        .and(|rig| assert_eq!(installs(rig), 1)),
        case(
            "78-the-second-installation-fails",
            End::Held(Cause::ActFailed),
        )
        .and(|rig| assert_eq!(rig.pair.state(B), "Active")),
        case("79-no-switching-back", End::Warnings)
            .after(Rig::add_probe)
            .and(|rig| assert_eq!(rig.pair.state(B), "Active")),
        case("80-not-synchronised-at-the-end", End::Warnings)
            .and(|rig| assert!(rig.log().contains("Config Syncing"), "{}", rig.log())),
        case("81-manager-shows-the-old-version", End::Warnings)
            .after(Rig::add_manager)
            .and(|rig| {
                let log = rig.log();
                for said in [
                    "the manager still shows 7.2.2 for FTD Primary",
                    "deploy at the manager: FTD Secondary has changes",
                ] {
                    assert!(log.contains(said), "{said}: {log}");
                }
            }),
        own("88-a-hook-changes-the-state", refused(Cause::Disagree))
            .after(|rig| {
                rig.hook = |_, pair| {
                    pair.suffer(Fault::SeesPeerAs(A, text("Failed"), None));
                    Some(Ok(HookAnswer::default()))
                };
                rig.add_hook(HookPoint::BeforeInstall);
            })
            .and(|rig| assert_eq!(installs(rig), 0)),
        own("and-back-again", End::Done)
            .after(Rig::add_probe)
            .and(|rig| assert_eq!((rig.pair.state(A), switchovers(rig)), (text("Active"), 2))),
    ]
}
