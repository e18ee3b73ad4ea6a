use std::time::{Duration, Instant};

use elpis_mysql::{Error, Params, SessionSettings};

use crate::{open, run, server, session, text};

#[tokio::test]
async fn deadlocks_and_lock_waits_are_retryable() {
    let settings = SessionSettings {
        lock_wait: Duration::from_secs(1),
        ..SessionSettings::default()
    };
    let mut a = open(&server().options(), &settings).await;
    let mut b = open(&server().options(), &settings).await;
    run(&mut a, "CREATE DATABASE retry").await;
    run(&mut a, "CREATE TABLE retry.t (id INT PRIMARY KEY, n INT)").await;
    run(&mut a, "INSERT INTO retry.t VALUES (1, 0), (2, 0)").await;

    let touch = |id: i32| format!("UPDATE retry.t SET n = n + 1 WHERE id = {id}");
    a.begin().await.unwrap();
    b.begin().await.unwrap();
    run(&mut a, &touch(1)).await;
    run(&mut b, &touch(2)).await;
    let (second, first) = (touch(2), touch(1));
    let (a_result, b_result) = tokio::join!(
        a.execute(&second, Params::Empty),
        b.execute(&first, Params::Empty)
    );
    let errors: Vec<Error> = [a_result.err(), b_result.err()]
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0].code(), Some(1213));
    assert!(errors[0].is_retryable() && !errors[0].is_lost());
    a.rollback().await.unwrap();
    b.rollback().await.unwrap();

    a.begin().await.unwrap();
    run(&mut a, &touch(1)).await;
    let error = b.execute(&first, Params::Empty).await.unwrap_err();
    assert_eq!(error.code(), Some(1205));
    assert!(error.is_retryable() && !error.is_lost());
    a.rollback().await.unwrap();
    assert_eq!(b.execute(&first, Params::Empty).await.unwrap(), 1);
}

#[tokio::test]
async fn the_server_ends_a_statement_and_the_session_lives_on() {
    let settings = SessionSettings {
        statement_timeout: Duration::from_millis(300),
        ..SessionSettings::default()
    };
    let mut session = open(&server().options(), &settings).await;
    let begun = Instant::now();
    let error = session
        .rows::<i64>("SELECT SLEEP(30)", Params::Empty)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::StatementTimeout { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(!error.is_lost());
    assert_eq!(text(&mut session, "SELECT 1").await, "1");
}

#[tokio::test]
async fn an_abandoned_call_ends_the_session() {
    let mut session = session().await;
    let call = session.execute("DO SLEEP(30)", Params::Empty);
    tokio::time::timeout(Duration::from_millis(100), call)
        .await
        .unwrap_err();
    let begun = Instant::now();
    let error = session.execute("DO 1", Params::Empty).await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(1));
}
