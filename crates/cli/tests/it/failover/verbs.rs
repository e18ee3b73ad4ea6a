//! The verbs beside the straight way: stopping, giving up, going back, asking the manager.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use super::*;

/// An `apply` at work, with what it says coming in.
struct AtWork {
    child: Child,
    lines: BufReader<std::process::ChildStderr>,
    said: String,
}

impl AtWork {
    fn apply(world: &World) -> AtWork {
        let planned = world.run(&["plan", "-o", "edge.plan"]);
        assert_eq!(planned.code, 0, "{}{}", planned.out, planned.err);
        let mut child = command(world.dir.path(), &["apply", "edge.plan"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        AtWork {
            child,
            lines,
            said: String::new(),
        }
    }

    /// Until it says `word`.
    fn until(mut self, word: &str) -> AtWork {
        while !self.said.contains(word) {
            let read = self.lines.read_line(&mut self.said).unwrap();
            assert!(read > 0, "it never said {word:?}: {}", self.said);
        }
        self
    }

    fn interrupt(&self) {
        // `timeout` hands the signal on to the program, and in the foreground only once.
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
        assert!(sent.success());
    }

    fn end(mut self) -> Said {
        use std::io::Read;
        self.lines.read_to_string(&mut self.said).unwrap();
        let mut said = Said::of(self.child.wait_with_output().unwrap());
        said.err = self.said;
        said
    }
}

#[test]
fn control_c_ends_after_the_step_and_resume_goes_on() {
    let world = World::new("rehearsal-only", "");
    world.trust();
    let at_work = AtWork::apply(&world).until("order to unit b: install");
    let mut follower = command(world.dir.path(), &["status", "--follow"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    at_work.interrupt();
    let stopped = at_work.end();
    assert_eq!(stopped.code, 130, "{}{}", stopped.out, stopped.err);
    assert!(
        stopped.out.contains("stopped on request"),
        "{}",
        stopped.out
    );
    assert!(stopped.out.contains("next: Resume"), "{}", stopped.out);
    // Whoever follows sees it stop, too.
    assert!(follower.wait().unwrap().success());
    let resumed = world.run(&["resume"]);
    assert_eq!(resumed.code, 0, "{}{}", resumed.out, resumed.err);
    assert_eq!(world.pair.release(Unit::A), "7.2.7-500");
    assert!(
        !world
            .pair
            .deeds()
            .contains(&elpis_failover::rehearse::Deed::Interrupt(Unit::B))
    );
}

#[test]
fn a_pause_from_elsewhere_holds_and_the_run_can_be_given_up() {
    let world = World::new("rehearsal-only", "");
    world.trust();
    let at_work = AtWork::apply(&world).until("order to unit b: check readiness");
    let asked = world.run(&["pause", "--by", "kim"]);
    assert_eq!(asked.code, 0, "{}", asked.err);
    let second = world.run(&["resume"]);
    assert_eq!(second.code, 6, "{}{}", second.out, second.err);
    let paused = at_work.end();
    assert_eq!(paused.code, 130, "{}{}", paused.out, paused.err);
    assert!(paused.out.contains("paused on request"), "{}", paused.out);
    let nothing = world.run(&["rollback"]);
    assert_eq!(nothing.code, 3, "{}", nothing.err);
    assert!(
        nothing.err.contains("nothing can be undone"),
        "{}",
        nothing.err
    );
    let given_up = world.run(&["abort"]);
    assert_eq!(given_up.code, 0, "{}{}", given_up.out, given_up.err);
    assert!(world.run(&["status"]).out.contains("closed"));
    assert_eq!(world.pair.release(Unit::B), "7.2.2-54");
}

#[test]
fn a_rollback_brings_the_traffic_back_while_that_is_possible() {
    let world = World::new("rehearsal-only", "approve = ['second_install']");
    world.trust();
    let held = AtWork::apply(&world).end();
    assert_eq!(held.code, 4, "{}{}", held.out, held.err);
    assert_eq!(world.pair.state(Unit::B), "Active");
    let back = world.run(&["rollback"]);
    assert_eq!(back.code, 4, "{}{}", back.out, back.err);
    assert!(back.out.contains("undone at"), "{}", back.out);
    assert_eq!(world.pair.state(Unit::A), "Active");
    assert_eq!(world.pair.release(Unit::A), "7.2.2-54");
    assert_eq!(world.run(&["resume"]).code, 3, "the run is closed");
}

#[test]
fn the_manager_is_asked_and_copies_the_package() {
    let missing = [
        Fault::PackageMissing(Unit::A),
        Fault::PackageMissing(Unit::B),
    ];
    let world = World::managed("", &missing);
    world.trust();
    let shown = world.run(&["manager", "show"]);
    assert_eq!(shown.code, 0, "{}{}", shown.out, shown.err);
    assert!(shown.out.contains("FTD Secondary: 7.2.2"), "{}", shown.out);
    let refused = world.run(&["check"]);
    assert_eq!(refused.code, 3, "{}{}", refused.out, refused.err);
    assert!(
        refused.out.contains("does not have the package"),
        "{}",
        refused.out
    );
    let copied = world.run(&["manager", "copy"]);
    assert_eq!(copied.code, 0, "{}{}", copied.out, copied.err);
    assert_eq!(world.run(&["check"]).code, 0);
    world.pair.suffer(Fault::ManagerPending(Unit::A));
    let of_the_manager = world.run(&["resume", "--run", "1"]);
    assert_eq!(of_the_manager.code, 3, "{}", of_the_manager.err);
    assert!(
        of_the_manager.err.contains("run 1 is not an upgrade"),
        "{}",
        of_the_manager.err
    );
    let pending = world.run(&["plan"]);
    assert_eq!(pending.code, 3, "{}{}", pending.out, pending.err);
    assert!(
        pending.err.contains("FTD Primary has changes"),
        "{}",
        pending.err
    );
    assert_eq!(world.run(&["manager", "show"]).code, 7);

    private(&world.dir.path().join("fmc"), "guess\n");
    let denied = world.run(&["manager", "show"]);
    assert_eq!(denied.code, 8, "{}{}", denied.out, denied.err);
    assert!(!denied.err.contains("guess"), "{}", denied.err);
    world.pair.suffer(Fault::ManagerDown);
    let down = world.run(&["manager", "readiness"]);
    assert!(matches!(down.code, 3 | 8), "{}{}", down.out, down.err);
}

#[test]
fn nobodys_word_is_a_refusal_and_somebodys_goes_to_the_record() {
    let world = World::with("rehearsal-only", "", "approve = ['first_install']", &[]);
    world.trust();
    let refused = world.run(&["plan"]);
    assert_eq!(refused.code, 3, "{}{}", refused.out, refused.err);
    assert!(
        refused.err.contains("check it there and confirm"),
        "{}",
        refused.err
    );
    let word = ["--no-pending-deployment", "lee"];
    let planned = world.run(&["plan", "-o", "edge.plan", word[0], word[1]]);
    assert_eq!(planned.code, 0, "{}{}", planned.out, planned.err);
    let held = world.run(&["apply", "edge.plan", word[0], word[1]]);
    assert_eq!(held.code, 4, "{}{}", held.out, held.err);
    let record = world.run(&["evidence"]);
    assert!(record.out.contains("confirmed by lee"), "{}", record.out);
}

/// 8: nothing was touched because somebody does not answer.
#[test]
fn a_unit_that_does_not_answer_is_8_with_a_hint() {
    let world = World::with(
        "rehearsal-only",
        "no_pending_deployment = 'kim'",
        "",
        &[Fault::Unreachable(Unit::B)],
    );
    let trusted = world.run(&["trust", "b"]);
    assert_eq!(trusted.code, 8, "{}{}", trusted.out, trusted.err);
    assert!(
        trusted.err.contains("hint: nothing was touched"),
        "{}",
        trusted.err
    );
    let fingerprint = world.pair.host_key(Unit::A).unwrap().fingerprint();
    assert_eq!(
        world
            .run(&["trust", "a", "--fingerprint", &fingerprint])
            .code,
        0
    );
    for verb in ["check", "plan"] {
        let said = world.run(&[verb]);
        assert_eq!(said.code, 8, "{verb}: {}{}", said.out, said.err);
        let text = said.out + &said.err;
        assert!(text.contains("unit b does not answer"), "{verb}: {text}");
    }
}

/// The newest verified archive of `elpis-backup` is the safety copy.
#[cfg(feature = "backup")]
#[test]
fn nothing_begins_without_a_verified_archive() {
    let site = crate::backup::Site::new();
    let policy = format!(
        "approve = ['first_install']\nsafety_copy = {{ max_age = '24h' }}\nhelpers = {{ backups = {:?} }}",
        site.path("archives")
    );
    let world = World::new("rehearsal-only", &policy);
    world.trust();
    assert_eq!(world.run(&["plan", "-o", "edge.plan"]).code, 0);
    let none = world.run(&["apply", "edge.plan"]);
    assert_eq!(none.code, 3, "{}{}", none.out, none.err);
    assert!(none.out.contains("there is no backup"), "{}", none.out);

    assert_eq!(site.run(&["create", "--no-verify"]).code, 0);
    let unverified = world.run(&["apply", "edge.plan"]);
    assert_eq!(unverified.code, 3, "{}{}", unverified.out, unverified.err);
    assert!(
        unverified.out.contains("is not verified"),
        "{}",
        unverified.out
    );

    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(site.run(&["create"]).code, 0);
    let held = world.run(&["apply", "edge.plan"]);
    assert_eq!(held.code, 4, "{}{}", held.out, held.err);
    assert!(
        held.out.contains("`first_install` is not approved"),
        "{}",
        held.out
    );
    let record = world.run(&["evidence"]);
    assert!(record.out.contains("test_backup_"), "{}", record.out);

    // Somebody else's backups are not what the plan relies on.
    let moved = world.read("failover.toml").replace("/archives", "/others");
    std::fs::write(world.dir.path().join("failover.toml"), moved).unwrap();
    let edited = world.run(&["resume"]);
    assert_eq!(edited.code, 3, "{}{}", edited.out, edited.err);
    assert!(
        edited.err.contains("edited since: policy.helpers"),
        "{}",
        edited.err
    );
    let as_planned = world.run(&["resume", "--as-planned"]);
    assert_eq!(as_planned.code, 4, "{}{}", as_planned.out, as_planned.err);
}

/// What the configuration says now is not what the plan was made by: that is said, with its names,
/// and somebody has to choose.
#[test]
fn an_edited_configuration_is_not_resumed_by_itself() {
    let world = World::new("rehearsal-only", "approve = ['first_install']");
    world.trust();
    let held = AtWork::apply(&world).end();
    assert_eq!(held.code, 4, "{}{}", held.out, held.err);
    let plan = world.read("edge.plan");
    world.add("install = '3h'\n");
    let refused = world.run(&["resume"]);
    assert_eq!(refused.code, 3, "{}{}", refused.out, refused.err);
    for said in ["edited since: policy.limits.install", "resume --as-planned"] {
        assert!(refused.err.contains(said), "{said}: {}", refused.err);
    }
    let resumed = world.run(&["resume", "--as-planned"]);
    assert_eq!(resumed.code, 4, "{}{}", resumed.out, resumed.err);
    let record = world.run(&["evidence"]).out;
    assert!(
        record
            .contains("by the plan although the configuration was edited (policy.limits.install)"),
        "{record}"
    );
    assert_eq!(world.run(&["abort"]).code, 0);
    // The same before a run: the plan is stale.
    std::fs::write(world.dir.path().join("old.plan"), plan).unwrap();
    let stale = world.run(&["apply", "old.plan"]);
    assert_eq!(stale.code, 3, "{}{}", stale.out, stale.err);
    assert!(
        stale
            .err
            .contains("policy.limits.install was edited since the plan"),
        "{}",
        stale.err
    );
}
