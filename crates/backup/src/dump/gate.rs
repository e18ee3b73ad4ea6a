//! What all readers of a dump obey: its end, its pauses and its rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use elpis_run::Clock;
use tokio::sync::watch;

use super::error::DumpError;
use crate::pacer::Pacer;

/// Why a dump ends before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Stopped,
    Deadline(Duration),
    Throttled(String),
    /// Somebody has the error that says more.
    Failed,
}

impl End {
    pub(super) fn into_error(self) -> DumpError {
        match self {
            Self::Stopped => DumpError::Stopped,
            Self::Deadline(after) => DumpError::Deadline { after },
            Self::Throttled(why) => DumpError::Throttled { why },
            Self::Failed => DumpError::Reader {
                reason: "another reader failed".to_owned(),
            },
        }
    }
}

pub(super) struct Gate {
    end: watch::Sender<Option<End>>,
    held: watch::Sender<bool>,
    pacer: Option<Pacer>,
    rows: AtomicU64,
}

impl Gate {
    pub(super) fn new(clock: Arc<dyn Clock>, rate: Option<u64>) -> Self {
        Self {
            end: watch::Sender::new(None),
            held: watch::Sender::new(false),
            pacer: rate.map(|rate| Pacer::new(clock, rate)),
            rows: AtomicU64::new(0),
        }
    }

    /// Ends the dump. The first reason stays.
    pub(super) fn end(&self, end: End) {
        self.end.send_if_modified(|known| {
            let first = known.is_none();
            known.get_or_insert(end);
            first
        });
    }

    /// Waits until the dump is to end.
    pub(super) async fn ended(&self) -> End {
        let mut end = self.end.subscribe();
        // It only fails when the sender is gone, and `self` has it.
        let found = end.wait_for(Option::is_some).await;
        found
            .ok()
            .and_then(|end| end.clone())
            .unwrap_or(End::Failed)
    }

    pub(super) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// Rows since the last call.
    pub(super) fn take_rows(&self) -> u64 {
        self.rows.swap(0, Ordering::Relaxed)
    }

    pub(super) fn count_rows(&self, rows: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// Waits until `bytes` more may pass.
    pub(super) async fn pass(&self, bytes: usize) -> Result<(), DumpError> {
        tokio::select! {
            biased;
            end = self.ended() => Err(end.into_error()),
            () = self.allowed(bytes) => Ok(()),
        }
    }

    async fn allowed(&self, bytes: usize) {
        if *self.held.borrow() {
            let mut held = self.held.subscribe();
            // As above.
            let _ = held.wait_for(|held| !held).await;
        }
        if let Some(pacer) = &self.pacer {
            pacer.pass(bytes).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use elpis_run::VirtualClock;
    use jiff::Timestamp;

    #[tokio::test]
    async fn the_rate_holds_over_time() {
        let clock = Arc::new(VirtualClock::new(Timestamp::UNIX_EPOCH));
        let gate = Gate::new(clock.clone(), Some(1_000_000));
        for _ in 0..100 {
            gate.pass(100_000).await.unwrap();
        }
        let took = clock.monotonic();
        assert!(took >= Duration::from_millis(9_850), "{took:?}");
        assert!(took <= Duration::from_millis(10_000), "{took:?}");
    }

    #[tokio::test]
    async fn the_first_end_stays_and_passes_nobody() {
        let gate = Gate::new(Arc::new(VirtualClock::new(Timestamp::UNIX_EPOCH)), None);
        gate.pass(1).await.unwrap();
        gate.end(End::Stopped);
        gate.end(End::Failed);
        assert_eq!(gate.ended().await, End::Stopped);
        assert!(matches!(gate.pass(1).await, Err(DumpError::Stopped)));
    }
}
