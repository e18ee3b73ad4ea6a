//! Compaction in the history database, which does not know its modules: what is left is held
//! against plain SQL that knows the modules of the other database.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use elpis_mysql::{PrivateServer, Session, SessionSettings};
use elpis_testkit::pandora::tables;
use elpis_testkit::{Database, MariaDb};

use super::history::with_history;
use super::{Site, alone, json};
use crate::crash::wait_for_free_lock;

/// Types of levels and rates.
const NUMBERS: &str = "1, 4, 7, 8, 11, 15, 16, 30, 32, 34, 37";
const DAYS: u64 = 20;
/// A bucket, in seconds.
const LENGTH: u64 = 6 * 3600;
/// What the plan and the run are asked for.
const ONLY: [&str; 3] = ["--only", "history", "--no-throttle"];
/// Modules that the main database does not know.
const GONE: &str = "900001), (900002), (900003";

/// An installation and its history database with values of every type of module.
struct Halves {
    site: Site,
    history: MariaDb,
}

impl Halves {
    fn new(server: &PrivateServer) -> Halves {
        let history = MariaDb::on(server);
        history.sql(&tables(&["tconfig", "tagente_datos"]));
        history.sql(&format!(
            "INSERT INTO tconfig (token, value) VALUES ('days_compact', '{DAYS}'), \
               ('step_compact', '{}'), ('history_db_enabled', '0');",
            LENGTH / 3600
        ));
        let site = with_history(&history);
        // One module of each type, and of three types one more: two that reports on service levels
        // name, and one without history.
        let last = |of: u8| {
            format!("SELECT MAX(id_agente_modulo) FROM tagente_modulo WHERE id_tipo_modulo = {of}")
        };
        site.db.sql(&format!(
            "UPDATE tagente_modulo SET history_data = 1; \
             SET @level = ({}), @rate = ({}), @flag = ({}); \
             UPDATE tagente_modulo SET history_data = 0 WHERE id_agente_modulo = @flag; \
             SET @content = (SELECT MIN(id_report_content) FROM treport_content_sla_combined); \
             DELETE FROM treport_content_sla_combined; \
             INSERT INTO treport_content_sla_combined \
                 (id_report_content, id_agent_module, id_agent_module_failover) \
               VALUES (@content, @level, 0), (@content, 0, @rate);",
            last(1),
            last(4),
            last(7)
        ));
        let number = |sql: String| site.number(&format!("{sql};")).to_string();
        let other = [last(1), last(4), last(7)].map(number).join("), (");
        let each = "SELECT MIN(id_agente_modulo) FROM tagente_modulo GROUP BY id_tipo_modulo;";
        let each: Vec<String> = site.db.sql(each).lines().map(str::to_owned).collect();
        assert!(each.len() > 20, "{each:?}");
        let numbers = format!(
            "SELECT MIN(id_agente_modulo) FROM tagente_modulo GROUP BY id_tipo_modulo \
             HAVING id_tipo_modulo IN ({NUMBERS});"
        );
        let numbers: Vec<String> = site.db.sql(&numbers).lines().map(str::to_owned).collect();
        assert_eq!(numbers.len(), 11);
        let each = each.join("), (");
        history.sql(&format!(
            "CREATE TABLE oracle_modules (id INT PRIMARY KEY); \
             INSERT INTO oracle_modules VALUES ({each}), ({other}), ({GONE}); \
             CREATE TABLE oracle_numbers (id INT PRIMARY KEY); \
             INSERT INTO oracle_numbers VALUES ({});",
            numbers.join("), (")
        ));
        let halves = Halves { site, history };
        halves.fill();
        halves
    }

    /// A value every ten minutes of three old days and of two around the limit; some twice, a NULL
    /// in a bucket of each module.
    fn fill(&self) {
        let values = |days: u64, rows: u64| {
            format!(
                "INSERT INTO tagente_datos (id_agente_modulo, datos, utimestamp) \
                 SELECT id, ROUND(40 * SIN(id + seq / 9) + seq * 7919 % 13, 2), \
                   UNIX_TIMESTAMP() DIV 600 * 600 - {days} * 86400 + seq * 600 + id % 600 \
                 FROM oracle_modules JOIN seq_1_to_{rows};"
            )
        };
        self.history.sql(&format!(
            "TRUNCATE TABLE tagente_datos; DROP TABLE IF EXISTS elpis_compaction; {}{} \
             INSERT INTO tagente_datos SELECT * FROM tagente_datos WHERE utimestamp DIV 600 % 50 = 0; \
             INSERT INTO tagente_datos SELECT id, NULL, UNIX_TIMESTAMP() - 32 * 86400 FROM oracle_modules; \
             ANALYZE TABLE tagente_datos;",
            values(33, 432),
            values(DAYS + 1, 288)
        ));
    }

    /// Where the age begins from which whole buckets are compacted.
    fn cutoff(&self) -> u64 {
        self.history.number(&format!(
            "SELECT (UNIX_TIMESTAMP() - {DAYS} * 86400) DIV {LENGTH} * {LENGTH};"
        ))
    }

    /// What should be left of the rows that are there now: of buckets with more than `above` rows
    /// the first, the last, the earliest lowest and the earliest highest.
    fn expect(&self, above: u32) {
        let cutoff = self.cutoff();
        let bucket = format!("utimestamp DIV {LENGTH}");
        let extreme = |name: &str| {
            format!(
                "SELECT s.id, s.bucket, MIN(d.utimestamp) AS at FROM oracle_stats AS s \
                 JOIN tagente_datos AS d ON d.id_agente_modulo = s.id AND d.{bucket} = s.bucket \
                   AND d.datos = s.{name} GROUP BY s.id, s.bucket"
            )
        };
        self.history.sql(&format!(
            "DROP TABLE IF EXISTS oracle_stats, oracle_left; \
             CREATE TABLE oracle_stats AS \
               SELECT id_agente_modulo AS id, {bucket} AS bucket, MIN(utimestamp) AS first, \
                 MAX(utimestamp) AS last, MIN(datos) AS low, MAX(datos) AS high \
               FROM tagente_datos JOIN oracle_numbers AS n ON n.id = id_agente_modulo \
               GROUP BY 1, 2 HAVING SUM(datos IS NULL) = 0 AND COUNT(*) > {above} \
                 AND (bucket + 1) * {LENGTH} <= {cutoff}; \
             CREATE TABLE oracle_left AS SELECT d.* FROM tagente_datos AS d \
               LEFT JOIN oracle_stats AS s ON s.id = d.id_agente_modulo AND s.bucket = d.{bucket} \
               LEFT JOIN ({}) AS low ON low.id = s.id AND low.bucket = s.bucket \
               LEFT JOIN ({}) AS high ON high.id = s.id AND high.bucket = s.bucket \
               WHERE s.id IS NULL OR d.utimestamp IN (s.first, s.last, low.at, high.at);",
            extreme("low"),
            extreme("high")
        ));
    }

    fn sum(&self, table: &str) -> String {
        self.history.sql(&format!(
            "SELECT COUNT(*), SUM(CRC32(CONCAT_WS(',', id_agente_modulo, IFNULL(datos, 'none'), \
               utimestamp))) FROM {table};"
        ))
    }

    /// Makes a table of what another one holds, bucket by bucket.
    fn by_bucket(&self, name: &str, of: &str) {
        self.history.sql(&format!(
            "DROP TABLE IF EXISTS {name}; CREATE TABLE {name} AS \
             SELECT id_agente_modulo AS id, utimestamp DIV {LENGTH} AS bucket, COUNT(*) AS n, \
               SUM(CRC32(CONCAT_WS(',', IFNULL(datos, 'none'), utimestamp))) AS content \
             FROM {of} GROUP BY 1, 2;"
        ));
    }

    fn rows(&self) -> u64 {
        self.history.number("SELECT COUNT(*) FROM tagente_datos;")
    }

    /// Prepares by `fill` until a run of `work` did not see the end of a bucket grow old.
    fn while_nothing_ages<T>(&self, mut work: impl FnMut() -> T) -> T {
        loop {
            let cutoff = self.cutoff();
            let done = work();
            if self.cutoff() == cutoff {
                return done;
            }
        }
    }

    fn own_tables(&self) -> u64 {
        let sql = "SELECT COUNT(*) FROM information_schema.tables \
                   WHERE table_schema = DATABASE() AND table_name LIKE 'elpis%';";
        self.history.number(sql)
    }
}

fn compaction(out: &str) -> serde_json::Value {
    let events = out.lines().map(json);
    let mut finished = events.filter(|event| event["event"] == "compaction_finished");
    finished.next().unwrap()
}

#[test]
fn modules_of_the_other_database_say_what_gets_smaller() {
    let halves = Halves::new(Site::server());
    let before = halves.while_nothing_ages(|| {
        halves.fill();
        halves.expect(2);
        let before = halves.sum("tagente_datos");
        let all = halves.rows();

        let planned = halves
            .site
            .run(&["plan", "--only", "history", "--format", "json"]);
        assert_eq!(planned.code, 0, "{planned:?}");
        let plan = json(&planned.out);
        let tier = &plan["history"]["compaction"]["tiers"][0];
        let kinds = &tier["task"]["kinds"];
        let listed = halves.site.number(&format!(
            "SELECT COUNT(*) FROM tagente_modulo WHERE id_tipo_modulo IN ({NUMBERS}) \
               AND history_data = 1 AND id_agente_modulo NOT IN \
                 (SELECT id_agent_module FROM treport_content_sla_combined) \
               AND id_agente_modulo NOT IN \
                 (SELECT id_agent_module_failover FROM treport_content_sla_combined);"
        ));
        assert_eq!(kinds["listed"]["series"], listed, "{kinds}");
        // Rows of all modules are due, and those that stay are none that go: within what the
        // estimate says of itself.
        let cutoff = halves.cutoff();
        let due = format!("SELECT COUNT(*) FROM tagente_datos WHERE utimestamp < {cutoff};");
        let due = halves.history.number(&due);
        assert_eq!(tier["due"].as_u64().unwrap(), due);
        let gone = all - halves.history.number("SELECT COUNT(*) FROM oracle_left;");
        let share = 1.0 - gone as f64 / due as f64;
        let estimate = &tier["estimate"];
        let (kept, error) = (&estimate["kept_share"], &estimate["error"]);
        let (kept, error) = (kept.as_f64().unwrap(), error.as_f64().unwrap());
        assert!(
            (kept - share).abs() < error + 0.05,
            "{kept} ± {error}, {share}"
        );
        let human = halves.site.run(&["plan", "--only", "history"]);
        assert!(human.out.contains("older than 20 d"), "{}", human.out);
        assert_eq!(
            halves.sum("tagente_datos"),
            before,
            "a plan changes nothing"
        );
        assert_eq!(halves.own_tables(), 0);

        let said = halves
            .site
            .run(&[&["run", "--format", "json"][..], &ONLY].concat());
        assert_eq!(said.code, 0, "{said:?}");
        let report = compaction(&said.out);
        let removed = report["tiers"][0]["sealed"]["removed"].as_u64().unwrap();
        assert_eq!(removed, all - halves.rows());
        assert!(
            report["target"]
                .as_str()
                .unwrap()
                .ends_with(halves.history.name())
        );
        before
    });
    let left = halves.sum("oracle_left");
    assert_ne!(left, before);
    assert_eq!(halves.sum("tagente_datos"), left);

    // Once more, and nothing changes; it is one of the runs of that database.
    let again = halves.site.run(&[&["run"][..], &ONLY].concat());
    assert_eq!(again.code, 0, "{again:?}");
    let line = "[HISTORYDB] Compacting data in the history DB (More than 20 days).";
    let place = |text: &str| {
        again
            .err
            .find(text)
            .unwrap_or_else(|| panic!("{text}: {again:?}"))
    };
    assert!(place(line) < place("[COMPACT] tagente_datos"), "{again:?}");
    assert_eq!(halves.sum("tagente_datos"), left);
    let status = json(&halves.site.run(&["status", "--format", "json"]).out);
    let mut last = status.as_array().unwrap().iter().map(|one| &one["last"]);
    let here = |run: &serde_json::Value| {
        run["job"] == "compact"
            && run["target"]
                .as_str()
                .unwrap()
                .ends_with(halves.history.name())
    };
    assert!(last.any(here), "{status}");
}

#[test]
fn its_own_settings_and_locks_are_heeded() {
    let halves = Halves::new(Site::server());
    let before = halves.sum("tagente_datos");
    let shown = halves
        .site
        .run(&["policy", "show", "--effective", "--format", "json"]);
    let shown = json(&shown.out);
    let origin = |token: &str| {
        let mut listing = shown["history"].as_array().unwrap().iter();
        let found = listing.find(|setting| setting["token"] == token).unwrap();
        (found["value"].clone(), found["origin"]["from"].clone())
    };
    assert_eq!(origin("days_compact"), ("20".into(), "tconfig".into()));
    assert_eq!(origin("step_compact"), ("6".into(), "tconfig".into()));

    // Purge and checks alone; the main database alone; another maintenance at work there.
    for args in [
        &["run", "-p", "--no-throttle"][..],
        &["run", "--only", "compact"],
    ] {
        let said = halves.site.run(args);
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(halves.sum("tagente_datos"), before, "{args:?}");
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut other = runtime.block_on(async {
        let settings = SessionSettings::default();
        let mut other = Session::open(&halves.history.options, &settings)
            .await
            .unwrap();
        let lock = [format!("{}_pandora_db", halves.history.name())];
        other.lock(&lock, Duration::ZERO).await.unwrap();
        other
    });
    let said = halves.site.run(&["run", "--only", "history_compact"]);
    assert_eq!(
        (said.code, halves.sum("tagente_datos")),
        (7, before.clone()),
        "{said:?}"
    );
    runtime.block_on(other.unlock()).unwrap();

    // A table that cannot be read in bounded steps: the rest is done.
    halves.history.sql(
        "INSERT INTO tconfig (token, value) VALUES ('days_purge', '32'); \
         ALTER TABLE tagente_datos DROP INDEX data_index1;",
    );
    let planned = halves.site.run(&["plan", "--only", "history"]);
    assert_eq!(planned.code, 7, "{planned:?}");
    let said = halves.site.run(&["run", "--only", "history"]);
    assert_eq!(said.code, 7, "{said:?}");
    for said in [planned, said] {
        assert!(
            said.err
                .contains("has no index on (id_agente_modulo, utimestamp)"),
            "{said:?}"
        );
    }
    let old =
        "SELECT COUNT(*) FROM tagente_datos WHERE utimestamp < UNIX_TIMESTAMP() - 32 * 86400;";
    assert_eq!(halves.history.number(old), 0);

    halves
        .history
        .sql("UPDATE tconfig SET value = '0' WHERE token = 'days_compact';");
    let said = halves.site.run(&["run", "--only", "history"]);
    assert_eq!(said.code, 0, "{said:?}");
    let skipped = "skipped: days_compact is not set in the history database's own tconfig";
    assert!(said.err.contains(skipped), "{said:?}");
}

/// On another server, as the manual wants it.
#[test]
fn rows_that_move_into_compacted_time_follow_the_rule_for_late_ones() {
    let server = MariaDb::own_server(&elpis_testkit::pandora::QUICK);
    let halves = Halves::new(&server);
    let modules = halves.history.sql("SELECT id FROM oracle_modules;");
    let modules = modules.lines().collect::<Vec<_>>().join("), (");
    halves.site.db.sql(&format!(
        "CREATE TABLE late_modules (id INT PRIMARY KEY); INSERT INTO late_modules VALUES ({modules});"
    ));
    let said = halves.while_nothing_ages(|| {
        halves.fill();
        let said = halves.site.run(&[&["run"][..], &ONLY].concat());
        assert_eq!(said.code, 0, "{said:?}");
        // A row every 50 minutes: more than a bucket holds now, and of some buckets one.
        let late = "SELECT id, seq % 7, UNIX_TIMESTAMP() - 33 * 86400 + seq * 3000 FROM late_modules";
        let late = format!("{late} JOIN seq_1_to_40 WHERE seq < 15 OR seq % 9 = 0");
        halves.site.db.sql(&format!("DELETE FROM tagente_datos; INSERT INTO tagente_datos {late};"));
        // What is expected is made of what will be there: rows move as they are.
        let moving = halves.site.db.sql(
            "SELECT CONCAT('(', CONCAT_WS(', ', id_agente_modulo, datos, utimestamp), ')') \
             FROM tagente_datos;",
        );
        let moving = moving.lines().collect::<Vec<_>>().join(", ");
        halves.history.sql(&format!(
            "DROP TABLE IF EXISTS kept; CREATE TABLE kept LIKE tagente_datos; \
             INSERT INTO kept SELECT * FROM tagente_datos; INSERT INTO tagente_datos VALUES {moving};"
        ));
        halves.expect(2);
        halves.by_bucket("oracle_all", "oracle_left");
        halves.expect(4);
        halves.by_bucket("oracle_late", "oracle_left");
        halves.history.sql(
            "TRUNCATE TABLE tagente_datos; INSERT INTO tagente_datos SELECT * FROM kept;",
        );
        halves.site.run(&[&["run", "--format", "json"][..], &ONLY].concat())
    });
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(halves.site.number("SELECT COUNT(*) FROM tagente_datos;"), 0);
    let report = compaction(&said.out);
    let tier = &report["tiers"][0];
    assert!(tier["rechecked"]["removed"].as_u64().unwrap() > 0, "{tier}");
    // Of a bucket with up to four rows, all of them or its envelope; of any other, its envelope.
    halves.by_bucket("oracle_there", "tagente_datos");
    let rows = |table: &str| {
        halves
            .history
            .number(&format!("SELECT COUNT(*) FROM {table};"))
    };
    assert_eq!(rows("oracle_there"), rows("oracle_late"));
    let others = "SELECT COUNT(*) FROM (SELECT * FROM oracle_there EXCEPT \
                  (SELECT * FROM oracle_late UNION SELECT * FROM oracle_all)) AS others;";
    assert_eq!(halves.history.number(others), 0);
}

/// Small chunks, so that a kill has many places to fall into.
const CHUNKS: &str = "[state]\ndirectory = \"state\"\n[policy.throttle]\nmin_rows = 60\n\
                      max_rows = 120\nduty = 0.9\n";

fn kills() -> u64 {
    match std::env::var_os("ELPIS_SOAK") {
        Some(_) => 100,
        None => 4,
    }
}

/// Starts a run and kills it after so many chunks and a little more.
fn run_and_kill(halves: &Halves, chunks: usize, more: Duration) {
    let _alone = alone();
    let config = halves.site.world.path("killed.toml").display().to_string();
    let args = [
        "run",
        "--only",
        "history_compact",
        "--format",
        "json",
        "-v",
        "--config",
        &config,
    ];
    let mut child = halves
        .site
        .command(&args)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let lines = lines.map(Result::unwrap);
    let compacted = lines.filter(|line| line.contains("\"event\":\"compacted\""));
    compacted.take(chunks).for_each(drop);
    std::thread::sleep(more);
    child.kill().unwrap();
    child.wait().unwrap();
    let lock = format!("{}_elpis_maint", halves.history.name());
    wait_for_free_lock(&halves.history, Some(&lock));
}

#[test]
fn a_killed_compaction_is_completed_as_if_nobody_had_disturbed_it() {
    let seed = std::env::var("ELPIS_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(17);
    let mut random = fastrand::Rng::with_seed(seed);
    let halves = Halves::new(Site::server());
    halves.site.world.write("killed.toml", CHUNKS);
    let (mut counted, mut tried) = (0, 0);
    while counted < kills() {
        tried += 1;
        assert!(tried <= 3 * kills(), "{counted} of {tried} kills counted");
        let hit = halves.while_nothing_ages(|| {
            halves.fill();
            halves.expect(2);
            let (all, left) = (
                halves.rows(),
                halves.history.number("SELECT COUNT(*) FROM oracle_left;"),
            );
            run_and_kill(
                &halves,
                random.usize(1..60),
                Duration::from_micros(random.u64(0..6000)),
            );
            let there = halves.rows();
            let said = halves.site.run(&[&["run"][..], &ONLY].concat());
            assert_eq!(said.code, 0, "{said:?}");
            left < there && there < all
        });
        counted += u64::from(hit);
        assert_eq!(
            halves.sum("tagente_datos"),
            halves.sum("oracle_left"),
            "seed {seed}"
        );
    }
    println!("seed {seed}: {counted} of {tried} kills hit unfinished work");
}
