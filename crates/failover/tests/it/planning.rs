//! Plans as text, and the reasons not to make one.

use elpis_failover::{
    Cause, ConfigSync, Gate, HookPoint, HookRule, Plan, Policy, Role, Sight, Unit,
};

use crate::model::{Model, NEW, OLD};
use crate::rig::{all_gates, inspect, policy, target};

async fn plan(active: Unit, versions: [&str; 2], policy: &Policy) -> Plan {
    let facts = inspect(&Model::new(active, versions, vec![]), policy).await;
    Plan::new(policy, &facts).unwrap()
}

#[tokio::test]
async fn a_plain_plan_reads_well() {
    let plan = plan(Unit::A, [OLD, OLD], &Policy::new(target())).await;
    insta::assert_snapshot!(plan);
}

#[tokio::test]
async fn a_plan_with_everything_reads_well() {
    let mut rules = policy();
    rules.approve = all_gates();
    for (name, at) in [
        ("calendar", HookPoint::Start),
        ("drain", HookPoint::BeforeSwitchover),
        ("notify", HookPoint::End),
    ] {
        rules.hooks.push(HookRule {
            name: name.into(),
            at,
            timeout: std::time::Duration::from_secs(10),
            command: Vec::new(),
        });
    }
    insta::assert_snapshot!(plan(Unit::B, [OLD, OLD], &rules).await);
}

#[tokio::test]
async fn a_half_upgraded_pair_gets_the_other_half_of_a_plan() {
    let rules = Policy::new(target());
    insta::assert_snapshot!("active_behind", plan(Unit::A, [OLD, NEW], &rules).await);
    insta::assert_snapshot!("standby_behind", plan(Unit::A, [NEW, OLD], &rules).await);
    insta::assert_snapshot!("none_behind", plan(Unit::A, [NEW, NEW], &rules).await);
}

#[tokio::test]
async fn a_plan_survives_json_and_its_fingerprint_follows_the_facts() {
    let rules = policy();
    let made = plan(Unit::A, [OLD, OLD], &rules).await;
    let json = serde_json::to_string(&made).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), made);
    assert_eq!(plan(Unit::A, [OLD, OLD], &rules).await, made);
    let other = plan(Unit::B, [OLD, OLD], &rules).await;
    assert_ne!(other.fingerprint, made.fingerprint);
    let mut stricter = rules.clone();
    stricter.approve.insert(Gate::Switchover);
    let other = plan(Unit::A, [OLD, OLD], &stricter).await;
    assert_ne!(other.fingerprint, made.fingerprint);
}

/// One thing wrong at a time, and the cause it is refused for.
#[tokio::test]
async fn a_pair_that_is_not_fit_gets_no_plan() {
    use elpis_failover::{Facts, Finding, PackageFacts, Severity, Survey, UnitReport};
    type Spoil = fn(&mut Facts);
    fn report(facts: &mut Facts, unit: Unit) -> &mut UnitReport {
        let observation = match unit {
            Unit::A => &mut facts.sighting.a,
            Unit::B => &mut facts.sighting.b,
        };
        match &mut observation.sight {
            Sight::Seen(report) => report,
            _ => unreachable!(),
        }
    }
    fn survey(facts: &mut Facts) -> &mut Survey {
        facts.survey_b.as_mut().unwrap()
    }
    fn package(facts: &mut Facts) -> &mut PackageFacts {
        survey(facts).package.as_mut().unwrap()
    }
    let cases: Vec<(&str, Cause, Spoil)> = vec![
        ("7: one unit unreachable", Cause::Unreachable, |facts| {
            facts.sighting.b.sight = Sight::Unreachable("timeout".into());
        }),
        ("2: host key changed", Cause::Rejected, |facts| {
            facts.sighting.b.sight = Sight::Rejected("host key".into());
        }),
        ("82: cut output", Cause::NotUnderstood, |facts| {
            facts.sighting.b.sight = Sight::Unreadable("cut".into());
        }),
        ("8: the same unit twice", Cause::OtherUnits, |facts| {
            report(facts, Unit::B).identity = "serial-a".into();
        }),
        ("9: not each other's peers", Cause::OtherUnits, |facts| {
            report(facts, Unit::B).peer_identity = Some("serial-x".into());
        }),
        ("10: high availability off", Cause::StandbyFailed, |facts| {
            report(facts, Unit::B).own_role = Role::Disabled;
            report(facts, Unit::A).peer_role = Role::Disabled;
        }),
        ("11: cold standby", Cause::StandbyNotReady, |facts| {
            report(facts, Unit::B).own_role = Role::ColdStandby;
            report(facts, Unit::A).peer_role = Role::ColdStandby;
        }),
        ("12: standby failed", Cause::StandbyFailed, |facts| {
            report(facts, Unit::B).own_role = Role::Failed("Ifc Failure".into());
        }),
        ("13: both active", Cause::SplitBrain, |facts| {
            report(facts, Unit::B).own_role = Role::Active;
        }),
        ("14: none active", Cause::NoActive, |facts| {
            report(facts, Unit::A).own_role = Role::StandbyReady;
        }),
        ("15: contradiction", Cause::Disagree, |facts| {
            report(facts, Unit::B).peer_role = Role::StandbyReady;
        }),
        ("16: synchronising", Cause::Sync, |facts| {
            report(facts, Unit::B).sync = ConfigSync::Syncing("Config Syncing".into());
        }),
        ("18: interface down", Cause::Faults, |facts| {
            report(facts, Unit::B).faults = vec!["inside: No Link".into()];
        }),
        ("20: pending deployment", Cause::Survey, |facts| {
            survey(facts).findings = vec![Finding {
                severity: Severity::Blocker,
                code: "pending-deployment".into(),
                text: "deploy first".into(),
            }];
        }),
        ("22: package missing", Cause::Package, |facts| {
            survey(facts).package = None
        }),
        ("23: size differs", Cause::Package, |facts| {
            package(facts).size += 1
        }),
        ("23: growing", Cause::Package, |facts| {
            package(facts).growing = true
        }),
        ("24: digest differs", Cause::Package, |facts| {
            package(facts).digest = "sha512:ffffffffffffffffffffffffffffffff".into();
        }),
        ("25: wrong platform", Cause::Package, |facts| {
            package(facts).fits = Err("made for another model".into());
        }),
        ("29: a third version", Cause::WrongVersion, |facts| {
            report(facts, Unit::B).version = "7.0.1-84".into();
        }),
        ("31: another upgrade runs", Cause::Busy, |facts| {
            report(facts, Unit::B).busy = Some("an upgrade".into());
        }),
        ("65: versions cannot pair", Cause::Incompatible, |facts| {
            report(facts, Unit::B).incompatible = Some("103006".into());
        }),
        ("no survey", Cause::Survey, |facts| {
            facts.survey_b = Err("cut".into())
        }),
    ];
    let rules = policy();
    let healthy = inspect(&Model::new(Unit::A, [OLD, OLD], vec![]), &rules).await;
    assert!(Plan::new(&rules, &healthy).is_ok());
    for (name, cause, spoil) in cases {
        let mut facts = healthy.clone();
        spoil(&mut facts);
        let refused = Plan::new(&rules, &facts).expect_err(name);
        assert_eq!(refused[0].cause, cause, "{name}: {refused:?}");
    }
    // 18 and 65: what the policy accepts, and what is normal, stops nothing.
    let mut facts = healthy.clone();
    report(&mut facts, Unit::B).faults = vec!["inside: No Link".into()];
    report(&mut facts, Unit::B).notes = vec!["Comm Failure 13:24:46".into()];
    report(&mut facts, Unit::B).sync = ConfigSync::InSync("Sync Skipped - STANDBY".into());
    let mut lenient = rules.clone();
    lenient.accepted_faults.insert("inside: No Link".into());
    assert!(Plan::new(&lenient, &facts).is_ok());
    // 34: a window that is over.
    let mut late = rules.clone();
    late.window = Some(elpis_failover::Window {
        from: "2026-11-20T02:00".parse().unwrap(),
        to: "2026-11-20T05:00".parse().unwrap(),
        zone: "UTC".into(),
    });
    assert_eq!(
        Plan::new(&late, &healthy).unwrap_err()[0].cause,
        Cause::Window
    );
}
