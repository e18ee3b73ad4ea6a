//! Accounts that may not do everything.

use elpis_backup::{Definers, Dump, DumpControl, DumpError, DumpPolicy, SnapshotStep};
use elpis_mysql::{ConnectOptions, Params};
use elpis_run::Secret;

use crate::{database, dump, dump_with, load, open, policy, run, server};

/// An account with these grants and a password that must not be seen.
async fn account(name: &str, grants: &[&str]) -> ConnectOptions {
    let mut root = open(&server().options()).await;
    run(
        &mut root,
        &format!("CREATE USER '{name}'@'localhost' IDENTIFIED BY 'hush-{name}'"),
    )
    .await;
    for grant in grants {
        run(&mut root, &format!("GRANT {grant} TO '{name}'@'localhost'")).await;
    }
    ConnectOptions {
        user: name.to_owned(),
        password: Some(Secret::new(format!("hush-{name}"))),
        ..server().options()
    }
}

async fn shop(name: &str) {
    let mut session = database(&server().options(), name).await;
    for sql in [
        "CREATE TABLE t (id INT PRIMARY KEY)",
        "INSERT INTO t VALUES (1), (2)",
        "CREATE VIEW v AS SELECT id FROM t",
        "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET @x = 1",
        "CREATE PROCEDURE p() SELECT 1",
        "CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DO SELECT 1",
    ] {
        run(&mut session, sql).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_the_application_gets_one_reader_and_is_told_why() {
    shop("app_one").await;
    let options = account("app_one", &["ALL ON app_one.*", "SELECT ON mysql.proc"]).await;
    let (report, memory) = dump(&options, policy("app_one")).await;
    assert_eq!(report.snapshot.step, SnapshotStep::SingleReader);
    assert_eq!(report.snapshot.readers, 1);
    let passed = report.snapshot.passed_over.join("\n");
    assert!(
        passed.contains("BINLOG MONITOR") && passed.contains("RELOAD"),
        "{passed}"
    );
    assert!(
        report
            .warnings
            .iter()
            .any(|warning| warning.starts_with("one reader instead of 4"))
    );
    database(&server().options(), "app_one2").await;
    load(server(), "app_one2", &memory.text(0));
    assert_eq!(report.databases[0].triggers, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named_and_refused_or_accepted() {
    shop("gaps").await;
    let options = account("gaps", &["SELECT ON gaps.*"]).await;
    let error = dump_with(&options, policy("gaps"), DumpControl::default())
        .await
        .err()
        .unwrap();
    let DumpError::Privileges { missing } = &error else {
        panic!("{error:?}");
    };
    let text = missing.join("\n");
    for privilege in [
        "TRIGGER ON `gaps`.*",
        "EVENT ON `gaps`.*",
        "SHOW VIEW ON",
        "EXECUTE ON",
    ] {
        assert!(text.contains(privilege), "{privilege} in {text}");
    }
    assert!(!format!("{error} {error:?}").contains("hush"));
    // The view cannot be read at all, so that nothing can be made of it.
    let mut root = open(&server().options()).await;
    run(&mut root, "GRANT SHOW VIEW ON gaps.* TO gaps@localhost").await;
    let policy = DumpPolicy {
        accept_gaps: true,
        ..policy("gaps")
    };
    let (report, memory) = dump_with(&options, policy, DumpControl::default())
        .await
        .unwrap();
    let warnings = report.warnings.join("\n");
    assert!(warnings.contains("lacks TRIGGER"), "{warnings}");
    database(&server().options(), "gaps2").await;
    load(server(), "gaps2", &memory.text(0));
    assert_eq!(report.databases[0].triggers, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_database_and_no_way() {
    let none = dump_with(
        &server().options(),
        policy("nowhere"),
        DumpControl::default(),
    )
    .await;
    assert!(matches!(none, Err(DumpError::NoDatabase { .. })));
    shop("no_way").await;
    let options = account("no_way", &["ALL ON no_way.*", "SELECT ON mysql.proc"]).await;
    let policy = DumpPolicy {
        ladder: vec![SnapshotStep::LockFree, SnapshotStep::GlobalReadLock],
        ..policy("no_way")
    };
    let none = dump_with(&options, policy, DumpControl::default()).await;
    let Err(DumpError::Snapshot { reasons }) = none else {
        panic!("a dump by a step that was ruled out");
    };
    assert_eq!(reasons.len(), 2, "{reasons:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_make_the_accounts_again() {
    shop("granted").await;
    account(
        "granted_app",
        &["ALL ON granted.*", "SELECT, RELOAD ON *.*"],
    )
    .await;
    account("granted_table", &["SELECT (id), INSERT ON granted.t"]).await;
    account("granted_other", &["ALL ON mysql.*"]).await;
    let dump = Dump::new(server().options(), policy("granted"));
    let grants = dump.grants().await.unwrap();
    let text = grants.expose();
    assert!(
        text.contains("CREATE USER IF NOT EXISTS `granted_app`@`localhost` IDENTIFIED"),
        "{text}"
    );
    assert!(text.contains("GRANT ALL PRIVILEGES ON `granted`.* TO `granted_app`@`localhost`"));
    assert!(text.contains("granted_table") && !text.contains("granted_other"));
    assert!(!text.contains("ON *.*"), "{text}");
    let mut root = open(&server().options()).await;
    run(
        &mut root,
        "DROP USER granted_app@localhost, granted_table@localhost",
    )
    .await;
    load(server(), "granted", text.as_bytes());
    let options = ConnectOptions {
        user: "granted_table".to_owned(),
        password: Some(Secret::new("hush-granted_table".to_owned())),
        ..server().options()
    };
    let mut session = open(&options).await;
    let rows: Vec<i32> = session
        .rows("SELECT id FROM granted.t", Params::Empty)
        .await
        .unwrap();
    assert_eq!(rows, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_definers_whoever_loads_becomes_the_definer() {
    shop("mine").await;
    let policy = DumpPolicy {
        definers: Definers::Omit,
        ..policy("mine")
    };
    let (report, memory) = dump(&server().options(), policy).await;
    assert_eq!(report.databases[0].definers, ["root@localhost"]);
    let mut session = database(&server().options(), "mine2").await;
    let text = String::from_utf8(memory.text(0)).unwrap();
    assert!(!text.contains("DEFINER="));
    load(server(), "mine2", text.as_bytes());
    let definers: Vec<String> = session
        .rows(
            "SELECT DISTINCT DEFINER FROM information_schema.VIEWS WHERE TABLE_SCHEMA = 'mine2'",
            Params::Empty,
        )
        .await
        .unwrap();
    assert_eq!(definers, ["root@localhost"]);
}
