//! What a rehearsal starts from.

use std::time::Duration;

use elpis_run::Secret;
use jiff::Timestamp;

use super::fault::Fault;
use crate::driver::Target;

/// A simulated pair before anything happens: unit A is primary and active, unit B secondary and
/// ready, both run `from` and have the package of `to`.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The release that both run, such as `7.2.2-54`.
    pub from: String,
    /// The release of the package, such as `7.2.7-500`.
    pub to: String,
    /// The package's size in bytes.
    pub package_size: u64,
    /// How long an installation takes, in simulated time.
    pub install: Duration,
    /// How long a reboot takes, in simulated time.
    pub reboot: Duration,
    /// The account on both units.
    pub user: String,
    /// Its password.
    pub password: Secret<String>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

impl Setup {
    /// The pair of the vendor's guide: 7.2.2 to 7.2.7 on two virtual units; 20 minutes to install
    /// and 5 to reboot.
    pub fn new() -> Setup {
        Setup {
            from: String::from("7.2.2-54"),
            to: String::from("7.2.7-500"),
            package_size: 1_123_706_880,
            install: Duration::from_secs(20 * 60),
            reboot: Duration::from_secs(5 * 60),
            user: String::from("admin"),
            password: Secret::new(String::from("rehearsal-only")),
            faults: Vec::new(),
        }
    }

    /// The same with one more fault.
    #[must_use]
    pub fn with(mut self, fault: Fault) -> Setup {
        self.faults.push(fault);
        self
    }

    /// What a policy has to aim at.
    pub fn target(&self) -> Target {
        Target {
            version: self.to.clone(),
            package: self.package(),
            size: Some(self.package_size),
            digest: Some(format!("sha512:{}", self.package_sha512())),
        }
    }

    pub(super) fn package(&self) -> String {
        format!("Cisco_FTD_Upgrade-{}.sh.REL.tar", self.to)
    }

    pub(super) fn package_sha512(&self) -> String {
        "c0ffee15900dc0de".repeat(8)
    }

    /// Number and build of the release to install.
    pub(super) fn number_and_build(&self) -> (&str, &str) {
        self.to.split_once('-').unwrap_or((&self.to, "0"))
    }

    pub(super) fn log_directory(&self) -> String {
        format!(
            "/ngfw/var/log/sf/Cisco_FTD_Upgrade-{}",
            self.number_and_build().0
        )
    }

    pub(super) fn status_file(&self, of_readiness: bool) -> String {
        match of_readiness {
            true => format!(
                "{}/upgrade_readiness/upgrade_readiness_status.log",
                self.log_directory()
            ),
            false => format!("{}/upgrade_status.log", self.log_directory()),
        }
    }
}

impl Default for Setup {
    fn default() -> Setup {
        Setup::new()
    }
}

/// The moment of the guide's installation; rehearsals begin there.
pub(super) fn beginning() -> Timestamp {
    Timestamp::new(1_721_270_400, 0).unwrap_or(Timestamp::UNIX_EPOCH)
}
