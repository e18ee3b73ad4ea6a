//! What the operator is shown of the settings.

use elpis_testkit::Database;

use super::{Site, json};

#[test]
fn every_setting_is_shown_with_where_it_comes_from() {
    let site = Site::with(&[("event_purge", "abc")]);
    site.db
        .sql("INSERT INTO tconfig (token, value) VALUES ('days_purge', '9');");
    let zone = "[pandora]\nzone = \"Europe/Madrid\"\n[pandora.tokens]\ntrap_purge = 3\n\
                [state]\ndirectory = \"state\"\n[[policy.table]]\nname = \"tsesion\"\n\
                time = { column = \"utimestamp\", unit = \"epoch_seconds\" }\nkeep = { days = 2 }\n";
    site.world.write("more.toml", zone);
    let config = site.world.path("more.toml").display().to_string();
    let said = site.run(&[
        "policy",
        "show",
        "--effective",
        "--format",
        "json",
        "--config",
        &config,
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    let shown = json(&said.out);
    let find = |list: &str, token: &str| {
        let list = shown[list].as_array().unwrap();
        list.iter()
            .find(|one| one["token"] == token)
            .unwrap()
            .clone()
    };
    assert_eq!(find("files", "dbpass")["value"], "***");
    assert!(
        find("files", "dbname")["origin"]["place"]
            .as_str()
            .unwrap()
            .ends_with("pandora_server.conf:3")
    );
    assert_eq!(find("files", "zone")["value"], "Europe/Madrid");
    assert_eq!(find("tokens", "trap_purge")["value"], "3");
    assert_eq!(find("tokens", "trap_purge")["origin"]["from"], "override");
    assert_eq!(find("tokens", "days_purge")["value"], "30");
    assert_eq!(find("tokens", "days_purge")["origin"]["from"], "tconfig");
    assert_eq!(
        find("tokens", "event_purge")["value"],
        serde_json::Value::Null
    );
    assert_eq!(
        find("tokens", "history_db_port")["origin"]["from"],
        "default"
    );
    for word in [
        "several rows for days_purge",
        "event_purge = \"abc\"",
        "does not see dbpass",
    ] {
        assert!(said.err.contains(word), "{word}: {}", said.err);
    }
    // Known, and not used: with its reason.
    let step = find("tokens", "small_operation_step_datos_purge");
    assert_eq!(step["value"], "1000");
    assert!(step["meaning"].as_str().unwrap().starts_with("not used"));
    let plan = site.run(&["plan", "--config", &config, "--only", "purge"]);
    assert!(plan.out.contains("keeps 2 days"), "{}", plan.out);
    let human = site.run(&["policy", "show", "--effective"]);
    assert!(
        human.out.contains("tconfig, row ") && human.out.contains("compaction is off"),
        "{}",
        human.out
    );
}

#[test]
fn what_is_wrong_with_the_products_files_is_2_with_its_line() {
    let site = Site::without_tables();
    site.world.write(
        "pandora_server.conf",
        "dbname p\ndbuser u\ndbhost h\ndbport x\n",
    );
    let said = site.run(&["plan"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.err.contains("pandora_server.conf:4: dbport"),
        "{}",
        said.err
    );
    site.configure("pandorafms");
    site.world.write("ha.conf", "127.0.0.254\n");
    let said = site.run(&["plan"]);
    assert_eq!(said.code, 8, "the chosen host goes before dbhost: {said:?}");
    assert!(said.err.contains("127.0.0.254"), "{}", said.err);
}
