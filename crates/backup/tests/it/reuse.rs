//! Closed windows of time that did not change are taken from the archive before; what changed is
//! not, however small the change.

use std::path::Path;

use elpis_backup::archive::Container;
use elpis_backup::{DumpPolicy, MySqlSource, Window};
use elpis_mysql::PrivateServer;
use serde_json::Value;

use crate::support::{World, contents, sh};

const WINDOW: u64 = 1_000;

fn sql(server: &PrivateServer, database: &str, sql: &str) -> String {
    let socket = server.socket().to_str().unwrap();
    let args = [
        "--no-defaults",
        "-uroot",
        "-S",
        socket,
        "-N",
        database,
        "-e",
        sql,
    ];
    sh("mariadb", &args, Path::new("/"))
}

/// The database in `path`, loaded by the stock tools, as the server sums it up.
fn restored(server: &PrivateServer, world: &World, path: &Path) -> String {
    let work = world.dir.path().join("restore");
    std::fs::create_dir_all(&work).unwrap();
    let zstd = path.extension().is_some_and(|end| end == "zst");
    let script = format!(
        "rm -rf * && tar {} -xf {} && cat *.sql | mariadb --no-defaults -uroot -S {} copy",
        if zstd { "--zstd" } else { "-z" },
        path.display(),
        server.socket().display()
    );
    sql(server, "", "CREATE OR REPLACE DATABASE copy");
    sh("sh", &["-c", &script], &work);
    sql(
        server,
        "copy",
        "CHECKSUM TABLE tagente_datos, tevento EXTENDED",
    )
    .replace("copy.", "")
}

fn original(server: &PrivateServer) -> String {
    sql(
        server,
        "pandora",
        "CHECKSUM TABLE tagente_datos, tevento EXTENDED",
    )
    .replace("pandora.", "")
}

#[test]
fn unchanged_windows_are_used_again_and_changed_ones_are_not() {
    let server = PrivateServer::builder()
        .arg("--log-bin=bin")
        .start()
        .unwrap();
    sql(
        &server,
        "",
        "CREATE DATABASE pandora;
         CREATE TABLE pandora.tagente_datos (id_agente_modulo INT, datos DOUBLE, utimestamp BIGINT,
             KEY t (utimestamp));
         INSERT INTO pandora.tagente_datos
             SELECT seq % 97, seq * 0.37, seq FROM pandora.seq_1_to_20000;
         INSERT INTO pandora.tagente_datos VALUES (1, 2, NULL);
         CREATE TABLE pandora.tevento (id INT PRIMARY KEY, evento TEXT, utimestamp BIGINT, KEY (utimestamp));
         INSERT INTO pandora.tevento SELECT seq, CONCAT('e', seq), seq FROM pandora.seq_1_to_5000;",
    );
    for (round, container) in Container::ALL.into_iter().enumerate() {
        let mut world = World::new(container);
        world.profile.dump.reuse = true;
        let window = |table: &str| Window {
            table: table.to_owned(),
            column: "utimestamp".to_owned(),
            width: WINDOW,
        };
        let policy = DumpPolicy {
            windows: vec![window("tagente_datos*"), window("tevento")],
            ..DumpPolicy::new(vec!["pandora".to_owned()])
        };
        let mut backup = || {
            let source = MySqlSource::new(server.options(), policy.clone());
            world.sources = vec![Box::new(source)];
            let report = world.backup().unwrap();
            assert!(report.verified && report.complete, "{report:?}");
            let manifest = contents(&report.path).manifest.unwrap();
            let reused = manifest.databases[0].report["reused_pieces"].clone();
            (report.path, reused)
        };
        let (first, reused) = backup();
        assert_eq!(reused, Value::from(0));
        // 21 windows of numbers and 6 of events; both ends of each may still change.
        let closed = 19 + 4;
        let (second, reused) = backup();
        assert_eq!(reused, Value::from(closed));
        // One value, one more row, one row less, each in a window of its own; and new rows.
        sql(
            &server,
            "pandora",
            &format!(
                "UPDATE tagente_datos SET datos = datos + 1e-9 WHERE utimestamp = 5500;
                 INSERT INTO tagente_datos VALUES (7, 7, 7777);
                 DELETE FROM tagente_datos WHERE utimestamp = 9001 + {round};
                 INSERT INTO tagente_datos SELECT 1, 1, 20000 + seq FROM seq_1_to_900;
                 UPDATE tevento SET evento = 'other' WHERE id = 1500 + {round};"
            ),
        );
        let (third, reused) = backup();
        assert_eq!(reused, Value::from(closed - 4));
        let now = original(&server);
        assert_eq!(restored(&server, &world, &third), now);
        assert_ne!(restored(&server, &world, &first), now);
        assert_eq!(
            restored(&server, &world, &second),
            restored(&server, &world, &first)
        );

        // A broken archive hands nothing on, and is no reason to fail.
        let mut bytes = std::fs::read(&third).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&third, bytes).unwrap();
        let source = MySqlSource::new(server.options(), policy.clone());
        world.sources = vec![Box::new(source)];
        let report = world.backup().unwrap();
        assert!(
            report.warnings.iter().any(|w| w.contains("is used again")),
            "{:?}",
            report.warnings
        );
        let manifest = contents(&report.path).manifest.unwrap();
        assert_eq!(manifest.databases[0].report["reused_pieces"], 0);
        assert_eq!(restored(&server, &world, &report.path), now);
        sql(
            &server,
            "pandora",
            "DELETE FROM tagente_datos WHERE utimestamp > 20000",
        );
    }
}

/// With a key the windows of an encrypted archive are read back; without, nothing is used again,
/// the report says so, and the backup is whole all the same.
#[cfg(feature = "age")]
#[test]
fn encrypted_windows_are_used_again_where_a_key_is_at_hand() {
    use elpis_backup::{Encryption, Keys};

    let server = PrivateServer::start().unwrap();
    sql(
        &server,
        "",
        "CREATE DATABASE pandora;
         CREATE TABLE pandora.tagente_datos (id_agente_modulo INT, datos DOUBLE, utimestamp BIGINT,
             KEY t (utimestamp));
         INSERT INTO pandora.tagente_datos
             SELECT seq % 97, seq * 0.37, seq FROM pandora.seq_1_to_60000;
         CREATE TABLE pandora.tevento (id INT PRIMARY KEY);",
    );
    let mut world = World::new(Container::TarZst);
    world.profile.dump.reuse = true;
    let dir = world.dir.path().to_owned();
    for name in ["ours", "another"] {
        sh("age-keygen", &["-o", name], &dir);
    }
    let recipient = sh("age-keygen", &["-y", "ours"], &dir);
    world.encryption = Some(Encryption::to(&[recipient.trim()]).unwrap());
    let policy = DumpPolicy {
        windows: vec![Window {
            table: "tagente_datos".to_owned(),
            column: "utimestamp".to_owned(),
            width: WINDOW,
        }],
        ..DumpPolicy::new(vec!["pandora".to_owned()])
    };
    let mut backup = |keys: Option<&str>| {
        let source = MySqlSource::new(server.options(), policy.clone());
        world.sources = vec![Box::new(source)];
        world.keys = keys.map_or(Keys::none(), |key| {
            Keys::identities(&dir.join(key)).unwrap()
        });
        let report = world.backup().unwrap();
        assert!(report.verified && report.complete, "{report:?}");
        let plain = dir.join("plain.tar.zst");
        let from = report.path.to_str().unwrap();
        let to = plain.to_str().unwrap();
        sh("age", &["-d", "-i", "ours", "-o", to, from], &dir);
        let manifest = contents(&plain).manifest.unwrap();
        let reused = manifest.databases[0].report["reused_pieces"].clone();
        assert_eq!(restored(&server, &world, &plain), original(&server));
        (reused, report.warnings.join("; "))
    };
    // 61 windows, whose both ends may still change.
    let closed = 59;
    assert_eq!(backup(Some("ours")).0, Value::from(0), "nothing was there");
    assert_eq!(backup(Some("ours")), (Value::from(closed), String::new()));
    sql(
        &server,
        "pandora",
        "UPDATE tagente_datos SET datos = datos + 1e-9 WHERE utimestamp = 30500",
    );
    assert_eq!(backup(Some("ours")).0, Value::from(closed - 1));
    for (key, why) in [(None, "no key is at hand"), (Some("another"), "to others")] {
        let (reused, warnings) = backup(key);
        assert_eq!(reused, Value::from(0));
        assert!(
            warnings.contains("is used again") && warnings.contains(why),
            "{warnings}"
        );
    }
}
