use std::time::{Duration, Instant};

use elpis_mysql::{Error, Params, Session};

use crate::{run, session};

const NO_WAIT: Duration = Duration::ZERO;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

async fn owner(session: &mut Session, name: &str) -> Option<u32> {
    let sql = format!("SELECT IS_USED_LOCK('{name}')");
    session
        .first::<Option<u32>>(&sql, Params::Empty)
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn all_locks_or_none_and_the_holder_is_named() {
    let (mut a, mut b) = (session().await, session().await);
    b.lock(&names(&["all.b"]), NO_WAIT).await.unwrap();
    let begun = Instant::now();
    let wait = Duration::from_millis(300);
    let error = a.lock(&names(&["all.a", "all.b"]), wait).await.unwrap_err();
    assert!(begun.elapsed() >= wait);
    let Error::LockHeld { name, holder } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(name, "all.b");
    assert_eq!(
        holder,
        &format!("connection {} (root from localhost)", b.connection_id())
    );
    assert_eq!(owner(&mut b, "all.a").await, None);
    assert!(a.holds_locks().await.unwrap());

    b.unlock().await.unwrap();
    a.lock(&names(&["all.a", "all.b"]), NO_WAIT).await.unwrap();
    assert!(a.holds_locks().await.unwrap());
    assert_eq!(owner(&mut b, "all.b").await, Some(a.connection_id()));
    a.execute("DO RELEASE_LOCK('all.a')", Params::Empty)
        .await
        .unwrap();
    assert!(!a.holds_locks().await.unwrap());
    a.unlock().await.unwrap();
    assert_eq!(owner(&mut b, "all.b").await, None);
}

#[tokio::test]
async fn a_waiting_lock_is_taken_when_it_becomes_free() {
    let (mut a, mut b) = (session().await, session().await);
    a.lock(&names(&["wait"]), NO_WAIT).await.unwrap();
    let wanted = names(&["wait"]);
    let (taken, ()) = tokio::join!(b.lock(&wanted, Duration::from_secs(60)), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        a.unlock().await.unwrap();
    });
    taken.unwrap();
    assert_eq!(owner(&mut a, "wait").await, Some(b.connection_id()));
}

#[tokio::test]
async fn a_deadlock_of_locks_is_a_held_lock() {
    let (mut a, mut b) = (session().await, session().await);
    a.lock(&names(&["dead.a"]), NO_WAIT).await.unwrap();
    b.lock(&names(&["dead.b"]), NO_WAIT).await.unwrap();
    let (for_a, for_b) = (names(&["dead.b"]), names(&["dead.a"]));
    let wait = Duration::from_secs(2);
    let (a_result, b_result) = tokio::join!(a.lock(&for_a, wait), b.lock(&for_b, wait));
    let mut errors = [a_result.err(), b_result.err()].into_iter().flatten();
    let error = errors.next().expect("both cannot have both");
    assert!(matches!(error, Error::LockHeld { .. }), "{error:?}");
    assert!(a.holds_locks().await.unwrap() && b.holds_locks().await.unwrap());
}

#[tokio::test]
async fn unusable_names_are_refused() {
    let mut session = session().await;
    for name in [String::new(), "x".repeat(65)] {
        let error = session.lock(&[name], NO_WAIT).await.unwrap_err();
        assert!(matches!(error, Error::LockName { .. }), "{error:?}");
    }
    session.lock(&["ä".repeat(64)], NO_WAIT).await.unwrap();
}

#[tokio::test]
async fn a_killed_connection_is_lost_with_its_lock_and_not_replaced() {
    let (mut victim, mut other) = (session().await, session().await);
    victim.lock(&names(&["killed"]), NO_WAIT).await.unwrap();
    run(&mut other, &format!("KILL {}", victim.connection_id())).await;
    let error = victim.execute("DO 1", Params::Empty).await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");
    let again = victim.holds_locks().await.unwrap_err();
    assert!(matches!(again, Error::Lost { .. }), "{again:?}");
    assert!(victim.begin().await.unwrap_err().is_lost());
    other
        .lock(&names(&["killed"]), Duration::from_secs(10))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_dropped_session_frees_its_locks_at_once() {
    let (mut a, mut b) = (session().await, session().await);
    a.lock(&names(&["dropped"]), NO_WAIT).await.unwrap();
    drop(a);
    b.lock(&names(&["dropped"]), Duration::from_secs(10))
        .await
        .unwrap();
}
