//! What `install` writes, and what it leaves alone.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::image::{CONF, Image};
use super::{Site, json};

const JOB: &str = "etc/cron.hourly/elpis-maint";
const SERVICE: &str = "etc/systemd/system/elpis-maint.service";
const TIMER: &str = "etc/systemd/system/elpis-maint.timer";
const WANTED: &str = "etc/systemd/system/timers.target.wants/elpis-maint.timer";

#[test]
fn the_job_has_the_configuration_that_was_read() {
    let site = Site::without_tables();
    let image = Image::of(&site);
    let job = |args: &[&str], config: Option<&str>| {
        image.take_conf();
        let said = image.call(&[&["install", "--cron"], args].concat(), config);
        assert_eq!(said.code, 0, "{said:?}");
        image.text(JOB).lines().last().unwrap().to_owned()
    };
    let plain = format!("exec /usr/bin/elpis-maint run --pandora {CONF} --quiet");
    assert_eq!(job(&["--pandora", CONF], None), plain);
    let over = "[pandora]\nconf = \"../pandora/pandora_server.conf\"\n";
    image.lay_out("etc/elpis/over.toml", over, 0o600);
    let with = |config: &str| plain.replace("--quiet", &format!("--config {config} --quiet"));
    let over = "/etc/elpis/over.toml";
    assert_eq!(job(&["--pandora", CONF], Some(over)), with(over));
    assert_eq!(
        job(&["--pandora", CONF, "--config", over], None),
        with(over)
    );
    // Where it alone names the product's; and where nobody names it.
    let conf = "--pandora /etc/elpis/../pandora/pandora_server.conf";
    let named = with(over).replace(&format!("--pandora {CONF}"), conf);
    assert_eq!(job(&["--config", over], None), named);
    image.lay_out("etc/elpis/maint.toml", "[policy]\n", 0o600);
    let usual = "/etc/elpis/maint.toml";
    assert_eq!(job(&["--pandora", CONF], None), with(usual));
}

#[test]
fn an_image_has_its_own_configuration_and_its_own_program() {
    let site = Site::with(&[]);
    let image = Image::of(&site);
    // The host has none of this; the HA daemon's file decides which server is asked.
    let conf = std::fs::read_to_string(site.world.path("pandora_server.conf")).unwrap();
    let socket = site.db.options.socket.clone().unwrap();
    let conf = conf
        .replace(
            &format!("dbhost {}", socket.display()),
            "dbhost nowhere.invalid",
        )
        .replace(
            &site.world.path("ha.conf").display().to_string(),
            "/etc/pandora/ha.conf",
        );
    image.lay_out("etc/pandora/pandora_server.conf", &conf, 0o600);
    image.lay_out(
        "etc/pandora/ha.conf",
        &format!("{}\n", socket.display()),
        0o644,
    );
    // Another server of the same product, which has the same daemon.
    let same = conf.replace("servername pandorafms", "servername other");
    image.lay_out("etc/pandora/conf.d/same.conf", &same, 0o600);
    let named = ["--pandora", CONF];
    let said = image.call(&[&["install", "--cron"][..], &named].concat(), None);
    assert_eq!(said.code, 0, "{said:?}");
    let said = image.call(
        &[&["doctor", "--format", "json"][..], &named].concat(),
        None,
    );
    let report = json(&said.out);
    let checks = report["checks"].as_array().unwrap();
    let state = |name: &str| {
        let mut checks = checks.iter();
        checks
            .find(|check| check["check"] == name)
            .map(|check| check["state"].as_str().unwrap().to_owned())
    };
    for name in ["cron.exists", "config", "database.schema"] {
        assert_eq!(state(name).as_deref(), Some("ok"), "{name}: {report}");
    }
    assert_eq!(state("config.further_server"), None, "{report}");
    let mut versions = checks.iter();
    let versions = versions.find(|check| check["check"] == "database.schema");
    let version = format!("elpis-maint {}", env!("CARGO_PKG_VERSION"));
    let what = versions.unwrap()["what"].as_str().unwrap();
    assert!(what.contains(&version), "{what}");

    // By its path on this host it is not to be found, and the answer says how it is.
    let outside = image.root().join(&CONF[1..]);
    for verb in [&["install", "--cron"][..], &["doctor"]] {
        let outside = outside.display().to_string();
        let said = image.call(&[verb, &["--pandora", &outside]].concat(), None);
        let hint = format!("--pandora {CONF}");
        assert!(said.code == 2 || verb[0] == "doctor", "{said:?}");
        assert!(
            said.err.contains(&hint) || said.out.contains(&hint),
            "{said:?}"
        );
    }
    // Without a program inside, the job names where it is expected.
    image.remove("usr/bin/elpis-maint");
    let said = image.call(&[&["install", "--cron"][..], &named].concat(), None);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("/usr/bin/elpis-maint"), "{said:?}");
    let said = image.call(&[&["doctor"][..], &named].concat(), None);
    assert!(said.out.contains("cron.program"), "{said:?}");
}

#[test]
fn what_somebody_else_wrote_stays() {
    let site = Site::without_tables();
    let image = Image::of(&site);
    let own = "#!/bin/sh\nnice /usr/bin/elpis-maint run --pandora /c\n";
    let refused = |option: &str, path: &str| {
        let before = image.text(path);
        let said = image.run(&["install", option]);
        assert_eq!(said.code, 3, "{said:?}");
        assert!(
            said.err.contains(path) && said.err.contains("move it"),
            "{said:?}"
        );
        assert_eq!(image.text(path), before);
    };
    image.lay_out(JOB, own, 0o755);
    refused("--cron", JOB);
    image.remove(JOB);
    // A link, to whatever.
    image.lay_out("opt/job", own, 0o755);
    symlink("../../opt/job", image.root().join(JOB)).unwrap();
    refused("--cron", JOB);
    assert!(image.root().join(JOB).is_symlink());
    image.remove(JOB);
    // Ours is replaced, until somebody edits it.
    for _ in 0..2 {
        let said = image.run(&["install", "--cron"]);
        assert_eq!(said.code, 0, "{said:?}");
    }
    let edited = image.text(JOB).replace("exec ", "exec ionice -c3 ");
    image.lay_out(JOB, &edited, 0o755);
    refused("--cron", JOB);
    image.remove(JOB);
    std::fs::remove_dir(image.root().join("etc/cron.hourly")).unwrap();
    let said = image.run(&["install", "--cron"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("nobody would start"), "{said:?}");
    for unit in [SERVICE, TIMER] {
        image.lay_out(unit, "[Unit]\nDescription=mine\n", 0o644);
        refused("--systemd-timer", unit);
        assert!(!image.root().join(WANTED).exists());
        image.remove(unit);
    }
}

#[test]
fn the_job_of_another_installation_stays() {
    let site = Site::without_tables();
    let image = Image::of(&site);
    let other = "/etc/pandora/conf.d/b.conf";
    image.take_conf();
    let conf = image.text(&CONF[1..]);
    image.lay_out(&other[1..], &conf, 0o600);
    let install =
        |option: &str, conf: &str| image.call(&["install", option, "--pandora", conf], None);
    for (option, file) in [("--cron", JOB), ("--systemd-timer", SERVICE)] {
        let said = install(option, CONF);
        assert_eq!(said.code, 0, "{said:?}");
        let before = image.text(file);
        let said = install(option, other);
        assert_eq!(said.code, 3, "{said:?}");
        let line = format!("run --pandora {other} --quiet");
        for word in [CONF, &line, "of another name", "elpis-maint"] {
            assert!(said.err.contains(word), "{word}: {said:?}");
        }
        assert_eq!(image.text(file), before);
        // A job of its own is in nobody's way.
        let own = format!("#!/bin/sh\nexec elpis-maint {line}\n");
        image.lay_out("etc/cron.hourly/elpis-b", &own, 0o755);
        let said = install(option, "/etc/pandora/../pandora/pandora_server.conf");
        assert_eq!(said.code, 0, "{said:?}");
        image.remove(file);
    }
}

#[test]
fn all_that_an_earlier_version_wrote_is_said_at_once() {
    let site = Site::without_tables();
    let image = Image::of(&site);
    for unit in [SERVICE, TIMER] {
        let text = "# Written by `elpis-maint install --systemd-timer`.\n[Unit]\n";
        image.lay_out(unit, text, 0o644);
    }
    let said = image.run(&["install", "--systemd-timer"]);
    assert_eq!(said.code, 3, "{said:?}");
    for word in [SERVICE, TIMER, "an earlier version", "somebody edited"] {
        assert!(said.err.contains(word), "{word}: {said:?}");
    }
    let job = "#!/bin/sh\n# Hourly maintenance of the Pandora FMS database. Written by \
               `elpis-maint install --cron`.\nexec elpis-maint run --pandora /c --quiet\n";
    image.lay_out(JOB, job, 0o755);
    let said = image.run(&["install", "--cron"]);
    assert!(said.err.contains("an earlier version"), "{said:?}");
}

#[test]
fn a_timer_is_enabled_before_the_incumbent_is_kept_from_running() {
    let site = Site::with(&[]);
    let image = Image::of(&site);
    let incumbent = "etc/cron.hourly/pandora_db";
    image.lay_out(incumbent, "#!/bin/sh\n/usr/bin/pandora_db /c\n", 0o755);
    let said = image.run(&["install", "--systemd-timer"]);
    assert_eq!(said.code, 3, "{said:?}");
    let said = image.run(&["install", "--systemd-timer", "--disable-incumbent"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(image.text(SERVICE).contains(" run --pandora "));
    let target = image.root().join(WANTED).read_link().unwrap();
    assert_eq!(
        target.to_str(),
        Some("/etc/systemd/system/elpis-maint.timer")
    );
    let found = std::fs::metadata(image.root().join(incumbent)).unwrap();
    assert_eq!(found.permissions().mode() & 0o777, 0o644);
    let findings = || {
        let said = image.run(&["doctor", "--format", "json"]);
        let checks = json(&said.out)["checks"].as_array().unwrap().clone();
        let of_jobs = checks.into_iter().filter(|check| {
            let name = check["check"].as_str().unwrap();
            name.starts_with("cron.") || name.starts_with("timer.")
        });
        of_jobs.collect::<Vec<_>>()
    };
    let checks = findings();
    assert_eq!(checks.len(), 1, "{checks:?}");
    assert_eq!(
        (&checks[0]["check"], &checks[0]["state"]),
        (&"cron.exists".into(), &"ok".into())
    );
    // Taken out by hand: what is advised is about ours, not to start the incumbent.
    image.remove(WANTED);
    let checks = findings();
    for check in &checks {
        let remedy = check["remedy"].as_str().unwrap();
        assert!(remedy.contains("elpis-maint.timer"), "{check}");
    }
    assert_eq!(checks.len(), 2, "{checks:?}");
    // Once more sets it right.
    assert_eq!(image.run(&["install", "--systemd-timer"]).code, 0);
    assert_eq!(findings().len(), 1);
}
