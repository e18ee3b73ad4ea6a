//! What the driver has to know about a pair.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use elpis_run::{Clock, RealClock, Secret};

use super::manager::Manager;
use crate::ssh::{Auth, Host, Login};

/// One unit of the pair and how to get in.
#[derive(Debug, Clone)]
pub struct FtdUnit {
    /// Its management address.
    pub host: Host,
    /// The account, which has to be allowed `expert` and `sudo su`.
    pub login: Login,
    /// The account's password for `sudo`, when it is not the one it logs in with.
    pub sudo_password: Option<Secret<String>>,
}

impl FtdUnit {
    /// What is typed at the question of `sudo`.
    pub(super) fn elevation(&self) -> Option<Secret<String>> {
        match (&self.sudo_password, &self.login.auth) {
            (Some(password), _) | (None, Auth::Password(password)) => Some(password.clone()),
            _ => None,
        }
    }

    /// Everything that must not get into a transcript.
    pub(super) fn secrets(&self) -> Vec<Secret<String>> {
        let login = match &self.login.auth {
            Auth::Password(password) => Some(password.clone()),
            Auth::Key { passphrase, .. } => passphrase.clone(),
            Auth::Agent(_) => None,
        };
        login
            .into_iter()
            .chain(self.sudo_password.clone())
            .collect()
    }
}

/// The pair and the operator's word on what the units themselves do not tell.
#[derive(Clone)]
pub struct FtdOptions {
    /// Unit A and unit B, in the policy's order.
    pub units: [FtdUnit; 2],
    /// A directory for the raw dialogues, one file each (`unit-a-20240718T024010Z-0.log`, mode
    /// 0600, passwords taken out). `None`: none are kept.
    pub transcripts: Option<PathBuf>,
    /// From the end of a command to the prompt that closes its answer. Digests of a package of a
    /// gigabyte have ten times as long.
    pub command_timeout: Duration,
    /// How long the output has to rest before a prompt is believed: longer than the pauses inside
    /// an answer, 80 ms by default.
    pub quiet: Duration,
    /// Free space that `/ngfw` must have, as a multiple of the package's size; 2.5 by default.
    pub space_factor: f64,
    /// The manager (FMC), if it can be asked. Then nobody's word is needed, and a switchover whose
    /// command the unit does not understand is tried once more through it.
    pub manager: Option<Arc<dyn Manager>>,
    /// Without one: who has checked that the manager (FMC) has no deployment pending, if anybody
    /// has. Nothing begins without it.
    pub no_pending_deployment: Option<String>,
    /// Without one: the manager's version, such as `7.2.8`; it must not be older than the target. `None` is a
    /// warning.
    pub manager_version: Option<String>,
    /// The version of the underlying FXOS that belongs to a release, such as
    /// (`7.2.7-500`, `2.12(1.48)`): a unit that runs the release on another FXOS is faulty
    /// (the vendor's bug CSCwi05618).
    pub fxos: Option<(String, String)>,
    /// How long a unit may be in each of these states on its way back into the pair. By default
    /// the vendor's own limits: 20 minutes of `App Sync`, two hours of `Sync Config` and of
    /// `Bulk Sync`.
    pub patience: BTreeMap<String, Duration>,
    /// For pauses between two looks.
    pub clock: Arc<dyn Clock>,
}

impl FtdOptions {
    /// The defaults, with nobody's word for anything.
    pub fn new(units: [FtdUnit; 2]) -> FtdOptions {
        FtdOptions {
            units,
            transcripts: None,
            command_timeout: Duration::from_secs(60),
            quiet: Duration::from_millis(80),
            space_factor: 2.5,
            manager: None,
            no_pending_deployment: None,
            manager_version: None,
            fxos: None,
            patience: vendors_patience(),
            clock: Arc::new(RealClock::new()),
        }
    }
}

impl FtdOptions {
    /// What of this decides whether and how a pair may be touched, by the configuration's keys.
    pub(super) fn terms(&self) -> serde_json::Value {
        let seconds = |(state, limit): (&String, &Duration)| (state.clone(), limit.as_secs());
        let limits: BTreeMap<String, u64> = self.patience.iter().map(seconds).collect();
        serde_json::json!({
            "manager": self.manager.as_ref().map(|manager| manager.terms()),
            "pair": {
                "fxos": self.fxos.as_ref().map(|(_, version)| version),
                "manager_version": self.manager_version,
                "space_factor": self.space_factor,
                "state_limits": limits,
            },
        })
    }
}

/// From the vendor's high-availability limits of release 7.6 [D].
fn vendors_patience() -> BTreeMap<String, Duration> {
    [
        ("App Sync", 1200),
        ("Sync Config", 7200),
        ("Config Sync", 7200),
        ("Bulk Sync", 7200),
    ]
    .into_iter()
    .map(|(state, seconds)| (state.to_owned(), Duration::from_secs(seconds)))
    .collect()
}
