//! The vendor's installer: its command line, its first words, the files that it writes.

use super::parse::PackageName;
use super::session::Launched;
use super::survey::PACKAGES;
use crate::driver::{Act, Order};

const LOGS: &str = "/ngfw/var/log/sf";

pub(super) fn command(order: &Order) -> String {
    let check = match order.act {
        Act::CheckReadiness => "--readiness-check ",
        _ => "",
    };
    format!(
        "install_update.pl --detach {check}{PACKAGES}/{}",
        order.target.package
    )
}

/// Why the installer went no further than its beginning, if it did not.
pub(super) fn refusal(launched: &Launched) -> Option<String> {
    let output = &launched.output;
    let complaint = output.lines().map(str::trim).find(|line| {
        let line = line.to_ascii_lowercase();
        (line.contains("verifying archive integrity")
            && !line.contains("all good")
            && !line.ends_with("..."))
            || line.contains("no such file")
            || line.contains("command not found")
            || line.contains("not a valid")
            || line.contains("not signed")
            || line.contains("checksum")
            || line.contains("corrupt")
    });
    match complaint {
        Some(line) => Some(line.to_owned()),
        None if launched.prompt_is_back && !output.contains("install_update.pl begins") => {
            Some(format!(
                "the installer ended at once: {}",
                output.trim().lines().next_back().unwrap_or_default()
            ))
        }
        None => None,
    }
}

/// The status files of both formats, the newer one first.
pub(super) fn status_files(act: Act, package: &PackageName) -> Vec<String> {
    let directory = format!("{LOGS}/{}", package.log_directory);
    let names: &[&str] = match act {
        Act::CheckReadiness => &[
            "upgrade_readiness/upgrade_readiness_status.log",
            "upgrade_readiness/upgrade_readiness_status",
        ],
        _ => &["upgrade_status.log", "status.log"],
    };
    names
        .iter()
        .map(|name| format!("{directory}/{name}"))
        .collect()
}

pub(super) fn main_log(act: Act, package: &PackageName) -> String {
    let below = match act {
        Act::CheckReadiness => "/upgrade_readiness",
        _ => "",
    };
    format!(
        "{LOGS}/{}{below}/main_upgrade_script.log",
        package.log_directory
    )
}

/// The target's package, taken apart; only then is its name safe to type in a shell.
pub(super) fn package_of(order: &Order) -> Result<PackageName, String> {
    PackageName::read(&order.target.package).ok_or_else(|| {
        format!(
            "{:?} is not the name of an upgrade package",
            order.target.package
        )
    })
}
