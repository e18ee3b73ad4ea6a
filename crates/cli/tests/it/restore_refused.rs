//! Everything that a restore refuses beforehand, on a real server that is really like that: exit code
//! 3 with the reason and the name by which it can be taken, and nothing changed.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::backup::archives;
use crate::backup_server::{leftovers, old, site, sql};

#[test]
fn differences_of_real_servers_are_refused_and_taken_by_their_names() {
    let (site, server) = site();
    let options = ["-c", "pandora_console", "--option-file", "backup.cnf"];
    let said = site.run(&old("pandora_console", &options[2..]));
    assert_eq!(said.code, 0, "{said:?}");
    let archive = archives(&site.path("dest")).remove(0);
    let restore = ["restore", archive.to_str().unwrap()];
    let run = |more: &[&str]| site.run(&[&restore[..], &options, more].concat());
    sql(
        &server,
        "DELETE FROM pandora.tagente_datos WHERE utimestamp > 5",
    );
    let state = || {
        sql(
            &server,
            "SHOW DATABASES; CHECKSUM TABLE pandora.tagente_datos, pandora.tconfig EXTENDED",
        )
    };

    for (make, why, accept, back) in [
        (
            "UPDATE pandora.tconfig SET value = '71' WHERE token = 'MR'",
            "MR 71",
            "schema",
            "UPDATE pandora.tconfig SET value = '70' WHERE token = 'MR'",
        ),
        (
            "CHANGE MASTER TO MASTER_HOST = '192.0.2.9', MASTER_PORT = 3307",
            "is a replica of 192.0.2.9:3307",
            "replica",
            "RESET SLAVE ALL",
        ),
        (
            "SET GLOBAL read_only = 1",
            "the server is read-only",
            "replica",
            "SET GLOBAL read_only = 0",
        ),
        (
            "ALTER DATABASE pandora CHARACTER SET latin1 COLLATE latin1_bin",
            "default character set latin1 (latin1_bin)",
            "charset",
            "ALTER DATABASE pandora CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        ),
    ] {
        sql(&server, make);
        let before = state();
        let said = run(&[]);
        assert_eq!(said.code, 3, "{make}: {said:?}");
        assert!(said.err.contains(why), "{make}: {said:?}");
        assert!(
            said.err.contains(&format!("accept `{accept}`")),
            "{make}: {said:?}"
        );
        let others = ["schema", "replica", "charset"].iter();
        let other = others.clone().find(|other| **other != accept).unwrap();
        assert_eq!(run(&["--accept", other]).code, 3, "{make}");
        assert_eq!(run(&["--accept", accept, "--dry-run"]).code, 0, "{make}");
        assert_eq!(state(), before, "{make}");
        sql(&server, back);
    }
    assert_eq!(run(&["--dry-run"]).code, 0);

    // Somebody works with the database, and nothing would stop him.
    let socket = server.socket().to_str().unwrap();
    let args = ["--no-defaults", "-uroot", "-S", socket, "pandora", "-e"];
    let mut client = Command::new("mariadb")
        .args(args)
        .arg("DO SLEEP(600)")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let give_up = Instant::now() + Duration::from_secs(60);
    let works = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = 'pandora' AND INFO LIKE 'DO SLEEP%'";
    while sql(&server, works).trim() == "0" {
        assert!(Instant::now() < give_up);
        std::thread::sleep(Duration::from_millis(20));
    }
    let said = run(&[]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("pandora is in use by"), "{said:?}");
    assert!(said.err.contains("accept `writers`"), "{said:?}");
    client.kill().unwrap();
    client.wait().unwrap();
    sql(
        &server,
        "SELECT CONCAT('KILL ', ID) INTO @kill FROM information_schema.PROCESSLIST WHERE INFO LIKE 'DO SLEEP%'; \
         EXECUTE IMMEDIATE IFNULL(@kill, 'DO 1')",
    );

    // An account that may do less.
    sql(
        &server,
        "CREATE USER clerk@localhost; GRANT ALL ON pandora.* TO clerk@localhost",
    );
    let clerk = format!("[client]\nuser=clerk\nsocket={socket}\n");
    site.write("clerk.cnf", &clerk);
    let args = ["-c", "pandora_console", "--option-file", "clerk.cnf"];
    let said = site.run(&[&restore[..], &args].concat());
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("the account lacks"), "{said:?}");
    assert_eq!(leftovers(&site, &server), [""; 0]);

    // The other arguments reach the plan.
    let more = ["--sessions", "1", "--compare", "counts", "--grants"];
    let said = run(&[&more[..], &["--dry-run", "--format", "json"]].concat());
    let plan: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let policy = &plan["database"]["policy"];
    assert_eq!(policy["sessions"], 1, "{policy}");
    assert_eq!(policy["compare"], "counts", "{policy}");
    assert_eq!(policy["grants"], "apply", "{policy}");

    // And without all that it is done.
    let said = run(&more);
    assert_eq!(said.code, 0, "{said:?}");
    let rows = sql(&server, "SELECT COUNT(*) FROM pandora.tagente_datos");
    assert_eq!(rows.trim(), "60000");
}
