//! What must not be restored, and where: refused with nothing changed.

use std::sync::Mutex;

use elpis_backup::archive::{Archive, Container};
use elpis_backup::restore::{
    Accept, Compare, Live, RestoreError, RestorePlan, RestoreState, ServiceError, Services,
    SqlText, runs,
};
use elpis_mysql::{ConnectOptions, Params, PrivateServer, Session, SessionSettings};
use elpis_run::{Secret, StopToken};

use super::{
    Bench, backup, causes, create, create_and_backup, databases, mariadb, of_archive, policy,
    portrait, same, server,
};
use crate::support::{sh, verify};

#[test]
fn archives_that_are_cut_off_or_flipped_are_never_verified() {
    let server = server();
    let (_world, path) = create_and_backup(server, "broken");
    let whole = std::fs::read(&path).unwrap();
    let other = path.with_file_name("other.tar.zst");
    let mut random = fastrand::Rng::with_seed(11);
    for round in 0..30 {
        let mut bytes = whole.clone();
        match round % 2 {
            0 => bytes.truncate(random.usize(1..whole.len())),
            _ => {
                let at = random.usize(..whole.len());
                bytes[at] ^= 1 << random.u8(..8);
            }
        }
        std::fs::write(&other, &bytes).unwrap();
        // What is verified once is compared again when it is loaded; see below.
        assert!(verify(&other).is_err(), "round {round}");
    }
}

#[test]
fn a_text_that_changes_after_it_was_surveyed_is_noticed_before_the_exchange() {
    let server = server();
    let socket = server.socket();
    create(socket, "changing");
    let before = portrait(socket, "changing");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.sql");
    let sql = "CREATE TABLE t (a INT);\nINSERT INTO t VALUES (1);\n-- Dump completed\n";
    std::fs::write(&path, sql).unwrap();
    let text = SqlText::open(&path)
        .unwrap()
        .survey(&StopToken::new(), &())
        .unwrap();
    let bench = Bench::new(server.options());
    let plan = bench.plan(&policy("changing"), &text);
    std::fs::write(&path, sql.replace("(1)", "(2)")).unwrap();
    let error = bench.restore(None).run(&plan, &text).unwrap_err();
    assert!(causes(&error).contains("not what it was"), "{error:?}");
    assert!(error.live_is_untouched());
    same(&portrait(socket, "changing"), &before);
    // A restore that is neither done nor taken back is in the way of the next one.
    let again = bench.run(&policy("changing"), &text).unwrap_err();
    let RestoreError::Unfinished { run } = again else {
        panic!("{again:?}");
    };
    bench.restore(None).undo(run).unwrap();
    assert_eq!(databases(socket, "changing"), ["changing"]);
    same(&portrait(socket, "changing"), &before);
}

#[test]
fn what_was_loaded_wrongly_is_found() {
    let server = server();
    let socket = server.socket();
    create(socket, "wrongly");
    let before = portrait(socket, "wrongly");
    let (_world, path) = backup(&server.options(), &["wrongly"], Container::TarGz);
    let text = of_archive(&path);
    for compare in [Compare::Content, Compare::Counts] {
        let bench = Bench::new(server.options());
        let mut policy = policy("wrongly");
        policy.compare = compare;
        let mut plan = bench.plan(&policy, &text);
        // As if a row had been lost on the way, and one changed.
        let json = serde_json::to_value(&plan).unwrap();
        let mut json = json;
        for table in json["tables"].as_array_mut().unwrap() {
            if table["name"] == "raw" {
                table["rows"] = 4.into();
                table["sum"]["rows"] = 4.into();
            }
            if table["name"] == "samples" {
                table["sum"]["sum"][0] = 1.into();
            }
        }
        plan = serde_json::from_value::<RestorePlan>(json).unwrap();
        let error = bench.restore(None).run(&plan, &text).unwrap_err();
        let words = causes(&error);
        assert!(words.contains("raw has 3 rows, and the text 4"), "{words}");
        assert_eq!(
            words.contains("rows of samples"),
            compare == Compare::Content,
            "{words}"
        );
        same(&portrait(socket, "wrongly"), &before);
        let run = runs(&bench.journal).unwrap()[0].run;
        bench.restore(None).undo(run).unwrap();
        assert_eq!(databases(socket, "wrongly"), ["wrongly"]);
    }
}

#[test]
fn an_account_without_the_privileges_is_refused_with_all_that_it_lacks() {
    let server = server();
    let socket = server.socket();
    create(socket, "narrow");
    let before = portrait(socket, "narrow");
    let (_world, path) = backup(&server.options(), &["narrow"], Container::TarZst);
    mariadb(
        socket,
        "",
        "CREATE USER narrow@localhost IDENTIFIED BY 'pw'; GRANT ALL ON narrow.* TO narrow@localhost",
    );
    let options = ConnectOptions {
        user: "narrow".into(),
        password: Some(Secret::new("pw".to_owned())),
        ..server.options()
    };
    let bench = Bench::new(options);
    let text = of_archive(&path);
    let plan = bench.plan(&policy("narrow"), &text);
    let all = format!("{:?}", plan.refusals);
    assert!(
        all.contains("CREATE ON `narrow__elpis_restore_00000000`.*"),
        "{all}"
    );
    assert!(all.contains("SET USER ON *.*"), "{all}");
    let error = bench.restore(None).run(&plan, &text).unwrap_err();
    assert!(matches!(error, RestoreError::Refused { .. }), "{error:?}");
    assert_eq!(databases(socket, "narrow"), ["narrow"]);
    assert_eq!(runs(&bench.journal).unwrap(), []);
    same(&portrait(socket, "narrow"), &before);
}

#[test]
fn a_server_that_takes_only_small_packets_is_refused() {
    let small = PrivateServer::builder()
        .arg("--max-allowed-packet=64K")
        .start()
        .unwrap();
    let server = server();
    let (_world, path) = create_and_backup(server, "packets");
    let text = of_archive(&path);
    let bench = Bench::new(small.options());
    let error = bench.run(&policy("packets"), &text).unwrap_err();
    assert!(
        causes(&error).contains("max_allowed_packet is 65536"),
        "{error:?}"
    );
    assert_eq!(databases(small.socket(), "packets"), [""; 0]);
}

#[test]
fn a_disk_that_is_too_small_for_a_second_copy_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mount = dir.path().to_str().unwrap();
    sh(
        "mount",
        &["-t", "tmpfs", "-o", "size=250m", "elpis", mount],
        "/".as_ref(),
    );
    let full = PrivateServer::builder()
        .dir(dir.path().to_owned())
        .arg("--innodb-log-file-size=8M")
        .start()
        .unwrap();
    let socket = full.socket();
    mariadb(
        socket,
        "",
        "CREATE DATABASE full; CREATE TABLE full.t (a INT); INSERT INTO full.t VALUES (1)",
    );
    let before = portrait(socket, "full");
    let (_world, path) = backup(&full.options(), &["full"], Container::TarZst);
    let text = of_archive(&path);
    let bench = Bench::new(full.options());
    assert_eq!(bench.plan(&policy("full"), &text).refusals, []);
    let (left, _) = elpis_run::fsx::space(dir.path()).unwrap();
    let ballast = usize::try_from(left).unwrap() - (40 << 20);
    std::fs::write(dir.path().join("ballast"), vec![1; ballast]).unwrap();
    let error = bench.run(&policy("full"), &text).unwrap_err();
    let RestoreError::Refused { refusals } = &error else {
        panic!("{error:?}");
    };
    let accepts: Vec<_> = refusals.iter().map(|refusal| refusal.accept).collect();
    assert_eq!(accepts, [Some(Accept::Space)]);
    same(&portrait(socket, "full"), &before);
    assert_eq!(databases(socket, "full"), ["full"]);
    drop(full);
    sh("umount", &["-l", mount], "/".as_ref());
}

/// Services that do not stop.
struct Stubborn(Mutex<u32>);

impl Services for Stubborn {
    fn stop(&self) -> Result<(), ServiceError> {
        Err("the server daemon does not stop".into())
    }

    fn start(&self) -> Result<(), ServiceError> {
        *self.0.lock().unwrap() += 1;
        Ok(())
    }
}

#[test]
fn what_fails_before_the_exchange_is_put_back_and_can_be_tried_again() {
    let server = server();
    let socket = server.socket();
    create(socket, "tried");
    let first = portrait(socket, "tried");
    let (_world, path) = backup(&server.options(), &["tried"], Container::TarZst);
    mariadb(socket, "tried", super::CHANGES);
    let second = portrait(socket, "tried");
    let text = of_archive(&path);
    let bench = Bench::new(server.options());
    let services = Stubborn(Mutex::new(0));
    let mut policy = policy("tried");
    policy.settle = std::time::Duration::from_millis(300);
    policy.lock_tries = 2;
    let facts = bench
        .restore(Some(&services))
        .inspect(&policy, &text)
        .unwrap();
    let plan = RestorePlan::new(
        &policy,
        &facts,
        text.survey(),
        "2026-11-21T00:00:00Z".parse().unwrap(),
    );
    let error = bench
        .restore(Some(&services))
        .run(&plan, &text)
        .unwrap_err();
    assert!(causes(&error).contains("does not stop"), "{error:?}");
    assert_eq!(*services.0.lock().unwrap(), 1);
    same(&portrait(socket, "tried"), &second);
    let run = runs(&bench.journal).unwrap()[0].run;

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut user = runtime.block_on(connect(ConnectOptions {
        database: Some("tried".into()),
        ..server.options()
    }));
    // Somebody is still connected.
    let error = bench.restore(None).resume(run, None).unwrap_err();
    assert!(
        causes(&error).contains("in use by root@localhost"),
        "{error:?}"
    );
    same(&portrait(socket, "tried"), &second);
    // Somebody reads from elsewhere, and the exchange waits in vain.
    runtime.block_on(async {
        user.execute("USE mysql", Params::Empty).await.unwrap();
        user.begin().await.unwrap();
        let _: Vec<u64> = user
            .rows("SELECT COUNT(*) FROM tried.child", Params::Empty)
            .await
            .unwrap();
    });
    let error = bench.restore(None).resume(run, None).unwrap_err();
    assert!(
        causes(&error).contains("until nobody holds the tables"),
        "{error:?}"
    );
    assert!(error.live_is_untouched());
    same(&portrait(socket, "tried"), &second);
    runtime.block_on(user.rollback()).unwrap();
    let report = bench.restore(None).resume(run, None).unwrap();
    assert_eq!((report.loaded, report.rows), (0, text.survey().rows()));
    same(&portrait(socket, "tried"), &first);
    // The way back is put back just the same while somebody reads.
    runtime.block_on(async {
        user.begin().await.unwrap();
        let sql = "SELECT COUNT(*) FROM tried.child";
        let _: Vec<u64> = user.rows(sql, Params::Empty).await.unwrap();
    });
    let error = bench.restore(None).undo(run).unwrap_err();
    assert!(
        matches!(
            error,
            RestoreError::Interrupted {
                live: Live::New,
                ..
            }
        ),
        "{error:?}"
    );
    same(&portrait(socket, "tried"), &first);
    assert_eq!(
        runs(&bench.journal).unwrap()[0].state,
        RestoreState::Undoing
    );
    assert!(bench.restore(None).resume(run, None).is_err());
    runtime.block_on(user.rollback()).unwrap();
    bench.restore(None).undo(run).unwrap();
    same(&portrait(socket, "tried"), &second);
}

async fn connect(options: ConnectOptions) -> Session {
    Session::open(&options, &SessionSettings::default())
        .await
        .unwrap()
}

#[test]
fn an_archive_without_the_dump_that_is_asked_for_is_refused() {
    let server = server();
    mariadb(
        server.socket(),
        "",
        "CREATE DATABASE one; CREATE TABLE one.t (a INT)",
    );
    let (_world, path) = backup(&server.options(), &["one"], Container::TarZst);
    let archive: Archive<_> = verify(&path).unwrap();
    let error = SqlText::of_archive(archive, Some("two")).unwrap_err();
    assert!(error.to_string().ends_with("it has: one"), "{error}");
}

#[test]
fn a_side_database_that_somebody_removes_is_no_exchange() {
    let server = server();
    let socket = server.socket();
    let (_world, path) = create_and_backup(server, "removed");
    mariadb(socket, "removed", super::CHANGES);
    let live = portrait(socket, "removed");
    let text = of_archive(&path);
    let bench = Bench::new(server.options());
    let services = Stubborn(Mutex::new(0));
    let policy = policy("removed");
    let restore = bench.restore(Some(&services));
    let facts = restore.inspect(&policy, &text).unwrap();
    let now = "2026-11-21T00:00:00Z".parse().unwrap();
    let plan = RestorePlan::new(&policy, &facts, text.survey(), now);
    restore.run(&plan, &text).unwrap_err();
    mariadb(socket, "", &format!("DROP DATABASE {}", plan.side));
    let run = runs(&bench.journal).unwrap()[0].run;
    for _ in 0..2 {
        let error = bench.restore(None).resume(run, None).unwrap_err();
        assert!(causes(&error).contains("0 of "), "{}", causes(&error));
        same(&portrait(socket, "removed"), &live);
    }
    bench.restore(None).undo(run).unwrap();
    same(&portrait(socket, "removed"), &live);
    assert_eq!(databases(socket, "removed"), ["removed"]);
}
