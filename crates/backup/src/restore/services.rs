//! The services of an installation, as a restore sees them.

/// Why services did not stop or start.
pub type ServiceError = Box<dyn std::error::Error + Send + Sync>;

/// Stops whatever works with an installation, and starts it again. Both may be called again after
/// a crash: stopped twice is stopped.
pub trait Services: Send + Sync {
    /// Returns when nothing works with the installation any more.
    ///
    /// # Errors
    /// When something may still be at work; the restore then changes nothing.
    fn stop(&self) -> Result<(), ServiceError>;

    /// Returns when everything that was stopped runs again.
    ///
    /// # Errors
    /// When something does not run.
    fn start(&self) -> Result<(), ServiceError>;
}
