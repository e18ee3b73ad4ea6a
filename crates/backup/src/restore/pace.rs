//! How fast rows are put into tables that are in use.

use std::time::Duration;

use elpis_run::{ChunkTiming, Load, Pace, Throttle};
use serde::{Deserialize, Serialize};

/// The fewest rows of one transaction, and the most.
const ROWS: (u64, u64) = (200, 20_000);
/// How long to wait before looking at the load again.
const RETRY: Duration = Duration::from_millis(500);

/// How fast rows are put into tables that are in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FillPace {
    /// How long one transaction should take.
    pub target: Duration,
    /// How much of the time is spent on transactions, 1 to 100; the rest are pauses.
    pub busy_percent: u32,
    /// It waits while more statements than that are running.
    pub max_threads_running: Option<u32>,
}

impl Default for FillPace {
    /// Transactions of 100 ms, half of the time, whatever else is running.
    fn default() -> FillPace {
        FillPace {
            target: Duration::from_millis(100),
            busy_percent: 50,
            max_threads_running: None,
        }
    }
}

/// Chooses how many rows come next by how long the last ones took.
#[derive(Debug, Clone)]
pub(super) struct FillThrottle {
    pace: FillPace,
    rows: u64,
}

impl FillThrottle {
    pub(super) fn new(pace: &FillPace) -> FillThrottle {
        FillThrottle {
            pace: pace.clone(),
            rows: ROWS.0,
        }
    }

    /// Whether the load matters to it.
    pub(super) fn looks(&self) -> bool {
        self.pace.max_threads_running.is_some()
    }
}

impl Throttle for FillThrottle {
    fn pace(&mut self, last: Option<&ChunkTiming>, load: &Load) -> Pace {
        let limit = self.pace.max_threads_running;
        if let Some((running, limit)) = load.threads_running.zip(limit)
            && running > limit
        {
            let why = format!("{running} statements are running > {limit}");
            let retry_after = RETRY;
            return Pace::Hold { retry_after, why };
        }
        let mut pause = Duration::ZERO;
        if let Some(chunk) = last {
            let share = self.pace.target.as_secs_f64() / chunk.took.as_secs_f64().max(1e-6);
            // A slow one makes the next one small at once; growth goes by steps.
            let wanted = self.rows as f64 * share.min(2.0);
            self.rows = (wanted as u64).clamp(ROWS.0, ROWS.1);
            let busy = f64::from(self.pace.busy_percent.clamp(1, 100)) / 100.0;
            pause = chunk.took.mul_f64(1.0 / busy - 1.0);
        }
        Pace::Go {
            rows: self.rows,
            pause,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn go(throttle: &mut FillThrottle, took_ms: u64) -> (u64, Duration) {
        let chunk = ChunkTiming {
            asked: 1,
            examined: 1,
            changed: 1,
            took: Duration::from_millis(took_ms),
        };
        match throttle.pace(Some(&chunk), &Load::default()) {
            Pace::Go { rows, pause } => (rows, pause),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn chunks_follow_the_target_and_pauses_the_work() {
        let mut throttle = FillThrottle::new(&FillPace::default());
        let ms = Duration::from_millis;
        assert_eq!(go(&mut throttle, 10), (400, ms(10)));
        assert_eq!(go(&mut throttle, 100), (400, ms(100)));
        assert_eq!(go(&mut throttle, 160), (250, ms(160)));
        assert_eq!(go(&mut throttle, 9000).0, 200);
        for _ in 0..20 {
            go(&mut throttle, 1);
        }
        assert_eq!(go(&mut throttle, 1).0, 20_000);
    }

    #[test]
    fn it_waits_for_a_busy_server() {
        let mut throttle = FillThrottle::new(&FillPace {
            max_threads_running: Some(5),
            ..FillPace::default()
        });
        let load = |running| Load {
            threads_running: Some(running),
            ..Load::default()
        };
        assert!(matches!(throttle.pace(None, &load(6)), Pace::Hold { .. }));
        assert!(matches!(throttle.pace(None, &load(5)), Pace::Go { .. }));
    }
}
