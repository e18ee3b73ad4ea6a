use std::error::Error as _;

use elpis_mysql::{ConnectOptions, Error, Params, Session, SessionSettings, read_option_file};
use elpis_run::Secret;

use crate::{open, run, server, session, text};

fn everything(error: &Error) -> String {
    let mut all = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        all.push_str(&format!(" {error} {error:?}"));
        source = error.source();
    }
    all
}

#[tokio::test]
async fn any_password_logs_in_and_is_never_shown() {
    let printable: String = (' '..='~').chain("äß€😀".chars()).collect();
    let mut admin = session().await;
    let literal = printable.replace('\\', "\\\\").replace('\'', "''");
    run(
        &mut admin,
        &format!("CREATE USER printable@localhost IDENTIFIED BY '{literal}'"),
    )
    .await;

    let with = |password: &str| ConnectOptions {
        user: "printable".to_owned(),
        password: Some(Secret::new(password.to_owned())),
        ..server().options()
    };
    let options = with(&printable);
    assert!(!format!("{options:?}").contains("ABCDEF"));
    let mut session = open(&options, &SessionSettings::default()).await;
    assert_eq!(
        text(&mut session, "SELECT CURRENT_USER()").await,
        "printable@localhost"
    );
    assert!(!format!("{session:?}").contains("ABCDEF"));

    let wrong = with(&format!("{printable}x"));
    let error = Session::open(&wrong, &SessionSettings::default())
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Denied { code: 1045, .. }),
        "{error:?}"
    );
    assert!(!everything(&error).contains("ABCDEF"));

    let mut no_database = with(&printable);
    no_database.database = Some("mysql".to_owned());
    let error = Session::open(&no_database, &SessionSettings::default())
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Denied { code: 1044, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_option_file_leads_to_a_session() {
    let mut admin = session().await;
    run(
        &mut admin,
        "CREATE USER filed@localhost IDENTIFIED BY 'a\"b #\\\\c '",
    )
    .await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("my.cnf");
    let text_of_file = format!(
        "[client]\nuser=filed\npassword=\"a\\\"b #\\\\c \"\nsocket={}\n",
        server().socket().display()
    );
    std::fs::write(&path, text_of_file).unwrap();
    let file = read_option_file(&path, &["client"], ConnectOptions::default()).unwrap();
    let mut session = open(&file.options, &SessionSettings::default()).await;
    let user: String = session
        .first("SELECT CURRENT_USER()", Params::Empty)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(user, "filed@localhost");
    // The same file, read by MariaDB's client.
    let output = std::process::Command::new("mariadb")
        .arg(format!("--defaults-file={}", path.display()))
        .args(["-N", "-e", "SELECT CURRENT_USER()"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "filed@localhost\n");
}
