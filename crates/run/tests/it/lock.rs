//! `FileLock` between processes.

use std::path::Path;

use elpis_run::{FileLock, Holder, LockError};
use jiff::Timestamp;

use crate::child::{self, Helper};
use crate::files::{chmod, mode};

fn me() -> Holder {
    Holder::current("elpis-test", Timestamp::now())
}

fn held_by(path: &Path) -> Option<Holder> {
    match FileLock::acquire(path, &me()) {
        Err(LockError::Held { holder, .. }) => holder.map(|holder| *holder),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
#[ignore = "a helper process"]
fn holds_until_told_or_killed() {
    let Some(path) = child::argument() else {
        return;
    };
    let _lock = FileLock::acquire(&path, &Holder::current("the-child", Timestamp::now())).unwrap();
    child::say("locked");
    child::listen();
}

#[test]
fn a_second_process_is_refused_with_the_holders_name_until_the_first_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let mut holder = Helper::start("lock::holds_until_told_or_killed", &path);
    assert_eq!(holder.hear().as_deref(), Some("locked"));

    let named = held_by(&path).unwrap();
    assert_eq!(
        (named.pid, named.program.as_str()),
        (holder.id(), "the-child")
    );
    assert_eq!(named.is_alive(), Some(true));
    let text = FileLock::acquire(&path, &me()).unwrap_err().to_string();
    let pid = format!("the-child (pid {} on ", holder.id());
    assert!(
        text.contains(&pid) && text.contains(path.to_str().unwrap()),
        "{text}"
    );

    holder.kill();
    assert_eq!(named.is_alive(), Some(false));
    let lock = FileLock::acquire(&path, &me()).unwrap();
    assert_eq!(held_by(&path).unwrap().pid, std::process::id());
    drop(lock);
    assert_eq!(std::fs::read(&path).unwrap(), b"");
    assert_eq!(mode(&path), 0o600);

    let mut holder = Helper::start("lock::holds_until_told_or_killed", &path);
    assert_eq!(holder.hear().as_deref(), Some("locked"));
    held_by(&path).unwrap();
    holder.tell("enough");
    assert_eq!(holder.hear(), None);
    FileLock::acquire(&path, &me()).unwrap();
}

#[test]
fn a_dead_holders_signature_is_not_blamed_on_the_present_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let _lock = FileLock::acquire(&path, &me()).unwrap();
    let dead = Holder {
        start_ticks: Some(1),
        ..me()
    };
    std::fs::write(&path, serde_json::to_vec(&dead).unwrap()).unwrap();
    assert_eq!(held_by(&path), None);
    std::fs::write(&path, "{\"host\":").unwrap();
    assert_eq!(held_by(&path), None);
}

#[test]
fn links_and_files_open_to_others_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    std::fs::write(&path, "precious").unwrap();
    chmod(&path, 0o600);
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(
        FileLock::acquire(&link, &me()),
        Err(LockError::Fs(_))
    ));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    chmod(&path, 0o666);
    assert!(matches!(
        FileLock::acquire(&path, &me()),
        Err(LockError::Fs(_))
    ));
}
