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
