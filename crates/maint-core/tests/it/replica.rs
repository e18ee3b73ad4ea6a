//! A primary with a row-format replica that a run watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use elpis_maint_core::{AdaptiveThrottle, MySqlStore, PurgeEvent, ThrottleRules};
use elpis_mysql::PrivateServer;
use elpis_run::{Clock, Load, Pace, VirtualClock};
use elpis_testkit::{Database, HookThrottle, MariaDb, Recorder, Run, now, plan, policy, tables};

use crate::support::{cutoff, expired, rule, series};

struct Pair {
    replica: PrivateServer,
    primary: PrivateServer,
    db: MariaDb,
}

impl Pair {
    async fn start() -> Pair {
        let (primary, replica) = (MariaDb::own_server(&[]), MariaDb::own_server(&[]));
        replica.replicate_from(&primary).await.unwrap();
        let db = MariaDb::on(&primary);
        Pair {
            replica,
            primary,
            db,
        }
    }

    /// The same database on the replica, once it has everything that the primary has.
    fn caught_up(&self) -> MariaDb {
        let gtid = self.db.sql("SELECT @@GLOBAL.gtid_binlog_pos;");
        let anywhere = MariaDb::existing(&self.replica, "mysql");
        let waited = format!("SELECT MASTER_GTID_WAIT('{}', 60);", gtid.trim());
        assert_eq!(
            anywhere.sql(&waited).trim(),
            "0",
            "the replica must catch up"
        );
        MariaDb::existing(&self.replica, self.db.name())
    }

    async fn store(&self) -> MySqlStore {
        let replicas = vec![("db2".to_owned(), self.replica.options())];
        MySqlStore::connect(&self.db.options, replicas)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_replica_ends_identical() {
    let pair = Pair::start().await;
    series(&pair.db, 20_000);
    // Duplicates without a key, in one second: a replica must delete as many of them.
    let same = format!("{}", cutoff() - 7);
    pair.db
        .fill(&tables::tagente_datos(), 500, &["1", "1", &same]);
    pair.db.create(&tables::tevento());
    pair.db.create(&tables::tevent_extended());
    let time = format!("{} + n", cutoff() - 500);
    pair.db
        .fill(&tables::tevento(), 1000, &["n", "'e'", "1", &time]);
    pair.db.fill(
        &tables::tevent_extended(),
        3000,
        &["n", "1 + n % 1000", "'d'"],
    );

    let filter = "where = [{ column = \"id_agente_modulo\", op = \"!=\", value = 3 }]";
    let policy = policy(&(rule("tagente_datos", filter) + &rule("tevento", "")));
    let mut store = pair.store().await;
    let plan = plan(&policy, &mut store, true).await;
    let mut run = Run {
        throttle: Box::new(AdaptiveThrottle::new(policy.throttle.clone())),
        ..Run::new(1)
    };
    let report = run.on(&plan, &mut store).await.unwrap();
    assert!(report.deleted() > 10_000);
    let there = pair.caught_up();
    for table in ["tagente_datos", "tevento", "tevent_extended"] {
        assert_eq!(there.checksum(table), pair.db.checksum(table), "{table}");
    }
    assert!(pair.primary.pid() != pair.replica.pid());
}

/// A run during which the replica falls behind by `begin` and, once the run has looked several times,
/// catches up by `end`: nothing is deleted meanwhile, and all of it afterwards.
async fn held(
    pair: &Pair,
    begin: impl Fn() + Send + Sync,
    end: impl Fn() + Send + Sync,
    says: &str,
) {
    let mut store = pair.store().await;
    let plan = plan(&policy(&rule("tagente_datos", "")), &mut store, true).await;

    let clock = Arc::new(VirtualClock::new(now()));
    // Between two chunks, and late enough for the run to look at the load again.
    let stopped = Recorder::after_chunks(3, || {
        begin();
        clock.advance(Duration::from_secs(2));
    });
    let holds = AtomicU32::new(0);
    let seen = |_: &Load, pace: &Pace| {
        if let Pace::Hold { .. } = pace
            && holds.fetch_add(1, Ordering::SeqCst) == 4
        {
            end();
        }
    };
    let mut run = Run {
        throttle: Box::new(HookThrottle {
            inner: AdaptiveThrottle::new(ThrottleRules {
                min_rows: 100,
                max_rows: 100,
                ..ThrottleRules::default()
            }),
            hook: seen,
        }),
        observer: &stopped,
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        ..Run::new(100)
    };
    let report = run.on(&plan, &mut store).await.unwrap();
    drop(run);
    assert_eq!(report.deleted(), 2000);
    assert_eq!(expired(&pair.db, "tagente_datos"), 0);
    // It looked several times while it waited.
    assert!(holds.load(Ordering::SeqCst) >= 5, "{holds:?}");

    let events = stopped.events();
    let place = |wanted: fn(&PurgeEvent) -> bool| events.iter().position(wanted).unwrap();
    let waiting = place(|e| matches!(e, PurgeEvent::Waiting { .. }));
    let resumed = place(|e| matches!(e, PurgeEvent::Resumed { .. }));
    let chunk = |e: &PurgeEvent| matches!(e, PurgeEvent::Chunk { .. });
    assert_eq!(events[..waiting].iter().filter(|e| chunk(e)).count(), 3);
    assert!(
        !events[waiting..resumed].iter().any(chunk),
        "{:?}",
        &events[waiting..resumed]
    );
    assert!(events[resumed..].iter().any(chunk));
    let PurgeEvent::Waiting { why, .. } = &events[waiting] else {
        panic!("{:?}", events[waiting]);
    };
    assert!(why.contains("db2") && why.contains(says), "{why}");
    let table = &report.tables[0];
    assert!(
        table.waited_s >= 2.0,
        "four looks, half a second apart: {table:?}"
    );
    assert_eq!(
        pair.caught_up().checksum("tagente_datos"),
        pair.db.checksum("tagente_datos")
    );
}

#[tokio::test]
async fn a_stopped_replica_holds_the_run() {
    let pair = Pair::start().await;
    series(&pair.db, 4000);
    let there = pair.caught_up();
    let sql = |sql: &'static str| {
        there.sql(sql);
    };
    let stop = || sql("STOP SLAVE SQL_THREAD;");
    held(&pair, stop, || sql("START SLAVE SQL_THREAD;"), "SQL thread").await;
}

/// Both threads run, and what they do is old.
#[tokio::test]
async fn a_lagging_replica_holds_the_run() {
    let pair = Pair::start().await;
    series(&pair.db, 4000);
    let there = pair.caught_up();
    let delay = |seconds: u32| {
        there.sql(&format!(
            "STOP SLAVE; CHANGE MASTER TO MASTER_DELAY = {seconds}; START SLAVE;"
        ));
    };
    let fall_behind = || {
        // With a chunk still to apply, it would wait on that one, which is not old.
        pair.caught_up();
        delay(3600);
        let ten_minutes_ago = "SET timestamp = UNIX_TIMESTAMP() - 600; CREATE TABLE late (id INT);";
        pair.db.sql(ten_minutes_ago);
        for _ in 0..600 {
            let status = there.sql("SHOW SLAVE STATUS;");
            if status.contains("MASTER_DELAY seconds") {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the replica does not wait");
    };
    held(&pair, fall_behind, || delay(0), "lags").await;
}

/// A replica that is gone is not a replica that is up to date.
#[tokio::test]
async fn an_unreachable_replica_holds_the_run_until_it_is_stopped() {
    let mut pair = Pair::start().await;
    series(&pair.db, 1000);
    pair.replica.kill().unwrap();
    let mut store = pair.store().await;
    let plan = plan(&policy(&rule("tagente_datos", "")), &mut store, true).await;
    let run = Run::new(100);
    let stop = run.stop.clone();
    let waiting = Recorder::with(move |event| {
        if let PurgeEvent::Waiting { why, .. } = event {
            assert!(why.contains("db2"), "{why}");
            stop.stop();
        }
    });
    let mut run = Run {
        throttle: Box::new(AdaptiveThrottle::new(ThrottleRules::default())),
        observer: &waiting,
        ..run
    };
    let report = run.on(&plan, &mut store).await.unwrap();
    assert_eq!(report.ended, elpis_maint_core::Ended::Interrupted);
    assert_eq!((report.deleted(), waiting.chunks()), (0, 0));
    assert_eq!(expired(&pair.db, "tagente_datos"), 500);
}
