//! Both ways with the old procedure, on a real MariaDB: what we write restores by `tar xzf`,
//! `cat *.sql | mariadb` and `cp -R`; what the old script wrote is read, verified and listed.

use std::path::Path;

use elpis_backup::archive::Container;
use elpis_backup::{DumpPolicy, MySqlSource, ObjectStore};
use elpis_mysql::PrivateServer;

use crate::support::{
    World, awkward_tree, compare, component, contents, extract, portrait, problems, run, sh, write,
};

fn mariadb(server: &PrivateServer, database: &str, sql: &str) -> String {
    let socket = server.socket().to_str().unwrap();
    let args = [
        "--no-defaults",
        "-uroot",
        "-S",
        socket,
        "-N",
        "--default-character-set=utf8mb4",
        database,
        "-e",
        sql,
    ];
    sh("mariadb", &args, Path::new("/"))
}

const DATA: &str = "
    CREATE TABLE tagente_datos (id_agente_modulo INT, datos DOUBLE, utimestamp BIGINT, KEY t (utimestamp));
    INSERT INTO tagente_datos SELECT seq % 97, seq * 0.37, 1700000000 + seq FROM seq_1_to_20000;
    CREATE TABLE tevento (id INT PRIMARY KEY AUTO_INCREMENT, evento TEXT, raw BLOB);
    INSERT INTO tevento (evento, raw) VALUES ('it''s \\\\ \"q\" \\n ümläut 漢', x'00ff27220a5c1a'), ('', ''), (NULL, NULL);
    CREATE VIEW v AS SELECT COUNT(*) AS n FROM tevento;
    CREATE TRIGGER tr BEFORE INSERT ON tevento FOR EACH ROW SET NEW.evento = IFNULL(NEW.evento, '-');
    CREATE PROCEDURE p() SELECT 1;
    CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DO DELETE FROM tevento WHERE id < 0;
";

fn filled() -> PrivateServer {
    let server = PrivateServer::builder()
        .arg("--log-bin=bin")
        .start()
        .unwrap();
    mariadb(
        &server,
        "",
        "CREATE DATABASE pandora CHARACTER SET utf8mb4; CREATE DATABASE history",
    );
    mariadb(&server, "pandora", DATA);
    mariadb(
        &server,
        "history",
        "CREATE TABLE old (a INT); INSERT INTO old VALUES (1), (2)",
    );
    mariadb(
        &server,
        "",
        "CREATE USER app@localhost IDENTIFIED BY 'pw'; GRANT ALL ON pandora.* TO app@localhost",
    );
    server
}

/// What the server itself says of a database.
fn fingerprint(server: &PrivateServer, database: &str) -> String {
    let tables = if database == "history" {
        "old"
    } else {
        "tagente_datos, tevento"
    };
    let sums = mariadb(
        server,
        database,
        &format!("CHECKSUM TABLE {tables} EXTENDED"),
    );
    let objects = mariadb(
        server,
        database,
        "SELECT table_name, table_type, engine FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1;
         SELECT routine_name FROM information_schema.routines WHERE routine_schema = DATABASE() ORDER BY 1;
         SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE() ORDER BY 1;
         SELECT event_name, status FROM information_schema.events WHERE event_schema = DATABASE() ORDER BY 1",
    );
    let own = |text: String| text.replace(&format!("{database}."), "");
    own(sums) + &objects
}

fn source(server: &PrivateServer, databases: &[&str]) -> Box<MySqlSource> {
    let names = databases.iter().map(|name| (*name).to_owned()).collect();
    Box::new(MySqlSource::new(server.options(), DumpPolicy::new(names)))
}

/// The installation of the old script: a console in the world's tree.
fn installation(container: Container) -> World {
    let mut world = World::new(container);
    awkward_tree(&world.tree());
    let etc = world.dir.path().join("etc/pandora");
    write(&etc.join("pandora_server.conf"), b"dbname pandora\n");
    world.profile.prefix = "pandorafms".into();
    world
        .profile
        .components
        .push(component("configuration", &etc));
    world
}

#[test]
fn the_old_procedure_restores_what_ours_wrote() {
    let server = filled();
    let mut world = installation(Container::TarGz);
    world.sources.push(source(&server, &["pandora", "history"]));
    let report = world.backup().unwrap();
    assert!(report.complete && report.verified, "{report:?}");
    let before = fingerprint(&server, "pandora");
    let history = fingerprint(&server, "history");

    // As in the script: unpack, load every dump of the root into one database, copy the files.
    let work = world.dir.path().join("restore");
    std::fs::create_dir(&work).unwrap();
    sh("tar", &["-xzf", report.path.to_str().unwrap()], &work);
    mariadb(
        &server,
        "",
        "DROP DATABASE pandora; CREATE DATABASE pandora CHARACTER SET utf8mb4",
    );
    let load = |database: &str, files: &str| {
        let socket = server.socket().to_str().unwrap();
        let script = format!("cat {files} | mariadb --no-defaults -uroot -S {socket} {database}");
        sh("sh", &["-c", &script], &work);
    };
    load("pandora", "*.sql");
    assert_eq!(fingerprint(&server, "pandora"), before);
    mariadb(
        &server,
        "",
        "DROP DATABASE history; CREATE DATABASE history",
    );
    load("history", ".elpis-backup/databases/history.sql");
    assert_eq!(fingerprint(&server, "history"), history);
    let grants = std::fs::read_to_string(work.join(".elpis-backup/grants/pandora.sql")).unwrap();
    assert!(
        grants.contains("GRANT ALL PRIVILEGES ON `pandora`.* TO `app`@`localhost`"),
        "{grants}"
    );

    let copied = world.dir.path().join("copied");
    sh(
        "cp",
        &[
            "-R",
            world.tree_in(&work).to_str().unwrap(),
            copied.to_str().unwrap(),
        ],
        &work,
    );
    let content = |dir: &Path| {
        let sums = sh(
            "sh",
            &["-c", "find . -type f -print0 | xargs -0r sha256sum | sort"],
            dir,
        );
        (sums, std::fs::read_link(dir.join("link")).unwrap())
    };
    assert_eq!(content(&copied), content(&world.tree()));

    let manifest = contents(&report.path).manifest.unwrap();
    assert_eq!(manifest.databases.len(), 2);
    assert_eq!(manifest.databases[0].rows, 20_003);
    assert!(manifest.databases[0].report["snapshot"]["positions"].is_array());
}

/// Line for line what the old script does, with a console of its own.
fn old_script(server: &PrivateServer, world: &World, name: &str, dump: &str) -> std::path::PathBuf {
    let work = world.dir.path().join("old");
    std::fs::create_dir_all(&work).unwrap();
    let (console, etc) = (world.tree(), world.dir.path().join("etc"));
    let path = world.store_dir().join(format!("{name}.tar.gz"));
    let script = format!(
        "mariadb-dump --no-defaults -uroot -S {socket} {dump} > {name}.sql; \
         tar zcfh {path} *.sql {console}/* {etc}/pandora/* 2> /dev/null; rm *.sql",
        socket = server.socket().display(),
        path = path.display(),
        console = console.display(),
        etc = etc.display(),
    );
    run("sh", &["-c", &script], &work);
    path
}

#[test]
fn archives_of_the_old_script_are_read_verified_and_listed() {
    let server = filled();
    let world = installation(Container::TarGz);
    // It follows links, and would fail on the one that leads nowhere.
    std::fs::remove_file(world.tree().join("dangling")).unwrap();
    let name = "pandorafms_backup_2018-03-12-15-16-53";
    let path = old_script(&server, &world, name, "pandora");
    let found = contents(&path);
    assert!(found.manifest.is_none());
    assert_eq!(found.dumps.len(), 1);
    assert_eq!(found.dumps[0].member.to_string(), format!("{name}.sql"));

    let listed = world.store().list().unwrap();
    assert_eq!((listed.len(), listed[0].name.prefix()), (1, "pandorafms"));
    assert_eq!(listed[0].note, None);

    let out = world.dir.path().join("out");
    extract(&path, &out);
    let theirs = world.dir.path().join("theirs");
    std::fs::create_dir(&theirs).unwrap();
    sh(
        "tar",
        &[
            "-xzf",
            path.to_str().unwrap(),
            "--same-permissions",
            "--warning=no-timestamp",
        ],
        &theirs,
    );
    // Directories above the console are not in the archive: nobody knows their times.
    compare(
        &portrait(&world.tree_in(&theirs)),
        &portrait(&world.tree_in(&out)),
    );
}

#[test]
fn what_the_old_script_called_completed_is_found_out() {
    let server = filled();
    let world = installation(Container::TarGz);
    std::fs::remove_file(world.tree().join("dangling")).unwrap();
    // A password that it could not read: no dump, and "Backup completed".
    let path = old_script(
        &server,
        &world,
        "pandorafms_backup_2020-01-01-00-00-00",
        "no_such_database",
    );
    assert!(problems(&path).contains("cut off"));
    // A disk that ran full while the dump was written.
    let path = old_script(
        &server,
        &world,
        "pandorafms_backup_2020-01-02-00-00-00",
        "pandora | head -c 20000",
    );
    assert!(problems(&path).contains("cut off"));
    // A disk that ran full while the archive was written.
    let path = old_script(
        &server,
        &world,
        "pandorafms_backup_2020-01-03-00-00-00",
        "pandora",
    );
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    assert!(problems(&path).contains("the archive ends in the middle"));
}

#[test]
fn a_server_that_dies_leaves_no_archive() {
    let mut server = filled();
    let mut world = installation(Container::TarGz);
    world.sources.push(source(&server, &["pandora"]));
    world.backup().unwrap();
    server.kill().unwrap();
    // The plan is from before: the dump itself fails.
    let error = world.backup().unwrap_err();
    assert!(
        matches!(error, elpis_backup::BackupError::Source(_)),
        "{error:?}"
    );
    assert_eq!(crate::support::archives(&world.store_dir()).len(), 1);
}

/// The manual's first procedure, with ours in the place of `mysqldump pandora > FILE`.
#[test]
fn a_dump_alone_is_a_file_that_the_stock_client_loads() {
    use std::os::unix::fs::MetadataExt;
    let server = filled();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pandoradb_backup.sql");
    let stop = elpis_run::StopToken::new();
    let mut one = source(&server, &["pandora"]);
    let dump = |source: &mut MySqlSource| {
        elpis_backup::dump_to_file(source, &path, &stop, std::sync::Arc::new(()))
    };
    let report = dump(&mut one).unwrap();
    let found = std::fs::metadata(&path).unwrap();
    assert_eq!((found.len(), found.mode() & 0o777), (report.bytes, 0o600));
    assert_eq!(crate::support::names(dir.path()), ["pandoradb_backup.sql"]);
    let before = fingerprint(&server, "pandora");
    mariadb(
        &server,
        "",
        "DROP DATABASE pandora; CREATE DATABASE pandora CHARACTER SET utf8mb4",
    );
    mariadb(&server, "pandora", &format!("source {}", path.display()));
    assert_eq!(fingerprint(&server, "pandora"), before);

    let error = dump(&mut one).unwrap_err();
    assert!(
        matches!(error, elpis_backup::SqlFileError::Fs(_)),
        "never replaced: {error:?}"
    );
    std::fs::remove_file(&path).unwrap();
    let error = dump(&mut source(&server, &["pandora", "history"])).unwrap_err();
    assert!(
        matches!(error, elpis_backup::SqlFileError::NotOne),
        "{error:?}"
    );
    mariadb(&server, "", "DROP DATABASE pandora");
    let error = dump(&mut source(&server, &["pandora"])).unwrap_err();
    assert!(
        matches!(error, elpis_backup::SqlFileError::Source(_)),
        "{error:?}"
    );
    assert_eq!(crate::support::names(dir.path()), [""; 0]);
}
