//! Every output of the guide, read completely; and the same outputs cut anywhere.

use proptest::prelude::*;

use super::*;
use crate::ftd::prompt::{Prompt, answer_to};
use crate::ftd::text::render;
use crate::observe::{ConfigSync, Role};

macro_rules! golden {
    ($name:literal) => {
        body(include_str!(concat!(
            "../../../tests/ftd/golden/",
            $name,
            ".txt"
        )))
    };
}

/// The transcript without the lines that say where it comes from.
fn body(file: &str) -> String {
    let body = file
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("#: "));
    body.collect::<String>().trim_end_matches('\n').to_owned()
}

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

/// Every transcript of the guide is read by one of the tests here.
#[test]
fn no_golden_transcript_lies_about_unread() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ftd/golden");
    let tests = concat!(include_str!("tests.rs"), include_str!("history.rs"));
    let names = std::path::Path::new(directory).read_dir().unwrap();
    let mut count = 0;
    for name in names.map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
        let stem = name.strip_suffix(".txt").unwrap();
        let is_read = [format!("golden!(\"{stem}\")"), format!("golden/{name}")]
            .iter()
            .any(|words| tests.contains(words));
        assert!(is_read, "{stem}");
        count += 1;
    }
    assert!(count >= 18, "{count}");
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

#[test]
fn show_failover_gives_serials_versions_and_sick_interfaces_of_this_host_only() {
    let text = golden!("failover");
    let failover = Failover::read(answer_to("show failover", &text).unwrap()).unwrap();
    assert!(failover.on);
    assert_eq!(
        failover.serials,
        Some((String::from("9A4P7DRKVX2"), String::from("9AQ0H1LUW3C")))
    );
    assert_eq!(
        failover.versions,
        Some((String::from("9.18(2)218"), String::from("9.18(2)218")))
    );
    assert_eq!(
        (failover.configured, failover.hold_seconds),
        (Some(ConfiguredRole::Secondary), Some(15))
    );
    assert_eq!(
        failover.last_failover.as_deref(),
        Some("13:24:46 UTC Jul 18 2024")
    );
    let faulty: Vec<_> = failover
        .own_interfaces
        .iter()
        .filter(|i| i.is_faulty())
        .map(|i| i.name.as_str())
        .collect();
    assert_eq!(faulty, ["Security-Management"]);
    assert_eq!(failover.own_interfaces.len(), 4);
    assert!(
        !Failover::read("Failover Off (pseudo-Standby)\nFailover unit Primary\n")
            .unwrap()
            .on
    );
    assert!(Failover::read("").is_err());
}

#[test]
fn the_version_of_the_guide_is_read_and_no_part_of_it_will_do() {
    let text = golden!("version") + "\nfirepower# ";
    let read = |text: &str| answer_to("show version", text).map(Version::read);
    let version = read(&text).unwrap().unwrap();
    assert_eq!(
        version.model,
        "Cisco Firepower Threat Defense for VMware (75)"
    );
    assert_eq!(version.release, "7.2.7-500");
    assert_eq!(version.uuid, "0edf9f22-78e6-11ea-8ed0-e0e5abf334e2");
    assert_eq!(
        (version.lsp.as_str(), version.vdb.as_str()),
        ("lsp-rel-20240306-2015", "353")
    );
    assert_eq!((version.lina, version.fxos), (None, None));
    for end in 0..text.trim_end().len() {
        assert!(
            !matches!(read(text.get(..end).unwrap()), Some(Ok(_))),
            "{end}"
        );
    }
}

#[test]
fn every_line_of_the_guides_readiness_check_is_read() {
    let text = golden!("readiness-status");
    let lines: Vec<StatusLine> = text.lines().filter_map(StatusLine::read).collect();
    let percents: Vec<u8> = lines.iter().filter_map(|line| line.percent).collect();
    assert_eq!(
        percents,
        [
            0, 5, 10, 14, 19, 24, 29, 33, 38, 43, 48, 52, 57, 62, 67, 71, 76, 81, 86, 90, 95, 100
        ]
    );
    assert!(lines.iter().all(|line| line.at.is_some()));
    let (last, running) = lines.split_last().unwrap();
    assert!(
        running
            .iter()
            .all(|line| line.verdict() == Verdict::Running)
    );
    assert_eq!(last.verdict(), Verdict::Succeeded);
    assert_eq!(last.message, "Readiness Check completed successfully.");
    assert_eq!(
        last.at.map(|at| at.to_string()).as_deref(),
        Some("2024-07-18T02:44:00Z")
    );
}

#[test]
fn every_line_of_the_guides_installation_is_read() {
    let text = golden!("install-status");
    let lines: Vec<StatusLine> = text.lines().filter_map(StatusLine::read).collect();
    let percents: Vec<u8> = lines.iter().filter_map(|line| line.percent).collect();
    assert_eq!(percents, [7, 7, 7, 14, 14, 14, 14, 14, 14, 14]);
    assert!(
        lines
            .iter()
            .all(|line| line.at.is_some() && line.verdict() == Verdict::Running)
    );
    assert_eq!(lines.len(), text.lines().count() - 1);
}

#[test]
fn the_packages_of_the_guide_are_read() {
    let names: Vec<PackageName> = golden!("updates-directory")
        .split_whitespace()
        .filter_map(PackageName::read)
        .collect();
    let releases: Vec<&str> = names.iter().map(|name| name.release.as_str()).collect();
    assert_eq!(releases, ["7.2.2-54", "7.2.7-500"]);
    assert_eq!(
        names.last().map(|name| name.log_directory.as_str()),
        Some("Cisco_FTD_Upgrade-7.2.7")
    );
}

#[test]
fn nothing_that_the_installer_prints_is_taken_for_a_prompt_or_a_verdict() {
    for text in [
        golden!("install-run"),
        golden!("readiness-run"),
        golden!("login-and-sudo"),
        golden!("reboot-message"),
    ] {
        for (at, line) in text.lines().enumerate() {
            // The first line of a run holds the shell's prompt, with a command behind it.
            let shell =
                line.starts_with("root@") || line.starts_with('>') || line.starts_with("Password:");
            assert!(Prompt::on(line).is_none() || shell, "{at}: {line}");
            assert_eq!(StatusLine::read(line), None, "{line}");
        }
    }
}

#[test]
fn the_old_format_carries_minutes_to_the_reboot() {
    let line = StatusLine::read("ui: Upgrade in progress: ( 4% done.25 mins to reboot). Checking device readiness... (000_start/320_remove_backups.sh)").unwrap();
    assert_eq!(
        (line.percent, line.minutes_left, line.at),
        (Some(4), Some(25), None)
    );
    assert_eq!(
        line.message,
        "Checking device readiness... (000_start/320_remove_backups.sh)"
    );
    assert_eq!(line.verdict(), Verdict::Running);
}

#[test]
fn only_whole_fresh_lines_count_and_the_last_one_decides() {
    let since = "2024-07-18T02:43:00Z".parse().ok();
    let old = "TIMESTAMP:Tue Jun 18 02:44:00 UTC 2024 PERCENT: 100% MESSAGE:Readiness Check completed successfully.\n";
    let new = "TIMESTAMP:Thu Jul 18 02:43:05 UTC 2024 PERCENT: 5% MESSAGE:Running script 000_start/x.sh...\n";
    assert_eq!(latest(old, since), None);
    assert_eq!(
        latest(&format!("{old}\u{0}\u{0}{new}"), since),
        None,
        "NULs before a line spoil it"
    );
    let half = format!(
        "{old}{new}Use of uninitialized value\nTIMESTAMP:Thu Jul 18 02:44:00 UTC 2024 PERCENT: 100% MESSAGE:Readiness Check completed successfully."
    );
    assert_eq!(latest(&half, since).and_then(|line| line.percent), Some(5));
    assert_eq!(
        latest(&(half + "\n"), since).map(|line| line.verdict()),
        Some(Verdict::Succeeded)
    );
}

#[test]
fn verdicts_need_the_right_words_in_the_right_place() {
    let verdict = |percent: u8, message: &str| {
        StatusLine::read(&format!(
            "TIMESTAMP:Thu Jul 18 02:43:05 UTC 2024 PERCENT:{percent}% MESSAGE:{message}"
        ))
        .unwrap()
        .verdict()
    };
    assert_eq!(
        verdict(100, "Upgrade completed successfully."),
        Verdict::Succeeded
    );
    assert_eq!(
        verdict(99, "Upgrade completed successfully."),
        Verdict::Running
    );
    assert_eq!(verdict(100, "Somehow over"), Verdict::Running);
    assert_eq!(verdict(100, "Readiness Check failed."), Verdict::Failed);
    assert_eq!(
        verdict(
            14,
            "Fatal error: Error running script 200_pre/200_enable_maintenance_mode.pl"
        ),
        Verdict::Failed
    );
    assert_eq!(
        verdict(14, "Running script 999_finish/999_check_failed_units.sh..."),
        Verdict::Running
    );
    assert_eq!(StatusLine::read("TIMESTAMP:x PERCENT:101% MESSAGE:y"), None);
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

    #[test]
    fn no_reader_panics(text in "(This host|Other host|====|State|Failover On|\\PC| |\n|  |:|-){0,60}") {
        let _ = FailoverState::read(&text);
        let _ = Failover::read(&text);
        let _ = Version::read(&text);
        let _ = last_change(&text);
        let _ = latest(&text, None);
        let _ = PackageName::read(&text);
        let _ = Prompt::on(&text);
        let _ = running_installers(&text);
        let _ = free_space(&text);
        let _ = FileStat::read(&text);
    }
}
