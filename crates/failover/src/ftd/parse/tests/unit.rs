//! What a unit says of itself: version, serials, interfaces, packages.

use super::super::*;
use super::{body, golden};
use crate::ftd::prompt::answer_to;

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
