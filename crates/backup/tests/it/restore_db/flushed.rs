//! Tables without transactions on a server that dies once they are loaded.

use std::path::Path;
use std::sync::Arc;

use elpis_backup::archive::Container;
use elpis_backup::restore::{Restore, RestoreError, RestoreEvent};
use elpis_mysql::PrivateServer;
use elpis_run::Observer;

use super::{Bench, backup, databases, mariadb, of_archive, policy, portrait, same};
use crate::support::sh;

/// Kills the server when the run begins to compare: everything is loaded, and the journal says so.
struct Killing(u32);

impl Observer<RestoreEvent> for Killing {
    fn on(&self, event: &RestoreEvent) {
        if matches!(event, RestoreEvent::Step { step } if step == "compare") {
            sh("kill", &["-KILL", &self.0.to_string()], Path::new("/"));
        }
    }
}

#[test]
fn what_was_loaded_is_not_lost_with_the_server() {
    // Nothing is mended when a table is opened, so that CHECK TABLE sees what there is.
    let mut server = PrivateServer::builder()
        .arg("--delay-key-write=ALL")
        .arg("--myisam-recover-options=OFF")
        .arg("--aria-recover-options=OFF")
        .start()
        .unwrap();
    let tables = "CREATE TABLE log_less (a INT PRIMARY KEY, t VARCHAR(40), KEY (t)) ENGINE=Aria TRANSACTIONAL=0;
         CREATE TABLE isam (a INT PRIMARY KEY, t VARCHAR(40), KEY (t)) ENGINE=MyISAM;
         CREATE TABLE safe (a INT PRIMARY KEY)";
    let rows = "INSERT INTO log_less SELECT seq, MD5(seq) FROM seq_1_to_40000;
         INSERT INTO isam SELECT * FROM log_less WHERE a < 30000; INSERT INTO safe VALUES (1)";
    let socket = server.socket().to_owned();
    mariadb(&socket, "", "CREATE DATABASE flushed");
    mariadb(&socket, "flushed", tables);
    mariadb(&socket, "flushed", rows);
    let before = portrait(&socket, "flushed");
    let (_world, path) = backup(&server.options(), &["flushed"], Container::TarGz);
    mariadb(
        &socket,
        "flushed",
        "DELETE FROM isam WHERE a > 10; FLUSH TABLES",
    );
    let text = of_archive(&path);
    let bench = Bench::new(server.options());
    let first = Restore {
        observer: Arc::new(Killing(server.pid())),
        ..bench.restore(None)
    };
    let mut policy = policy("flushed");
    // Indexes with the rows: they are what stays in memory.
    policy.defer_from = u64::MAX;
    let plan = bench.plan(&policy, &text);
    let RestoreError::Interrupted { run, .. } = first.run(&plan, &text).unwrap_err() else {
        panic!("not interrupted");
    };
    server.restart().unwrap();
    let side = databases(&socket, "flushed__elpis_restore").remove(0);
    for table in ["log_less", "isam"] {
        let said = mariadb(&socket, &side, &format!("CHECK TABLE {table} EXTENDED"));
        assert!(
            said.trim_end().ends_with("OK") && said.lines().count() == 1,
            "{said}"
        );
    }
    bench.restore(None).resume(run, Some(&text)).unwrap();
    same(&portrait(&socket, "flushed"), &before);
}
