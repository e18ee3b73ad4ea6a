//! Files of network flows.

use super::*;

#[test]
fn what_the_database_says_of_programs_is_not_trusted() {
    let refused = |directory: &str, program: &str| {
        let settings = HousekeepingSettings {
            netflow: Some(flow(directory, program)),
            ..HousekeepingSettings::default()
        };
        skipped(&made(&settings), "netflow")
    };
    let nfexpire = "/usr/bin/nfexpire";
    assert_eq!(refused("/var/spool/netflow", nfexpire), None);
    // Spaces and shell signs are letters like others: there is no shell.
    assert_eq!(refused("/var/spool/$(reboot); rm", nfexpire), None);
    for (directory, program) in [
        ("var/spool", nfexpire),
        ("-rf", nfexpire),
        ("", nfexpire),
        ("/var/spool/../../etc", nfexpire),
        ("/var/spool", "nfexpire"),
        ("/var/spool", "/bin/rm"),
        ("/var/spool", "/usr/bin/nfexpire; reboot"),
        ("/var/spool", "/bin/sh -c nfexpire"),
        ("/var/spool", "/tmp/../bin/nfexpire"),
        ("/var/spool", ""),
    ] {
        assert!(
            refused(directory, program).is_some(),
            "{directory} {program}"
        );
    }
}

/// As the manual of the program has it: a directory's limits, its files, and then those beyond the
/// limits, of both kinds of flows alike.
#[test]
fn flows_are_limited_scanned_and_expired() {
    let tasks = made(&everything());
    for kind in ["netflow", "sflow"] {
        let calls = work(&tasks, kind).iter().map(|work| match work {
            Work::Program(program) => {
                assert_eq!(program.program.to_str(), Some("/usr/bin/nfexpire"));
                let args = program.args.iter().map(|arg| arg.to_str().unwrap());
                args.collect::<Vec<_>>().join(" ")
            }
            other => panic!("{other:?}"),
        });
        let directory = format!("/var/spool/{kind}");
        assert_eq!(
            calls.collect::<Vec<_>>(),
            [
                format!("-u {directory} -t 7d -w 100"),
                format!("-r {directory}"),
                format!("-e {directory} -t 7d -w 100"),
            ]
        );
    }
}
