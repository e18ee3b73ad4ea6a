//! Exit codes, each brought about for real.

use elpis_maint_core::{SqliteStore, Store};

use crate::harness::{ALL_EXPIRED, KEEP_ROWS, World, timed_numbers};

#[test]
fn usage_and_configuration_are_2_with_a_hint() {
    let world = World::empty();
    assert_eq!(world.run(&["purge-everything"]).code, 2);
    assert_eq!(world.run(&["run", "--max-time", "soon"]).code, 2);
    assert_eq!(world.run(&["run", "--max-share", "1.5"]).code, 2);
    let missing = world.run(&["plan"]);
    assert_eq!(missing.code, 2);
    assert!(missing.err.contains("[DIR]/maint.toml"), "{}", missing.err);
    assert!(missing.err.contains("\nhint: "), "{}", missing.err);
    world.configure(KEEP_ROWS);
    let unknown = world.run(&["history", "7"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
}

#[test]
fn a_refusal_is_3_and_nothing_is_touched() {
    let policy = ALL_EXPIRED.replace("max_share = 1.0", "max_share = 0.5");
    let world = World::with(10_000, &policy);
    let before = timed_numbers(&world.database());
    for verb in ["plan", "run"] {
        let said = world.run(&[verb]);
        assert_eq!(said.code, 3, "{said:?}");
        assert!(said.err.contains("max_share = 0.5"), "{}", said.err);
    }
    assert_eq!(timed_numbers(&world.database()), before);
    let allowed = world.run(&["run", "--max-share", "1.0"]);
    assert_eq!(allowed.code, 0, "{allowed:?}");
    assert_eq!(timed_numbers(&world.database()), 0);
}

#[test]
fn a_table_that_does_not_fit_is_3() {
    let world = World::with(10_000, &ALL_EXPIRED.replace("utimestamp", "nosuch"));
    let said = world.run(&["plan"]);
    assert_eq!(said.code, 3);
    assert!(said.err.contains("nosuch"), "{}", said.err);
}

#[test]
fn a_limit_is_7_and_the_next_run_continues() {
    let world = World::with(10_000, ALL_EXPIRED);
    let before = timed_numbers(&world.database());
    let limited = world.run(&["run", "--max-rows", "1000"]);
    assert_eq!(limited.code, 7, "{limited:?}");
    assert!(limited.err.contains("row limit"), "{}", limited.err);
    assert_eq!(timed_numbers(&world.database()), before - 1000);
    assert_eq!(world.run(&["run", "--no-throttle"]).code, 0);
    assert_eq!(timed_numbers(&world.database()), 0);
}

#[test]
fn no_database_is_8() {
    let world = World::empty();
    world.configure(KEEP_ROWS);
    let said = world.run(&["plan"]);
    assert_eq!(said.code, 8, "{said:?}");
    assert!(said.err.starts_with("error: "), "{}", said.err);
    world.write(
        "maint.toml",
        &format!(
            "[database]\nkind = \"mysql\"\nname = \"p\"\nhost = \"127.0.0.1\"\nport = 1\n\
             user = \"u\"\n{KEEP_ROWS}"
        ),
    );
    let said = world.run(&["run"]);
    assert_eq!(said.code, 8, "{said:?}");
    assert!(said.err.contains("127.0.0.1:1/p"), "{}", said.err);
}

#[tokio::test]
async fn a_held_lock_is_6_and_names_the_holder() {
    let world = World::with(10_000, ALL_EXPIRED);
    let mut store = SqliteStore::open(&world.database(), "a-test").unwrap();
    store.lock(&["any".to_owned()]).await.unwrap();
    let before = timed_numbers(&world.database());
    let said = world.run(&["run"]);
    assert_eq!(said.code, 6, "{said:?}");
    let pid = format!("a-test (pid {}", std::process::id());
    assert!(said.err.contains(&pid), "{}", said.err);
    assert_eq!(timed_numbers(&world.database()), before);
    store.unlock().await.unwrap();
    assert_eq!(world.run(&["run"]).code, 0);
}

#[test]
fn a_journal_that_is_not_ours_is_3() {
    let world = World::with(10_000, ALL_EXPIRED);
    std::fs::create_dir(world.path("state")).unwrap();
    std::fs::copy(world.database(), world.path("state/journal.db")).unwrap();
    use std::os::unix::fs::PermissionsExt;
    for (name, mode) in [("state", 0o700), ("state/journal.db", 0o600)] {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(world.path(name), mode).unwrap();
    }
    let before = timed_numbers(&world.database());
    let said = world.run(&["run"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert_eq!(timed_numbers(&world.database()), before);
    let planned = world.run(&["plan"]);
    assert_eq!(planned.code, 0, "{planned:?}");
    assert!(planned.err.contains("warning: "), "{}", planned.err);
}
