//! The session that holds the locks is killed, or its server dies, in the midst of the whole
//! maintenance: nothing more is written, and the next runs complete it as if nothing had been.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use elpis_testkit::pandora::{Installation, QUICK};
use elpis_testkit::{Database, MariaDb};
use jiff::Timestamp;

use super::killed::{CHUNKS, completed, differing};
use super::{Site, alone};
use crate::crash::wait_for_free_lock;
use crate::harness::Said;

/// A run in small chunks; `what` is done to it once it has told of `event` so many times.
fn disturbed(site: &Site, (event, times): (&str, usize), what: impl FnOnce()) -> Said {
    let _alone = alone();
    let config = site.world.path("killed.toml").display().to_string();
    let args = ["run", "--format", "json", "-v", "--config", &config];
    let mut command = site.command(&args);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let event = format!("\"event\":\"{event}\"");
    let told = lines.by_ref().map(Result::unwrap);
    let told = told
        .filter(|line| line.contains(&event))
        .take(times)
        .count();
    if told == times {
        what();
    }
    lines.for_each(drop);
    let said = site.world.said(&child.wait_with_output().unwrap());
    assert_eq!(told, times, "{event}: {said:?}");
    said
}

/// What the server's own log has of statements that write, after the session was killed.
const WRITES: &str = "SELECT COUNT(*) FROM mysql.general_log WHERE event_time > \
     (SELECT MAX(event_time) FROM mysql.general_log WHERE argument RLIKE '^KILL [0-9]+$') \
     AND user_host NOT LIKE 'root%' \
     AND argument RLIKE '^[[:space:]]*(DELETE|INSERT|UPDATE|REPLACE|CREATE|ALTER|DROP|WITH|COMMIT)';";

#[test]
fn a_run_that_loses_its_locks_or_its_server_stops_before_its_next_write() {
    let mut server = MariaDb::own_server(&QUICK);
    let now = Timestamp::now();
    let installation = Installation {
        now,
        ..Installation::small()
    };
    let installation = installation
        .token("days_compact", "20")
        .token("step_compact", "24");
    let site = Site::on(&server, installation.clone());
    let calm = Site::of(installation);
    site.world.write("killed.toml", CHUNKS);
    // From here on nothing that was committed is lost with the server.
    site.db
        .sql("SET GLOBAL innodb_flush_log_at_trx_commit = 1;");
    assert_eq!(differing(&calm.db, &site.db), [""; 0], "they begin alike");

    let lock = format!("{}_pandora_db", site.db.name());
    let in_mid_delete = || {
        let asleep =
            "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User sleep';";
        let give_up = Instant::now() + Duration::from_secs(20);
        while site.number(asleep) == 0 {
            assert!(Instant::now() < give_up, "nothing gets smaller");
        }
    };
    let mut moments = vec![("chunk", 3), ("slab", 1)];
    if std::env::var_os("ELPIS_SOAK").is_some() {
        moments.insert(1, ("swept", 3));
    }
    for (event, times) in moments {
        if event == "slab" {
            // Nothing is left but compaction, and that takes its time.
            let rest = "purge,check,integrity,enterprise";
            let said = site.run(&["run", "--only", rest, "--no-throttle", "-q"]);
            assert_eq!(said.code, 0, "{said:?}");
            site.db.sql(
                "CREATE TRIGGER slow BEFORE DELETE ON tagente_datos FOR EACH ROW DO SLEEP(0.05);",
            );
        }
        site.db.sql(
            "SET GLOBAL log_output = 'TABLE'; TRUNCATE TABLE mysql.general_log; \
             SET GLOBAL general_log = 1;",
        );
        let said = disturbed(&site, (event, times), || {
            if event == "slab" {
                in_mid_delete();
            }
            let id = site.number(&format!("SELECT IS_USED_LOCK('{lock}');"));
            site.db.sql(&format!("KILL {id};"));
        });
        site.db.sql("SET GLOBAL general_log = 0;");
        assert_eq!(said.code, 4, "{event}: {said:?}");
        let before = "SELECT COUNT(*) FROM mysql.general_log WHERE argument RLIKE '^DELETE' \
                      AND user_host NOT LIKE 'root%';";
        assert!(site.number(before) > 0, "the log has what a run writes");
        assert_eq!(site.number(WRITES), 0, "{event}");
        assert_eq!(site.last_run(), [1], "the console is not told");
        wait_for_free_lock(&site.db, Some(&lock));
    }
    let said = disturbed(&site, ("slab", 1), || {
        in_mid_delete();
        server.kill().unwrap();
    });
    assert_eq!(said.code, 4, "{said:?}");
    let down = site.run(&["run", "-q"]);
    assert_eq!(down.code, 8, "{down:?}");
    server.restart().unwrap();
    site.db.sql("DROP TRIGGER slow;");
    assert_eq!(site.last_run(), [1]);

    assert_eq!(completed(&calm, &site), [""; 0]);
}
