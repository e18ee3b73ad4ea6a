//! What keeps an upgrade from beginning, and what does not.

use elpis_failover::rehearse::Deed;
use elpis_failover::{Cause, KnownHosts, Window};
use elpis_run::{Secret, fsx};

use super::*;

pub(super) fn before_the_login() -> Vec<Case> {
    vec![
        own("1-unknown-host-key", refused(Cause::Rejected))
            .after(|rig| {
                let known_hosts = KnownHosts::at(rig.dir.path().join("others"));
                known_hosts
                    .trust(rig.pair.host(A), &rig.pair.host_key(A).unwrap())
                    .unwrap();
                rig.known_hosts = known_hosts;
            })
            .and(untouched),
        own("2-changed-host-key", refused(Cause::Rejected))
            .after(|rig| {
                let known_hosts = KnownHosts::at(rig.dir.path().join("others"));
                known_hosts
                    .trust(rig.pair.host(A), &rig.pair.host_key(A).unwrap())
                    .unwrap();
                known_hosts
                    .trust(rig.pair.host(B), &rig.pair.host_key(A).unwrap())
                    .unwrap();
                rig.known_hosts = known_hosts;
            })
            .and(untouched),
        own("2-revoked-host-key", refused(Cause::Rejected))
            .after(|rig| {
                let path = rig.known_hosts.path();
                let good = fsx::read_to_string(path).unwrap();
                let line = good
                    .lines()
                    .nth(1)
                    .unwrap()
                    .split_once(' ')
                    .unwrap()
                    .1
                    .to_owned();
                fsx::write_durable(path, format!("{good}@revoked * {line}\n").as_bytes(), 0o600)
                    .unwrap();
            })
            .and(untouched),
        own("3-wrong-password", refused(Cause::Rejected)).after(|rig| {
            let [_, b] = &mut rig.options.units;
            b.login.auth = elpis_failover::Auth::Password(Secret::new(text("guess")));
        }),
        case("3-hangs-up-on-a-wrong-password", refused(Cause::Rejected))
            .after(|rig| {
                let [_, b] = &mut rig.options.units;
                b.login.auth = elpis_failover::Auth::Password(Secret::new(text("guess")));
            })
            .and(|rig| {
                assert_eq!(rig.pair.deeds(), [Deed::WrongPassword(B)]);
                let said = "when it had the password";
                assert!(rig.log().contains(said), "{}", rig.log());
            }),
        case("3-a-second-factor", refused(Cause::Rejected)).and(untouched),
        case("3-asks-for-something-else", refused(Cause::Rejected))
            .and(|rig| assert_eq!(rig.pair.deeds(), [])),
        case("4-lands-in-the-chassis", refused(Cause::Rejected)).and(untouched),
        case("5-no-expert", refused(Cause::NotUnderstood)).and(untouched),
        case("6-sudo-asks-for-a-pin", refused(Cause::Survey))
            .and(|rig| assert_eq!(rig.pair.deeds(), [])),
        case("6-sudo-wants-another-password", refused(Cause::Survey))
            .and(|rig| assert_eq!(rig.pair.deeds(), [Deed::WrongPassword(B)])),
        case("6-sudo-hangs-up", refused(Cause::Survey)).and(|rig| {
            assert_eq!(rig.pair.deeds(), [Deed::WrongPassword(B)]);
            let said = "had the password, which this unit has not accepted before";
            assert!(rig.log().contains(said), "{}", rig.log());
        }),
        case("6-line-breaks-at-sudo", refused(Cause::Survey)).and(untouched),
        case("7-one-unit-does-not-answer", refused(Cause::Unreachable)).and(untouched),
        own("8-twice-the-same-unit", refused(Cause::OtherUnits))
            .after(|rig| rig.options.units = [rig.pair.access(A), rig.pair.access(A)])
            .and(untouched),
        case("84-password-expired", refused(Cause::Rejected))
            .and(|rig| assert_eq!(rig.pair.deeds(), [])),
        case("frozen-after-the-login", refused(Cause::Unreachable)).and(untouched),
    ]
}

pub(super) fn before_the_plan() -> Vec<Case> {
    vec![
        case("9-a-stranger-for-a-mate", refused(Cause::OtherUnits)).and(untouched),
        case("10-failover-off", refused(Cause::StandbyFailed)).and(untouched),
        case("11-cold-standby", refused(Cause::StandbyNotReady)).and(untouched),
        case("11-bulk-sync", refused(Cause::StandbyNotReady)).and(untouched),
        case("12-failed-standby", refused(Cause::StandbyFailed)).and(untouched),
        case("12-disabled-standby", refused(Cause::StandbyFailed)).and(untouched),
        case("13-both-active", refused(Cause::SplitBrain)).and(untouched),
        case("14-both-standby", refused(Cause::NoActive)).and(untouched),
        case("14-both-negotiate", refused(Cause::StandbyNotReady)).and(untouched),
        case("15-views-contradict", refused(Cause::Disagree)).and(untouched),
        case("16-configuration-syncing", refused(Cause::Sync)).and(untouched),
        case("16-unknown-configuration-state", refused(Cause::Sync)).and(untouched),
        case("18-monitored-interface-down", refused(Cause::Faults)).and(untouched),
        own("20-deployments-unknown", refused(Cause::Survey))
            .after(|rig| rig.options.no_pending_deployment = None)
            .and(untouched),
        own("21-manager-too-old", refused(Cause::Survey))
            .after(|rig| rig.options.manager_version = Some(text("7.1.0")))
            .and(untouched),
        case("20-deployment-pending", refused(Cause::Survey))
            .after(Rig::add_manager)
            .and(|rig| {
                untouched(rig);
                assert!(
                    rig.log().contains("FTD Primary has changes"),
                    "{}",
                    rig.log()
                );
            }),
        case("20-manager-does-not-answer", refused(Cause::Survey))
            .after(Rig::add_manager)
            .and(untouched),
        case("21-manager-is-older", refused(Cause::Survey))
            .after(Rig::add_manager)
            .and(untouched),
        case("22-no-package", refused(Cause::Package)).and(untouched),
        case("23-other-size", refused(Cause::Package)).and(untouched),
        case("23-still-growing", refused(Cause::Package)).and(untouched),
        case("24-other-digest", refused(Cause::Package)).and(untouched),
        case("25-other-platform", refused(Cause::Package)).and(untouched),
        case("26-downgrade", refused(Cause::Package)).and(untouched),
        own("34-window-nearly-over", refused(Cause::Window))
            .after(|rig| {
                rig.policy.window = Some(Window {
                    from: "2024-07-18T11:00:00".parse().unwrap(),
                    to: "2024-07-18T12:10:00".parse().unwrap(),
                    zone: text("Asia/Seoul"),
                });
            })
            .and(untouched),
        case("29-third-version", refused(Cause::WrongVersion)).and(untouched),
        case("30-disk-full", refused(Cause::Survey)).and(untouched),
        case("31-an-installer-runs", refused(Cause::Busy)).and(untouched),
        case("82-answers-always-end-early", refused(Cause::NotUnderstood)).and(untouched),
        case("27-already-there", End::Nothing).and(untouched),
    ]
}

pub(super) fn harmless() -> Vec<Case> {
    vec![
        case("5-noise-of-all-kinds", End::Done),
        case("5-prompts-with-name-and-state", End::Done).after(Rig::add_probe),
        case("17-sync-skipped", End::Done),
        case("3-answers-to-questions", End::Done),
        case("11-ready-after-a-while", End::Done),
        case("15-contradict-for-a-moment", End::Done),
        case("16-synchronised-after-a-while", End::Done),
        case("19-an-old-failure", End::Done),
        case("23-copied-after-a-while", End::Done),
        case("18-accepted-interface", End::Done).after(|rig| {
            rig.policy
                .accepted_faults
                .insert(text("interface inside: No Link (Waiting)"));
        }),
        case("28-standby-is-new", End::Done)
            .and(|rig| assert_eq!((installs(rig), switchovers(rig)), (1, 1))),
        case("28-active-is-new", End::Done)
            .and(|rig| assert_eq!((installs(rig), switchovers(rig)), (1, 0))),
        case("32-clocks-differ", End::Done),
    ]
}

pub(super) fn readiness() -> Vec<Case> {
    vec![
        case("37-the-check-fails", refused(Cause::ActFailed)).and(serving_on_a),
        case("38-the-check-hangs", End::Held(Cause::TimedOut)).and(serving_on_a),
        case("39-last-months-success", End::Done).and(|rig| {
            for step in ["03-readiness-b", "10-readiness-a"] {
                // The check is silent for 90 seconds and then takes 55.
                assert!(
                    rig.took_ms(step) >= 145_000,
                    "{step}: {}",
                    rig.took_ms(step)
                );
            }
            for step in ["04-install-b", "11-install-a"] {
                assert!(
                    rig.took_ms(step) >= 1_200_000,
                    "{step}: {}",
                    rig.took_ms(step)
                );
            }
        }),
        case("40-the-state-changes", refused(Cause::StandbyNotReady)).and(serving_on_a),
        case("41-connection-breaks", End::Done),
    ]
}
