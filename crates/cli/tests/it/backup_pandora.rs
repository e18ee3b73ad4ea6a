//! An installation of Pandora FMS: which account is taken, servers without a console, `[pandora]`
//! in the configuration, and the history database.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use elpis_mysql::PrivateServer;

use crate::backup::archives;
use crate::backup_server::{config_php, manifest, old, site, sql};

/// The product's account may not lock out writers: one reader, which is consistent by itself. An
/// administrator's account gets as many as there are cores.
#[test]
fn whoever_may_do_more_reads_with_more() {
    let (site, _server) = site();
    let said = site.run(&old("pandora_console", &[]));
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.err
            .contains("warning: database pandora: one reader instead of"),
        "{said:?}"
    );
    let snapshot = |archive: &Path| manifest(archive)["databases"][0]["report"]["snapshot"].clone();
    let own = snapshot(&archives(&site.path("dest"))[0]);
    assert_eq!(
        (&own["step"], &own["readers"]),
        (&"single_reader".into(), &1.into())
    );
    let said = site.run(&old("pandora_console", &["--option-file", "backup.cnf"]));
    assert_eq!(
        (said.code, said.err.contains("one reader")),
        (0, false),
        "{said:?}"
    );
    let more = snapshot(&archives(&site.path("dest"))[0]);
    assert_eq!(more["step"], "lock_free", "{more}");
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(more["readers"].as_u64(), Some(cores.min(4) as u64));
}

/// Where the host is a socket and we are root, nobody has to write an option file.
#[test]
fn root_at_the_socket_needs_no_option_file() {
    let (site, server) = site();
    let socket = server.socket().to_str().unwrap();
    site.write(
        "pandora_console/include/config.php",
        &config_php(socket, 3306),
    );
    let said = site.run(&old("pandora_console", &[]));
    assert_eq!(said.code, 0, "{said:?}");
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    assert_eq!(
        said.err.contains("one reader instead of"),
        !is_root,
        "{said:?}"
    );
}

#[test]
fn a_server_without_a_console_is_backed_up_by_its_configuration() {
    let (site, server) = site();
    for dir in ["etc/conf.d", "spool", "spool/conf"] {
        std::fs::create_dir(site.path(dir)).unwrap();
    }
    site.write("spool/conf/agent.conf", "agent_name a\n");
    let conf = format!(
        "servername here\ndbname pandora\ndbuser root\ndbhost {}\nincomingdir {}\n",
        server.socket().display(),
        site.path("spool").display()
    );
    site.write("etc/pandora_server.conf", &conf);
    let said = site.run(&old("etc/pandora_server.conf", &[]));
    assert_eq!(said.code, 0, "{said:?}");
    let manifest = manifest(&archives(&site.path("dest"))[0]);
    let names: Vec<&str> = manifest["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|component| component["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["configuration", "pending files"]);
    let members = manifest["members"].to_string();
    assert!(members.contains("spool/conf/agent.conf") && members.contains("etc/conf.d"));
    assert_eq!(manifest["databases"][0]["rows"], 60_003);
}

/// What the old script read as nothing: names with more than letters, in the file and in grants, where
/// `_` may stand for any letter or for itself.
#[test]
fn names_with_underscores_and_dashes_are_names() {
    let (site, server) = site();
    let config = "pandora_console/include/config.php";
    let good = std::fs::read_to_string(site.path(config)).unwrap();
    for (name, granted) in [("pan_dora-1", "pan\\_dora-1"), ("p_d", "p_d")] {
        sql(
            &server,
            &format!(
                "CREATE DATABASE `{name}`; CREATE TABLE `{name}`.t (id INT PRIMARY KEY);
                 INSERT INTO `{name}`.t VALUES (1), (2);
                 GRANT ALL ON `{granted}`.* TO product@'%'"
            ),
        );
        site.write(
            config,
            &good.replace("\"pandora\";", &format!("\"{name}\";")),
        );
        let said = site.run(&old("pandora_console", &[]));
        assert_eq!(said.code, 0, "{said:?}");
        let manifest = manifest(&archives(&site.path("dest"))[0]);
        let database = &manifest["databases"][0];
        assert_eq!(
            (&database["name"], &database["rows"]),
            (&name.into(), &2.into())
        );
    }
}

/// `[pandora]` in the configuration, for `create`: parts left out, the history database taken
/// along, from the same server and from another.
#[test]
fn an_installation_in_the_configuration() {
    let (site, server) = site();
    let other = PrivateServer::start().unwrap();
    let sql = |server: &PrivateServer, text: &str| {
        let socket = server.socket().to_str().unwrap();
        let output = Command::new("mariadb")
            .args(["--no-defaults", "-uroot", "-S", socket, "-e", text])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    for server in [&server, &other] {
        sql(
            server,
            "CREATE DATABASE old_data; CREATE TABLE old_data.tagente_datos (a INT); \
             INSERT INTO old_data.tagente_datos VALUES (1), (2)",
        );
    }
    let configure = |more: &str| {
        let text = format!(
            "[target]\ndirectory = 'dest'\n[state]\ndirectory = 'state'\n\
             [pandora]\ninstallation = 'pandora_console'\n\
             without = ['configuration', 'pending']\noption_file = 'backup.cnf'\n{more}"
        );
        site.write("backup.toml", &text);
    };
    let databases = |archive: &Path| -> Vec<(String, u64)> {
        let manifest = manifest(archive);
        let all = manifest["databases"].as_array().unwrap().iter();
        all.map(|database| {
            let rows = database["rows"].as_u64().unwrap();
            (database["name"].as_str().unwrap().to_owned(), rows)
        })
        .collect()
    };
    let newest = || archives(&site.path("dest"))[0].clone();
    configure("history = true\n");
    let said = site.run(&["create"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("has no history database"), "{said:?}");
    assert_eq!(databases(&newest()), [("pandora".to_owned(), 60_003)]);
    let history = |host: &str, port: u16| {
        format!(
            "REPLACE INTO pandora.tconfig VALUES ('history_db_enabled', '1'), \
             ('history_db_name', 'old_data'), ('history_db_user', 'root'), \
             ('history_db_host', '{host}'), ('history_db_port', '{port}')"
        )
    };
    let both = [("pandora".to_owned(), 60_007), ("old_data".to_owned(), 2)];
    sql(
        &server,
        "DELETE FROM pandora.tconfig WHERE token = 'history_db_enabled'",
    );
    let socket = server.socket().display().to_string();
    sql(&server, &history(&socket, 3306));
    assert_eq!(site.run(&["create"]).code, 0);
    assert_eq!(databases(&newest()), both);
    // Both as of one moment: one dump.
    let report = |at: usize| manifest(&newest())["databases"][at]["report"]["snapshot"].clone();
    assert_eq!(report(0), report(1));
    sql(
        &server,
        "DELETE FROM pandora.tconfig WHERE token LIKE 'history%'",
    );
    sql(&server, &history("127.0.0.1", other.port()));
    let said = site.run(&["create"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(databases(&newest()), both);
    assert_ne!(report(0), report(1));
}
