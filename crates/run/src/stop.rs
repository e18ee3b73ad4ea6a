//! Asking a run to stop at its next safe point.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::Clock;

/// A request to stop, shared by everyone who holds a clone. It cannot be taken back.
#[derive(Debug, Clone)]
pub struct StopToken {
    stopped: Arc<watch::Sender<bool>>,
}

/// What a wait answers that was ended by the stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped on request")]
pub struct Stopped;

impl StopToken {
    /// A token nobody has stopped yet.
    pub fn new() -> StopToken {
        StopToken {
            stopped: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Asks for the stop. Asking again changes nothing.
    pub fn stop(&self) {
        self.stopped.send_replace(true);
    }

    /// Whether the stop was asked for: look here between two steps.
    pub fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Waits until the stop is asked for; returns at once if it was already.
    pub async fn stopped(&self) {
        // It only fails when every sender is gone, and `self` is one.
        let _ = self.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// Waits for `duration` on `clock`, or until the stop, whichever comes first.
    ///
    /// # Errors
    /// [`Stopped`] when the stop ended the wait or had been asked for before it.
    pub async fn sleep(&self, clock: &dyn Clock, duration: Duration) -> Result<(), Stopped> {
        tokio::select! {
            biased;
            () = self.stopped() => Err(Stopped),
            () = clock.sleep(duration) => Ok(()),
        }
    }
}

impl Default for StopToken {
    fn default() -> StopToken {
        StopToken::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RealClock, VirtualClock};
    use jiff::Timestamp;

    #[tokio::test]
    async fn an_undisturbed_sleep_takes_its_whole_time() {
        let clock = VirtualClock::new(Timestamp::UNIX_EPOCH);
        let stop = StopToken::new();
        assert_eq!(stop.sleep(&clock, Duration::from_secs(9)).await, Ok(()));
        assert_eq!(clock.monotonic(), Duration::from_secs(9));
    }

    #[tokio::test]
    async fn a_stop_through_any_clone_ends_a_sleep_and_lasts() {
        let stop = StopToken::new();
        let other = stop.clone();
        let sleeper = tokio::spawn({
            let stop = stop.clone();
            async move {
                let hour = Duration::from_secs(3_600);
                stop.sleep(&RealClock::new(), hour).await
            }
        });
        tokio::task::yield_now().await;
        assert!(!stop.is_stopped());
        other.stop();
        other.stop();
        assert_eq!(sleeper.await.unwrap(), Err(Stopped));
        assert!(stop.is_stopped());
        stop.stopped().await;
    }

    #[tokio::test]
    async fn a_stopped_token_does_not_move_the_clock() {
        let clock = VirtualClock::new(Timestamp::UNIX_EPOCH);
        let stop = StopToken::new();
        stop.stop();
        let slept = stop.sleep(&clock, Duration::from_secs(9)).await;
        assert_eq!(slept, Err(Stopped));
        assert_eq!(clock.monotonic(), Duration::ZERO);
    }
}
