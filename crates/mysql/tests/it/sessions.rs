use std::time::{Duration, SystemTime};

use elpis_mysql::{
    ConnectOptions, Error, Flavour, Isolation, LoadProbe, Params, PrivateServer, Session,
    SessionSettings, Value, now, role,
};

use crate::{open, run, server, session, text};

#[tokio::test]
async fn opens_over_socket_and_tcp() {
    for options in [server().options(), server().tcp_options()] {
        let mut session = open(&options, &SessionSettings::default()).await;
        assert_eq!(session.server().flavour, Flavour::MariaDb);
        let id = text(&mut session, "SELECT CONNECTION_ID()").await;
        assert_eq!(id, session.connection_id().to_string());
        let version = text(&mut session, "SELECT VERSION()").await;
        let (major, minor, patch) = session.server().version;
        assert!(
            version.starts_with(&format!("{major}.{minor}.{patch}-")),
            "{version}"
        );
        session.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let mut options = server().tcp_options();
    options.port = 1;
    options.database = Some("d".to_owned());
    let error = Session::open(&options, &SessionSettings::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
    assert!(error.to_string().contains("127.0.0.1:1/d"), "{error}");
}

#[tokio::test]
async fn settings_are_visible_in_the_session() {
    let settings = SessionSettings {
        statement_timeout: Duration::from_millis(12_500),
        lock_wait: Duration::from_millis(2100),
        isolation: Isolation::RepeatableRead,
        ..SessionSettings::default()
    };
    // Sessions of this crate do not heed it, so that no other test minds.
    let mut other = session().await;
    run(&mut other, "SET GLOBAL sql_safe_updates = 1").await;
    let mut session = open(&server().options(), &settings).await;
    for (variable, value) in [
        ("sql_safe_updates", "OFF"),
        ("max_statement_time", "12.500000"),
        ("innodb_lock_wait_timeout", "3"),
        ("lock_wait_timeout", "3"),
        ("time_zone", "+00:00"),
        ("tx_isolation", "REPEATABLE-READ"),
        ("autocommit", "ON"),
    ] {
        assert_eq!(
            text(&mut session, &format!("SELECT @@SESSION.{variable}")).await,
            value
        );
    }
    let mut session = crate::session().await;
    assert_eq!(
        text(&mut session, "SELECT @@tx_isolation").await,
        "READ-COMMITTED"
    );
}

#[tokio::test]
async fn variables_are_set_and_put_back_with_their_types() {
    let mut session = session().await;
    let variables = [
        "foreign_key_checks",
        "sql_mode",
        "max_statement_time",
        "sort_buffer_size",
    ];
    let mut before = Vec::new();
    for variable in variables {
        before.push(text(&mut session, &format!("SELECT @@SESSION.{variable}")).await);
    }
    session
        .set_for_session("foreign_key_checks", 0)
        .await
        .unwrap();
    session
        .set_for_session("foreign_key_checks", 0)
        .await
        .unwrap();
    session
        .set_for_session("sql_mode", "ANSI_QUOTES")
        .await
        .unwrap();
    session
        .set_for_session("max_statement_time", 1.5)
        .await
        .unwrap();
    session
        .set_for_session("sort_buffer_size", 1 << 20)
        .await
        .unwrap();
    let mut changed = Vec::new();
    for variable in variables {
        changed.push(text(&mut session, &format!("SELECT @@SESSION.{variable}")).await);
    }
    assert_eq!(changed, ["OFF", "ANSI_QUOTES", "1.500000", "1048576"]);
    session.restore().await.unwrap();
    for (variable, before) in variables.iter().zip(before) {
        assert_eq!(
            text(&mut session, &format!("SELECT @@SESSION.{variable}")).await,
            before
        );
    }
    for name in ["", "x = 1, y", "sql_mode;"] {
        let error = session.set_for_session(name, 1).await.unwrap_err();
        assert!(matches!(error, Error::Variable { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn rows_types_and_affected_counts() {
    let mut session = session().await;
    run(&mut session, "CREATE DATABASE rows_types").await;
    run(
        &mut session,
        "CREATE TABLE rows_types.t (id INT PRIMARY KEY, v VARCHAR(20))",
    )
    .await;
    let insert = "INSERT INTO rows_types.t VALUES (?, ?), (?, NULL)";
    let params = Params::Positional(vec![1.into(), "it's".into(), 2.into()]);
    assert_eq!(session.execute(insert, params).await.unwrap(), 2);
    let rows: Vec<(i64, Option<String>)> = session
        .rows("SELECT id, v FROM rows_types.t ORDER BY id", Params::Empty)
        .await
        .unwrap();
    assert_eq!(rows, [(1, Some("it's".to_owned())), (2, None)]);
    let none: Option<i64> = session
        .first(
            "SELECT id FROM rows_types.t WHERE id = ?",
            Params::Positional(vec![9.into()]),
        )
        .await
        .unwrap();
    assert_eq!(none, None);
    // A wrong type is an error that does not say what was in the row, and no panic.
    let error = session
        .rows::<i64>("SELECT v FROM rows_types.t", Params::Empty)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Driver { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("it's"));
    assert_eq!(text(&mut session, "SELECT 1").await, "1");
    session.begin().await.unwrap();
    assert_eq!(
        session
            .execute("DELETE FROM rows_types.t", Params::Empty)
            .await
            .unwrap(),
        2
    );
    session.rollback().await.unwrap();
    assert_eq!(
        text(&mut session, "SELECT COUNT(*) FROM rows_types.t").await,
        "2"
    );
}

#[tokio::test]
async fn values_stay_out_of_error_texts() {
    let mut session = session().await;
    run(&mut session, "CREATE DATABASE no_values").await;
    run(
        &mut session,
        "CREATE TABLE no_values.t (v VARCHAR(30) PRIMARY KEY, n INT, d DATETIME)",
    )
    .await;
    let secret = "it's s3cret' for key 'x";
    let insert = "INSERT INTO no_values.t VALUES (?, ?, ?)";
    let good = vec![Value::from(secret), 1.into(), "2024-01-01".into()];
    session
        .execute(insert, Params::Positional(good.clone()))
        .await
        .unwrap();
    let bad_number = vec!["a".into(), "s3cret".into(), Value::NULL];
    let bad_date = vec!["a".into(), 1.into(), "s3cret".into()];
    let too_long = vec!["s3cret".repeat(9).into(), 1.into(), Value::NULL];
    for params in [good, bad_number, bad_date, too_long] {
        let error = session
            .execute(insert, Params::Positional(params))
            .await
            .unwrap_err();
        assert!(error.code().is_some(), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn the_role_of_a_server_and_what_may_be_asked() {
    let private = PrivateServer::builder()
        .arg("--log-bin=bin")
        .arg("--binlog-format=ROW")
        .start()
        .unwrap();
    let mut session = open(&private.options(), &SessionSettings::default()).await;
    let found = role(&mut session).await.unwrap();
    assert!(!found.read_only && found.log_bin && !found.replica_unknown);
    assert_eq!(
        (found.binlog_format.as_str(), found.replica_of),
        ("ROW", None)
    );
    run(&mut session, "SET GLOBAL read_only = 1").await;
    assert!(role(&mut session).await.unwrap().read_only);

    run(&mut session, "CREATE USER small@localhost").await;
    let mut options = private.options();
    options.user = "small".to_owned();
    let mut small = open(&options, &SessionSettings::default()).await;
    let found = role(&mut small).await.unwrap();
    assert!(found.replica_unknown && found.read_only);

    let mut other = crate::session().await;
    let found = role(&mut other).await.unwrap();
    assert!(!found.log_bin && !found.read_only);
}

#[tokio::test]
async fn the_clock_is_the_servers() {
    let mut session = session().await;
    let ours = || {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_micros()
    };
    let before = ours();
    let server = u128::try_from(now(&mut session).await.unwrap()).unwrap();
    let after = ours();
    assert!(
        (before..=after).contains(&server),
        "{before} {server} {after}"
    );
}

#[tokio::test]
async fn the_program_name_is_shown() {
    let private = PrivateServer::builder()
        .arg("--performance-schema=ON")
        .start()
        .unwrap();
    let mut options = private.options();
    options.program = "elpis-maint".to_owned();
    let mut session = open(&options, &SessionSettings::default()).await;
    let name = text(
        &mut session,
        "SELECT attr_value FROM performance_schema.session_connect_attrs \
         WHERE processlist_id = CONNECTION_ID() AND attr_name = 'program_name'",
    )
    .await;
    assert_eq!(name, "elpis-maint");
}

/// Compiles only while every future can move between threads.
#[test]
fn futures_are_send() {
    fn send(_: impl Send) {}
    let check = |session: &mut Session, probe: &mut LoadProbe, server: &PrivateServer| {
        let (options, settings) = (ConnectOptions::default(), SessionSettings::default());
        send(Session::open(&options, &settings));
        send(session.rows::<(i64, String)>("", Params::Empty));
        send(session.first::<i64>("", Params::Empty));
        send(session.execute("", Params::Empty));
        send(session.commit());
        send(session.set_for_session("", 1));
        send(session.restore());
        send(session.lock(&[], Duration::ZERO));
        send(session.unlock());
        send(session.holds_locks());
        send(role(session));
        send(now(session));
        send(probe.sample());
        send(server.replicate_from(server));
    };
    let _ = check;
}
