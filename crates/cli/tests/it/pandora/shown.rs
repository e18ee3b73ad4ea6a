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
fn the_operators_own_rules_are_what_is_shown_to_take_effect() {
    let site = Site::with(&[("event_purge", "7")]);
    let rule = |table: &str, keep: &str| {
        format!(
            "[[policy.table]]\nname = \"{table}\"\nkeep = {{ {keep} }}\n\
             time = {{ column = \"utimestamp\", unit = \"epoch_seconds\" }}\n"
        )
    };
    let rules = [
        rule("tagente_datos", "days = 3650"),
        rule("tevento", "rows = 500000"),
    ];
    site.world.write("own.toml", &rules.concat());
    let config = site.world.path("own.toml").display().to_string();
    let show = ["policy", "show", "--effective", "--config", &config];
    let shown = json(&site.run(&[&show[..], &["--format", "json"]].concat()).out);
    let find = |list: &str, key: &str, name: &str| {
        let mut all = shown[list].as_array().unwrap().iter();
        all.find(|one| one[key] == name).unwrap().clone()
    };
    let title = find("tasks", "id", "numeric_data")["title"].clone();
    assert_eq!(
        title,
        "Deleting old data from tagente_datos (More than 3650 days, by [[policy.table]])."
    );
    let rule = find("elpis", "token", "policy.table tagente_datos");
    assert_eq!(rule["value"], "3650");
    assert_eq!(rule["origin"]["from"], "override");
    // Still what holds for its other tables, and so said.
    let days = find("tokens", "token", "days_purge");
    assert_eq!(days["value"], "30");
    assert!(days["meaning"].as_str().unwrap().contains("except"));
    let events = find("tokens", "token", "event_purge");
    assert_eq!(events["value"], "500000");
    assert_eq!(
        (&events["unit"], &events["origin"]["from"]),
        (&"rows".into(), &"override".into())
    );
    assert_eq!(find("elpis", "token", "config")["value"], "[DIR]/own.toml");
    let human = site.run(&show).out;
    assert!(
        human.contains("3650 days") && !human.contains("tagente_datos (More than 30 days)"),
        "{human}"
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
