//! `elpis-failover` as its users see it, on a simulated pair over real SSH.

mod docs;
mod verbs;
mod world;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use elpis_failover::Unit;
use elpis_failover::rehearse::Fault;
use world::{Said, World, command, private, run};

#[test]
fn help_of_the_binary_and_of_every_verb() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = String::new();
    for verb in [
        "",
        "inspect",
        "check",
        "plan",
        "apply",
        "resume",
        "approve",
        "pause",
        "rollback",
        "abort",
        "status",
        "evidence",
        "trust",
        "manager",
        "rehearse",
        "demo",
        "completions",
        "man",
    ] {
        let args: Vec<&str> = [verb, "--help"]
            .into_iter()
            .filter(|arg| !arg.is_empty())
            .collect();
        let said = run(dir.path(), &args);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{verb}");
        all.push_str(&format!(
            "$ elpis-failover {}\n{}\n",
            args.join(" "),
            said.out
        ));
    }
    insta::assert_snapshot!("failover_help", all);
}

/// From an unknown host key to the change record.
#[test]
fn a_pair_is_upgraded_with_a_gate_in_the_middle() {
    let world = World::new(
        "rehearsal-only",
        "switch_back = true\napprove = ['switchover']",
    );

    let unknown = world.run(&["inspect"]);
    assert_eq!(unknown.code, 7, "{}{}", unknown.out, unknown.err);
    assert!(unknown.out.contains("is not known"), "{}", unknown.out);
    let shown = world.run(&["trust", "a"]);
    let fingerprint = world.pair.host_key(Unit::A).unwrap().fingerprint();
    assert!(shown.out.contains(&fingerprint), "{}", shown.out);
    assert_eq!(
        world
            .run(&["trust", "a", "--fingerprint", "SHA256:wrong"])
            .code,
        3
    );
    world.trust();

    let inspected = world.run(&["inspect"]);
    assert_eq!(inspected.code, 0, "{}{}", inspected.out, inspected.err);
    assert!(
        inspected.out.contains("pair: a active, b standby ready"),
        "{}",
        inspected.out
    );
    assert_eq!(world.run(&["check"]).code, 0);
    let planned = world.run(&["plan", "-o", "edge.plan"]);
    assert_eq!(planned.code, 0, "{}", planned.err);
    assert!(planned.out.contains("switchover-to-b"), "{}", planned.out);

    let held = world.run(&["apply", "edge.plan"]);
    assert_eq!(held.code, 4, "{}{}", held.out, held.err);
    assert!(
        held.out.contains("`switchover` is not approved"),
        "{}",
        held.out
    );
    assert!(
        held.out.contains("\n  next: Approve the gate"),
        "{}",
        held.out
    );
    assert_eq!(world.pair.release(Unit::B), "7.2.7-500");
    assert_eq!(world.pair.release(Unit::A), "7.2.2-54");
    let second = world.run(&["apply", "edge.plan"]);
    assert_eq!(second.code, 3, "{}", second.err);
    let status = world.run(&["status"]);
    assert!(status.out.contains("holding"), "{}", status.out);

    assert_eq!(
        world
            .run(&["approve", "second_install", "--by", "kim"])
            .code,
        2
    );
    assert_eq!(world.run(&["approve", "switchover", "--by", "kim"]).code, 0);
    let done = world.run(&["resume", "--format", "json"]);
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    let events: Vec<serde_json::Value> = done
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.first().unwrap()["event"], "started");
    assert_eq!(events.last().unwrap()["event"], "finished");
    assert_eq!(world.pair.release(Unit::A), "7.2.7-500");
    assert_eq!(world.pair.state(Unit::A), "Active", "the original roles");

    assert_eq!(world.run(&["evidence", "-o", "change.html"]).code, 0);
    let record = world.read("change.html");
    for expected in [
        "kim",
        "7.2.2-54, active",
        "7.2.7-500, active",
        "Raw outputs after",
    ] {
        assert!(record.contains(expected), "{expected}");
    }
    assert_eq!(world.run(&["resume"]).code, 3, "the run is closed");
    let again = world.run(&["plan"]);
    assert!(again.out.contains("nothing to do"), "{}", again.out);
    assert_eq!(
        (again.code, world.run(&["apply", "edge.plan"]).code),
        (0, 3),
        "the plan is stale"
    );

    // The password is nowhere but in its own file.
    let grep = Command::new("grep")
        .args(["-rlF", "rehearsal-only", "."])
        .current_dir(world.dir.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(grep.stdout).unwrap(), "./password\n");
}

#[test]
fn a_wrong_password_is_tried_once_and_refused() {
    let world = World::new("wrong", "");
    world.trust();
    let before = world.pair.logins(Unit::A);
    let said = world.run(&["check"]);
    assert_eq!(said.code, 8, "{}{}", said.out, said.err);
    assert!(!said.out.contains("wrong\n") && !said.err.contains("wrong\n"));
    assert_eq!(world.pair.logins(Unit::A), before);
}

#[test]
fn a_rehearsal_ends_as_the_real_thing_would() {
    let dir = tempfile::tempdir().unwrap();
    let policy = "[policy.target]\nversion = '7.2.7-500'\n\
                  package = 'Cisco_FTD_Upgrade-7.2.7-500.sh.REL.tar'\n[policy.limits]\n\
                  outage = '8s'\n";
    std::fs::write(dir.path().join("failover.toml"), policy).unwrap();
    for (fault, code, said) in [
        ("package-missing:a", 3, "does not have the package"),
        ("readiness-fails:b", 3, "refused, nothing was touched"),
        ("install-fails:b", 4, "never reboot the unit"),
        ("both-active:b", 5, "SERVICE AT RISK"),
        ("cut-at-install:b", 0, "the pair is healthy"),
    ] {
        let rehearsed = run(
            dir.path(),
            &["rehearse", "--fault", fault, "-o", &fault.replace(':', "-")],
        );
        assert_eq!(
            rehearsed.code, code,
            "{fault}: {}{}",
            rehearsed.out, rehearsed.err
        );
        assert!(rehearsed.out.contains(said), "{fault}: {}", rehearsed.out);
    }
    let record = std::fs::read_to_string(dir.path().join("readiness-fails-b")).unwrap();
    assert!(
        record.contains("Cisco TAC"),
        "the vendor's support is named"
    );
    let list = run(dir.path(), &["rehearse", "--fault", "list"]);
    assert!(list.out.lines().count() >= 20);
    assert_eq!(
        run(dir.path(), &["rehearse", "--fault", "earthquake:a"]).code,
        2
    );
}

#[test]
fn a_demo_ends_well_within_half_a_minute() {
    let dir = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let said = run(dir.path(), &["demo", "-o", "record.md"]);
    assert_eq!(said.code, 0, "{}", said.err);
    // Half a minute on a quiet machine; this one may be busy.
    assert!(
        begun.elapsed() < Duration::from_secs(120),
        "{:?}",
        begun.elapsed()
    );
    let record = std::fs::read_to_string(dir.path().join("record.md")).unwrap();
    assert!(record.contains("| Result | done"), "{record}");
}

#[test]
fn configuration_mistakes_are_2_with_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    let missing = run(dir.path(), &["inspect"]);
    assert_eq!(missing.code, 2);
    assert!(missing.err.contains("\nhint: "), "{}", missing.err);
    for (text, said) in [
        ("[pair]\nunit = 1\n", "unknown field `unit`"),
        ("[policy]\nswitch_back = true\n", "missing field `target`"),
        (
            "[policy.target]\nversion = ''\npackage = 'x'\n",
            "target.version is empty",
        ),
        (
            "[policy]\nmaintenance_flag = true\n[policy.target]\nversion = '1'\npackage = 'x'\n",
            "maintenance_flag: set policy.helpers.maintenance",
        ),
        ("", "nobody says which two units"),
    ] {
        std::fs::write(dir.path().join("failover.toml"), text).unwrap();
        let said_now = run(dir.path(), &["inspect"]);
        assert_eq!(said_now.code, 2, "{text}");
        assert!(said_now.err.contains(said), "{text}: {}", said_now.err);
    }
    assert_eq!(run(dir.path(), &["status"]).code, 3, "no journal yet");
    assert_eq!(run(dir.path(), &["apply", "no-such-plan"]).code, 2);
}
