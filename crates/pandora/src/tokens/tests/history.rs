//! The history database: whether there is one, where, and what it keeps.

use super::*;

pub(super) const ENABLED: [(&str, Option<&str>); 8] = [
    ("history_db_enabled", Some("1")),
    ("history_db_host", Some("db9")),
    ("history_db_name", Some("pandora_history")),
    ("history_db_user", Some("pandora")),
    ("history_db_pass", Some("hush")),
    ("history_db_days", Some("15")),
    ("history_event_days", Some("5")),
    ("history_db_string_days", Some("3")),
];

#[test]
fn the_history_database_is_there_if_it_is_enabled() {
    let settings = settings(&ENABLED);
    let shown = format!("{settings:?}");
    assert!(!shown.contains("hush"), "{shown}");
    let history = settings.history.unwrap().unwrap();
    assert_eq!((history.host.as_str(), history.port), ("db9", 3306));
    assert_eq!(history.days, Some(15));
    assert_eq!(
        (history.event_days, history.string_days),
        (None, None),
        "neither is enabled"
    );
    assert!(matches!(&history.password, Password::Plain(Some(p)) if p.expose() == "hush"));
    let encrypted = PandoraSettings::new(&tokens(&ENABLED), true).history;
    let encrypted = encrypted.unwrap().unwrap();
    assert!(matches!(encrypted.password, Password::Encrypted));
}

/// The rows of an enabled history database, with `value` in place of what `token` says.
fn with<'a>(token: &'a str, value: Option<&'a str>) -> Vec<(&'a str, Option<&'a str>)> {
    let others = ENABLED.iter().filter(|(other, _)| *other != token);
    others.copied().chain([(token, value)]).collect()
}

#[test]
fn a_history_database_that_is_off_stays_off_whatever_else_is_written() {
    for off in [None, Some("0"), Some(""), Some(" ")] {
        let mut rows = with("history_db_enabled", off);
        rows.extend([
            ("history_db_port", Some("x")),
            ("history_trap_enabled", Some("on")),
        ]);
        rows.retain(|(token, _)| *token != "history_db_host");
        let settings = settings(&rows);
        assert!(matches!(settings.history, Ok(None)), "{off:?}");
        let idle = |found: &TokenFinding| matches!(found, TokenFinding::Idle(_));
        assert_eq!(settings.findings.len(), 2);
        assert!(settings.findings.iter().all(idle), "{off:?}");
    }
    assert!(matches!(settings(&ENABLED[1..]).history, Ok(None)));
}

#[test]
fn an_empty_port_is_the_usual_one() {
    let settings = settings(&with("history_db_port", Some(" ")));
    let listed = settings.listing.iter();
    let port = listed.clone().find(|one| one.token == "history_db_port");
    let port = port.unwrap();
    assert_eq!(
        (port.value.as_deref(), &port.origin),
        (Some("3306"), &Origin::Default)
    );
    assert_eq!(settings.findings, []);
    assert_eq!(settings.history.unwrap().unwrap().port, 3306);
}

#[test]
fn a_history_database_that_cannot_be_used_is_not_none() {
    let numbers = &["tagente_datos"][..];
    for (token, value, tables) in [
        ("history_db_enabled", Some("on"), numbers),
        ("history_db_enabled", Some("yes"), numbers),
        ("history_db_port", Some("x"), numbers),
        ("history_db_port", Some("0"), numbers),
        ("history_db_port", Some("65536"), numbers),
        ("history_db_host", Some(""), numbers),
        ("history_db_name", None, numbers),
        ("history_db_user", Some("  "), numbers),
        ("history_db_days", Some("15 days"), numbers),
        ("history_db_days", Some("-1"), numbers),
        (
            "history_db_adv",
            Some("on"),
            &["tagente_datos", "tagente_datos_string"],
        ),
        (
            "history_event_enabled",
            Some("true"),
            &["tagente_datos", "tevento"],
        ),
    ] {
        let settings = settings(&with(token, value));
        let unusable = settings.history.unwrap_err();
        assert_eq!(unusable.tables, tables, "{token} = {value:?}");
        assert!(unusable.to_string().contains(token), "{unusable}");
        // Said once, and truly: nothing of it counts as off.
        let [finding] = &settings.findings[..] else {
            panic!("{token} = {value:?}: {:?}", settings.findings);
        };
        let said = finding.to_string();
        assert!(said.contains(token) && !said.contains("off"), "{said}");
    }
    let mut rows = with("history_event_enabled", Some("1"));
    rows.retain(|(token, _)| *token != "history_event_days");
    rows.push(("history_event_days", Some("5d")));
    let unusable = settings(&rows).history.unwrap_err();
    assert_eq!(unusable.tables, ["tagente_datos", "tevento"]);
}

#[test]
fn what_does_not_decide_is_no_reason() {
    for (token, value, is_idle) in [
        // Their switches are off.
        ("history_event_days", "5d", true),
        ("history_db_string_days", "x", true),
        ("history_trap_days", "x", true),
        // How fast, not what.
        ("history_db_step", "many", false),
        ("history_db_delay", "x", false),
    ] {
        let settings = settings(&with(token, Some(value)));
        assert!(matches!(settings.history, Ok(Some(_))), "{token}");
        let junk = match (&settings.findings[..], is_idle) {
            ([TokenFinding::Idle(junk)], true) | ([TokenFinding::Junk(junk)], false) => junk,
            (findings, _) => panic!("{token}: {findings:?}"),
        };
        assert_eq!(junk.token, token);
    }
}

#[test]
fn a_switch_without_days_is_said() {
    for days in [None, Some("0"), Some("")] {
        let mut rows = with("history_event_days", days);
        rows.push(("history_event_enabled", Some("1")));
        let settings = settings(&rows);
        assert_eq!(settings.history.unwrap().unwrap().event_days, None);
        let said = settings.findings[0].to_string();
        assert!(said.contains("history_event_days is not"), "{said}");
        assert_eq!(settings.findings.len(), 1);
    }
}

#[test]
fn localhost_is_the_socket_of_the_servers_package() {
    let at = |host: &str| {
        let settings = settings(&with("history_db_host", Some(host)));
        settings.history.unwrap().unwrap()
    };
    let root = tempfile::tempdir().unwrap();
    assert_eq!(at("localhost").socket_below(root.path()), None);
    let socket = root.path().join("tmp/mysql.sock");
    elpis_run::fsx::create_private_dir(&root.path().join("tmp")).unwrap();
    elpis_run::fsx::write_durable(&socket, b"", 0o600).unwrap();
    assert_eq!(at("localhost").socket_below(root.path()), Some(socket));
    assert_eq!(at("127.0.0.1").socket_below(root.path()), None);
    assert_eq!(
        at("/run/h.sock").socket_below(root.path()),
        Some("/run/h.sock".into())
    );
}

#[test]
fn the_history_database_is_kept_as_it_is_unless_its_own_tokens_say_otherwise() {
    let rows = [
        ("days_purge", Some("400")),
        ("trap_history_purge", Some("z")),
        ("days_compact", Some("120")),
    ];
    let (retention, listing, findings) = HistoryRetention::new(&tokens(&rows));
    let expected = HistoryRetention {
        days_purge: Some(400),
        compaction: CompactionSettings {
            days: Some(120),
            step_hours: 1,
        },
        ..HistoryRetention::default()
    };
    assert_eq!(retention, expected);
    assert_eq!((listing.len(), findings.len()), (6, 1));
    let step = listing
        .iter()
        .find(|setting| setting.token == "step_compact");
    assert_eq!(step.unwrap().origin, Origin::Default);
    let none = HistoryRetention::new(&tokens(&[])).0;
    assert_eq!(none, HistoryRetention::default());
    let rows = [("days_purge", Some("120")), ("days_compact", Some("120"))];
    let (.., findings) = HistoryRetention::new(&tokens(&rows));
    assert!(matches!(findings[..], [TokenFinding::Contradiction { .. }]));
}

#[test]
fn of_several_rows_of_the_history_database_the_one_that_keeps_the_most_counts() {
    for (rows, days, taken) in [
        (["30", "900"], Some(900), 2),
        (["900", "30"], Some(900), 1),
        (["30", "30"], Some(30), 1),
        (["30", "0"], None, 2),
        (["", "30"], None, 1),
        (["30", "x"], None, 2),
    ] {
        for token in ["days_purge", "trap_history_purge", "days_compact"] {
            let tokens = tokens(&rows.map(|value| (token, Some(value))));
            let (keep, listing, findings) = HistoryRetention::new(&tokens);
            let read = [keep.days_purge, keep.trap_purge, keep.compaction.days];
            assert_eq!(read.into_iter().flatten().next(), days, "{token} {rows:?}");
            let shown = listing.iter().find(|one| one.token == token).unwrap();
            assert_eq!(shown.origin, Origin::Tconfig { row: taken });
            let ambiguous = TokenFinding::Ambiguous {
                token: token.to_owned(),
                taken,
                others: vec![3 - taken],
            };
            assert!(findings.contains(&ambiguous), "{findings:?}");
            let said = ambiguous.to_string();
            assert!(said.contains(&format!("row {taken} counts")), "{said}");
        }
    }
    let rows = [("days_purge", Some("30")), ("days_purge", None)];
    assert_eq!(HistoryRetention::new(&tokens(&rows)).0.days_purge, None);
    let rows = ["12", "6", "24"].map(|hours| ("step_compact", Some(hours)));
    let keep = HistoryRetention::new(&tokens(&rows)).0;
    assert_eq!(keep.compaction.step_hours, 6, "short buckets keep more");
}

#[test]
fn the_operator_sets_the_history_databases_own_limits_by_themselves() {
    let override_of = |token: &str| {
        let mut tokens = tokens(&[("days_purge", Some("30")), ("days_purge", Some("900"))]);
        tokens.overrides.insert(token.to_owned(), "400".to_owned());
        tokens
    };
    let (keep, listing, findings) = HistoryRetention::new(&override_of("days_purge"));
    assert_eq!((keep.days_purge, &findings[..]), (Some(400), &[][..]));
    assert_eq!(listing[0].origin, Origin::Override);
    let keep = HistoryRetention::new(&override_of("trap_history_purge")).0;
    assert_eq!(keep.trap_purge, Some(400));
    let unknown = HistoryRetention::new(&override_of("history_db_days")).2;
    assert!(matches!(unknown[1], TokenFinding::Unknown { .. }));
    // And those of the active database are another table of the configuration.
    let settings = PandoraSettings::new(&override_of("trap_history_purge"), false);
    let said = settings.findings.iter().map(ToString::to_string);
    let said: Vec<String> = said.collect();
    assert!(said[1].contains("[pandora.history_tokens]"), "{said:?}");
}

proptest! {
    /// Where somebody wrote that there is one, there is one, or it cannot be used: never none.
    #[test]
    fn an_enabled_history_database_is_never_none(
        enabled in "1|on|yes|[2-9a-z]{1,3}",
        rows in prop::collection::vec((0..catalogue::MAIN.len(), "\\PC{0,4}|[0-9]{1,5}"), 0..30),
    ) {
        let rows = rows.iter().map(|(token, value)| (catalogue::MAIN[*token].token, value.as_str()));
        let rows = rows.filter(|(token, _)| *token != "history_db_enabled");
        let rows = rows.chain([("history_db_enabled", enabled.as_str())]);
        let rows: Vec<_> = rows.map(|(token, value)| (token, Some(value))).collect();
        let settings = settings(&rows);
        prop_assert!(!matches!(settings.history, Ok(None)));
        let said = settings.findings.iter();
        let said = said.filter(|one| matches!(one, TokenFinding::UnusableHistory(_))).count();
        prop_assert_eq!(said, usize::from(settings.history.is_err()));
    }

    /// No row of the history database's own that asks to keep something is overruled by another.
    #[test]
    fn nothing_of_the_history_database_goes_that_a_row_wants_to_keep(
        values in prop::collection::vec(prop::option::of("[0-9]{0,5}|[a-z]{1,3}"), 1..6),
    ) {
        let rows: Vec<_> = values.iter().map(|value| ("days_purge", value.as_deref())).collect();
        let kept = HistoryRetention::new(&tokens(&rows)).0.days_purge;
        for value in &values {
            let days = value.as_ref().and_then(|value| value.parse::<u32>().ok());
            let wanted = days.filter(|days| (1..=36_500).contains(days));
            prop_assert!(kept.is_none_or(|kept| wanted.is_some_and(|wanted| kept >= wanted)));
        }
    }
}
