//! What the driver wants from the manager, whoever asks it.

use std::future::Future;
use std::pin::Pin;

/// How the manager stands to the pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagerStanding {
    /// Its own version, such as `7.2.8`.
    pub version: String,
    /// Deployments that wait or run, one line each.
    pub pending: Vec<String>,
}

/// Why a switchover by the manager did not, or may not, have begun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SwitchError {
    /// The manager refused, or was never reached: certainly nothing was begun.
    #[error("the manager did not switch: {0}")]
    Refused(String),
    /// The request was sent, and no answer says what became of it.
    #[error("it is not known whether the manager switched: {0}")]
    Unknown(String),
}

/// The manager (FMC) of a pair.
pub trait Manager: Send + Sync {
    /// Which manager is asked about which pair, by the configuration's keys; no secrets, and not
    /// who logs in. A plan keeps it: another manager's word is not what it was agreed to by.
    fn terms(&self) -> serde_json::Value;

    /// Asks it.
    ///
    /// # Errors
    /// Why it could not be asked; nothing begins then.
    fn standing(
        &self,
    ) -> Pin<Box<dyn Future<Output = Result<ManagerStanding, String>> + Send + '_>>;

    /// The units with the version that the manager shows for each, such as `7.2.7`; `None` where
    /// it shows none.
    ///
    /// # Errors
    /// Why it could not be asked.
    #[expect(clippy::type_complexity, reason = "the shape of every boxed future")]
    fn shown_versions(
        &self,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<(String, Option<String>)>, String>> + Send + '_>>;

    /// Tells it to exchange the pair's roles. Sent once; the units show what came of it.
    ///
    /// # Errors
    /// [`SwitchError`].
    fn switch(&self) -> Pin<Box<dyn Future<Output = Result<(), SwitchError>> + Send + '_>>;
}
