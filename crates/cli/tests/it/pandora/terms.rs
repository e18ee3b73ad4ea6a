//! The terms of one run: what it may take, what it must be told, and when it speaks.

use elpis_testkit::Database;

use super::Site;

/// What such a value should limit grows for ever.
#[test]
fn a_setting_that_cannot_be_meant_ends_with_7() {
    let site = Site::with(&[
        ("event_purge", "-5"),
        ("days_purge", "abc"),
        ("trap_purge", ""),
    ]);
    let events = site.number("SELECT COUNT(*) FROM tevento;");
    let said = site.run(&["run", "--only", "events,numeric_data,traps", "-q"]);
    assert_eq!((said.code, said.out.as_str()), (7, ""), "{said:?}");
    for token in ["event_purge = \"-5\"", "days_purge = \"abc\""] {
        assert!(said.err.contains(token), "{token}: {}", said.err);
    }
    assert!(
        !said.err.contains("trap_purge"),
        "empty is off: {}",
        said.err
    );
    assert_eq!(site.number("SELECT COUNT(*) FROM tevento;"), events);
}

/// For a line of cron whose output is mailed.
#[test]
fn a_quiet_run_says_nothing_where_nothing_went_wrong() {
    let site = Site::with(&[]);
    for _ in 0..2 {
        let said = site.run(&["run", "-q", "--no-throttle"]);
        assert_eq!(
            (said.code, said.out.as_str(), said.err.as_str()),
            (0, "", "")
        );
    }
}

/// The operator's word for one run is a bound as well as a consent.
#[test]
fn a_share_given_for_one_run_is_its_bound() {
    let site = Site::with(&[]);
    let values = "SELECT COUNT(*) FROM tagente_datos;";
    let before = site.number(values);
    let one = ["run", "--only", "numeric_data", "--max-share"];
    let said = site.run(&[&one[..], &["0.1"]].concat());
    assert_eq!((said.code, site.number(values)), (3, before), "{said:?}");
    assert!(said.err.contains("max_share = 0.1"), "{}", said.err);
    let said = site.run(&[&one[..], &["0.9"]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    assert!(site.number(values) < before);
    // An empty table has not lost its share.
    site.db.sql("DELETE FROM tserver_export_data;");
    let said = site.run(&["run", "--max-share", "0.9", "--no-throttle", "-p"]);
    assert_eq!(said.code, 0, "{said:?}");
}
