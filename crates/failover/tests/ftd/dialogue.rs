//! Connections that freeze, break and lag, seen through the driver.

use std::sync::Arc;
use std::time::Duration;

use elpis_failover::rehearse::{Deed, Fault, Setup};
use elpis_failover::{
    Act, ActError, DriverError, FtdDriver, Order, PairDriver, Role, SshOptions, SshTransport, Unit,
};

use crate::many::side_by_side;
use crate::rig::Rig;

/// `ELPIS_SOAK=1` breaks it after every single byte that the terminal says.
#[tokio::test]
async fn a_connection_that_breaks_anywhere_never_makes_a_healthy_report() {
    let step: u64 = match std::env::var_os("ELPIS_SOAK") {
        Some(_) => 1,
        None => 499,
    };
    let rig = Rig::new(Setup::new()).await;
    let (mut cut, mut bytes) = (0_u64, 1_u64);
    loop {
        let next = rig.pair.logins(Unit::A) + 1;
        let fault = Fault::CutAtByte(Unit::A, next, bytes);
        rig.pair.suffer(fault.clone());
        let report = rig.driver().observe(Unit::A).await;
        rig.pair.cure(&fault);
        match report {
            Err(DriverError::Unreachable { .. }) => cut += 1,
            Err(other) => panic!("{bytes}: {other}"),
            Ok(report) => {
                // Cut behind the last word of it.
                assert_eq!(report.own_role, Role::Active, "{bytes}");
                break;
            }
        }
        bytes += step;
    }
    assert!(bytes > 3_000, "{bytes}");
    assert_eq!(rig.pair.deeds(), []);
    eprintln!("{cut} breaks in {bytes} bytes");
}

#[tokio::test]
async fn two_drivers_do_not_disturb_each_other() {
    let rig = Rig::new(Setup::new()).await;
    let (one, two) = (rig.driver(), rig.driver());
    for _ in 0..3 {
        let (a, b) = tokio::join!(one.observe(Unit::A), two.observe(Unit::A));
        assert_eq!(a.unwrap().own_role, b.unwrap().own_role);
    }
}

#[tokio::test]
async fn a_question_that_is_given_up_leaves_the_driver_usable() {
    let rig = Rig::new(Setup::new()).await;
    let driver = rig.driver();
    driver.observe(Unit::A).await.unwrap();
    for millis in [0, 1, 3, 7, 15] {
        let dropped = tokio::time::timeout(Duration::from_millis(millis), driver.observe(Unit::A));
        // It may be through in time; what matters comes next.
        let _ = dropped.await;
        let report = driver.observe(Unit::A).await.unwrap();
        assert_eq!(
            (report.own_role, report.version.as_str()),
            (Role::Active, "7.2.2-54")
        );
    }
}

#[tokio::test]
async fn a_wrong_password_is_typed_once_whatever_is_asked() {
    let wrong = Fault::SudoPassword(Unit::B, String::from("other"));
    let rig = Rig::new(Setup::new().with(wrong)).await;
    let driver = rig.driver();
    let survey = driver.survey(Unit::B, &rig.pair.target()).await;
    assert!(
        matches!(survey, Err(DriverError::Rejected { .. })),
        "{survey:?}"
    );
    assert_eq!(rig.pair.deeds(), [Deed::WrongPassword(Unit::B)]);
}

/// An act whose password was refused has not begun, and the engine must not try it again.
#[tokio::test]
async fn an_act_is_not_tried_again_with_a_wrong_password() {
    let wrong = Fault::SudoPassword(Unit::B, String::from("other"));
    let rig = Rig::new(Setup::new().with(wrong)).await;
    let order = Order {
        unit: Unit::B,
        act: Act::Install,
        target: rig.pair.target(),
        marker: String::from("wrong-password-1"),
        attempt: 1,
    };
    let refused = rig.driver().start(&order).await.unwrap_err();
    let ActError::NotStarted { retryable, .. } = &refused else {
        panic!("{refused:?}");
    };
    assert!(!retryable, "{refused:?}");
    assert_eq!(rig.pair.deeds(), [Deed::WrongPassword(Unit::B)]);
}

/// Once `sudo` has accepted the password, a line that breaks when it has it is only a broken line.
#[tokio::test]
async fn a_line_that_breaks_at_a_password_known_to_be_right_is_tried_again() {
    let rig = Rig::new(Setup::new()).await;
    let driver = rig.driver();
    driver.survey(Unit::B, &rig.pair.target()).await.unwrap();
    let logins = rig.pair.logins(Unit::B);
    rig.pair.suffer(Fault::CutAtSudo(Unit::B));
    driver.survey(Unit::B, &rig.pair.target()).await.unwrap();
    assert_eq!(rig.pair.logins(Unit::B), logins + 1);
    // Another process does not know that it is right.
    rig.pair.suffer(Fault::CutAtSudo(Unit::B));
    let survey = rig.driver().survey(Unit::B, &rig.pair.target()).await;
    assert!(
        matches!(survey, Err(DriverError::Rejected { .. })),
        "{survey:?}"
    );
}

/// 82 more closely. An answer that comes after our patience is not taken for the next one's: the dialogue finds
/// its place again, or a new one is begun.
#[tokio::test]
async fn an_answer_that_is_late_is_not_taken_for_the_next_one() {
    let found_again = side_by_side(1..=8, answers_late).await;
    let found_again = found_again.into_iter().filter(|found| *found).count();
    assert!(found_again >= 4, "{found_again}");
}

/// The answer to this command is late. Returns whether the dialogue went on.
async fn answers_late(command: u32) -> bool {
    let late = Fault::AnswersLate(Unit::B, command, Duration::from_millis(1500));
    let rig = Rig::new(Setup::new().with(late)).await;
    let options = elpis_failover::FtdOptions {
        command_timeout: Duration::from_millis(1000),
        ..rig.options.clone()
    };
    let ssh = SshOptions::new(rig.known_hosts.clone());
    let driver = FtdDriver::new(options, Arc::new(SshTransport::new(ssh)));
    let first = driver.observe(Unit::B).await;
    assert!(
        matches!(first, Err(DriverError::Unreachable { .. })),
        "{command}: {first:?}"
    );
    let mut good = 0;
    for _ in 0..8 {
        // A busy machine may be late by itself once more; what it says in time must be right.
        let Ok(report) = driver.observe(Unit::B).await else {
            continue;
        };
        good += 1;
        assert_eq!(
            (&report.own_role, &report.peer_role),
            (&Role::StandbyReady, &Role::Active),
            "{command}"
        );
        assert_eq!((report.version.as_str(), report.busy), ("7.2.2-54", None));
        assert!(report.boot.is_some() && report.device_time.is_some());
        if good == 2 {
            break;
        }
    }
    assert_eq!(good, 2, "{command}");
    assert_eq!(rig.pair.deeds(), [], "{command}");
    rig.pair.logins(Unit::B) == 1
}
