//! Between two chunks: may the next one begin, how large is it, and what does the run wait for.

use std::time::Duration;

use elpis_run::{ChunkTiming, Clock, Load, Pace, StopToken, Throttle};

use crate::Limits;
use crate::report::Ended;
use crate::store::{Store, StoreError};

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
}

/// What comes next.
pub(crate) enum Turn {
    /// A chunk of at most so many rows. `paused` and `waited` have passed since the last one.
    Go {
        rows: u64,
        paused: Duration,
        waited: Duration,
    },
    /// The end of the run.
    End(Ended),
}

/// Told while a run waits for the server.
pub(crate) enum Wait<'a> {
    For(&'a str),
    Over(Duration),
}

/// What lets a run go on or ends it.
pub(crate) struct Reins<'a> {
    pub(crate) throttle: &'a mut dyn Throttle,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) stop: &'a StopToken,
}

impl Pacer {
    pub(crate) fn new(limits: Limits, clock: &dyn Clock) -> Pacer {
        Pacer {
            overslept: Duration::ZERO,
            load: None,
            deadline: limits.max_time.map(|limit| clock.monotonic() + limit),
            rows_left: limits.max_rows,
        }
    }

    /// So many rows are gone.
    pub(crate) fn spend(&mut self, rows: u64) {
        self.rows_left = self.rows_left.map(|left| left - rows.min(left));
    }

    /// Decides whether the next chunk may begin, and waits until it may.
    pub(crate) async fn turn<S: Store>(
        &mut self,
        reins: Reins<'_>,
        store: &mut S,
        last: Option<&ChunkTiming>,
        hear: &mut (dyn FnMut(Wait<'_>) + Send),
    ) -> Result<Turn, StoreError> {
        let Reins {
            throttle,
            clock,
            stop,
        } = reins;
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
            match throttle.pace(last.take(), &load) {
                Pace::Go { rows, pause } => {
                    let mut waited = Duration::ZERO;
                    if let Some((since, _)) = waiting {
                        waited = clock.monotonic().saturating_sub(since);
                        hear(Wait::Over(waited));
                    }
                    let begun = clock.monotonic();
                    let wanted = pause.saturating_sub(self.overslept);
                    if stop.sleep(clock, wanted).await.is_err() {
                        return Ok(Turn::End(Ended::Interrupted));
                    }
                    let paused = clock.monotonic().saturating_sub(begun);
                    self.overslept = (self.overslept + paused).saturating_sub(pause);
                    // The pause may have used up the rest of the time.
                    if let Some(ended) = self.limit_reached(clock.monotonic()) {
                        return Ok(Turn::End(ended));
                    }
                    let rows = rows.min(self.rows_left.unwrap_or(u64::MAX)).max(1);
                    return Ok(Turn::Go {
                        rows,
                        paused,
                        waited,
                    });
                }
                Pace::Hold { retry_after, why } => {
                    if waiting.as_ref().is_none_or(|(_, before)| *before != why) {
                        hear(Wait::For(&why));
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
