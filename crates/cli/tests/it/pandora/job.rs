//! The hourly job: what the doctor finds, what `install` writes.

use std::path::Path;

use elpis_testkit::Database;

use super::{Site, json, schema};

fn lay_out(root: &Path, file: &str, text: &str, mode: u32) {
    let path = root.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    elpis_run::fsx::write_durable(&path, text.as_bytes(), mode).unwrap();
}

#[test]
fn the_doctor_finds_what_is_wrong_and_install_sets_it_right() {
    let site = Site::with(&[]);
    let root = site.world.path("root");
    let manual = "\"/usr/bin/pandora_db\" \"/etc/pandora/pandora_server.conf\" >/dev/null 2>&1\n";
    lay_out(&root, "etc/cron.hourly/pandora_db", manual, 0o755);
    let root = root.display().to_string();
    let findings = |site: &Site| {
        let said = site.run(&["doctor", "--root", &root, "--format", "json"]);
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

    let said = site.run(&["install", "--cron", "--root", &root]);
    assert_eq!(said.code, 3, "the incumbent's job is active: {said:?}");
    let said = site.run(&["install", "--cron", "--root", &root, "--disable-incumbent"]);
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

    site.db.sql("DROP INDEX idx_utimestamp ON tevento;");
    site.db.sql(&format!(
        "REVOKE ALL ON {name}.* FROM '{name}'@'localhost'; \
         GRANT SELECT, UPDATE, INSERT ON {name}.* TO '{name}'@'localhost';"
    ));
    lay_out(
        Path::new(&root),
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

/// What run-parts would skip or others may change, and servers beside this one, as files.
#[test]
fn the_doctor_looks_at_the_files_of_jobs_and_of_further_servers() {
    let site = Site::with(&[]);
    site.db
        .sql("UPDATE tconfig SET value = UNIX_TIMESTAMP() WHERE token = 'db_maintance';");
    let root = site.world.path("system");
    let said = |site: &Site| {
        let root = root.display().to_string();
        let said = site.run(&["doctor", "--root", &root, "--format", "json"]);
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
    let job = "#!/bin/sh\nexec /usr/bin/elpis-maint run --pandora /c\n";
    let path = "etc/cron.hourly/elpis-maint";
    for (mode, wanted) in [
        (0o644, "cron.executable"),
        (0o775, "cron.mode"),
        (0o744, "cron.mode"),
    ] {
        lay_out(&root, path, job, mode);
        let found = said(&site);
        assert!(
            found
                .iter()
                .any(|(check, _, remedy)| check == wanted && remedy.contains("chmod 755 /etc/")),
            "{mode:o}: {found:?}"
        );
    }
    std::fs::remove_file(root.join(path)).unwrap();
    let named = "etc/cron.hourly/elpis-maint.sh";
    lay_out(&root, named, job, 0o755);
    let found = said(&site);
    assert!(
        found.iter().any(|(check, ..)| check == "cron.name"),
        "{found:?}"
    );
    std::fs::remove_file(root.join(named)).unwrap();
    lay_out(&root, path, job, 0o755);
    assert_eq!(said(&site), [], "all is well");

    // Servers of the same database, hidden files and leftovers of packages are none of its matter.
    let name = site.db.name();
    let conf =
        |file: &str, text: &str| lay_out(&root, &format!("etc/pandora/conf.d/{file}"), text, 0o640);
    let host = site.db.options.socket.clone().unwrap();
    conf(
        "same.conf",
        &format!("servername b\ndbname {name}\ndbhost {}\n", host.display()),
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
    std::fs::remove_dir_all(root.join("etc/pandora/conf.d")).unwrap();

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
        found[0].0 == "config.mode" && found[0].2.contains("chmod o-r"),
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

#[test]
fn a_timer_is_written_as_two_units() {
    let site = Site::without_tables();
    let root = site.world.path("image");
    std::fs::create_dir_all(root.join("etc/systemd/system")).unwrap();
    let said = site.run(&[
        "install",
        "--systemd-timer",
        "--root",
        &root.display().to_string(),
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out
            .contains("systemctl enable --now elpis-maint.timer"),
        "{}",
        said.out
    );
    let service = root.join("etc/systemd/system/elpis-maint.service");
    let service = std::fs::read_to_string(service).unwrap();
    assert!(service.contains(" run --pandora "), "{service}");
    assert!(root.join("etc/systemd/system/elpis-maint.timer").exists());
}
