//! `restore` of parts: tables, the data of an agent, paths. One command each, taken back each time.

use std::path::PathBuf;

use elpis_mysql::PrivateServer;

use crate::backup::{Site, archives};
use crate::backup_server::{old, site, sql};

const ADMIN: [&str; 2] = ["--option-file", "backup.cnf"];

/// Agents 1 and 2 have modules 3 and 4; both have data.
const AGENTS: &str = "\
    CREATE TABLE pandora.tagente (id_agente INT PRIMARY KEY, nombre VARCHAR(600), alias VARCHAR(600)); \
    INSERT INTO pandora.tagente VALUES (1, 'f00', 'web01'), (2, 'f01', 'web02'); \
    CREATE TABLE pandora.tagente_modulo (id_agente_modulo INT PRIMARY KEY, id_agente INT); \
    INSERT INTO pandora.tagente_modulo VALUES (3, 1), (4, 2); \
    USE pandora; CREATE TRIGGER t BEFORE INSERT ON tconfig FOR EACH ROW SET @a = 1";

struct Case {
    site: Site,
    server: PrivateServer,
    archive: PathBuf,
}

impl Case {
    fn new() -> Case {
        let (site, server) = site();
        sql(&server, AGENTS);
        let said = site.run(&old("pandora_console", &ADMIN));
        assert_eq!(said.code, 0, "{said:?}");
        let archive = archives(&site.path("dest")).remove(0);
        Case {
            site,
            server,
            archive,
        }
    }

    fn restore(&self, more: &[&str]) -> crate::harness::Said {
        let start = [
            "restore",
            self.archive.to_str().unwrap(),
            "-c",
            "pandora_console",
        ];
        self.site.run(&[&start[..], &ADMIN, more].concat())
    }

    #[track_caller]
    fn undo(&self) {
        for verb in ["undo", "forget"] {
            let args = [verb, "-c", "pandora_console"];
            let said = self.site.run(&[&args[..], &ADMIN].concat());
            assert_eq!(said.code, 0, "{said:?}");
        }
    }

    fn asks(&self, what: &str) -> String {
        sql(&self.server, what).trim().to_owned()
    }
}

#[test]
fn tables_and_an_agents_data_are_restored_alone() {
    let case = Case::new();
    let tokens = "SELECT COUNT(*) FROM pandora.tconfig";
    let of_3 = "SELECT COUNT(*) FROM pandora.tagente_datos WHERE id_agente_modulo = 3";
    let all = "SELECT COUNT(*) FROM pandora.tagente_datos";
    let archived = case.asks(of_3);
    sql(
        &case.server,
        "DELETE FROM pandora.tconfig WHERE token = 'MR'; DROP TRIGGER pandora.t; \
         DELETE FROM pandora.tagente_datos WHERE utimestamp > 30000; \
         INSERT INTO pandora.tagente_datos VALUES (3, 1, 99999)",
    );
    let (live_of_3, live) = (case.asks(of_3), case.asks(all));

    let said = case.restore(&["--table", "tconfig", "--dry-run"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out
            .contains("everything else of pandora stays as it is"),
        "{said:?}"
    );
    let said = case.restore(&["--table", "tconfig"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.contains("database pandora: 1 tables, 3 rows"),
        "{said:?}"
    );
    assert_eq!(
        (case.asks(tokens), case.asks(all)),
        ("3".to_owned(), live.clone())
    );
    assert_eq!(
        case.asks(
            "SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = 'pandora'"
        ),
        "1"
    );
    case.undo();
    assert_eq!(
        (case.asks(tokens), case.asks(all)),
        ("2".to_owned(), live.clone())
    );
    let said = case.restore(&["--table", "tconfigg"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(
        said.err.contains("the text has no table tconfigg"),
        "{said:?}"
    );

    // What is missing is counted and put back; what was written since stays.
    let missing = archived.parse::<u64>().unwrap() + 1 - live_of_3.parse::<u64>().unwrap();
    let said = case.restore(&["--agent", "web01", "--dry-run"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.contains("agent 1 (web01) has 1 modules"),
        "{said:?}"
    );
    assert!(
        said.out
            .contains(&format!("tagente_datos lacks {missing} rows")),
        "{said:?}"
    );
    assert_eq!(case.asks("SHOW DATABASES LIKE '%restore%'"), "");
    assert_eq!(case.asks(all), live);
    let said = case.restore(&["--agent", "1", "--format", "json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["database"]["inserted"]["tagente_datos"], missing);
    let now = live.parse::<u64>().unwrap() + missing;
    assert_eq!(case.asks(all), now.to_string());
    let said = case.restore(&["--agent", "f00"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("0 rows were put into"), "{said:?}");
    case.undo();
    case.undo();
    assert_eq!((case.asks(all), case.asks(of_3)), (live, live_of_3));
    let said = case.restore(&["--agent", "web03"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("pandora has no agent web03"), "{said:?}");
    for wrong in [
        &["--agent", "web01", "--table", "tconfig"][..],
        &["--agent", "web01", "-f"],
        &["--table", "tconfig", "-f", "-b"],
        &["--path", "x", "-f"],
        &["--to", "x", "-f", "-b"],
        &["--config-first", "--table", "tconfig"],
        &["--config-first", "-f", "-b"],
    ] {
        assert_eq!(case.restore(wrong).code, 2, "{wrong:?}");
    }
}

#[test]
fn a_path_is_restored_alone_or_somewhere_else() {
    let case = Case::new();
    let read = |name: &str| std::fs::read_to_string(case.site.path(name)).unwrap_or_default();
    case.site
        .write("pandora_console/index.php", "<?php changed\n");
    case.site
        .write("pandora_console/include/later.php", "later\n");
    std::fs::remove_file(case.site.path("pandora_console/.htaccess")).unwrap();
    let files = |more: &[&str]| case.restore(&[&["-f", "-b"], more].concat());

    let said = files(&["--path", "pandora_console/index.php"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(read("pandora_console/index.php"), "<?php\n");
    assert!(!case.site.path("pandora_console/.htaccess").exists());
    case.undo();
    assert_eq!(read("pandora_console/index.php"), "<?php changed\n");

    // Two at once; a directory keeps what the archive does not have.
    let said = files(&[
        "--path",
        "pandora_console/.htaccess",
        "--path",
        "pandora_console/include",
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(read("pandora_console/.htaccess"), "deny from all\n");
    assert_eq!(read("pandora_console/include/later.php"), "later\n");
    assert_eq!(read("pandora_console/index.php"), "<?php changed\n");
    case.undo();
    assert!(!case.site.path("pandora_console/.htaccess").exists());

    let said = files(&["--path", "pandora_console/include", "--to", "look"]);
    assert_eq!(said.code, 0, "{said:?}");
    let config = read("pandora_console/include/config.php");
    assert_eq!(read("look/include/config.php"), config);
    assert!(!case.site.path("look/include/later.php").exists());
    case.undo();
    assert!(!case.site.path("look/include").exists());

    let said = files(&["--path", "pandora_console/nothing.php"]);
    assert_eq!(said.code, 3, "{said:?}");
    let said = files(&["--path", "/etc/passwd"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(
        said.err.contains("has no file or directory /etc/passwd"),
        "{said:?}"
    );
    assert_eq!(read("pandora_console/index.php"), "<?php changed\n");
}

/// The services run again before the time series are there, and those come all the same.
#[test]
fn configuration_first_starts_the_services_before_the_time_series() {
    let case = Case::new();
    let socket = case.server.socket().display().to_string();
    let log = case.site.path("log");
    let start = format!(
        "['sh', '-c', 'mariadb --no-defaults -uroot -S {socket} -N -e \"SELECT COUNT(*) FROM pandora.tagente_datos; \
         SELECT COUNT(*) FROM pandora.tagente\" > {} || true']",
        log.display()
    );
    let text = format!(
        "[target]\ndirectory = 'dest'\n[state]\ndirectory = 'state'\n\
         [pandora]\ninstallation = 'pandora_console'\noption_file = 'backup.cnf'\n\
         [restore]\nstop = [['true']]\nstart = [{start}]\n"
    );
    case.site.write("backup.toml", &text);
    sql(
        &case.server,
        "DROP TABLE pandora.tagente; DELETE FROM pandora.tagente_datos WHERE utimestamp > 30000",
    );
    let said = case.restore(&["--config-first", "--dry-run"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.contains("the newest first: tagente_datos"),
        "{said:?}"
    );
    let said = case.restore(&["--config-first"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("the product can work"), "{said:?}");
    assert!(
        said.out.contains("afterwards, into tagente_datos: 60"),
        "{said:?}"
    );
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "0\n2\n");
    assert_eq!(
        case.asks("SELECT COUNT(*) FROM pandora.tagente_datos"),
        "60000"
    );
    case.undo();
    assert_eq!(
        case.asks("SELECT COUNT(*) FROM pandora.tagente_datos"),
        "30000"
    );
    assert_eq!(case.asks("SHOW TABLES FROM pandora LIKE 'tagente'"), "");
    assert_eq!(case.asks("SHOW DATABASES LIKE '%elpis%'"), "");
}
