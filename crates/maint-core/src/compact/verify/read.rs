//! Reading a sample in bounded pieces.

use std::time::Duration;

use elpis_run::Clock;

use super::account::Known;
use super::{DAY_S, POINTS, Stretch, WINDOWS};
use crate::chart::Point;
use crate::compact::{CompactTask, Span};
use crate::store::{BucketRollup, SeriesStore, StoreError};

/// Rows of one statement.
pub(super) const PIECE: usize = 2_000;

/// Reads until it has enough, or its time is over.
pub(super) struct Reader<'a, S> {
    pub(super) store: &'a mut S,
    pub(super) clock: &'a dyn Clock,
    /// On the monotonic clock.
    pub(super) until: Option<Duration>,
}

impl<S: SeriesStore> Reader<'_, S> {
    pub(super) fn is_over(&self) -> bool {
        self.until
            .is_some_and(|until| self.clock.monotonic() >= until)
    }

    /// The rows of the windows that end at `end`, the longest that fit into the bounds; `None` if
    /// none does.
    pub(super) async fn stretch(
        &mut self,
        task: &CompactTask,
        series: i64,
        end: i64,
    ) -> Result<Option<Stretch>, StoreError> {
        let mut stretch: Option<Stretch> = None;
        let day = DAY_S * task.per_second;
        for days in WINDOWS {
            // A day more, for what stands when the window begins.
            let from = task.bucket_start(end - (days + 1) * day).max(0);
            let read = stretch
                .as_ref()
                .map_or(0, |stretch| stretch.known.points.len());
            let to = stretch
                .as_ref()
                .map_or(end + 1, |stretch| stretch.span.from);
            let span = Span {
                from: from.min(to),
                to,
            };
            let Some(more) = self.points(task, series, span, POINTS - read).await? else {
                break;
            };
            let stretch = stretch.get_or_insert_with(|| Stretch {
                series,
                span,
                end,
                windows: Vec::new(),
                known: Known::default(),
            });
            stretch.span.from = span.from;
            stretch.windows.push(days * day);
            stretch.known.points.splice(0..0, more);
        }
        if let Some(read) = stretch.as_mut().filter(|_| task.rollup) {
            match self.rollups(task, series, read.span, POINTS).await? {
                Some(rollups) => read.known.rollups = rollups,
                None => return Ok(None),
            }
        }
        Ok(stretch)
    }

    /// The rows of a span and its rollups; `None` if there are more than `limit` or time is over.
    pub(super) async fn known(
        &mut self,
        task: &CompactTask,
        series: i64,
        span: Span,
        limit: usize,
    ) -> Result<Option<Known>, StoreError> {
        let Some(points) = self.points(task, series, span, limit).await? else {
            return Ok(None);
        };
        let rollups = if task.rollup {
            self.rollups(task, series, span, limit).await?
        } else {
            Some(Vec::new())
        };
        Ok(rollups.map(|rollups| Known { points, rollups }))
    }

    pub(super) async fn points(
        &mut self,
        task: &CompactTask,
        series: i64,
        span: Span,
        limit: usize,
    ) -> Result<Option<Vec<Point>>, StoreError> {
        let (mut points, mut rest) = (Vec::new(), span);
        while !self.is_over() {
            let piece = self.store.points(task, series, rest, PIECE as u64).await?;
            let last = piece
                .last()
                .filter(|_| piece.len() >= PIECE)
                .map(|(at, _)| *at);
            // Of the last time there may be more rows than these.
            let whole = |point: &Point| last.is_none_or(|last| point.0 < last);
            points.extend(piece.into_iter().filter(whole));
            if points.len() > limit {
                break;
            }
            match last {
                None => return Ok(Some(points)),
                Some(last) if last > rest.from => rest.from = last,
                Some(_) => break,
            }
        }
        Ok(None)
    }

    pub(super) async fn rollups(
        &mut self,
        task: &CompactTask,
        series: i64,
        span: Span,
        limit: usize,
    ) -> Result<Option<Vec<BucketRollup>>, StoreError> {
        // A longer bucket may begin before the span.
        let mut rest = Span {
            from: longest_start(task, span.from),
            to: span.to,
        };
        let mut rollups: Vec<BucketRollup> = Vec::new();
        while !self.is_over() && rollups.len() <= limit {
            let piece = self.store.rollups(task, series, rest, PIECE as u64).await?;
            let last = piece
                .last()
                .filter(|_| piece.len() >= PIECE)
                .map(|last| last.bucket);
            let whole = |rollup: &BucketRollup| last.is_none_or(|last| rollup.bucket < last);
            rollups.extend(piece.into_iter().filter(whole));
            match last {
                None => return Ok(Some(rollups)),
                Some(last) => rest.from = last,
            }
        }
        Ok(None)
    }
}

/// The beginning of the longest bucket of any tier that holds `time`.
pub(super) fn longest_start(task: &CompactTask, time: i64) -> i64 {
    let longest = task
        .levels
        .iter()
        .copied()
        .max()
        .unwrap_or(task.bucket)
        .max(1);
    time - time.rem_euclid(longest)
}

/// Where the windows of the `nth` series end: on bucket edges, spread over what is changed.
pub(super) fn end_of(task: &CompactTask, changed: Span, nth: usize, of: usize) -> i64 {
    let buckets = (changed.to - changed.from) / task.bucket;
    // The last of them first: a year before it is most of what there is.
    let back = i64::try_from(nth).unwrap_or(0) * buckets / i64::try_from(of.max(1)).unwrap_or(1);
    changed.to - back.min(buckets - 1).max(0) * task.bucket
}
