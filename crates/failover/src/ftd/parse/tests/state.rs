//! Failover states: read to the last word, and cut anywhere.

use proptest::prelude::*;

use super::super::*;
use super::{body, golden};
use crate::ftd::prompt::answer_to;
use crate::ftd::text::render;
use crate::observe::{ConfigSync, Role};

fn states() -> [(&'static str, String); 6] {
    [
        (
            "sh failover state",
            golden!("failover-state-1-before-on-secondary"),
        ),
        (
            "show failover state",
            golden!("failover-state-2-upgraded-on-active"),
        ),
        (
            "sh failover state",
            golden!("failover-state-3-upgraded-on-standby"),
        ),
        (
            "sh failover state",
            golden!("failover-state-4-switched-on-secondary"),
        ),
        (
            "show failover state",
            golden!("failover-state-5-final-on-primary"),
        ),
        (
            "sh failover state",
            golden!("failover-state-6-final-on-secondary"),
        ),
    ]
}

/// What the driver makes of a raw answer, however little of it there is.
fn judge_state(command: &str, raw: &[u8]) -> (Role, Role) {
    let rendered = render(raw);
    let read = answer_to(command, &rendered).map(FailoverState::read);
    match read {
        Some(Ok(state)) => (state.this.role(), state.other.role()),
        _ => (Role::Unknown(String::new()), Role::Unknown(String::new())),
    }
}

#[test]
fn every_failover_state_of_the_guide_is_read_to_the_last_word() {
    let expected = [
        (
            "Secondary",
            Role::StandbyReady,
            Role::Active,
            "Sync Done - STANDBY",
            None,
        ),
        (
            "Primary",
            Role::Active,
            Role::StandbyReady,
            "Sync Done",
            Some("13:24:46 UTC Jul 18 2024"),
        ),
        (
            "Secondary",
            Role::StandbyReady,
            Role::Active,
            "Sync Skipped - STANDBY",
            None,
        ),
        (
            "Secondary",
            Role::Active,
            Role::StandbyReady,
            "Sync Skipped",
            None,
        ),
        (
            "Primary",
            Role::StandbyReady,
            Role::Active,
            "Sync Skipped - STANDBY",
            None,
        ),
        (
            "Secondary",
            Role::Active,
            Role::StandbyReady,
            "Sync Skipped",
            Some("14:03:06 UTC Jul 18 2024"),
        ),
    ];
    for ((command, text), (configured, own, peer, sync, failed_at)) in states().iter().zip(expected)
    {
        let rendered = render(text.as_bytes());
        let state = FailoverState::read(answer_to(command, &rendered).unwrap()).unwrap();
        assert_eq!(
            state.this.configured.map(ConfiguredRole::word),
            Some(configured)
        );
        assert_eq!(
            (state.this.role(), state.other.role()),
            (own, peer),
            "{text}"
        );
        assert_eq!(state.sync(), ConfigSync::InSync(String::from(sync)));
        assert_eq!(state.this.last_failure, None);
        assert_eq!(state.other.failed_at.as_deref(), failed_at);
        // An old failure is told as history and changes no role.
        assert_eq!(
            state.other.last_failure.as_deref(),
            failed_at.map(|_| "Comm Failure")
        );
        assert_eq!(state.this.interfaces, []);
    }
}

#[test]
fn the_guides_own_damaged_lines_are_read_as_far_as_they_are_whole() {
    for (text, command, configured, other) in [
        (
            golden!("flat-failover-state-1-before-on-secondary"),
            "sh failover state",
            Some(ConfiguredRole::Secondary),
            Some(ConfiguredRole::Primary),
        ),
        (
            golden!("flat-failover-state-3-upgraded-on-standby"),
            "sh failover state",
            Some(ConfiguredRole::Secondary),
            None,
        ),
        (
            golden!("flat-failover-state-5-final-on-primary"),
            "show failover state",
            None,
            Some(ConfiguredRole::Secondary),
        ),
    ] {
        let (_, answer) = text.split_once(command).unwrap();
        let state = FailoverState::read(answer).unwrap();
        assert_eq!(
            (state.this.role(), state.other.role()),
            (Role::StandbyReady, Role::Active)
        );
        assert_eq!(
            (state.this.configured, state.other.configured),
            (configured, other)
        );
    }
}

#[test]
fn a_failover_state_cut_anywhere_is_unknown() {
    for (command, text) in states() {
        let whole = text.trim_end();
        for end in 0..whole.len() {
            let (own, peer) = judge_state(command, whole.get(..end).unwrap().as_bytes());
            assert!(
                matches!((&own, &peer), (Role::Unknown(_), Role::Unknown(_))),
                "{end}: {own} {peer}"
            );
        }
        let (own, peer) = judge_state(command, whole.as_bytes());
        assert!(!matches!(own, Role::Unknown(_)) && !matches!(peer, Role::Unknown(_)));
    }
}

/// The same with a prompt behind what is left, as a device prints it that gives up half-way.
#[test]
fn a_failover_state_that_ends_early_never_gets_better() {
    for (command, text) in states() {
        let whole = text.trim_end();
        let healthy = judge_state(command, whole.as_bytes());
        for end in command.len()..whole.len() {
            let cut = format!("{}\nfirepower# ", whole.get(..end).unwrap());
            let (own, peer) = judge_state(command, cut.as_bytes());
            let unknown = matches!((&own, &peer), (Role::Unknown(_), Role::Unknown(_)));
            assert!(unknown || (own, peer) == healthy, "{end}: {cut}");
        }
    }
}

#[test]
fn states_are_taken_by_their_whole_words() {
    let host = |line: &str| {
        let text = format!(
            "This host  -   Primary\n               {line}\nOther host -   Secondary\n               Active         None\n\
             ====Configuration State===\n====Communication State===\n"
        );
        FailoverState::read(&text).unwrap().this
    };
    for (line, expected) in [
        ("Cold Standby   None", Role::ColdStandby),
        (
            "Bulk Sync      None",
            Role::Transitional(String::from("Bulk Sync")),
        ),
        (
            "Just Active    None",
            Role::Transitional(String::from("Just Active")),
        ),
        (
            "Active Drain   None",
            Role::Transitional(String::from("Active Drain")),
        ),
        (
            "Not Detected   Comm Failure             13:24:46 UTC Jul 18 2024",
            Role::NotDetected,
        ),
        (
            "Failed         Ifc Failure              13:24:46 UTC Jul 18 2024",
            Role::Failed(String::from("Ifc Failure")),
        ),
        (
            "Failed - No Active unit found  None",
            Role::Failed(String::from("Failed - No Active unit found")),
        ),
        ("Disabled       None", Role::Disabled),
        (
            "Standby Readyish  None",
            Role::Unknown(String::from("Standby Readyish")),
        ),
        (
            "Standby        None",
            Role::Unknown(String::from("Standby")),
        ),
        (
            "Active-ish None",
            Role::Unknown(String::from("Active-ish None")),
        ),
        (
            "Active Whatever None",
            Role::Unknown(String::from("Active")),
        ),
        ("Active None", Role::Active),
    ] {
        assert_eq!(host(line).role(), expected, "{line}");
    }
    let failed = host(
        "Failed         Ifc Failure              13:24:46 UTC Jul 18 2024\n                              inside: No Link\n                              outside: Failed",
    );
    assert_eq!(
        failed.interfaces,
        [("inside", "No Link"), ("outside", "Failed")].map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
}

#[test]
fn configuration_states_wait_or_pass_or_are_unknown() {
    let sync = |lines: &str| {
        let text = format!(
            "This host  -   Primary\n  Active  None\nOther host -   Secondary\n  Standby Ready  None\n\
             ====Configuration State===\n{lines}\n====Communication State===\n\tMac set\n"
        );
        FailoverState::read(&text).unwrap().sync()
    };
    let words = |text: &str| String::from(text);
    assert_eq!(
        sync("\tSync Skipped"),
        ConfigSync::InSync(words("Sync Skipped"))
    );
    assert_eq!(
        sync("\tSync Required"),
        ConfigSync::Syncing(words("Sync Required"))
    );
    assert_eq!(
        sync("\tInterface config Syncing - STANDBY"),
        ConfigSync::Syncing(words("Interface config Syncing - STANDBY"))
    );
    assert_eq!(
        sync("\tSync Done\n\tConfig Syncing - STANDBY"),
        ConfigSync::Syncing(words("Config Syncing - STANDBY"))
    );
    assert_eq!(
        sync("\tSync Failed"),
        ConfigSync::Unknown(words("Sync Failed"))
    );
    assert_eq!(sync(""), ConfigSync::NotReported);
}

#[test]
fn failover_groups_are_refused_in_clear_words() {
    let error =
        FailoverState::read("This host  -   Primary\n    Group 1    Active   None\n").unwrap_err();
    assert!(error.to_string().contains("Active/Active"), "{error}");
}

proptest! {
    /// A cut and a spoiled byte anywhere never make a healthy unit out of one that was not.
    #[test]
    fn a_spoiled_answer_never_gets_better(which in 0usize..6, at in 0usize..600, byte: u8, cut in 0usize..600) {
        let (command, text) = states().into_iter().nth(which).unwrap();
        let mut raw = text.trim_end().as_bytes().to_vec();
        let before = judge_state(command, &raw);
        if let Some(place) = raw.get_mut(at) { *place = byte; }
        raw.truncate(cut.max(1));
        let after = judge_state(command, &raw);
        for (before, after) in [(before.0, after.0), (before.1, after.1)] {
            prop_assert!(after == before || !matches!(after, Role::Active | Role::StandbyReady), "{after}");
        }
    }
}
