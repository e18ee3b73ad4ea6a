//! The throttle of a dump: it reads, so it can only wait or give up.

use std::time::Duration;

use elpis_run::{ChunkTiming, Load, Pace, Throttle};

/// How long to wait before looking at the load again.
const RETRY: Duration = Duration::from_millis(500);

/// The load beside which a dump goes on. The default has no limits.
///
/// While it waits, the dump keeps its snapshot, and the server keeps every row version since:
/// [`max_history_list`](Self::max_history_list) ends a dump rather than hold it, because waiting
/// would make the list longer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DumpLimits {
    /// The dump waits while a replica is further behind, does not replicate or does not answer.
    /// Replicas are only looked at if the probe knows some.
    pub max_replica_lag: Duration,
    /// It waits while more statements than that are running, its own left out.
    pub max_threads_running: Option<u32>,
    /// It ends when more statements than that are running, its own left out.
    pub critical_threads_running: Option<u32>,
    /// It ends when InnoDB keeps more old row versions than that.
    pub max_history_list: Option<u64>,
}

impl Throttle for DumpLimits {
    fn pace(&mut self, _last: Option<&ChunkTiming>, load: &Load) -> Pace {
        let running = |limit| above(load.threads_running, limit);
        if let Some((running, limit)) = running(self.critical_threads_running) {
            let why = format!("{running} statements are running > critical limit {limit}");
            return Pace::Stop { why };
        }
        if let Some((length, limit)) = above(load.history_list, self.max_history_list) {
            let why = format!("InnoDB's history list is {length} long > {limit}");
            return Pace::Stop { why };
        }
        let behind = load.lagging(self.max_replica_lag);
        let busy = || {
            let (running, limit) = running(self.max_threads_running)?;
            Some(format!("{running} statements are running > {limit}"))
        };
        match behind.or_else(busy) {
            Some(why) => Pace::Hold {
                retry_after: RETRY,
                why,
            },
            None => Pace::Go {
                rows: u64::MAX,
                pause: Duration::ZERO,
            },
        }
    }
}

fn above<T: PartialOrd + Copy>(value: Option<T>, limit: Option<T>) -> Option<(T, T)> {
    value.zip(limit).filter(|(value, limit)| value > limit)
}

#[cfg(test)]
mod tests {
    use elpis_run::{ReplicaLag, ReplicaState};

    use super::*;

    fn pace(limits: &DumpLimits, load: &Load) -> String {
        match limits.clone().pace(None, load) {
            Pace::Go { .. } => "go".to_owned(),
            Pace::Hold { why, .. } => format!("hold: {why}"),
            Pace::Stop { why } => format!("stop: {why}"),
        }
    }

    #[test]
    fn load_holds_and_what_waiting_makes_worse_ends() {
        let limits = DumpLimits {
            max_replica_lag: Duration::from_secs(5),
            max_threads_running: Some(10),
            critical_threads_running: Some(100),
            max_history_list: Some(1_000),
        };
        let threads = |threads| Load {
            threads_running: Some(threads),
            ..Load::default()
        };
        assert_eq!(pace(&limits, &threads(10)), "go");
        assert_eq!(
            pace(&limits, &threads(11)),
            "hold: 11 statements are running > 10"
        );
        assert!(pace(&limits, &threads(101)).starts_with("stop: 101"));
        let history = Load {
            history_list: Some(1_001),
            ..Load::default()
        };
        assert!(pace(&limits, &history).starts_with("stop: InnoDB's history list"));
        let lag = |seconds| Load {
            replicas: vec![ReplicaLag {
                name: "db2".to_owned(),
                state: ReplicaState::Behind(Duration::from_secs(seconds)),
            }],
            ..Load::default()
        };
        assert_eq!(pace(&limits, &lag(5)), "go");
        assert_eq!(
            pace(&limits, &lag(7)),
            "hold: replica db2 lags 7.0 s > 5.0 s"
        );
    }

    #[test]
    fn what_is_not_known_or_not_limited_is_no_reason() {
        let limits = DumpLimits {
            max_threads_running: Some(1),
            max_history_list: Some(1),
            ..DumpLimits::default()
        };
        assert_eq!(pace(&limits, &Load::default()), "go");
        let load = Load {
            threads_running: Some(1_000),
            history_list: Some(1_000_000),
            ..Load::default()
        };
        assert_eq!(pace(&DumpLimits::default(), &load), "go");
    }
}
