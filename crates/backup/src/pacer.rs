//! A rate that several may share.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use elpis_run::Clock;

/// Unused allowance is kept for so long, or for as long as the next piece takes.
const KEPT: Duration = Duration::from_millis(100);

/// Lets so many bytes a second pass, in whatever pieces they come. Clones share the rate.
#[derive(Clone)]
pub struct Pacer {
    clock: Arc<dyn Clock>,
    /// Bytes a second, above zero.
    rate: u64,
    /// When, on the clock, the allowance for what has passed so far is used up.
    paid: Arc<Mutex<Duration>>,
}

impl fmt::Debug for Pacer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pacer({} bytes a second)", self.rate)
    }
}

impl Pacer {
    /// A rate in bytes a second; zero counts as one. Waits on `clock`.
    pub fn new(clock: Arc<dyn Clock>, bytes_per_second: u64) -> Pacer {
        Pacer {
            paid: Arc::new(Mutex::new(clock.monotonic())),
            clock,
            rate: bytes_per_second.max(1),
        }
    }

    /// Waits until `bytes` more may pass. Right after a pause they may at once, and what comes next
    /// pays for it.
    pub(crate) async fn pass(&self, bytes: usize) {
        let now = self.clock.monotonic();
        let cost = Duration::from_secs_f64(bytes as f64 / self.rate as f64);
        let wait = {
            let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
            let from = (*paid).max(now.saturating_sub(KEPT.max(cost)));
            *paid = from.saturating_add(cost);
            paid.saturating_sub(now)
        };
        if !wait.is_zero() {
            self.clock.sleep(wait).await;
        }
    }

    /// How much passes in a tenth of a second, within limits.
    #[cfg(feature = "sftp")]
    pub(crate) fn piece(&self, least: usize, most: usize) -> usize {
        usize::try_from(self.rate / 10)
            .unwrap_or(most)
            .clamp(least, most)
    }
}

#[cfg(test)]
mod tests {
    use elpis_run::VirtualClock;
    use jiff::Timestamp;

    use super::*;

    fn clock() -> Arc<VirtualClock> {
        Arc::new(VirtualClock::new(Timestamp::UNIX_EPOCH))
    }

    #[tokio::test]
    async fn the_rate_holds_over_time_and_over_clones() {
        let clock = clock();
        let pacer = Pacer::new(clock.clone(), 1_000_000);
        for _ in 0..50 {
            pacer.pass(100_000).await;
            pacer.clone().pass(100_000).await;
        }
        let took = clock.monotonic();
        assert!(took >= Duration::from_millis(9_850), "{took:?}");
        assert!(took <= Duration::from_millis(10_000), "{took:?}");
    }

    #[tokio::test]
    async fn what_a_piece_takes_by_itself_counts_and_a_long_pause_does_not() {
        let clock = clock();
        let pacer = Pacer::new(clock.clone(), 1_000_000);
        clock.advance(Duration::from_secs(3_600));
        let begun = clock.monotonic();
        for _ in 0..10 {
            pacer.pass(8_000_000).await;
            // On its way for half of the time that it may take.
            clock.advance(Duration::from_secs(4));
        }
        let took = clock.monotonic() - begun;
        assert_eq!(took, Duration::from_secs(9 * 8 + 4));
    }
}
