//! Services that were stopped for an exchange that did not come about: they work again.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use elpis_backup::archive::Container;
use elpis_backup::restore::{
    Live, Restore, RestoreError, RestoreEvent, RestorePlan, ServiceError, Services,
};
use elpis_mysql::{ConnectOptions, Params, PrivateServer, Session, SessionSettings};
use elpis_run::{Clock, Observer};

use super::{Bench, backup, causes, create, mariadb, of_archive, policy, portrait, same, server};
use crate::support::sh;

/// Counts how often they were stopped and started.
#[derive(Default)]
struct Counted {
    stopped: AtomicU32,
    started: AtomicU32,
}

impl Counted {
    fn stopped(&self) -> u32 {
        self.stopped.load(Ordering::Relaxed)
    }

    fn started(&self) -> u32 {
        self.started.load(Ordering::Relaxed)
    }
}

impl Services for Counted {
    fn stop(&self) -> Result<(), ServiceError> {
        self.stopped.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn start(&self) -> Result<(), ServiceError> {
        self.started.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Kills a server at a step.
struct Killing(u32, &'static str);

impl Observer<RestoreEvent> for Killing {
    fn on(&self, event: &RestoreEvent) {
        if matches!(event, RestoreEvent::Step { step } if step == self.1) {
            sh("kill", &["-KILL", &self.0.to_string()], Path::new("/"));
        }
    }
}

/// They need not wait for a server that is gone, unless triggers may be missing: what is written
/// without them is wrong for good.
#[test]
fn they_start_although_the_server_is_gone_if_that_does_no_harm() {
    let mut own = PrivateServer::start().unwrap();
    let socket = own.socket().to_owned();
    let trigger = "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1";
    for (step, trigger, started, state) in [
        ("stop services", trigger, 1, Live::Old),
        ("take down", "DO 1", 1, Live::Unknown),
        ("take down", trigger, 0, Live::Unknown),
        ("rename", "DO 1", 0, Live::Unknown),
    ] {
        let what = format!("{step}, {trigger}");
        mariadb(&socket, "", "CREATE OR REPLACE DATABASE gone");
        mariadb(
            &socket,
            "gone",
            "CREATE TABLE t (a INT); INSERT INTO t VALUES (1)",
        );
        mariadb(&socket, "gone", trigger);
        let (_world, path) = backup(&own.options(), &["gone"], Container::TarGz);
        mariadb(&socket, "gone", "CREATE TABLE later (a INT)");
        let text = of_archive(&path);
        let bench = Bench::new(own.options());
        let plan = bench.plan(&policy("gone"), &text);
        let services = Counted::default();
        let restore = Restore {
            observer: Arc::new(Killing(own.pid(), step)),
            ..bench.restore(Some(&services))
        };
        let error = restore.run(&plan, &text).unwrap_err();
        let RestoreError::Interrupted { run, live, .. } = &error else {
            panic!("{what}: {error:?}");
        };
        assert_eq!((services.started(), *live), (started, state), "{what}");
        own.restart().unwrap();
        let services = Counted::default();
        bench.restore(Some(&services)).resume(*run, None).unwrap();
        // Whoever goes on does not rely on what was stopped before.
        assert_eq!((services.stopped(), services.started()), (1, 1), "{what}");
        assert_eq!(mariadb(&socket, "gone", "SHOW TABLES"), "t\n", "{what}");
        bench.restore(None).forget(*run).unwrap();
    }
}

/// Holds a table of the live database for a while when the exchange begins.
struct Holding {
    options: ConnectOptions,
    table: &'static str,
    time: Duration,
}

impl Observer<RestoreEvent> for Holding {
    fn on(&self, event: &RestoreEvent) {
        if !matches!(event, RestoreEvent::Step { step } if step == "rename") {
            return;
        }
        let (options, time) = (self.options.clone(), self.time);
        let sql = format!("LOCK TABLES {} READ", self.table);
        let (holds, held) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let settings = SessionSettings::default();
                let mut session = Session::open(&options, &settings).await.unwrap();
                session.execute(&sql, Params::Empty).await.unwrap();
                holds.send(()).unwrap();
                tokio::time::sleep(time).await;
                session
                    .execute("UNLOCK TABLES", Params::Empty)
                    .await
                    .unwrap();
            });
        });
        held.recv().unwrap();
    }
}

#[test]
fn they_start_once_everything_is_put_back_however_long_somebody_holds_a_table() {
    let server = server();
    let socket = server.socket();
    create(socket, "standing");
    let first = portrait(socket, "standing");
    let (_world, path) = backup(&server.options(), &["standing"], Container::TarZst);
    mariadb(socket, "standing", super::CHANGES);
    let second = portrait(socket, "standing");
    let text = of_archive(&path);
    let bench = Bench::new(server.options());
    let mut policy = policy("standing");
    policy.lock_tries = 1;
    let services = Counted::default();
    let restore = Restore {
        observer: Arc::new(Holding {
            options: server.options(),
            // It has triggers, which cannot be made while somebody holds it.
            table: "standing.parent",
            time: Duration::from_secs(4),
        }),
        ..bench.restore(Some(&services))
    };
    let facts = restore.inspect(&policy, &text).unwrap();
    let plan = RestorePlan::new(&policy, &facts, text.survey(), bench.clock.now());
    let error = restore.run(&plan, &text).unwrap_err();
    assert!(
        causes(&error).contains("exchanging the tables"),
        "{error:?}"
    );
    assert_eq!(services.started(), 1, "{error:?}");
    same(&portrait(socket, "standing"), &second);
    let RestoreError::Interrupted { run, .. } = error else {
        panic!("{error:?}");
    };
    bench.restore(Some(&services)).resume(run, None).unwrap();
    same(&portrait(socket, "standing"), &first);
}
