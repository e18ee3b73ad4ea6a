//! What the manager does for both units, asked of the rehearsal's manager, over the model of the
//! simulated pair.

use std::sync::Arc;
use std::time::Duration;

use elpis_failover::rehearse::{DriverClock, Fault, Setup};
use elpis_failover::{
    Cause, Errand, ErrandEnd, ErrandError, ErrandRun, Fmc, FmcNames, FmcOptions, PairDriver, Unit,
};
use elpis_run::{Clock, Event, Holder, Journal, NewRun, Secret};
use serde_json::{Value, json};

use crate::rig::{End, Rig};

async fn run_errand(rig: &Rig, errand: Errand, most: Duration) -> Result<ErrandEnd, ErrandError> {
    let clock = Arc::new(DriverClock::new(Arc::clone(&rig.clock)));
    let fmc = rig.pair.manager(clock).unwrap();
    ErrandRun {
        fmc: &fmc,
        journal: &rig.journal,
        lock_dir: rig.dir.path(),
        clock: &*rig.clock,
        stop: &rig.stop,
        holder: Holder::current("test", rig.clock.now()),
        pair: rig.driver().pair(),
    }
    .run(errand, &rig.pair.target().package, most, &|_| {})
    .await
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_package_that_is_missing_is_copied_by_the_manager_and_the_pair_upgraded() {
    let faults = [
        Fault::PackageMissing(Unit::A),
        Fault::PackageMissing(Unit::B),
    ];
    let setup = faults.into_iter().fold(Setup::new(), Setup::with);
    let mut rig = Rig::new(setup).await;
    rig.add_manager();
    let refused = rig.upgrade().await;
    assert!(matches!(refused, End::Refused(_)), "{refused:?}");
    let copied = run_errand(&rig, Errand::CopyPackage, HOUR).await.unwrap();
    assert_eq!(copied, ErrandEnd::Done);
    let ready = run_errand(&rig, Errand::CheckReadiness, HOUR)
        .await
        .unwrap();
    assert_eq!(ready, ErrandEnd::Done);
    assert!(!rig.has_open_run());
    assert_eq!(rig.upgrade().await, End::Done, "{}", rig.log());
}

#[tokio::test]
async fn a_task_that_outlasts_our_patience_is_gone_on_with_and_its_failure_told() {
    let words = String::from("no space left on device");
    let setup = Setup::new().with(Fault::ManagerTaskFails(words.clone()));
    let rig = Rig::new(setup).await;
    let first = run_errand(&rig, Errand::CopyPackage, Duration::ZERO)
        .await
        .unwrap();
    assert!(matches!(first, ErrandEnd::GoingOn { .. }), "{first:?}");
    assert!(rig.has_open_run());
    let second = run_errand(&rig, Errand::CopyPackage, HOUR).await.unwrap();
    assert_eq!(second, ErrandEnd::Failed(words));
    assert!(!rig.has_open_run());
}

#[tokio::test]
async fn nothing_is_asked_for_beside_an_upgrade_that_holds() {
    let rig = Rig::new(Setup::new().with(Fault::ReadinessHangs(Unit::B))).await;
    assert_eq!(rig.upgrade().await, End::Held(Cause::TimedOut));
    assert!(matches!(
        run_errand(&rig, Errand::CheckReadiness, HOUR).await,
        Err(ErrandError::Unfinished { .. })
    ));
}

#[tokio::test]
async fn a_request_that_nobody_knows_the_fate_of_is_not_repeated() {
    let rig = Rig::new(Setup::new()).await;
    let run = rig
        .journal
        .create(&NewRun {
            job: String::from("failover-manager"),
            target: rig.driver().pair(),
            holder: Holder::current("dead", rig.clock.now()),
            started: rig.clock.now(),
            plan: json!({ "errand": "copy-package" }),
        })
        .unwrap();
    let intent = Event::Intent {
        step: String::from("copy-package"),
        detail: Value::Null,
    };
    rig.journal.append(run, rig.clock.now(), &intent).unwrap();
    let unknown = run_errand(&rig, Errand::CopyPackage, HOUR).await.unwrap();
    assert!(matches!(unknown, ErrandEnd::Unknown(_)), "{unknown:?}");
    // Now that somebody has read it, asking again is their decision.
    let copied = run_errand(&rig, Errand::CopyPackage, HOUR).await.unwrap();
    assert_eq!(copied, ErrandEnd::Done);
}

/// Another manager, or another pair of it, is not whose word the plan was made on; another account
/// at the same one is.
#[tokio::test]
async fn another_manager_is_an_edit_of_the_plans_terms() {
    let mut rig = Rig::new(Setup::new()).await;
    rig.add_manager();
    let plan = rig.plan().await.unwrap();
    let mut edited = |address: &str, user: &str, pair: &str| {
        let secret = Secret::new(String::from("rehearsal-only"));
        let options = FmcOptions::new(address.to_owned(), user.to_owned(), secret);
        let names = FmcNames {
            pair: pair.to_owned(),
            units: ["FTD Primary", "FTD Secondary"].map(str::to_owned),
        };
        rig.options.manager = Some(Arc::new(Fmc::new(options, names).unwrap()));
        plan.edited(&rig.policy, &rig.driver().terms())
    };
    let address = plan.terms["manager"]["address"].as_str().unwrap();
    let none: [&str; 0] = [];
    assert_eq!(edited(address, "other", "FTD_HA"), none);
    assert_eq!(edited(address, "api", "OTHER_HA"), ["manager.pair"]);
    assert_eq!(
        edited("http://127.0.0.1:1", "api", "FTD_HA"),
        ["manager.address"]
    );
    rig.options.manager = None;
    assert_eq!(plan.edited(&rig.policy, &rig.driver().terms()), ["manager"]);
}

#[tokio::test]
async fn an_upgrade_outlives_tokens_of_half_an_hour_and_says_who_was_asked() {
    let mut rig = Rig::new(Setup::new()).await;
    rig.add_manager();
    let plan = rig.plan().await.unwrap();
    let note = "the manager has nothing to deploy";
    assert!(
        plan.notes.iter().any(|said| said.contains(note)),
        "{:?}",
        plan.notes
    );
    assert_eq!(rig.apply(&plan).await, End::Done, "{}", rig.log());
}
