//! `restore`, `undo` and `forget` on a real MariaDB and real files: the manual's cases, one command
//! each.

mod interrupted;
mod newest;
mod services;
mod unharmed;

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;

use elpis_mysql::PrivateServer;

use crate::backup::{Site, archives};
use crate::backup_server::{config_php, leftovers, old, site, sql};

/// An installation with a backup, which has changed since.
struct Case {
    site: Site,
    server: PrivateServer,
    archive: PathBuf,
}

const ADMIN: [&str; 2] = ["--option-file", "backup.cnf"];

impl Case {
    fn new() -> Case {
        let (site, server) = site();
        let said = site.run(&old("pandora_console", &ADMIN));
        assert_eq!(said.code, 0, "{said:?}");
        let archive = archives(&site.path("dest")).remove(0);
        let case = Case {
            site,
            server,
            archive,
        };
        case.live_on();
        case
    }

    fn live_on(&self) {
        sql(
            &self.server,
            "DELETE FROM pandora.tagente_datos WHERE utimestamp > 30000; \
             CREATE TABLE pandora.later (a INT); INSERT INTO pandora.later VALUES (7)",
        );
        self.site
            .write("pandora_console/index.php", "<?php changed\n");
        self.site
            .write("pandora_console/later.txt", "not in the archive\n");
        std::fs::remove_file(self.site.path("pandora_console/.htaccess")).unwrap();
    }

    fn name(&self) -> &str {
        self.archive.to_str().unwrap()
    }

    /// Rows, and whether the later table is there.
    fn database(&self) -> (String, bool) {
        let rows = sql(&self.server, "SELECT COUNT(*) FROM pandora.tagente_datos");
        let later = sql(&self.server, "SHOW TABLES FROM pandora LIKE 'later'");
        (rows.trim().to_owned(), !later.is_empty())
    }

    /// The first line of `index.php`, and which of the two other files are there.
    fn files(&self) -> (String, bool, bool) {
        let text = std::fs::read_to_string(self.site.path("pandora_console/index.php"));
        let is_there = |name: &str| self.site.path("pandora_console").join(name).exists();
        (
            text.unwrap_or_default(),
            is_there(".htaccess"),
            is_there("later.txt"),
        )
    }

    #[track_caller]
    fn expect(&self, database: State, files: State) {
        let expected = match database {
            State::Archived => ("60000".to_owned(), false),
            State::Live => ("30000".to_owned(), true),
        };
        assert_eq!(self.database(), expected);
        let expected = match files {
            State::Archived => ("<?php\n".to_owned(), true, true),
            State::Live => ("<?php changed\n".to_owned(), false, true),
        };
        assert_eq!(self.files(), expected);
    }

    fn leftovers(&self) -> Vec<String> {
        leftovers(&self.site, &self.server)
    }
}

#[derive(Clone, Copy)]
enum State {
    Archived,
    Live,
}

use State::{Archived, Live};

/// Database, database and files, files: with the old command and with the verb, taken back each
/// time.
#[test]
fn the_manuals_cases_are_one_command_each() {
    let case = Case::new();
    let old_way = |more: &[&'static str]| {
        let name = case.name();
        let args = [&["-c", "pandora_console/", "-s", name], more, &ADMIN].concat();
        case.site.run(&args)
    };
    case.expect(Live, Live);
    let said = old_way(&[]);
    assert_eq!(said.code, 0, "{said:?}");
    let name = case.archive.file_name().unwrap().to_str().unwrap();
    let done = format!("Done. Backup in [DIR]/dest/{name} restored\n");
    assert!(said.err.ends_with(&done), "{said:?}");
    case.expect(Archived, Live);
    let undone = case
        .site
        .run(&["undo", "-c", "pandora_console", ADMIN[0], ADMIN[1]]);
    assert_eq!(undone.code, 0, "{undone:?}");
    case.expect(Live, Live);

    let said = old_way(&["-f"]);
    assert_eq!(said.code, 0, "{said:?}");
    case.expect(Archived, Archived);
    let undone = case
        .site
        .run(&["undo", "-c", "pandora_console", ADMIN[0], ADMIN[1]]);
    assert_eq!(undone.code, 0, "{undone:?}");
    case.expect(Live, Live);

    let said = old_way(&["-f", "-b"]);
    assert_eq!(said.code, 0, "{said:?}");
    case.expect(Live, Archived);
    let undone = case.site.run(&["undo"]);
    assert_eq!(undone.code, 0, "{undone:?}");
    case.expect(Live, Live);

    assert!(!case.leftovers().is_empty());
    for _ in 0..3 {
        let said = case
            .site
            .run(&["forget", "-c", "pandora_console", ADMIN[0], ADMIN[1]]);
        assert_eq!(said.code, 0, "{said:?}");
    }
    assert_eq!(case.leftovers(), [""; 0]);
    case.expect(Live, Live);
    let said = case.site.run(&["undo"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.err.contains("no restore of which anything is left"),
        "{said:?}"
    );
}

/// The console is gone: the archive alone brings back files and database.
#[test]
fn a_lost_console_comes_back_from_the_archive_alone() {
    let case = Case::new();
    std::fs::remove_dir_all(case.site.path("pandora_console")).unwrap();
    let bare = "[target]\ndirectory = 'dest'\n[state]\ndirectory = 'state'\n";
    case.site.write("backup.toml", bare);
    let args = ["restore", "-s", case.name(), "-f", ADMIN[0], ADMIN[1]];
    // The archive knows where the console was.
    let said = case.site.run(&args);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("the console is lost"), "{said:?}");
    assert_eq!(case.database(), ("60000".to_owned(), false));
    let config = case.site.path("pandora_console/include/config.php");
    let expected = config_php("127.0.0.1", case.server.port());
    assert_eq!(std::fs::read_to_string(&config).unwrap(), expected);
    assert_eq!(std::fs::metadata(&config).unwrap().mode() & 0o777, 0o600);
    let said = case
        .site
        .run(&["undo", ADMIN[0], ADMIN[1], "-c", "pandora_console"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!case.site.path("pandora_console").exists());
    assert_eq!(case.database(), ("30000".to_owned(), true));
}

/// Another host has another console, another server, and no database yet.
#[test]
fn another_host_gets_the_database_and_keeps_its_own_settings() {
    let case = Case::new();
    let other = PrivateServer::start().unwrap();
    let socket = other.socket().to_str().unwrap();
    for dir in ["elsewhere", "elsewhere/include"] {
        std::fs::create_dir(case.site.path(dir)).unwrap();
    }
    let config = config_php(socket, 3306);
    case.site.write("elsewhere/include/config.php", &config);
    let options = format!("[client]\nuser=root\nsocket={socket}\n");
    case.site.write("other.cnf", &options);
    let args = [
        "restore",
        case.name(),
        "-c",
        "elsewhere",
        "--option-file",
        "other.cnf",
    ];
    let said = case.site.run(&args);
    // The product's account is not there: that is said.
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.out.contains("missing on this server"), "{said:?}");
    assert_eq!(
        sql(&other, "SELECT COUNT(*) FROM pandora.tagente_datos").trim(),
        "60000"
    );
    case.expect(Live, Live);
}

#[test]
fn beside_the_one_in_use_under_another_name() {
    let case = Case::new();
    let args = [
        "restore",
        case.name(),
        "-c",
        "pandora_console",
        "--to-database",
        "look",
    ];
    let said = case.site.run(&[&args[..], &ADMIN].concat());
    assert!([0, 7].contains(&said.code), "{said:?}");
    assert_eq!(
        sql(&case.server, "SELECT COUNT(*) FROM look.tagente_datos").trim(),
        "60000"
    );
    case.expect(Live, Live);
}

#[test]
fn a_plain_dump_is_restored_the_same_way() {
    let case = Case::new();
    let socket = case.server.socket().to_str().unwrap().to_owned();
    let script =
        format!("mariadb-dump --no-defaults -uroot -S {socket} pandora | gzip > dump.sql.gz");
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(case.site.dir.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    sql(
        &case.server,
        "TRUNCATE pandora.tagente_datos; DROP TABLE pandora.later",
    );
    let args = ["restore", "--sql", "dump.sql.gz", "-c", "pandora_console"];
    let said = case.site.run(&[&args[..], &ADMIN].concat());
    // Its rows were counted; a stranger's text has nothing to compare them with.
    assert_eq!(said.code, 7, "{said:?}");
    assert!(
        said.out.contains("warning: another tool wrote the text"),
        "{said:?}"
    );
    case.expect(Live, Live);
}

/// An archive as pandora_backup.sh makes it: no manifest, no dot files, no entry for the console's
/// own directory.
#[test]
fn an_archive_of_the_old_script_is_restored() {
    let case = Case::new();
    let dir = case.site.dir.path();
    let socket = case.server.socket().display().to_string();
    let stamp = "pandorafms_backup_2018-03-12-15-33-13";
    let script = format!(
        "mkdir t && mariadb-dump --no-defaults -uroot -S {socket} pandora > t/{stamp}.sql && \
         cd t && tar cPzhf ../{stamp}.tar.gz *.sql \
         --transform 's,^/,,' {dir}/pandora_console/* && cd .. && rm -r t",
        dir = dir.display()
    );
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let console = case.site.path("pandora_console");
    std::fs::set_permissions(
        &console,
        std::os::unix::fs::PermissionsExt::from_mode(0o2711),
    )
    .unwrap();
    sql(
        &case.server,
        "TRUNCATE pandora.tagente_datos; DROP TABLE pandora.later",
    );
    case.site
        .write("pandora_console/index.php", "<?php broken\n");
    case.site.write("pandora_console/.htaccess", "kept\n");
    let archive = format!("{stamp}.tar.gz");
    let args = ["-c", "pandora_console", "-s", &archive, "-f"];
    let said = case.site.run(&[&args[..], &ADMIN].concat());
    assert_eq!(said.code, 7, "{said:?}");
    assert_eq!(case.database(), ("30000".to_owned(), true));
    assert_eq!(case.files(), ("<?php changed\n".to_owned(), true, true));
    assert_eq!(std::fs::metadata(&console).unwrap().mode() & 0o7777, 0o2711);
}
