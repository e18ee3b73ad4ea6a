//! What the driver wants to know from the manager, whoever asks it.

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

/// The manager (FMC) of a pair.
pub trait Manager: Send + Sync {
    /// Asks it.
    ///
    /// # Errors
    /// Why it could not be asked; nothing begins then.
    fn standing(
        &self,
    ) -> Pin<Box<dyn Future<Output = Result<ManagerStanding, String>> + Send + '_>>;
}
