//! The history database: kept in order by its own settings, and no reason to leave the product's own
//! database undone.

use elpis_mysql::{Session, SessionSettings};
use elpis_testkit::pandora::tables;
use elpis_testkit::{Database, MariaDb};
use std::time::Duration;

use super::{Site, alone, json};

/// A history database on the server of the product's own, with rows of every age from 0 to 99 days
/// and an hour.
fn history() -> MariaDb {
    let main = Site::server();
    let db = MariaDb::on(main);
    db.sql(&tables(&[
        "tconfig",
        "tserver",
        "tagente_datos",
        "tagente_datos_string",
        "tevento",
        "tevent_extended",
        "ttrap",
    ]));
    let age = "UNIX_TIMESTAMP() - (seq - 1) * 86400 - 3600";
    db.sql(&format!(
        "INSERT INTO tconfig (token, value) VALUES ('days_purge', '40'), ('event_purge', '30'), \
           ('history_db_enabled', '0'), ('days_compact', '20'); \
         INSERT INTO tagente_datos SELECT 1, seq, {age} FROM seq_1_to_100; \
         INSERT INTO tagente_datos_string SELECT 1, 'x', {age} FROM seq_1_to_100; \
         INSERT INTO tevento (utimestamp) SELECT {age} FROM seq_1_to_100; \
         INSERT INTO tevent_extended (id_evento) SELECT id_evento FROM tevento;"
    ));
    db
}

pub(super) fn with_history(history: &MariaDb) -> Site {
    let socket = history.options.socket.clone().unwrap();
    let site = Site::with(&[
        ("history_db_enabled", "1"),
        ("history_db_host", &socket.display().to_string()),
        ("history_db_name", history.name()),
        ("history_db_user", history.name()),
        ("history_db_pass", "p4ss of its own"),
        ("history_db_days", "5"),
    ]);
    let account = format!("'{}'@'localhost'", history.name());
    // What moves there is another test's matter.
    site.db.sql("DELETE FROM tagente_datos;");
    history.sql(&format!(
        "CREATE USER {account} IDENTIFIED BY 'p4ss of its own'; GRANT ALL ON {}.* TO {account};",
        history.name()
    ));
    site
}

#[test]
fn its_own_settings_say_what_it_keeps() {
    let history = history();
    let site = with_history(&history);
    let rows = |table: &str| history.number(&format!("SELECT COUNT(*) FROM {table};"));
    let tables = [
        "tagente_datos",
        "tagente_datos_string",
        "tevento",
        "tevent_extended",
    ];

    let planned = site.run(&["plan", "--format", "json"]);
    assert_eq!(planned.code, 0, "{planned:?}");
    let plan = json(&planned.out);
    let tasks = plan["history"]["tasks"].as_array().unwrap();
    let due = |id: &str| {
        let task = tasks.iter().find(|task| task["id"] == id).unwrap();
        task["parts"][0]["due"]["rows"].clone()
    };
    assert_eq!(
        (due("history_purge_data"), due("history_purge_events")),
        (60.into(), 70.into())
    );
    let human = site.run(&["plan", "--only", "history"]);
    assert!(
        human.out.contains("trap_history_purge is not set"),
        "{}",
        human.out
    );

    // The product's own tool is at work there.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut other = runtime.block_on(async {
        let settings = SessionSettings::default();
        let mut other = Session::open(&history.options, &settings).await.unwrap();
        let lock = [format!("{}_pandora_db", history.name())];
        other.lock(&lock, Duration::ZERO).await.unwrap();
        other
    });
    let said = site.run(&["run", "--no-throttle"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(
        said.err.contains("history database") && said.err.contains("_pandora_db"),
        "{said:?}"
    );
    assert_eq!(tables.map(rows), [100; 4]);
    assert!(site.last_run()[0] > 1, "the product's own database is done");

    runtime.block_on(other.unlock()).unwrap();
    let said = site.run(&["run", "--no-throttle"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(tables.map(rows), [40, 100, 30, 30]);
    let name = format!("history database {}", history.name());
    assert!(
        said.out.contains(&name) && said.err.contains("[HISTORYDB]"),
        "{said:?}"
    );

    // A run of its own in the journal; and leaving it out is possible.
    history.sql("INSERT INTO tevento (utimestamp) VALUES (1);");
    assert_eq!(
        site.run(&["run", "--only", "purge", "--no-throttle"]).code,
        0
    );
    assert_eq!(rows("tevento"), 31);
    assert_eq!(
        site.run(&["run", "--only", "history", "--no-throttle"])
            .code,
        0
    );
    assert_eq!(rows("tevento"), 30);
    let status = json(&site.run(&["status", "--format", "json"]).out);
    let targets = status.as_array().unwrap().iter();
    let targets: Vec<&str> = targets
        .filter_map(|one| one["last"]["target"].as_str())
        .collect();
    assert!(
        targets
            .iter()
            .any(|target| target.ends_with(history.name())),
        "{status}"
    );

    // The manual's second configuration file, from before the product did it this way: a history
    // database has no servers, and so no master whose job this would be.
    let name = history.name();
    let socket = history.options.socket.clone().unwrap();
    site.world.write(
        "pandora_server.conf",
        &format!(
            "dbengine mysql\ndbname {name}\ndbuser {name}\ndbpass p4ss of its own\n\
             dbhost {}\nlog_file /var/log/pandora_db_history.log\n",
            socket.display()
        ),
    );
    let kept = tables.map(rows);
    let said = site.run(&["run", "--no-throttle"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("no server of tserver"), "{said:?}");
    assert_eq!(tables.map(rows), kept);
}

/// Upstream reads its `tconfig` into a hash, where one row of several wins by chance.
#[test]
fn of_several_rows_the_one_that_keeps_the_most_counts_unless_the_operator_says() {
    let history = history();
    history.sql(
        "UPDATE tconfig SET value = '900' WHERE token = 'days_purge'; \
         INSERT INTO tconfig (token, value) VALUES ('days_purge', '30'), ('event_purge', '80');",
    );
    let site = with_history(&history);
    let rows = |table: &str| history.number(&format!("SELECT COUNT(*) FROM {table};"));
    let only = ["--only", "history_purge_data,history_purge_events"];
    let run = |more: &[&str]| {
        let args = [&["run", "--no-throttle"], &only[..], more].concat();
        site.run(&args)
    };
    let said = run(&[]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!((rows("tagente_datos"), rows("tevento")), (100, 80));
    let keeps_most = "several rows for days_purge";
    assert!(said.err.contains(keeps_most), "{}", said.err);
    assert!(!said.err.contains("the first one counts"), "{}", said.err);
    // Whoever is asked says so.
    let shown = site.run(&["policy", "show", "--effective"]);
    assert!(shown.err.contains(keeps_most), "{}", shown.err);
    let doctor = site.run(&["doctor"]);
    assert!(doctor.out.contains("history.settings"), "{}", doctor.out);
    assert!(doctor.out.contains(keeps_most), "{}", doctor.out);

    let own = "[pandora.history_tokens]\ndays_purge = 40\ntrap_history_purge = 9\n\
               [state]\ndirectory = \"state\"\n";
    site.world.write("own.toml", own);
    let config = site.world.path("own.toml").display().to_string();
    let show = ["policy", "show", "--effective", "--format", "json"];
    let shown = site.run(&[&show[..], &["--config", &config]].concat());
    let listing = json(&shown.out)["history"].clone();
    let find = |token: &str| {
        let mut all = listing.as_array().unwrap().iter();
        let found = all.find(|one| one["token"] == token).unwrap();
        (found["value"].clone(), found["origin"]["from"].clone())
    };
    assert_eq!(find("days_purge"), ("40".into(), "override".into()));
    assert_eq!(find("trap_history_purge"), ("9".into(), "override".into()));
    let said = run(&["--config", &config]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(rows("tagente_datos"), 40);
}

#[test]
fn one_that_cannot_be_reached_is_said_and_the_rest_is_done() {
    let site = Site::with(&[
        ("history_db_enabled", "1"),
        ("history_db_host", "127.0.0.1"),
        ("history_db_port", "1"),
        ("history_db_name", "h"),
        ("history_db_user", "h"),
        ("history_db_pass", "secret"),
        ("history_db_days", "5"),
    ]);
    let planned = site.run(&["plan"]);
    assert_eq!(planned.code, 7, "{planned:?}");
    assert!(
        planned.out.contains("history database: left alone"),
        "{planned:?}"
    );
    // As the run does.
    let held = "rows of tagente_datos should move to the history database first";
    let documented = site.run(&["plan", "--format", "json"]);
    assert!(documented.out.contains(held), "{documented:?}");
    let said = site.run(&["run", "--no-throttle"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(
        said.err.contains("history database") && said.err.contains("127.0.0.1:1"),
        "{said:?}"
    );
    let unnamed = "SELECT COUNT(*) FROM tagente WHERE alias = '';";
    assert_eq!(site.number(unnamed), 0);
    let pending = "SELECT COUNT(*) FROM tagente_modulo WHERE delete_pending = 1;";
    assert_ne!(site.number(pending), 0, "their values wait for the move");
    assert!(site.last_run()[0] > 1, "the console is told");

    let conf = site.world.path("pandora_server.conf");
    let mut text = std::fs::read_to_string(&conf).unwrap();
    text.push_str("encryption_passphrase x\n");
    elpis_run::fsx::write_durable(&conf, text.as_bytes(), 0o600).unwrap();
    let _alone = alone();
    let said = site.world.said(&site.output(&["run", "--only", "history"]));
    assert_eq!(said.code, 7, "{said:?}");
    assert!(
        said.err.contains("history_db_pass is encrypted"),
        "{said:?}"
    );
}
