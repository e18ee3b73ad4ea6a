//! Time as a value that can be handed in, so that a test of a week's pauses takes no time.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Where an engine gets its time from and how it waits.
pub trait Clock: Send + Sync {
    /// The wall clock. It may jump either way; never measure with it.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment in the past; never goes backwards. Only differences mean
    /// anything.
    fn monotonic(&self) -> Duration;

    /// Waits for `duration`. Dropping the future ends the wait.
    /// Use [`StopToken::sleep`](crate::StopToken::sleep) where a stop should end it.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The machine's clocks. [`sleep`](Clock::sleep) needs a tokio runtime with its timer enabled.
#[derive(Debug, Clone)]
pub struct RealClock {
    origin: Instant,
}

impl RealClock {
    /// A clock whose monotonic time starts at zero now.
    pub fn new() -> RealClock {
        RealClock {
            origin: Instant::now(),
        }
    }
}

impl Default for RealClock {
    fn default() -> RealClock {
        RealClock::new()
    }
}

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock that stands still until somebody sleeps or [`advance`](VirtualClock::advance)s it.
///
/// A sleep moves it forward at once and yields to the other tasks, so tasks that sleep side by
/// side add their pauses up instead of sharing them.
#[derive(Debug)]
pub struct VirtualClock {
    start: Timestamp,
    /// Nanoseconds since `start`: 584 years.
    elapsed: AtomicU64,
}

impl VirtualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> VirtualClock {
        VirtualClock {
            start,
            elapsed: AtomicU64::new(0),
        }
    }

    /// Moves the clock forward. It stops at 584 years after its start.
    pub fn advance(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let mut seen = self.elapsed.load(Ordering::SeqCst);
        while let Err(newer) = self.elapsed.compare_exchange(
            seen,
            seen.saturating_add(nanos),
            Ordering::SeqCst,
            Ordering::SeqCst,
        ) {
            seen = newer;
        }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.start
            .checked_add(self.monotonic())
            .unwrap_or(Timestamp::MAX)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.elapsed.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            self.advance(duration);
            tokio::task::yield_now().await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_virtual_week_passes_at_once_on_both_clocks() {
        let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let clock = VirtualClock::new(start);
        let real = Instant::now();
        clock.sleep(Duration::from_secs(7 * 86_400)).await;
        clock.advance(Duration::from_millis(5));
        assert_eq!(clock.now().to_string(), "2026-03-08T00:00:00.005Z");
        assert_eq!(clock.monotonic(), Duration::from_millis(604_800_005));
        assert!(real.elapsed() < Duration::from_secs(60));
    }

    #[tokio::test]
    async fn a_virtual_sleep_that_is_never_awaited_takes_no_time() {
        let clock = VirtualClock::new(Timestamp::UNIX_EPOCH);
        drop(clock.sleep(Duration::from_secs(1)));
        assert_eq!(clock.monotonic(), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_virtual_sleep_lets_the_other_tasks_run() {
        let clock = VirtualClock::new(Timestamp::UNIX_EPOCH);
        let told = AtomicU64::new(0);
        let (heard, ()) = tokio::join!(
            async {
                clock.sleep(Duration::from_secs(1)).await;
                told.load(Ordering::SeqCst)
            },
            async {
                told.store(1, Ordering::SeqCst);
            }
        );
        assert_eq!(heard, 1);
    }

    #[test]
    fn a_virtual_clock_stops_at_its_end_instead_of_wrapping() {
        let clock = VirtualClock::new(Timestamp::MAX);
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        assert_eq!(clock.monotonic(), Duration::from_nanos(u64::MAX));
        assert_eq!(clock.now(), Timestamp::MAX);
    }

    #[tokio::test]
    async fn the_real_clock_waits_at_least_as_long_as_asked() {
        let clock = RealClock::new();
        let before = clock.monotonic();
        clock.sleep(Duration::from_millis(20)).await;
        assert!(clock.monotonic() - before >= Duration::from_millis(20));
    }
}
