mod history;

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn tokens(rows: &[(&str, Option<&str>)]) -> Tokens {
    let row = |(id, (token, value)): (usize, &(&str, Option<&str>))| TokenRow {
        id: id as u64 + 1,
        token: (*token).to_owned(),
        value: value.map(|value| Secret::new(value.to_owned())),
    };
    Tokens {
        rows: rows.iter().enumerate().map(row).collect(),
        ..Tokens::default()
    }
}

fn settings(rows: &[(&str, Option<&str>)]) -> PandoraSettings {
    PandoraSettings::new(&tokens(rows), false)
}

fn origin(settings: &PandoraSettings, token: &str) -> Origin {
    let mut listing = settings.listing.iter();
    listing
        .find(|setting| setting.token == token)
        .unwrap()
        .origin
        .clone()
}

#[test]
fn absent_tokens_have_the_documented_defaults() {
    let settings = settings(&[]);
    let days = settings.housekeeping.clone();
    assert_eq!(days.days_purge, None, "without a limit nothing is purged");
    assert_eq!(
        (
            days.string_purge,
            days.event_purge,
            days.audit_purge,
            days.trap_purge,
            days.gis_purge
        ),
        (Some(7), Some(10), Some(7), Some(7), Some(15))
    );
    assert_eq!((days.session_timeout, days.delete_notinit), (None, false));
    assert_eq!(
        settings.compaction,
        CompactionSettings {
            days: None,
            step_hours: 1
        }
    );
    assert!(matches!(settings.history, Ok(None)));
    assert_eq!(settings.findings, []);
    assert!(
        settings
            .listing
            .iter()
            .all(|setting| setting.origin == Origin::Default)
    );
    let names: Vec<&str> = settings.listing.iter().map(|s| s.token.as_str()).collect();
    let known: Vec<&str> = catalogue::MAIN.iter().map(|spec| spec.token).collect();
    assert_eq!(
        names, known,
        "every token is shown once, in the order of the catalogue"
    );
}

#[test]
fn zero_and_nothing_are_off_and_null_is_as_absent() {
    let settings = settings(&[
        ("event_purge", Some("0")),
        ("string_purge", Some("")),
        ("audit_purge", None),
        ("days_compact", Some("0")),
        ("days_purge", Some(" 30 \n")),
    ]);
    let days = &settings.housekeeping;
    assert_eq!(
        (days.event_purge, days.string_purge, days.audit_purge),
        (None, None, Some(7))
    );
    assert_eq!(
        (days.days_purge, settings.compaction.days),
        (Some(30), None)
    );
    assert_eq!(origin(&settings, "days_purge"), Origin::Tconfig { row: 5 });
    assert_eq!(settings.findings, []);
}

#[test]
fn of_several_rows_the_first_counts_and_the_others_are_named() {
    let settings = settings(&[
        ("event_purge", Some("20")),
        ("Event_Purge ", Some("30")),
        ("event_purge", Some("40")),
    ]);
    assert_eq!(settings.housekeeping.event_purge, Some(20));
    let duplicate = TokenFinding::Duplicate {
        token: "event_purge".to_owned(),
        taken: 1,
        others: vec![2, 3],
    };
    assert_eq!(settings.findings, [duplicate]);
}

#[test]
fn junk_is_off_and_reported() {
    for junk in [
        "abc",
        "7 days",
        "-5",
        "1e3",
        "36501",
        "7.5",
        "18446744073709551616",
        "\u{fffd}",
    ] {
        let settings = settings(&[("event_purge", Some(junk))]);
        assert_eq!(
            settings.housekeeping.event_purge, None,
            "{junk}: nothing is deleted on a guess"
        );
        assert!(
            matches!(&settings.findings[..], [TokenFinding::Junk { .. }]),
            "{junk}"
        );
        let said = settings.findings[0].to_string();
        assert!(
            said.contains("event_purge") && said.contains("tconfig, row 1"),
            "{said}"
        );
    }
    assert!(
        !settings(&[("delete_notinit", Some("yes"))])
            .housekeeping
            .delete_notinit
    );
    assert!(
        settings(&[("delete_notinit", Some("1"))])
            .housekeeping
            .delete_notinit
    );
}

#[test]
fn sessions_count_minutes_with_two_special_ones() {
    let session = |minutes| {
        let settings = settings(&[("session_timeout", Some(minutes))]);
        settings
            .housekeeping
            .session_timeout
            .map(|timeout| timeout.as_secs())
    };
    assert_eq!(session("30"), Some(1800));
    assert_eq!(session("0"), Some(90 * 60));
    assert_eq!(session("-1"), Some(315_576_000));
    assert_eq!(session(""), None);
    assert_eq!(session("-2"), None);
    assert_eq!(Duration::from_secs(315_576_000).as_secs() / 86_400, 3652);
}

#[test]
fn flow_files_expire_only_if_all_three_tokens_are_there() {
    let all = [
        ("netflow_max_lifetime", Some("5")),
        ("netflow_path", Some("/var/spool/flow")),
        ("netflow_nfexpire", Some("/usr/bin/nfexpire")),
    ];
    let flow = settings(&all).housekeeping.netflow.unwrap();
    assert_eq!(
        (flow.lifetime_days, flow.directory.to_str()),
        (5, Some("/var/spool/flow"))
    );
    for left_out in 0..3 {
        let mut some = all.to_vec();
        some.remove(left_out);
        assert_eq!(settings(&some).housekeeping.netflow, None);
    }
}

#[test]
fn a_step_above_a_day_is_a_day() {
    for (written, hours) in [("1", 1), ("24", 24), ("48", 24), ("0", 1), ("x", 1)] {
        let settings = settings(&[
            ("step_compact", Some(written)),
            ("days_compact", Some("20")),
        ]);
        let expected = CompactionSettings {
            days: Some(20),
            step_hours: hours,
        };
        assert_eq!(settings.compaction, expected, "{written}");
    }
}

#[test]
fn overrides_go_first_and_unknown_ones_are_reported() {
    let mut tokens = tokens(&[("event_purge", Some("20"))]);
    tokens
        .overrides
        .insert("event_purge".to_owned(), "99".to_owned());
    tokens
        .overrides
        .insert("evnt_purge".to_owned(), "1".to_owned());
    let settings = PandoraSettings::new(&tokens, false);
    assert_eq!(settings.housekeeping.event_purge, Some(99));
    assert_eq!(origin(&settings, "event_purge"), Origin::Override);
    let unknown = TokenFinding::Unknown {
        token: "evnt_purge".to_owned(),
    };
    assert_eq!(settings.findings, [unknown]);
}

#[test]
fn settings_that_defeat_each_other_are_reported() {
    let rows = [("days_purge", Some("10")), ("days_compact", Some("10"))];
    assert!(matches!(
        &settings(&rows).findings[..],
        [TokenFinding::Contradiction { .. }]
    ));
    let mut rows = history::ENABLED.to_vec();
    rows.push(("days_purge", Some("15")));
    let findings = settings(&rows).findings;
    assert!(
        findings[0].to_string().contains("history_db_days (15)"),
        "{findings:?}"
    );
    rows.last_mut().unwrap().1 = Some("16");
    assert_eq!(settings(&rows).findings, []);
}

proptest! {
    #[test]
    fn any_rows_give_settings(
        rows in prop::collection::vec((0..catalogue::MAIN.len(), prop::option::of("\\PC{0,8}|-?[0-9]{1,6}")), 0..60),
    ) {
        let rows: Vec<(&str, Option<&str>)> = rows
            .iter()
            .map(|(token, value)| (catalogue::MAIN[*token].token, value.as_deref()))
            .collect();
        let settings = settings(&rows);
        prop_assert!((1..=24).contains(&settings.compaction.step_hours));
        prop_assert!(settings.housekeeping.event_purge.is_none_or(|days| (1..=36_500).contains(&days)));
        prop_assert_eq!(settings.listing.len(), catalogue::MAIN.len());
    }
}
