//! Policies as files.

use std::time::Duration;

use elpis_failover::{Gate, HookPoint, Policy, PolicyError};

const FULL: &str = r#"
switch_back = true
maintenance_flag = true
accepted_faults = ["dmz: No Link"]
approve = ["switchover", "second_install"]

[target]
version = "7.2.7-500"
package = "Cisco_FTD_Upgrade-7.2.7-500.sh.REL.tar"
size = 1123706880
digest = "sha512:0123456789abcdef0123456789abcdef"

[window]
from = "2026-11-22T02:00"
to = "2026-11-22T05:00"
zone = "Asia/Seoul"

[safety_copy]
max_age = "24h"

[[hook]]
name = "probe-vpn"
at = "probe"
timeout = "20s"
command = ["/usr/local/bin/probe", "vpn"]

[helpers]
backups = "/var/backups/firewall"
maintenance = ["/usr/local/bin/maintenance"]

[limits]
install = "2h 30m"
poll = "500ms"

[estimates]
install = "45m"
"#;

#[test]
fn a_full_policy_is_read_and_written_the_same() {
    let policy = Policy::from_toml(FULL).unwrap();
    assert_eq!(policy.limits.install, Duration::from_secs(9_000));
    assert_eq!(policy.limits.poll, Duration::from_millis(500));
    assert_eq!(policy.limits.call, Duration::from_secs(60), "the default");
    assert_eq!(policy.hooks[0].at, HookPoint::Probe);
    assert!(policy.approve.contains(&Gate::Switchover));
    assert_eq!(policy.helpers.maintenance, ["/usr/local/bin/maintenance"]);
    let (from, to) = policy.window.as_ref().unwrap().bounds().unwrap();
    assert_eq!(from.to_string(), "2026-11-21T17:00:00Z");
    assert_eq!(to.to_string(), "2026-11-21T20:00:00Z");
    let json = serde_json::to_string(&policy).unwrap();
    assert_eq!(serde_json::from_str::<Policy>(&json).unwrap(), policy);
}

#[test]
fn what_cannot_be_used_is_named() {
    let change = |from: &str, to: &str| {
        assert!(FULL.contains(from), "{from}");
        Policy::from_toml(&FULL.replace(from, to))
            .unwrap_err()
            .to_string()
    };
    let cases = [
        ("zone = \"Asia/Seoul\"", "", "missing field `zone`"),
        ("\"Asia/Seoul\"", "\"KST\"", "window.zone"),
        (
            "to = \"2026-11-22T05:00\"",
            "to = \"2026-11-22T01:00\"",
            "window.to must be after",
        ),
        ("switch_back", "swich_back", "unknown field `swich_back`"),
        ("\"2h 30m\"", "\"soon\"", "line "),
        ("\"2h 30m\"", "\"0s\"", "limits.install must be above 0"),
        (
            "\"2h 30m\"",
            "\"9000h\"",
            "limits.install must be at most a week",
        ),
        ("package = \"", "package = \"../", "must be a file name"),
        ("sha512:0123", "0123", "target.digest"),
        ("\"probe-vpn\"", "\"probe vpn\"", "letters, digits"),
        (
            "at = \"probe\"",
            "at = \"later\"",
            "unknown variant `later`",
        ),
        ("\"7.2.7-500\"", "\" \"", "target.version is empty"),
        (
            "maintenance = [",
            "safety_copy = [",
            "helpers.backups and helpers.safety_copy: only one",
        ),
        (
            "\"switchover\", ",
            "\"whenever\", ",
            "unknown variant `whenever`",
        ),
    ];
    for (from, to, expected) in cases {
        let error = change(from, to);
        assert!(error.contains(expected), "{to}: {error}");
        assert!(!error.contains('\n'), "one line: {error}");
    }
}

#[test]
fn a_window_that_begins_when_clocks_are_set_is_refused() {
    for from in ["2026-10-25T02:30", "2026-03-29T02:30"] {
        let text = FULL
            .replace("2026-11-22T02:00", from)
            .replace("Asia/Seoul", "Europe/Berlin");
        let Err(PolicyError::Invalid(problems)) = Policy::from_toml(&text) else {
            panic!("{from}");
        };
        assert!(
            problems[0].contains("exists twice in Europe/Berlin"),
            "{problems:?}"
        );
    }
}
