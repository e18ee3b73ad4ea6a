//! A Pandora FMS installation as its operator sees it: `--pandora` and nothing else.

use std::path::Path;
use std::process::Output;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use elpis_mysql::{Params, Session, SessionSettings};
use elpis_testkit::pandora::Installation;
use elpis_testkit::{Database, MariaDb};
use jiff::Timestamp;

use crate::harness::{Said, World};

/// The account that the configuration names. The server's own reader would not see its password.
const PASSWORD: &str = "^p4ss ^w#rd'\"$ `é";

/// Two of the product's locks have the same name in every database of a server, and the tests
/// share one: only one of them works at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An installation, its database, and its configuration.
struct Site {
    world: World,
    db: MariaDb,
}

impl Site {
    /// The smallest installation with this much more in `tconfig`.
    fn with(tokens: &[(&str, &str)]) -> Site {
        let mut installation = Installation {
            now: Timestamp::now(),
            ..Installation::small()
        };
        for (token, value) in tokens {
            installation = installation.token(token, value);
        }
        let db = installation.install();
        let site = Site {
            world: World::empty(),
            db,
        };
        let name = site.db.name();
        let password = PASSWORD.replace('\\', "\\\\").replace('\'', "\\'");
        site.db.sql(&format!(
            "CREATE USER IF NOT EXISTS '{name}'@'localhost' IDENTIFIED BY '{password}';\
             GRANT ALL ON {name}.* TO '{name}'@'localhost';\
             INSERT INTO tconfig (token, value) VALUES ('db_scheme_version', '7.0NG');"
        ));
        site.configure("pandorafms");
        site
    }

    fn configure(&self, servername: &str) {
        let socket = self.db.options.socket.clone().unwrap();
        let name = self.db.name();
        let text = format!(
            "# Pandora FMS\nservername {servername}\ndbname {name}\ndbuser {name}\n\
             dbpass {PASSWORD}\ndbhost {}\nlog_file /var/log/p.log\nha_hosts_file {}\n",
            socket.display(),
            self.world.path("ha.conf").display()
        );
        let path = self.world.path("pandora_server.conf");
        elpis_run::fsx::write_durable(&path, text.as_bytes(), 0o600).unwrap();
    }

    /// With a state directory of its own, since root's would be the system's.
    fn output(&self, args: &[&str]) -> Output {
        let mut command = self.world.command(args);
        command.env_remove("ELPIS_CONFIG");
        let conf = self.world.path("pandora_server.conf");
        command.arg("--pandora").arg(conf);
        let writes = ["run", "status"].contains(&args[0]);
        if writes && !args.contains(&"--config") {
            self.world
                .write("state.toml", "[state]\ndirectory = \"state\"\n");
            command.arg("--config").arg(self.world.path("state.toml"));
        }
        command.output().unwrap()
    }

    fn run(&self, args: &[&str]) -> Said {
        let in_front = args[0] == "run" && !args.contains(&"--background");
        let _alone = in_front.then(alone);
        let said = self.world.said(&self.output(args));
        for word in ["p4ss", "w#rd"] {
            assert!(
                !said.out.contains(word) && !said.err.contains(word),
                "{said:?}"
            );
        }
        said
    }

    fn number(&self, sql: &str) -> u64 {
        self.db.number(sql)
    }

    fn last_run(&self) -> Vec<u64> {
        let sql = "SELECT value FROM tconfig WHERE token = 'db_maintance';";
        self.db
            .sql(sql)
            .lines()
            .map(|line| line.parse().unwrap())
            .collect()
    }
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

/// Everything at once, the way the hourly job does it: every task in the manual's order, in the
/// manual's style, and the console is told.
#[test]
fn one_command_does_the_whole_maintenance() {
    let site = Site::with(&[("days_compact", "20")]);
    let begun = Timestamp::now().as_second();
    let said = site.run(&["run", "--no-throttle"]);
    assert_eq!(said.code, 0, "{said:?}");
    let lines: Vec<&str> = said.err.lines().collect();
    let place = |text: &str| {
        let found = lines.iter().position(|line| line.contains(text));
        found.unwrap_or_else(|| panic!("{text:?} is missing: {}", said.err))
    };
    let order = [
        "Starting at 20",
        "[PURGE] ",
        "tsessions_php",
        "[CHECKDB] ",
        "[INTEGRITY] ",
        "[COMPACT] tagente_datos",
        "Ending at 20",
    ];
    let places: Vec<usize> = order.iter().map(|text| place(text)).collect();
    assert!(places.is_sorted(), "{places:?}: {}", said.err);
    let clock = lines[place("[CHECKDB] ")].get(..9).unwrap();
    assert!(
        clock
            .as_bytes()
            .iter()
            .enumerate()
            .all(|(i, byte)| match i {
                2 | 5 => *byte == b':',
                8 => *byte == b' ',
                _ => byte.is_ascii_digit(),
            })
    );
    assert_eq!(
        site.number("SELECT COUNT(*) FROM tagente_modulo WHERE delete_pending = 1;"),
        0
    );
    let [last] = site.last_run()[..] else {
        panic!("{:?}", site.last_run());
    };
    assert!(last as i64 >= begun, "{last}");

    // Nothing is due any more but what a few seconds have made so.
    let again = site.run(&["run", "--no-throttle", "--format", "json"]);
    assert_eq!(again.code, 0, "{again:?}");
    let finished = again.out.lines().map(json);
    let finished = finished.filter(|event| event["event"] == "task_finished");
    let mut tasks = 0;
    for task in finished {
        tasks += 1;
        for part in task["parts"].as_array().unwrap() {
            let changed = part["deleted"]
                .as_u64()
                .or(part["changed"].as_u64())
                .unwrap_or(0);
            assert!(changed < 50, "{task}");
        }
    }
    assert!(tasks > 30, "{tasks} tasks");
    let compacted = again.out.lines().map(json);
    let mut compacted = compacted.filter(|event| event["event"] == "compaction_finished");
    assert_eq!(compacted.next().unwrap()["ended"]["how"], "done");
    assert_eq!(site.last_run().len(), 1);

    let status = json(&site.run(&["status", "--format", "json"]).out);
    let jobs: Vec<&str> = status
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["last"]["job"].as_str().unwrap())
        .collect();
    assert!(
        jobs.contains(&"housekeeping") && jobs.contains(&"compact"),
        "{jobs:?}"
    );
}

/// Only series of levels and rates get smaller, only where they are old enough, and none that a
/// report on service levels names.
#[test]
fn compaction_heeds_types_ages_and_reports() {
    let site = Site::with(&[("days_compact", "20"), ("step_compact", "6")]);
    let named = "SELECT id_agent_module FROM treport_content_sla_combined \
                 UNION SELECT id_agent_module_failover FROM treport_content_sla_combined";
    let kept = format!(
        "m.id_agente_modulo IS NULL OR m.id_tipo_modulo NOT IN (1, 4, 7, 8, 11, 15, 16, 30, 32, 34, 37) \
         OR m.history_data = 0 OR d.id_agente_modulo IN ({named}) \
         OR d.utimestamp >= UNIX_TIMESTAMP() - 20 * 86400"
    );
    let sum = format!(
        "SELECT COUNT(*), SUM(CRC32(CONCAT_WS(',', d.id_agente_modulo, d.datos, d.utimestamp))) \
         FROM tagente_datos d LEFT JOIN tagente_modulo m ON m.id_agente_modulo = d.id_agente_modulo \
         WHERE {kept};"
    );
    let (before, all) = (
        site.db.sql(&sum),
        site.number("SELECT COUNT(*) FROM tagente_datos;"),
    );
    let said = site.run(&["run", "--no-throttle", "--only", "compact"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        site.number("SELECT COUNT(*) FROM tagente_datos;") < all,
        "{said:?}"
    );
    assert_eq!(site.db.sql(&sum), before);
    // Half a run is no run for the console.
    assert_eq!(site.last_run(), [1]);
}

#[test]
fn a_plan_counts_changes_nothing_and_lists_what_it_skips() {
    let site = Site::with(&[("event_purge", "0")]);
    let tables = ["tevento", "tagente_modulo", "tagente_datos", "tconfig"];
    let sums = || tables.map(|table| site.db.checksum(table));
    let before = sums();
    let said = site.run(&["plan", "--format", "json", "--exact"]);
    assert_eq!(said.code, 0, "{said:?}");
    let plan = json(&said.out);
    let tasks = plan["tasks"].as_array().unwrap();
    let events = tasks.iter().find(|task| task["id"] == "events").unwrap();
    assert!(events["parts"].to_string().contains("skipped"), "{events}");
    assert_eq!(sums(), before);
    let human = site.run(&["plan", "--only", "events,integrity"]);
    assert!(
        human.out.contains("events") && human.out.contains("INTEGRITY"),
        "{}",
        human.out
    );
    assert!(!human.out.contains("CHECKDB"), "{}", human.out);
}

#[test]
fn only_the_master_works_and_never_beside_the_products_own_tool() {
    let site = Site::with(&[]);
    site.configure("other");
    let modules = "SELECT COUNT(*) FROM tagente_modulo;";
    let before = site.number(modules);
    let said = site.run(&["run", "--only", "pending_modules", "--no-throttle"]);
    let wrong = site.run(&["run", "--only", "purge,evnts"]);
    assert_eq!((said.code, wrong.code), (3, 2), "{said:?} {wrong:?}");
    for word in ["pandorafms", "\"other\"", "--force"] {
        assert!(said.err.contains(word), "{}", said.err);
    }
    assert!(wrong.err.contains("\"evnts\""), "{}", wrong.err);
    assert_eq!(site.number(modules), before);

    let lock = format!(
        "SELECT GET_LOCK('{}_pandora_db', 0); SELECT SLEEP(300);",
        site.db.name()
    );
    let (db, held) = (site.db.clone(), lock);
    // Ends with the server.
    std::thread::spawn(move || db.sql(&held));
    let holder = format!(
        "SELECT IS_USED_LOCK('{}_pandora_db') IS NOT NULL;",
        site.db.name()
    );
    while site.number(&holder) == 0 {
        std::thread::yield_now();
    }
    let said = site.run(&["run", "-f", "--no-throttle"]);
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.err.contains("_pandora_db"), "{}", said.err);
    assert_eq!(site.number(modules), before);
}

#[test]
fn every_setting_is_shown_with_where_it_comes_from() {
    let site = Site::with(&[("event_purge", "abc")]);
    site.db
        .sql("INSERT INTO tconfig (token, value) VALUES ('days_purge', '9');");
    let zone = "[pandora]\nzone = \"Europe/Madrid\"\n[pandora.tokens]\ntrap_purge = 3\n\
                [state]\ndirectory = \"state\"\n[[policy.table]]\nname = \"tsesion\"\n\
                time = { column = \"utimestamp\", unit = \"epoch_seconds\" }\nkeep = { days = 2 }\n";
    site.world.write("more.toml", zone);
    let config = site.world.path("more.toml").display().to_string();
    let said = site.run(&[
        "policy",
        "show",
        "--effective",
        "--format",
        "json",
        "--config",
        &config,
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    let shown = json(&said.out);
    let find = |list: &str, token: &str| {
        let list = shown[list].as_array().unwrap();
        list.iter()
            .find(|one| one["token"] == token)
            .unwrap()
            .clone()
    };
    assert_eq!(find("files", "dbpass")["value"], "***");
    assert!(
        find("files", "dbname")["origin"]["place"]
            .as_str()
            .unwrap()
            .ends_with("pandora_server.conf:3")
    );
    assert_eq!(find("files", "zone")["value"], "Europe/Madrid");
    assert_eq!(find("tokens", "trap_purge")["value"], "3");
    assert_eq!(find("tokens", "trap_purge")["origin"]["from"], "override");
    assert_eq!(find("tokens", "days_purge")["value"], "30");
    assert_eq!(find("tokens", "days_purge")["origin"]["from"], "tconfig");
    assert_eq!(
        find("tokens", "event_purge")["value"],
        serde_json::Value::Null
    );
    assert_eq!(
        find("tokens", "history_db_port")["origin"]["from"],
        "default"
    );
    for word in [
        "several rows for days_purge",
        "event_purge = \"abc\"",
        "does not see dbpass",
    ] {
        assert!(said.err.contains(word), "{word}: {}", said.err);
    }
    let plan = site.run(&["plan", "--config", &config, "--only", "purge"]);
    assert!(plan.out.contains("keeps 2 days"), "{}", plan.out);
    let human = site.run(&["policy", "show", "--effective"]);
    assert!(
        human.out.contains("tconfig, row ") && human.out.contains("compaction is off"),
        "{}",
        human.out
    );
}

fn lay_out(root: &Path, file: &str, text: &str, mode: u32) {
    let path = root.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    elpis_run::fsx::write_durable(&path, text.as_bytes(), mode).unwrap();
}

#[test]
fn the_doctor_finds_what_is_wrong_and_install_sets_it_right() {
    let site = Site::with(&[]);
    let root = site.world.path("root");
    let manual = "\"/usr/bin/pandora_db\" \"/etc/pandora/pandora_server.conf\" >/dev/null 2>&1\n";
    lay_out(&root, "etc/cron.hourly/pandora_db", manual, 0o755);
    let root = root.display().to_string();
    let findings = |site: &Site| {
        let said = site.run(&["doctor", "--root", &root, "--format", "json"]);
        let checks = json(&said.out)["checks"].as_array().unwrap().clone();
        let bad = checks.iter().filter(|check| check["state"] != "ok");
        let mut names: Vec<String> = bad
            .map(|check| {
                assert!(
                    check["remedy"]
                        .as_str()
                        .is_some_and(|text| !text.is_empty()),
                    "{check}"
                );
                check["check"].as_str().unwrap().to_owned()
            })
            .collect();
        // Who runs the tests owns the files they make; how full a disk is nobody can tell.
        names.retain(|name| name != "cron.owner" && name != "disk");
        names.sort();
        (names, said.code)
    };
    let (names, code) = findings(&site);
    let readers = "config.readers";
    assert_eq!(
        names,
        [
            readers,
            "cron.exists",
            "cron.output",
            "cron.shebang",
            "last_run"
        ]
    );
    assert_eq!(code, 7);

    let said = site.run(&["install", "--cron", "--root", &root]);
    assert_eq!(said.code, 3, "the incumbent's job is active: {said:?}");
    let said = site.run(&["install", "--cron", "--root", &root, "--disable-incumbent"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(site.run(&["run", "--no-throttle", "-q"]).code, 0);
    assert_eq!(findings(&site).0, [readers]);

    site.db.sql("DROP INDEX idx_utimestamp ON tevento;");
    let name = site.db.name();
    site.db.sql(&format!(
        "REVOKE ALL ON {name}.* FROM '{name}'@'localhost'; \
         GRANT SELECT, UPDATE, INSERT ON {name}.* TO '{name}'@'localhost';"
    ));
    lay_out(
        Path::new(&root),
        "etc/cron.d/maintenance",
        "0 * * * * root /usr/bin/pandora_db /c\n",
        0o644,
    );
    let (names, _) = findings(&site);
    assert_eq!(
        names.first().map(String::as_str),
        Some(readers),
        "{names:?}"
    );
    for name in ["cron.doubled", "database.indexes", "database.privileges"] {
        assert!(names.iter().any(|found| found == name), "{name}: {names:?}");
    }
    site.db.sql(&format!("DROP USER '{name}'@'localhost';"));
    let (names, code) = findings(&site);
    assert!(
        names.contains(&"database.reachable".to_owned()),
        "{names:?}"
    );
    assert_eq!(code, 7);
}

#[test]
fn a_timer_is_written_as_two_units() {
    let site = Site::with(&[]);
    let root = site.world.path("image");
    std::fs::create_dir_all(root.join("etc/systemd/system")).unwrap();
    let said = site.run(&[
        "install",
        "--systemd-timer",
        "--root",
        &root.display().to_string(),
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out
            .contains("systemctl enable --now elpis-maint.timer"),
        "{}",
        said.out
    );
    let service = root.join("etc/systemd/system/elpis-maint.service");
    let service = std::fs::read_to_string(service).unwrap();
    assert!(service.contains(" run --pandora "), "{service}");
    assert!(root.join("etc/systemd/system/elpis-maint.timer").exists());
}

/// The run goes on when whoever started it is gone, one at a time, and can be watched.
#[test]
fn a_run_in_the_background_can_be_followed() {
    let site = Site::with(&[]);
    let _alone = alone();
    // It cannot end before it was looked at.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut blocker = runtime.block_on(async {
        let settings = SessionSettings::default();
        let mut session = Session::open(&site.db.options, &settings).await.unwrap();
        session.begin().await.unwrap();
        let lock = "SELECT COUNT(*) FROM tsesion FOR UPDATE";
        session.first::<u64>(lock, Params::Empty).await.unwrap();
        session
    });
    let said = site.run(&["run", "--background", "--only", "audit"]);
    assert_eq!(said.code, 0, "{said:?}");
    let word = said.out.strip_prefix("process ").unwrap().split(' ').next();
    let pid = word.unwrap().to_owned();
    // Nobody's terminal: it leads a session of its own.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    assert_eq!(rest.split_whitespace().nth(3), Some(pid.as_str()), "{stat}");
    let twice = site.run(&["run", "--background"]);
    assert_eq!(twice.code, 6, "{twice:?}");
    runtime.block_on(blocker.rollback()).unwrap();
    let followed = site.run(&["status", "--follow"]);
    assert_eq!(followed.code, 0, "{followed:?}");
    let log = site.world.path("state/background.log");
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let text = std::fs::read_to_string(&log).unwrap();
        if text.contains("Ending at") {
            assert!(text.contains("[PURGE]"), "{text}");
            break;
        }
        assert!(Instant::now() < deadline, "{text}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let idle = site.run(&["status", "--follow"]);
    assert!(
        idle.err.contains("no run works in the background"),
        "{idle:?}"
    );
    // What is wrong is said at once if it shows at once, and is in the log in any case.
    let wrong = site.run(&["run", "--background", "--only", "nothing"]);
    if wrong.code == 2 {
        assert!(wrong.err.contains("\"nothing\""), "{wrong:?}");
    } else {
        assert_eq!(wrong.code, 0, "{wrong:?}");
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while !std::fs::read_to_string(&log)
        .unwrap()
        .contains("\"nothing\"")
    {
        assert!(Instant::now() < deadline, "{wrong:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_is_wrong_with_the_products_files_is_2_with_its_line() {
    let site = Site::with(&[]);
    site.world.write(
        "pandora_server.conf",
        "dbname p\ndbuser u\ndbhost h\ndbport x\n",
    );
    let said = site.run(&["plan"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.err.contains("pandora_server.conf:4: dbport"),
        "{}",
        said.err
    );
    site.configure("pandorafms");
    site.world.write("ha.conf", "127.0.0.254\n");
    let said = site.run(&["plan"]);
    assert_eq!(said.code, 8, "the chosen host goes before dbhost: {said:?}");
    assert!(said.err.contains("127.0.0.254"), "{}", said.err);
}
