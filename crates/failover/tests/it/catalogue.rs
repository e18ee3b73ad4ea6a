//! What can go wrong, and how a run then ends: once undisturbed, and once more for every moment
//! at which the engine's own process may die.
//!
//! Every moment is tried where all goes well, and every third one of each fault's; `ELPIS_SOAK=1`
//! tries them all.

use std::sync::atomic::{AtomicUsize, Ordering};

use elpis_failover::{Act, Cause, Unit};

use crate::model::{Fault, NEW, OLD};
use crate::rig::{End, Rig, end};

const FOR_EVER: u64 = 100_000;

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) faults: Vec<Fault>,
    pub(crate) end: End,
    /// How else it may end: after a death and a resume, or together with another fault.
    pub(crate) also: Vec<End>,
}

fn case(name: &'static str, faults: Vec<Fault>, end: End) -> Case {
    Case {
        name,
        faults,
        end,
        also: Vec::new(),
    }
}

/// Unit A is active at first: B is installed, traffic goes to B, A is installed, traffic returns.
pub(crate) fn cases() -> Vec<Case> {
    use End::{Done, Held, Refused, Undone, Warnings};
    use Fault::*;
    let (a, b) = (Unit::A, Unit::B);
    vec![
        case("nothing", vec![], Done),
        case("late unit", vec![LateUnit(b, 5)], Done),
        case(
            "no unit",
            vec![LateUnit(b, FOR_EVER)],
            Refused(Cause::Unreachable),
        ),
        case("late standby", vec![LateReady(b, 30)], Done),
        case(
            "no standby",
            vec![LateReady(b, FOR_EVER)],
            Refused(Cause::StandbyNotReady),
        ),
        case(
            "interface down",
            vec![InterfaceDown(b)],
            Refused(Cause::Faults),
        ),
        case(
            "readiness fails",
            vec![ReadinessFails(b)],
            Refused(Cause::ActFailed),
        ),
        case(
            "second readiness fails",
            vec![ReadinessFails(a)],
            Held(Cause::ActFailed),
        ),
        case(
            "readiness stalls",
            vec![ReadinessStalls(b)],
            Held(Cause::Stalled),
        ),
        case(
            "install order lost",
            vec![StartLost(Act::Install, b, false)],
            Done,
        ),
        case(
            "install answer lost",
            vec![StartLost(Act::Install, b, true)],
            Done,
        ),
        case(
            "switch order lost",
            vec![StartLost(Act::Switchover, b, false)],
            Done,
        ),
        case(
            "switch answer lost",
            vec![StartLost(Act::Switchover, b, true)],
            Done,
        ),
        Case {
            // The installation runs: whoever looks later finds it done.
            also: vec![Done],
            ..case(
                "install untraceable",
                vec![LocateUnclear, StartLost(Act::Install, b, true)],
                Held(Cause::OutcomeUnknown),
            )
        },
        Case {
            // Only a crash leaves something to be traced here.
            also: vec![Held(Cause::OutcomeUnknown)],
            ..case("nothing traceable", vec![LocateUnclear], Done)
        },
        case(
            "install refused once",
            vec![StartRefused(Act::Install, b, 1)],
            Done,
        ),
        case(
            "switch refused often",
            vec![StartRefused(Act::Switchover, b, 9)],
            Held(Cause::NotStarted),
        ),
        case(
            "install forbidden",
            vec![StartForbidden(Act::Install, b)],
            Refused(Cause::NotStarted),
        ),
        case(
            "second install forbidden",
            vec![StartForbidden(Act::Install, a)],
            Held(Cause::NotStarted),
        ),
        case(
            "install fails",
            vec![InstallFails(b)],
            Held(Cause::ActFailed),
        ),
        case(
            "second install fails",
            vec![InstallFails(a)],
            Held(Cause::ActFailed),
        ),
        case(
            "install stalls",
            vec![InstallStalls(b)],
            Held(Cause::Stalled),
        ),
        case("install unseen", vec![InstallUnseen(b)], Done),
        case(
            "comes back old",
            vec![ComesBackOld(b)],
            Held(Cause::WrongVersion),
        ),
        case(
            "comes back other",
            vec![ComesBackOther(a)],
            Held(Cause::WrongVersion),
        ),
        case("never back", vec![NeverBack(b)], Held(Cause::TimedOut)),
        case("no reboot", vec![NoReboot(b)], Held(Cause::NotRebooted)),
        case(
            "host key changed",
            vec![HostKeyChanged(b)],
            Held(Cause::Rejected),
        ),
        case(
            "incompatible",
            vec![Incompatible(b)],
            Held(Cause::Incompatible),
        ),
        case(
            "stuck sync",
            vec![StuckSync(b)],
            Held(Cause::StandbyNotReady),
        ),
        case("suspended", vec![Suspended(b, 60)], Done),
        case(
            "disabled",
            vec![Suspended(b, FOR_EVER)],
            Held(Cause::StandbyFailed),
        ),
        case("switch ignored", vec![SwitchIgnored(b)], Held(Cause::Roles)),
        case("short split brain", vec![SplitBrain(b, 5)], Done),
        case(
            "split brain",
            vec![SplitBrain(b, FOR_EVER)],
            Held(Cause::SplitBrain),
        ),
        case("flaps back", vec![FlapsBack(b, 10)], Held(Cause::Roles)),
        case("active crashes", vec![ActiveCrashes(b)], Done),
        case("other active crashes", vec![ActiveCrashes(a)], Done),
        case(
            "package vanishes",
            vec![PackageVanishes(a)],
            Held(Cause::Package),
        ),
        case("probe fails", vec![ProbeFails(b)], Undone),
        case("probe hangs", vec![ProbeHangs(b)], Undone),
        case("probe fails at the end", vec![ProbeFails(a)], Undone),
        case(
            "switch back impossible",
            vec![InterfaceDownAtEnd(a)],
            Warnings,
        ),
        Case {
            // With a probe that fails it is the undo that is forbidden.
            also: vec![Held(Cause::NotStarted)],
            ..case(
                "switch back forbidden",
                vec![StartForbidden(Act::Switchover, a)],
                Warnings,
            )
        },
        case("unsynced at the end", vec![UnsyncedAtEnd], Warnings),
    ]
}

#[tokio::test]
async fn every_case_ends_as_listed_and_can_be_left() {
    for case in cases() {
        let rig = Rig::both_old(case.faults.clone()).await;
        let report = rig.apply().await.unwrap();
        assert_eq!(end(&report), case.end, "{}: {:?}", case.name, report.ended);
        rig.check(case.name);
        let run = report.run.unwrap();
        if let End::Held(_) = case.end {
            // What stands still goes on standing still for the same reason, or ends well.
            let again = rig.resume(run).await.unwrap();
            let allowed = [&[case.end, End::Undone][..], &case.also].concat();
            assert!(
                allowed.contains(&end(&again)),
                "{}: {:?}",
                case.name,
                again.ended
            );
            rig.check(case.name);
            if rig.outcome(run).is_none() {
                rig.engine(&(), async |engine| engine.abort(run).await)
                    .await
                    .unwrap();
            }
        }
        assert!(rig.outcome(run).is_some(), "{}: still open", case.name);
        assert!(
            !rig.flag.is_raised(),
            "{}: the monitoring was not told",
            case.name
        );
    }
}

#[tokio::test]
async fn good_ends_have_both_units_upgraded_and_the_roles_as_wished() {
    let both = |a: &str, b: &str| format!("a {NEW} {a}, b {NEW} {b}");
    let cases = [
        (vec![], both("active", "standby")),
        (
            vec![Fault::InterfaceDownAtEnd(Unit::A)],
            both("standby", "active"),
        ),
        (vec![Fault::ProbeFails(Unit::A)], both("standby", "active")),
        (
            vec![Fault::ProbeFails(Unit::B)],
            format!("a {OLD} active, b {NEW} standby"),
        ),
    ];
    for (faults, expected) in cases {
        let rig = Rig::both_old(faults.clone()).await;
        rig.apply().await.unwrap();
        assert_eq!(rig.model.end_state(), expected, "{faults:?}");
    }
}

/// For every case and every moment before or after a record, the process dies there once and is
/// resumed.
#[test]
fn a_run_that_dies_at_any_record_ends_as_one_that_does_not() {
    let cases = cases();
    // Some take much longer than others: whoever is done takes the next one.
    let next = AtomicUsize::new(0);
    let take = || cases.get(next.fetch_add(1, Ordering::SeqCst));
    let work = || {
        let taken = std::iter::from_fn(take);
        taken
            .map(|case| die_everywhere(case, false, stride(case)))
            .sum::<usize>()
    };
    let deaths: usize = std::thread::scope(|scope| {
        let workers = [scope.spawn(work), scope.spawn(work)];
        workers.map(|worker| worker.join().unwrap()).iter().sum()
    });
    println!("{deaths} deaths at records of {} cases", cases.len());
}

/// The same before and after every single call to a unit, where all goes well.
#[test]
fn a_run_that_dies_at_any_call_ends_as_one_that_does_not() {
    let deaths = die_everywhere(&cases()[0], true, 1);
    println!("{deaths} deaths at calls and records");
}

fn stride(case: &Case) -> usize {
    let soak = std::env::var_os("ELPIS_SOAK").is_some();
    if soak || case.faults.is_empty() { 1 } else { 3 }
}

/// Returns the number of deaths.
#[tokio::main(flavor = "current_thread")]
async fn die_everywhere(case: &Case, calls: bool, stride: usize) -> usize {
    let born = async || {
        let rig = Rig::both_old(case.faults.clone()).await;
        if !calls {
            rig.model.ticks.only_records();
        }
        rig
    };
    let reference = born().await;
    reference.apply().await.unwrap();
    let moments = reference.model.ticks.count();
    let expected = reference.model.end_state();
    // Who cannot find out what became of an order cannot know the end either.
    let certain = case.end != End::Held(Cause::OutcomeUnknown);
    let mut deaths = 0;
    // Each case begins elsewhere, so that together they try all places.
    for moment in (1 + case.name.len() % stride..=moments).step_by(stride) {
        deaths += 1;
        let rig = born().await;
        rig.model.ticks.die_at(moment);
        let life = rig.live(rig.apply()).await;
        assert!(life.is_none(), "{} did not die at {moment}", case.name);
        rig.model.ticks.revive();
        let what = format!("{} died at moment {moment}", case.name);
        match rig.after_crash().await {
            Ok(report) => {
                let ended = end(&report);
                let allowed = ended == case.end || case.also.contains(&ended);
                assert!(allowed, "{what}: {:?}", report.ended);
                if ended == case.end && certain {
                    assert_eq!(rig.model.end_state(), expected, "{what}");
                }
            }
            // It died after the end was recorded: nothing is left to do.
            Err(elpis_failover::UpgradeError::Finished { .. }) => {
                assert_eq!(rig.model.end_state(), expected, "{what}");
            }
            Err(error) => panic!("{what}: {error}"),
        }
        rig.check(&what);
    }
    deaths
}
