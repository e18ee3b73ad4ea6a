//! The words between an engine that works in chunks and whoever decides how fast it may.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// What the last chunk asked for and cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkTiming {
    /// Rows the chunk was allowed, as the last [`Pace::Go`] said.
    pub asked: u64,
    /// Rows looked at; may be more than were changed.
    pub examined: u64,
    /// Rows changed.
    pub changed: u64,
    /// From the chunk's first statement to the end of its commit.
    pub took: Duration,
}

/// How busy the database is. `None` and an empty list mean not known, not idle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Load {
    /// Statements running at this moment.
    pub threads_running: Option<u32>,
    /// Old row versions not yet purged by the engine.
    pub history_list: Option<u64>,
    /// The replicas that were named in the configuration, each with its state.
    pub replicas: Vec<ReplicaLag>,
}

impl Load {
    /// Why the first replica that is more than `limit` behind, does not replicate or does not
    /// answer is a reason to wait, for the operator.
    pub fn lagging(&self, limit: Duration) -> Option<String> {
        self.replicas.iter().find_map(|replica| {
            let name = &replica.name;
            match &replica.state {
                ReplicaState::Behind(lag) if *lag > limit => {
                    let (lag, limit) = (lag.as_secs_f64(), limit.as_secs_f64());
                    Some(format!("replica {name} lags {lag:.1} s > {limit:.1} s"))
                }
                ReplicaState::Behind(_) => None,
                ReplicaState::NotReplicating { reason } => {
                    Some(format!("replica {name} does not replicate: {reason}"))
                }
                ReplicaState::Unreachable { reason } => {
                    Some(format!("replica {name} cannot be reached: {reason}"))
                }
            }
        })
    }
}

/// One replica and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplicaLag {
    /// The name from the configuration.
    pub name: String,
    /// What it said, or that it did not answer.
    pub state: ReplicaState,
}

/// What is known of a replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaState {
    /// It replicates, and is this far behind (zero: up to date). Seconds when serialised.
    Behind(#[serde(serialize_with = "seconds")] Duration),
    /// It answers but does not replicate.
    NotReplicating {
        /// Why, in the replica's words.
        reason: String,
    },
    /// It does not answer.
    Unreachable {
        /// Why.
        reason: String,
    },
}

/// What the engine is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pace {
    /// Wait for `pause`, then change at most `rows` rows.
    Go {
        /// At least 1.
        rows: u64,
        /// Zero: go on at once.
        pause: Duration,
    },
    /// Change nothing; measure the load again after `retry_after` and ask again.
    Hold {
        /// How long to wait before asking again.
        retry_after: Duration,
        /// For the operator: `replica db2 lags 7.2 s > 5 s`.
        why: String,
    },
    /// End the run at this safe point.
    Stop {
        /// For the operator, as above.
        why: String,
    },
}

/// Decides after each chunk how large the next one is, how long to wait before it, and why.
///
/// It does no I/O and looks at no clock: the engine measures and waits.
pub trait Throttle: Send {
    /// The next step. `last` is `None` before the first chunk and after a [`Pace::Hold`].
    fn pace(&mut self, last: Option<&ChunkTiming>, load: &Load) -> Pace;
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_serialises_as_documented() {
        let replica = |name: &str, state| ReplicaLag {
            name: name.into(),
            state,
        };
        let load = Load {
            threads_running: Some(3),
            history_list: None,
            replicas: vec![
                replica("db2", ReplicaState::Behind(Duration::from_millis(7_200))),
                replica(
                    "db3",
                    ReplicaState::Unreachable {
                        reason: "refused".into(),
                    },
                ),
            ],
        };
        assert_eq!(
            serde_json::to_string(&load).unwrap(),
            r#"{"threads_running":3,"history_list":null,"replicas":[{"name":"db2","state":{"behind":7.2}},{"name":"db3","state":{"unreachable":{"reason":"refused"}}}]}"#
        );
    }
}
