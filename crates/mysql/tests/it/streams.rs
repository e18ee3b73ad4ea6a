use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use elpis_mysql::{Error, Params, Value};

use crate::{run, session, text};

const STALL: Duration = Duration::from_secs(30);

/// More rows than anybody would keep.
const MANY: &str = "SELECT seq, REPEAT('x', 1000) FROM mysql_stream.seq_1_to_1000000";

async fn with_database() -> elpis_mysql::Session {
    let mut session = session().await;
    // The sequence engine wants a database that exists.
    run(&mut session, "CREATE DATABASE IF NOT EXISTS mysql_stream").await;
    session
}

#[tokio::test]
async fn rows_come_in_order_and_in_portions() {
    let mut session = with_database().await;
    let sql = "SELECT seq, seq / 3e0, NULL, 'é' FROM mysql_stream.seq_1_to_1000";
    let mut rows = session.stream(sql, STALL).await.unwrap();
    let (mut seen, mut portions) = (0_i64, 0);
    loop {
        let mut portion = 0;
        let more = rows
            .read(|row| {
                seen += 1;
                portion += 1;
                assert!(
                    matches!(row.as_ref(0), Some(Value::Int(n)) if *n == seen)
                        || matches!(row.as_ref(0), Some(Value::UInt(n)) if *n == seen as u64)
                );
                assert_eq!(row.as_ref(1), Some(&Value::Double(seen as f64 / 3.0)));
                assert_eq!(row.as_ref(2), Some(&Value::NULL));
                assert_eq!(row.as_ref(3), Some(&Value::Bytes("é".as_bytes().to_vec())));
                if portion < 300 {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })
            .await
            .unwrap();
        portions += 1;
        if !more {
            break;
        }
    }
    assert_eq!((seen, portions), (1000, 4));
    assert!(!rows.read(|_| ControlFlow::Continue(())).await.unwrap());
    drop(rows);
    // Read to its end, it leaves the session as it was.
    assert_eq!(text(&mut session, "SELECT 1").await, "1");
}

#[tokio::test]
async fn a_stream_that_is_dropped_cuts_the_connection_at_once() {
    let mut session = with_database().await;
    let id = session.connection_id();
    let begun = Instant::now();
    let mut rows = session.stream(MANY, STALL).await.unwrap();
    assert!(rows.read(|_| ControlFlow::Break(())).await.unwrap());
    drop(rows);
    let error = session.execute("DO 1", Params::Empty).await.unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");
    let mut other = crate::session().await;
    let gone = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id}");
    while other.first::<i64>(&gone, Params::Empty).await.unwrap() != Some(0) {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "the server goes on"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn an_error_among_the_rows_is_an_error() {
    let mut session = with_database().await;
    let id = session.connection_id();
    let mut rows = session.stream(MANY, STALL).await.unwrap();
    assert!(rows.read(|_| ControlFlow::Break(())).await.unwrap());
    let mut other = crate::session().await;
    run(&mut other, &format!("KILL QUERY {id}")).await;
    let error = rows.read(|_| ControlFlow::Continue(())).await.unwrap_err();
    assert_eq!(error.code(), Some(1317), "{error:?}");
    assert!(!rows.read(|_| ControlFlow::Continue(())).await.unwrap());
    drop(rows);
    assert_eq!(text(&mut session, "SELECT 1").await, "1");
}

#[tokio::test]
async fn silence_is_borne_for_the_stall_time_only() {
    let mut session = session().await;
    run(&mut session, "SET SESSION max_statement_time = 0").await;
    let begun = Instant::now();
    let error = session
        .stream("SELECT SLEEP(60)", Duration::from_millis(300))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(20));
    let error = session.execute("DO 1", Params::Empty).await.unwrap_err();
    assert!(error.is_lost());
}

#[tokio::test]
async fn a_row_may_be_longer_than_the_servers_packet() {
    let mut session = session().await;
    let packet: Option<u64> = session
        .first("SELECT @@max_allowed_packet", Params::Empty)
        .await
        .unwrap();
    let half = packet.unwrap() * 2 / 3;
    let sql = format!("SELECT REPEAT('a', {half}), REPEAT('b', {half})");
    let mut rows = session.stream(&sql, STALL).await.unwrap();
    let mut length = 0;
    let more = rows
        .read(|row| {
            for column in 0..2 {
                if let Some(Value::Bytes(bytes)) = row.as_ref(column) {
                    length += bytes.len() as u64;
                }
            }
            ControlFlow::Continue(())
        })
        .await
        .unwrap();
    assert!(!more);
    assert_eq!(length, 2 * half);
}
