use super::*;

#[test]
fn every_way_a_run_can_end_has_its_code() {
    let why = || "why".to_owned();
    let code = |ended: Ended| Verdict::from(&ended).code;
    assert_eq!(code(Ended::Done), Code::Done);
    assert_eq!(code(Ended::Limit { why: why() }), Code::Partial);
    assert_eq!(code(Ended::NotVerified { why: why() }), Code::Partial);
    assert_eq!(code(Ended::Interrupted), Code::Interrupted);
    assert_eq!(code(Ended::Critical { why: why() }), Code::Stopped);
    assert_eq!(code(Ended::ShareReached { table: why() }), Code::Stopped);
}

#[test]
fn errors_have_their_codes_wherever_they_come_from() {
    let code = |error: anyhow::Error| Verdict::from(&error).code;
    let unreachable = || StoreError::Unreachable {
        target: "db1:3306/pandora".to_owned(),
        source: "refused".into(),
    };
    let inspect = InspectError::Store {
        table: "the server".to_owned(),
        source: unreachable(),
    };
    assert_eq!(code(unreachable().into()), Code::Unreachable);
    assert_eq!(code(inspect.into()), Code::Unreachable);
    assert_eq!(
        code(PurgeError::NotBegun(unreachable()).into()),
        Code::Unreachable
    );
    assert_eq!(code(PurgeError::Refused(Vec::new()).into()), Code::Refused);
    assert_eq!(
        code(CompactError::Refused(Vec::new()).into()),
        Code::Refused
    );
    assert_eq!(
        code(CompactError::NotBegun(unreachable()).into()),
        Code::Unreachable
    );
    assert_eq!(code(InspectError::Stopped.into()), Code::Interrupted);
    assert_eq!(code(LeftAtOnce.into()), Code::Interrupted);
    assert_eq!(code(anyhow::anyhow!("anything else")), Code::Internal);
    let lost = StoreError::Lost {
        doing: "at COMMIT".to_owned(),
        source: "gone".into(),
    };
    let report = elpis_maint_core::PurgeReport {
        run: elpis_run::RunId(1),
        target: "t".to_owned(),
        started: jiff::Timestamp::UNIX_EPOCH,
        finished: jiff::Timestamp::UNIX_EPOCH,
        tables: Vec::new(),
        ended: Ended::Done,
    };
    let stopped = |source| PurgeError::Stopped {
        report: Box::new(report.clone()),
        source,
    };
    assert_eq!(code(stopped(lost).into()), Code::Stopped);
    let denied = MySqlError::Server {
        code: 1142,
        state: "42000".to_owned(),
        message: "DELETE command denied".to_owned(),
    };
    let denied = StoreError::Failed {
        doing: "deleting".to_owned(),
        source: denied.into(),
    };
    let verdict = Verdict::from(&anyhow::Error::from(stopped(denied)));
    assert_eq!(verdict.code, Code::Stopped);
    assert!(verdict.hint.unwrap().starts_with("grant the account"));
}

/// Codes that say that nothing was begun would not be true.
#[test]
fn what_goes_wrong_after_some_was_done_is_4() {
    let full = JournalError::Database {
        path: "/var/lib/elpis/journal.db".into(),
        doing: "begin a run",
        source: "database or disk is full".into(),
    };
    let lost = CompactError::NotBegun(StoreError::Unreachable {
        target: "db1:3306/pandora".to_owned(),
        source: "refused".into(),
    });
    for (error, word) in [
        (anyhow::Error::from(full), "state directory"),
        (anyhow::Error::from(lost), "see to the database"),
    ] {
        let verdict = Verdict::from(&error.context(Underway));
        assert_eq!(verdict.code, Code::Stopped);
        assert!(verdict.hint.is_some_and(|hint| hint.contains(word)));
        let message = verdict.message.unwrap();
        assert!(message.starts_with("some of the run was done"), "{message}");
    }
    let refused = CompactError::Refused(Vec::new());
    let refused = anyhow::Error::from(refused).context(Underway);
    assert_eq!(Verdict::from(&refused).code, Code::Stopped);
}

#[test]
fn a_journal_that_is_full_is_2_and_one_that_is_busy_6() {
    let path = || "/var/lib/elpis/journal.db".into();
    let full = JournalError::Database {
        path: path(),
        doing: "apply the schema",
        source: "database or disk is full".into(),
    };
    let busy = JournalError::Busy { path: path() };
    for (error, expected) in [(full, Code::Usage), (busy, Code::Locked)] {
        let verdict = Verdict::from(&anyhow::Error::from(error));
        assert_eq!(verdict.code, expected);
        assert!(verdict.hint.is_some());
    }
}
