//! The hourly job: what the doctor finds, what `install` writes.

use std::os::unix::fs::PermissionsExt;

use elpis_testkit::Database;

use super::image::{CONF, Image};
use super::{Site, json, schema};

#[test]
fn the_doctor_finds_what_is_wrong_and_install_sets_it_right() {
    let site = Site::with(&[]);
    let image = Image::of(&site);
    let manual = "\"/usr/bin/pandora_db\" \"/etc/pandora/pandora_server.conf\" >/dev/null 2>&1\n";
    image.lay_out("etc/cron.hourly/pandora_db", manual, 0o755);
    let findings = |_: &Site| {
        let said = image.run(&["doctor", "--format", "json"]);
        let report = json(&said.out);
        let violations = schema::violations(&schema::schema("doctor"), &report);
        assert_eq!(violations, [""; 0], "{report}");
        let checks = report["checks"].as_array().unwrap().clone();
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
        assert_eq!(said.code, if names.is_empty() { 0 } else { 7 }, "{said:?}");
        // Who runs the tests owns the files they make; how full a disk is nobody can tell.
        names.retain(|name| name != "cron.owner" && name != "disk");
        names.sort();
        names
    };
    let readers = "config.readers";
    assert_eq!(
        findings(&site),
        [
            readers,
            "cron.exists",
            "cron.output",
            "cron.shebang",
            "last_run"
        ]
    );

    let said = image.run(&["install", "--cron"]);
    assert_eq!(said.code, 3, "the incumbent's job is active: {said:?}");
    let said = image.run(&["install", "--cron", "--disable-incumbent"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(site.run(&["run", "--no-throttle", "-q"]).code, 0);
    assert_eq!(findings(&site), [readers]);
    let name = site.db.name();
    site.db.sql(&format!(
        "ALTER USER '{name}'@'localhost' IDENTIFIED BY 'plain_enough';"
    ));
    assert_eq!(findings(&site), [readers, "database.reachable"]);
    site.configure_with("pandorafms", "plain_enough");
    assert_eq!(findings(&site), [""; 0], "all is well");
    healthy_for_people(&image);

    site.db.sql("DROP INDEX idx_utimestamp ON tevento;");
    site.db.sql(&format!(
        "REVOKE ALL ON {name}.* FROM '{name}'@'localhost'; \
         GRANT SELECT, UPDATE, INSERT ON {name}.* TO '{name}'@'localhost';"
    ));
    image.lay_out(
        "etc/cron.d/maintenance",
        "0 * * * * root /usr/bin/pandora_db /c\n",
        0o644,
    );
    let names = findings(&site);
    for name in ["cron.doubled", "database.indexes", "database.privileges"] {
        assert!(names.iter().any(|found| found == name), "{name}: {names:?}");
    }
    site.db.sql(&format!("DROP USER '{name}'@'localhost';"));
    let names = findings(&site);
    assert!(
        names.contains(&"database.reachable".to_owned()),
        "{names:?}"
    );
}

/// The table lists everything that was looked at, and nothing of it wants a remedy but what `findings`
/// leaves aside, too.
fn healthy_for_people(image: &Image) {
    let report = json(&image.run(&["doctor", "--format", "json"]).out);
    let checks = report["checks"].as_array().unwrap().iter();
    let mut looked_at: Vec<&str> = checks
        .map(|check| check["check"].as_str().unwrap())
        .collect();
    let said = image.run(&["doctor"]);
    let rows = said.out.lines().skip(1);
    let rows = rows.filter(|line| !line.starts_with(['─', '╌']));
    let rows: Vec<Vec<&str>> = rows.map(|line| line.split_whitespace().collect()).collect();
    let mut shown: Vec<&str> = rows.iter().map(|row| row[1]).collect();
    looked_at.sort_unstable();
    shown.sort_unstable();
    assert_eq!(shown, looked_at, "{}", said.out);
    assert!(shown.contains(&"database.indexes"), "{}", said.out);
    let bad = rows.iter().filter(|row| row[0] != "ok");
    let bad: Vec<&str> = bad.map(|row| row[1]).collect();
    let aside = |name: &&str| *name == "cron.owner" || *name == "disk";
    assert!(bad.iter().all(aside), "{}", said.out);
    assert_eq!(said.code, if bad.is_empty() { 0 } else { 7 }, "{said:?}");
    assert_eq!(said.err, "");
}

/// What run-parts would skip or others may change, and servers beside this one, as files.
#[test]
fn the_doctor_looks_at_the_files_of_jobs_and_of_further_servers() {
    let site = Site::with(&[]);
    site.db
        .sql("UPDATE tconfig SET value = UNIX_TIMESTAMP() WHERE token = 'db_maintance';");
    let image = Image::of(&site);
    let said = |_: &Site| {
        let said = image.run(&["doctor", "--format", "json"]);
        let checks = json(&said.out)["checks"].as_array().unwrap().clone();
        let bad = checks.into_iter().filter(|check| check["state"] != "ok");
        // Who runs the tests owns the files they make; how full a disk is nobody can tell.
        let aside = ["cron.owner", "disk", "config.readers"];
        bad.filter(|check| !aside.iter().any(|name| check["check"] == *name))
            .map(|check| {
                let text = |name: &str| check[name].as_str().unwrap().to_owned();
                (text("check"), text("what"), text("remedy"))
            })
            .collect::<Vec<_>>()
    };
    let job = "#!/bin/sh\nexec /usr/bin/elpis-maint run --pandora \
               /etc/pandora/pandora_server.conf\n";
    let path = "etc/cron.hourly/elpis-maint";
    let changed = format!("chmod 755 [DIR]/image/{path}");
    for (mode, wanted) in [
        (0o644, "cron.executable"),
        (0o775, "cron.mode"),
        (0o744, "cron.mode"),
    ] {
        image.lay_out(path, job, mode);
        let found = said(&site);
        assert!(
            found
                .iter()
                .any(|(check, _, remedy)| check == wanted && remedy.contains(&changed)),
            "{mode:o}: {found:?}"
        );
    }
    image.remove(path);
    let named = "etc/cron.hourly/elpis-maint.sh";
    image.lay_out(named, job, 0o755);
    let found = said(&site);
    assert!(
        found.iter().any(|(check, ..)| check == "cron.name"),
        "{found:?}"
    );
    image.remove(named);
    image.lay_out(path, job, 0o755);
    assert_eq!(said(&site), [], "all is well");

    // Where nothing can be remembered, nothing is begun.
    let config = "etc/elpis/maint.toml";
    image.lay_out(config, "[state]\ndirectory = '/srv/state'\n", 0o600);
    assert_eq!(said(&site), [], "it can be made");
    let journal = "srv/state/journal.db";
    image.lay_out(journal, "This is no journal, as everybody can see.", 0o600);
    let directory = image.root().join("srv/state");
    let mode = |mode| std::fs::set_permissions(&directory, PermissionsExt::from_mode(mode));
    mode(0o700).unwrap();
    let is_state = |found: &[(String, String, String)], word: &str| {
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, "state");
        assert!(found[0].1.contains(word), "{word}: {found:?}");
    };
    is_state(&said(&site), "journal.db");
    image.remove(journal);
    assert_eq!(said(&site), []);
    mode(0o777).unwrap();
    is_state(&said(&site), "others may write");
    std::fs::remove_dir(&directory).unwrap();
    image.lay_out("srv/state", "a file", 0o600);
    is_state(&said(&site), "use directory");
    image.remove("srv/state");
    image.remove(config);

    // Servers of the same database, hidden files and leftovers of packages are none of its matter.
    let name = site.db.name();
    let conf =
        |file: &str, text: &str| image.lay_out(&format!("etc/pandora/conf.d/{file}"), text, 0o640);
    let host = site.db.options.socket.clone().unwrap();
    conf(
        "same.conf",
        &format!("servername b\ndbname {name}\ndbhost {}\n", host.display()),
    );
    // Another word for the same host.
    conf(
        "local.conf",
        "servername b\ndbhost 127.0.0.1\ndbport 3306\n",
    );
    conf(".other.conf", "dbname hidden\n");
    conf("other.conf.rpmsave", "dbname left\n");
    assert_eq!(said(&site), []);
    conf("other.conf", "servername c\ndbname elsewhere\n");
    conf("third.conf", "servername d\ndbhost db3\n");
    let found = said(&site);
    let files: Vec<bool> = found
        .iter()
        .map(|(check, what, remedy)| {
            assert_eq!(check, "config.further_server");
            assert!(remedy.contains("elpis-maint run --pandora"), "{remedy}");
            what.contains("conf.d/other.conf") || what.contains("conf.d/third.conf")
        })
        .collect();
    assert_eq!(files, [true; 2], "{found:?}");
    // Jobs of their own: nothing is missing, and nothing is there twice.
    for (name, conf) in [("b", "other.conf"), ("c", "../conf.d/third.conf")] {
        let own = job.replace("pandora_server.conf", &format!("conf.d/{conf}"));
        image.lay_out(&format!("etc/cron.hourly/elpis-{name}"), &own, 0o755);
    }
    assert_eq!(said(&site), []);
    // They are none for this server.
    image.lay_out(path, job, 0o644);
    let names: Vec<String> = said(&site).into_iter().map(|(check, ..)| check).collect();
    assert_eq!(names, ["cron.executable", "cron.exists"]);
    image.lay_out(path, job, 0o755);
    for name in ["b", "c"] {
        image.remove(&format!("etc/cron.hourly/elpis-{name}"));
    }
    std::fs::remove_dir_all(image.root().join("etc/pandora/conf.d")).unwrap();

    // The file with the password, readable by everybody.
    let mode = |mode: &str| {
        let file = site.world.path("pandora_server.conf");
        let mut chmod = std::process::Command::new("chmod");
        assert!(chmod.arg(mode).arg(file).status().unwrap().success());
    };
    mode("644");
    let found = said(&site);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].0 == "config.mode" && found[0].2 == format!("chmod o-r [DIR]/image{CONF}"),
        "{found:?}"
    );
    mode("640");

    // Servers and schema of one version.
    site.db
        .sql("UPDATE tserver SET version = '7.0NG.770 Build 1' WHERE name = 'spare';");
    let found = said(&site);
    assert_eq!(found.len(), 1, "{found:?}");
    let (check, what, remedy) = &found[0];
    assert_eq!(check, "database.servers");
    assert!(
        what.contains("7.0NG.770") && what.contains("7.0NG.776"),
        "{what}"
    );
    assert!(remedy.contains("update"), "{remedy}");
    // One that does not run is not looked at.
    site.db
        .sql("UPDATE tserver SET status = 0 WHERE name = 'spare';");
    assert_eq!(said(&site), []);
}

/// What is advised for an image names it, and what our own file says is set right there.
#[test]
fn what_is_advised_is_about_the_system_that_was_looked_at() {
    let site = Site::with(&[]);
    let image = Image::of(&site);
    let over = "[pandora.tokens]\nevent_prge = 9\ntrap_history_purge = 9\n";
    image.lay_out("etc/elpis/over.toml", over, 0o600);
    let said = image.run(&[
        "doctor",
        "--config",
        "/etc/elpis/over.toml",
        "--format",
        "json",
    ]);
    let report = json(&said.out);
    let remedies = |name: &str| {
        let checks = report["checks"].as_array().unwrap().iter();
        let of_name = checks.filter(|check| check["check"] == name);
        let remedies = of_name.map(|check| check["remedy"].as_str().unwrap().to_owned());
        remedies.collect::<Vec<_>>()
    };
    let root = "[DIR]/image";
    let named = format!("--pandora {CONF} --config /etc/elpis/over.toml");
    assert_eq!(
        remedies("cron.exists"),
        [format!("elpis-maint install --cron {named} --root {root}")]
    );
    let history = &remedies("last_run")[0];
    let inside = format!("(inside {root})");
    assert!(
        history.contains(&named) && history.ends_with(&inside),
        "{history}"
    );
    let file = format!("set it right in {root}/etc/elpis/over.toml");
    assert_eq!(remedies("settings"), [file.clone(), file]);
}
