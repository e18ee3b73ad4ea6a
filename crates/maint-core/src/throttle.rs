//! The adaptive throttle: chunks of a constant duration, pauses in proportion, and limits on load.
//!
//! Chunk sizes follow an exponential average of the measured rate, so that a chunk takes about
//! the target time whatever the server is busy with. The pause after a chunk is a share of what
//! the chunk took: a slow server is left alone longer. `docs/throttling.md` has the figures.

use std::time::Duration;

use elpis_run::{ChunkTiming, Load, Pace, Throttle};

use crate::ThrottleRules;

/// How much the newest chunk counts in the average. A tenfold slowdown shows in three chunks.
const WEIGHT: f64 = 0.5;
/// The most by which one chunk may be larger than the one before.
const MAX_GROWTH: f64 = 2.0;
/// How long to wait before looking at the load again.
const RETRY: Duration = Duration::from_millis(500);

/// Chooses chunk sizes by measured latency, and waits while the server or a replica is behind.
#[derive(Debug, Clone)]
pub struct AdaptiveThrottle {
    rules: ThrottleRules,
    /// Rows a second, averaged.
    rate: Option<f64>,
    rows: u64,
}

impl AdaptiveThrottle {
    /// A throttle with these limits, beginning with the smallest chunk.
    pub fn new(rules: ThrottleRules) -> AdaptiveThrottle {
        AdaptiveThrottle {
            rows: rules.min_rows,
            rate: None,
            rules,
        }
    }

    fn learn(&mut self, chunk: &ChunkTiming) -> Duration {
        let work = chunk.examined.max(chunk.changed);
        let seconds = chunk.took.as_secs_f64().max(1e-6);
        // A chunk that found little to do says nothing of the rate of a full one.
        if work * 2 >= chunk.asked.min(self.rules.min_rows) && work > 0 {
            let measured = work as f64 / seconds;
            let rate = self
                .rate
                .map_or(measured, |old| old + WEIGHT * (measured - old));
            self.rate = Some(rate);
            let wanted = rate * self.rules.target.as_secs_f64();
            let wanted = wanted.min(self.rows as f64 * MAX_GROWTH) as u64;
            self.rows = wanted.clamp(self.rules.min_rows, self.rules.max_rows);
        }
        chunk.took.mul_f64(1.0 / self.rules.duty - 1.0)
    }

    fn hold(&self, load: &Load) -> Option<String> {
        if let Some(why) = load.lagging(self.rules.max_replica_lag) {
            return Some(why);
        }
        if let Some((running, limit)) = above(load.threads_running, self.rules.max_threads_running)
        {
            return Some(format!("{running} statements are running > {limit}"));
        }
        if let Some((length, limit)) = above(load.history_list, self.rules.max_history_list) {
            return Some(format!("InnoDB's history list is {length} long > {limit}"));
        }
        None
    }
}

fn above<T: PartialOrd + Copy>(value: Option<T>, limit: Option<T>) -> Option<(T, T)> {
    value.zip(limit).filter(|(value, limit)| value > limit)
}

impl Throttle for AdaptiveThrottle {
    fn pace(&mut self, last: Option<&ChunkTiming>, load: &Load) -> Pace {
        let pause = last.map_or(Duration::ZERO, |chunk| self.learn(chunk));
        if let Some((running, limit)) =
            above(load.threads_running, self.rules.critical_threads_running)
        {
            let why = format!("{running} statements are running > critical limit {limit}");
            return Pace::Stop { why };
        }
        match self.hold(load) {
            Some(why) => Pace::Hold {
                retry_after: RETRY,
                why,
            },
            None => Pace::Go {
                rows: self.rows,
                pause,
            },
        }
    }
}

/// No throttle: large chunks, one after the other, whatever the load. Even so nobody waits long
/// behind one: chunks of more than 10,000 rows are as large as about 0.4 s allow.
#[derive(Debug, Clone, Copy)]
pub struct Unthrottled {
    /// The most rows of a chunk.
    pub rows: u64,
}

/// How long one chunk without throttle may take.
const LONG: Duration = Duration::from_millis(400);
/// A chunk without throttle that is never too large.
const MODEST: u64 = 10_000;

impl Unthrottled {
    /// What fits, by the rate of the chunk before; modest before anything was measured.
    fn fitting(&self, last: Option<&ChunkTiming>) -> u64 {
        let modest = self.rows.min(MODEST);
        let Some(chunk) = last else { return modest };
        let work = chunk.examined.max(chunk.changed);
        let seconds = chunk.took.as_secs_f64().max(1e-6);
        let fits = (work as f64 / seconds * LONG.as_secs_f64()) as u64;
        fits.clamp(modest, self.rows)
    }
}

impl Default for Unthrottled {
    /// 50,000 rows: measured on InnoDB, the larger of two sizes is the quicker one up to here.
    fn default() -> Self {
        Unthrottled { rows: 50_000 }
    }
}

impl Throttle for Unthrottled {
    fn pace(&mut self, last: Option<&ChunkTiming>, _load: &Load) -> Pace {
        Pace::Go {
            rows: self.fitting(last),
            pause: Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use elpis_run::{ReplicaLag, ReplicaState};

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Feeds `chunks` chunks at a constant number of rows a second; the last pace.
    fn feed(throttle: &mut AdaptiveThrottle, rate: f64, chunks: usize) -> (u64, Duration) {
        let mut rows = match throttle.pace(None, &Load::default()) {
            Pace::Go { rows, .. } => rows,
            other => panic!("{other:?}"),
        };
        let mut last = (rows, Duration::ZERO);
        for _ in 0..chunks {
            let took = Duration::from_secs_f64(rows as f64 / rate);
            let timing = ChunkTiming {
                asked: rows,
                examined: rows,
                changed: rows,
                took,
            };
            match throttle.pace(Some(&timing), &Load::default()) {
                Pace::Go { rows: next, pause } => (rows, last) = (next, (next, pause)),
                other => panic!("{other:?}"),
            }
        }
        last
    }

    fn rules() -> ThrottleRules {
        ThrottleRules {
            target: ms(10),
            min_rows: 50,
            max_rows: 10_000,
            duty: 0.5,
            ..Default::default()
        }
    }

    #[test]
    fn chunks_take_the_target_time() {
        let mut throttle = AdaptiveThrottle::new(rules());
        let (rows, pause) = feed(&mut throttle, 100_000.0, 20);
        assert_eq!(rows, 1000);
        assert_eq!(pause.as_millis(), 10, "duty 0.5: as long as the chunk");
    }

    #[test]
    fn a_tenfold_slowdown_shrinks_within_three_chunks_and_grows_back() {
        let mut throttle = AdaptiveThrottle::new(rules());
        feed(&mut throttle, 100_000.0, 20);
        let (rows, _) = feed(&mut throttle, 10_000.0, 3);
        assert!(rows < 300, "{rows}");
        let (rows, _) = feed(&mut throttle, 100_000.0, 12);
        assert!(rows > 900, "{rows}");
    }

    #[test]
    fn sizes_stay_within_their_bounds() {
        let mut throttle = AdaptiveThrottle::new(rules());
        assert_eq!(feed(&mut throttle, 1e9, 40).0, 10_000);
        assert_eq!(feed(&mut throttle, 10.0, 40).0, 50);
    }

    #[test]
    fn load_holds_or_stops_and_says_why() {
        let mut throttle = AdaptiveThrottle::new(rules());
        let load = |state| Load {
            replicas: vec![ReplicaLag {
                name: "db2".to_owned(),
                state,
            }],
            ..Load::default()
        };
        let why = |pace| match pace {
            Pace::Hold { why, .. } | Pace::Stop { why } => why,
            Pace::Go { .. } => String::new(),
        };
        let lag = throttle.pace(None, &load(ReplicaState::Behind(ms(7200))));
        assert_eq!(why(lag), "replica db2 lags 7.2 s > 5.0 s");
        assert_eq!(
            why(throttle.pace(None, &load(ReplicaState::Behind(ms(4000))))),
            ""
        );
        let stopped = ReplicaState::NotReplicating {
            reason: "SQL thread stopped".to_owned(),
        };
        assert!(why(throttle.pace(None, &load(stopped))).contains("SQL thread stopped"));
        let busy = Load {
            threads_running: Some(26),
            ..Load::default()
        };
        assert_eq!(
            why(throttle.pace(None, &busy)),
            "26 statements are running > 25"
        );
        let critical = Load {
            threads_running: Some(101),
            ..Load::default()
        };
        assert!(matches!(throttle.pace(None, &critical), Pace::Stop { .. }));
        let behind = Load {
            history_list: Some(1_000_001),
            ..Load::default()
        };
        assert!(why(throttle.pace(None, &behind)).contains("history list"));
    }

    #[test]
    fn without_throttle_chunks_are_large_but_never_take_long() {
        let idle = Load::default();
        let mut throttle = Unthrottled::default();
        let rows = |pace: Pace| match pace {
            Pace::Go { rows, pause } => {
                assert_eq!(pause, Duration::ZERO);
                rows
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(rows(throttle.pace(None, &idle)), 10_000);
        let after = |changed: u64, took: Duration| ChunkTiming {
            asked: changed,
            examined: 0,
            changed,
            took,
        };
        let quick = after(10_000, ms(50));
        assert_eq!(rows(throttle.pace(Some(&quick), &idle)), 50_000);
        let slow = after(50_000, ms(800));
        assert_eq!(rows(throttle.pace(Some(&slow), &idle)), 25_000);
        let crawling = after(10_000, ms(9000));
        assert_eq!(rows(throttle.pace(Some(&crawling), &idle)), 10_000);
        let mut small = Unthrottled { rows: 500 };
        assert_eq!(rows(small.pace(Some(&crawling), &idle)), 500);
    }
}
