//! Status files and what the installer prints.

use super::super::*;
use super::{body, golden};
use crate::ftd::prompt::Prompt;

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
