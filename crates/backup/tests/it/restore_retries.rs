//! Sessions that are killed while rows are loaded: each chunk comes once all the same.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use elpis_backup::archive::Container;
use elpis_mysql::PrivateServer;

use crate::restore_db::{Bench, backup, mariadb, of_archive, policy};
use crate::support::run;

/// Fewer than a chunk is tried.
const KILLS: usize = 6;

/// Kills sessions in the middle of putting in rows, with a pause after each, or until told to stop.
fn kill_loads(socket: &Path, stop: &AtomicBool) -> usize {
    let find = "SELECT id FROM information_schema.processlist WHERE info REGEXP '^(INSERT|LOAD).* INTO (TABLE )?`key' LIMIT 1";
    let mut killed = 0;
    while killed < KILLS && !stop.load(Ordering::Relaxed) {
        let found = mariadb(socket, "", find);
        let Ok(id) = found.trim().parse::<u64>() else {
            continue;
        };
        let kill = format!("KILL {id}");
        let args = [
            "--no-defaults",
            "-uroot",
            "-S",
            socket.to_str().unwrap(),
            "-e",
            &kill,
        ];
        // It may have gone by itself.
        killed += usize::from(run("mariadb", &args, Path::new("/")).status.success());
        std::thread::sleep(Duration::from_millis(100));
    }
    killed
}

#[test]
fn chunks_of_killed_sessions_are_loaded_once() {
    let server = PrivateServer::start().unwrap();
    let socket = server.socket();
    mariadb(
        socket,
        "",
        "CREATE DATABASE shot; CREATE TABLE shot.keyed (id INT PRIMARY KEY, t CHAR(100), KEY (t));
         INSERT INTO shot.keyed SELECT seq, MD5(seq) FROM shot.seq_1_to_120000;
         CREATE TABLE shot.keyless (m INT, v DOUBLE, KEY (m));
         INSERT INTO shot.keyless SELECT seq % 97, seq * 0.37 FROM shot.seq_1_to_120000",
    );
    let sums = |name: &str| {
        let sql = format!("CHECKSUM TABLE {name}.keyed, {name}.keyless EXTENDED");
        mariadb(socket, "", &sql).replace(&format!("{name}."), "")
    };
    let (_world, path) = backup(&server.options(), &["shot"], Container::TarZst);
    let text = of_archive(&path);
    let bench = Bench::new(server.options());
    let plan = bench.plan(&policy("again"), &text);
    let stop = AtomicBool::new(false);
    let (restored, killed) = std::thread::scope(|scope| {
        let killer = scope.spawn(|| kill_loads(socket, &stop));
        let restored = bench.restore(None).run(&plan, &text);
        stop.store(true, Ordering::Relaxed);
        (restored, killer.join().unwrap())
    });
    let report = restored.unwrap();
    println!("{killed} killed, {} chunks tried again", report.retries);
    assert!(killed > 0 && report.retries > 0, "{killed} {report:?}");
    assert_eq!((report.rows, report.loaded), (240_000, 240_000));
    assert_eq!(sums("again"), sums("shot"));
}
