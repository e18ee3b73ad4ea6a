//! Between two chunks: may the next one begin, how large is it, and what does the run wait for.

use std::time::Duration;

use elpis_run::{ChunkTiming, Clock, Load, Pace};

use crate::report::Ended;
use crate::store::{Store, StoreError};
use crate::{Limits, Run};

/// How often the load is looked at.
const LOAD_INTERVAL: Duration = Duration::from_secs(1);

/// What a run carries from chunk to chunk, whatever it works on.
pub(crate) struct Pacer {
    /// By how much pauses were longer than asked for: timers are coarse, and a pause of a
    /// millisecond may take two. The next one makes up for it.
    overslept: Duration,
    load: Option<(Duration, Load)>,
    deadline: Option<Duration>,
    rows_left: Option<u64>,
    idle: Idle,
}

/// What comes next.
pub(crate) enum Turn {
    /// A chunk of at most so many rows, after a pause of so long.
    Go { rows: u64, paused: Duration },
    /// The end of the run.
    End(Ended),
}

/// Time in which a run did nothing.
#[derive(Debug, Default)]
pub(crate) struct Idle {
    /// For the throttle's pauses.
    pub(crate) paused: Duration,
    /// For the server or a replica.
    pub(crate) waited: Duration,
}

/// Events that tell of waiting.
pub(crate) trait Waits {
    /// The run waits with its work at `place`, for this reason.
    fn waiting(place: String, why: String) -> Self;

    /// It goes on after so many seconds.
    fn resumed(place: String, waited_s: f64) -> Self;
}

impl Pacer {
    pub(crate) fn new(limits: Limits, clock: &dyn Clock) -> Pacer {
        Pacer {
            overslept: Duration::ZERO,
            load: None,
            deadline: limits.max_time.map(|limit| clock.monotonic() + limit),
            rows_left: limits.max_rows,
            idle: Idle::default(),
        }
    }

    /// So many rows are gone.
    pub(crate) fn spend(&mut self, rows: u64) {
        self.rows_left = self.rows_left.map(|left| left - rows.min(left));
    }

    /// The pauses and waits since this was asked last: those of one table, if it is asked at its
    /// end.
    pub(crate) fn idle(&mut self) -> Idle {
        std::mem::take(&mut self.idle)
    }

    /// Decides whether the next chunk at `place` may begin, waits until it may, and tells.
    pub(crate) async fn turn<S: Store, E: Waits>(
        &mut self,
        run: &mut Run<'_, E>,
        store: &mut S,
        last: Option<&ChunkTiming>,
        place: &str,
    ) -> Result<Turn, StoreError> {
        let (clock, stop) = (run.clock, run.stop);
        let mut last = last;
        let mut waiting: Option<(Duration, String)> = None;
        loop {
            let now = clock.monotonic();
            if stop.is_stopped() {
                return Ok(Turn::End(Ended::Interrupted));
            }
            if let Some(ended) = self.limit_reached(now) {
                return Ok(Turn::End(ended));
            }
            let load = match &self.load {
                Some((at, load)) if now < *at + LOAD_INTERVAL => load.clone(),
                _ => {
                    let load = store.load().await?;
                    self.load = Some((now, load.clone()));
                    load
                }
            };
            match run.throttle.pace(last.take(), &load) {
                Pace::Go { rows, pause } => {
                    if let Some((since, _)) = waiting {
                        let waited = run.since(since);
                        self.idle.waited += waited;
                        let resumed = E::resumed(place.to_owned(), waited.as_secs_f64());
                        run.observer.on(&resumed);
                    }
                    let begun = clock.monotonic();
                    let wanted = pause.saturating_sub(self.overslept);
                    if stop.sleep(clock, wanted).await.is_err() {
                        return Ok(Turn::End(Ended::Interrupted));
                    }
                    let paused = run.since(begun);
                    self.overslept = (self.overslept + paused).saturating_sub(pause);
                    // The pause may have used up the rest of the time.
                    if let Some(ended) = self.limit_reached(clock.monotonic()) {
                        return Ok(Turn::End(ended));
                    }
                    self.idle.paused += paused;
                    let rows = rows.min(self.rows_left.unwrap_or(u64::MAX)).max(1);
                    return Ok(Turn::Go { rows, paused });
                }
                Pace::Hold { retry_after, why } => {
                    if waiting.as_ref().is_none_or(|(_, before)| *before != why) {
                        run.observer.on(&E::waiting(place.to_owned(), why.clone()));
                    }
                    let since = waiting.map_or(now, |(since, _)| since);
                    waiting = Some((since, why));
                    if stop.sleep(clock, retry_after).await.is_err() {
                        return Ok(Turn::End(Ended::Interrupted));
                    }
                    self.load = None;
                }
                Pace::Stop { why } => return Ok(Turn::End(Ended::Critical { why })),
            }
        }
    }

    fn limit_reached(&self, now: Duration) -> Option<Ended> {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            return Some(Ended::Limit {
                why: "the time limit of this run was reached".to_owned(),
            });
        }
        if self.rows_left == Some(0) {
            return Some(Ended::Limit {
                why: "the row limit of this run was reached".to_owned(),
            });
        }
        None
    }
}
