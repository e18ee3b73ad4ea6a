//! Cases that take more than one command of the operator's.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use elpis_failover::rehearse::{Deed, Fault, Scenario, Setup};
use elpis_failover::{Cause, UpgradeError};
use elpis_run::{
    Event, History, Journal, JournalError, MemoryJournal, NewRun, Outcome, Query, RunId, RunSummary,
};
use jiff::Timestamp;

use super::*;

/// Their names, as the documentation has them.
pub(super) const NAMES: [&str; 13] = [
    "31-begun-by-hand",
    "31-a-foreign-job",
    "33-two-at-once",
    "35-no-journal",
    "36-facts-have-changed",
    "54-control-c",
    "55-power-fails",
    "56-sent-and-not-acknowledged",
    "57-connection-refused",
    "61-trusted-and-resumed",
    "82-an-answer-is-late",
    "86-wall-clock-jumps",
    "87-edited-in-between",
];

async fn rig_of(id: &str) -> Rig {
    let faults = Scenario::find(id).unwrap().faults;
    Rig::new(Setup {
        faults,
        ..Setup::new()
    })
    .await
}

fn check(rig: &Rig) {
    assert_eq!(broken_rules(rig), Vec::<String>::new());
}

fn command(rig: &Rig, option: &str) -> String {
    let package = rig.pair.target().package;
    format!("install_update.pl --detach {option} /ngfw/var/sf/updates/{package}")
}

/// 31. A script fails; the vendor's engineer begins the installation again by hand; the run is told
/// to take that one for its own.
#[tokio::test]
async fn case_31_begun_by_hand() {
    let rig = rig_of("46-a-script-fails").await;
    assert_eq!(rig.upgrade().await, End::Held(Cause::ActFailed));
    let fault = Scenario::find("46-a-script-fails").unwrap().faults;
    rig.pair.cure(&fault[0]);
    rig.pair.by_hand(B, &command(&rig, ""));
    assert_eq!(rig.resume().await, End::Held(Cause::Busy), "{}", rig.log());
    assert_eq!(rig.adopt().await, End::Done, "{}", rig.log());
    // The first one was ours, the second one the engineer's; nothing was begun beside them.
    assert_eq!(installs(&rig), 3);
    assert_eq!(rig.pair.release(B), "7.2.7-500");
}

/// 31. Another job than the plan's installation is not adopted.
#[tokio::test]
async fn case_31_a_foreign_job() {
    let rig = rig_of("46-a-script-fails").await;
    assert_eq!(rig.upgrade().await, End::Held(Cause::ActFailed));
    rig.pair.suffer(Fault::ReadinessHangs(B));
    rig.pair.by_hand(B, &command(&rig, "--readiness-check"));
    assert_eq!(rig.adopt().await, End::Held(Cause::Busy), "{}", rig.log());
    assert_eq!(installs(&rig), 1);
    check(&rig);
}

/// 33. The second one is locked out, the first one is not disturbed.
#[tokio::test]
async fn case_33_two_at_once() {
    let rig = Rig::new(Setup::new()).await;
    let plan = rig.plan().await.unwrap();
    let second = async {
        while !rig.log().contains("Started") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let journal = MemoryJournal::new();
        rig.engine_on(&journal, async |engine| engine.apply(&plan).await)
            .await
    };
    let (first, second) = tokio::join!(rig.apply(&plan), second);
    assert!(matches!(second, Err(UpgradeError::Locked(_))), "{second:?}");
    assert_eq!(first, End::Done);
    check(&rig);
}

/// A journal on a disk that is full after so many records.
struct Full {
    inner: MemoryJournal,
    left: AtomicUsize,
}

impl Full {
    fn take(&self) -> Result<(), JournalError> {
        let left = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        left.map(drop).map_err(|_| JournalError::Poisoned)
    }
}

impl Journal for Full {
    fn create(&self, run: &NewRun) -> Result<RunId, JournalError> {
        self.take()?;
        self.inner.create(run)
    }

    fn append(&self, run: RunId, at: Timestamp, event: &Event) -> Result<(), JournalError> {
        self.take()?;
        self.inner.append(run, at, event)
    }

    fn finish(&self, run: RunId, at: Timestamp, outcome: &Outcome) -> Result<(), JournalError> {
        self.take()?;
        self.inner.finish(run, at, outcome)
    }

    fn list(&self, query: &Query) -> Result<Vec<RunSummary>, JournalError> {
        self.inner.list(query)
    }

    fn replay(&self, run: RunId) -> Result<History, JournalError> {
        self.inner.replay(run)
    }
}

/// 35. No journal, no action: with room for n records at most the acts of n intents were begun.
#[tokio::test]
async fn case_35_no_journal() {
    for room in [0, 1, 4, 9, 20] {
        let rig = Rig::new(Setup::new()).await;
        let plan = rig.plan().await.unwrap();
        let journal = Full {
            inner: MemoryJournal::new(),
            left: AtomicUsize::new(room),
        };
        let ended = rig
            .engine_on(&journal, async |engine| engine.apply(&plan).await)
            .await;
        assert!(
            matches!(ended, Err(UpgradeError::Journal(_))),
            "{room}: {ended:?}"
        );
        let runs = journal.list(&Query::default()).unwrap();
        let intents = runs.first().map_or(0, |run| {
            let records = journal.replay(run.id).unwrap().records;
            let orders = records.iter().filter(|record| match &record.event {
                Event::Intent { detail, .. } => detail.get("order").is_some_and(|o| !o.is_null()),
                _ => false,
            });
            orders.count()
        });
        let begun = rig.pair.deeds();
        let begun = begun.iter().filter(|deed| !matches!(deed, Deed::Reboot(_)));
        assert!(begun.count() <= intents, "{room}: {:?}", rig.pair.deeds());
    }
}

/// 36. Between plan and apply the package is replaced; or the roles are exchanged.
#[tokio::test]
async fn case_36_facts_have_changed() {
    let rig = Rig::new(Setup::new()).await;
    let plan = rig.plan().await.unwrap();
    let package = rig.pair.target().package;
    rig.pair
        .by_hand(B, &format!("echo other > /ngfw/var/sf/updates/{package}"));
    let ended = only_once(rig.apply(&plan).await);
    assert_eq!(ended, refused(Cause::Package), "{}", rig.log());
    untouched(&rig);

    let rig = Rig::new(Setup::new().with(Fault::TakesOverAtLogin(B, 2))).await;
    let plan = rig.plan().await.unwrap();
    assert_eq!(
        rig.apply(&plan).await,
        refused(Cause::Roles),
        "{}",
        rig.log()
    );
    untouched(&rig);
}

/// Plays until `word` is told and does `what` then.
async fn meanwhile(rig: &Rig, word: &str, what: impl FnOnce()) -> End {
    let plan = rig.plan().await.unwrap();
    let told = async {
        while !rig.log().contains(word) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        what();
    };
    let (end, ()) = tokio::join!(rig.apply(&plan), told);
    end
}

/// 54. The first Control-C ends the run after its step; nothing of it reaches a unit.
#[tokio::test]
async fn case_54_control_c() {
    let rig = Rig::new(Setup::new()).await;
    let end = meanwhile(&rig, "act: Install", || rig.stop.stop()).await;
    assert_eq!(end, End::Held(Cause::Stopped), "{}", rig.log());
    assert_eq!(installs(&rig), 1);
    check(&rig);
    let mut rig = rig;
    rig.stop = elpis_run::StopToken::new();
    assert_eq!(rig.resume().await, End::Done, "{}", rig.log());
    check(&rig);
}

/// 55, 56. The process dies with the order on the wire; its successor looks and does not repeat.
#[tokio::test]
async fn cases_55_and_56_power_fails_with_an_order_on_the_wire() {
    for (act, acknowledged) in [("Install", false), ("Switchover", false), ("Install", true)] {
        let rig = Rig::new(Setup::new()).await;
        let plan = rig.plan().await.unwrap();
        let word = match acknowledged {
            true => "Acknowledged { step: \"04".to_owned(),
            false => format!("act: {act}"),
        };
        let death = async {
            while !rig.log().contains(&word) {
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
        };
        tokio::select! {
            () = death => {}
            end = rig.apply(&plan) => panic!("{end:?}"),
        }
        assert_eq!(rig.resume().await, End::Done, "{act}: {}", rig.log());
        assert_eq!((installs(&rig), switchovers(&rig)), (2, 1), "{act}");
        check(&rig);
    }
}

/// 57. While it boots, every connection is refused; only this unit is waited for.
#[tokio::test]
async fn case_57_connection_refused() {
    let setup = Setup {
        reboot: Duration::from_secs(30 * 60),
        ..Setup::new()
    };
    let rig = Rig::new(setup).await;
    assert_eq!(rig.upgrade().await, End::Done, "{}", rig.log());
    assert!(rig.log().contains("cannot be reached"), "{}", rig.log());
    check(&rig);
}

/// 61. The new key is compared and trusted, and the run goes on where it held.
#[tokio::test]
async fn case_61_trusted_and_resumed() {
    let rig = rig_of("61-new-host-key").await;
    assert_eq!(rig.upgrade().await, End::Held(Cause::Rejected));
    let key = rig.pair.host_key(B).unwrap();
    rig.known_hosts.trust(rig.pair.host(B), &key).unwrap();
    assert_eq!(rig.resume().await, End::Done, "{}", rig.log());
    assert_eq!(installs(&rig), 2);
    check(&rig);
}

/// 86. A day back and a year forward in the middle: deadlines do not notice.
#[tokio::test]
async fn case_86_wall_clock_jumps() {
    for seconds in [-86_400, 365 * 86_400] {
        let rig = Rig::new(Setup::new()).await;
        let end = meanwhile(&rig, "act: Install", || rig.clock.set_wall(seconds)).await;
        assert_eq!(end, End::Done, "{}", rig.log());
        check(&rig);
    }
}

/// 87. A plan that somebody has edited is not the one that was agreed to.
#[tokio::test]
async fn case_87_edited_in_between() {
    let rig = Rig::new(Setup::new()).await;
    let plan = rig.plan().await.unwrap();
    let mut edited = plan.clone();
    edited.policy.accepted_faults.insert(text("anything"));
    assert_eq!(
        rig.apply(&edited).await,
        refused(Cause::Stale),
        "{}",
        rig.log()
    );
    let mut edited = plan;
    edited.steps.retain(|step| !step.id.contains("readiness"));
    assert_eq!(
        rig.apply(&edited).await,
        refused(Cause::Stale),
        "{}",
        rig.log()
    );
    untouched(&rig);
}
