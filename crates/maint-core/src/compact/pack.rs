//! Cutting what a survey found into chunks. Pure.

use std::collections::VecDeque;

use super::{CompactTask, Span};
use crate::Kind;
use crate::store::{Mark, Part, SeriesChunk, SeriesWork};

/// The most series of one chunk: they are named one by one in a statement.
pub(super) const MAX_SERIES: usize = 500;

/// The work that is left of a survey.
pub(super) struct Queue {
    slab: Span,
    bucket: i64,
    work: VecDeque<SeriesWork>,
    /// Whether the first series is done in part.
    parted: bool,
}

/// A chunk, how many rows it holds, and where the pass stands when it is done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) chunk: SeriesChunk,
    pub(super) rows: u64,
    pub(super) series_done: Option<i64>,
    pub(super) part: Option<Part>,
}

fn rows(work: &SeriesWork) -> u64 {
    work.buckets.iter().map(|(_, rows)| rows).sum()
}

fn sums(work: &SeriesWork) -> bool {
    work.kind == Kind::Delta
}

impl Queue {
    /// `mark` tells which part of the first series may be done already.
    pub(super) fn new(
        task: &CompactTask,
        slab: Span,
        series: Vec<SeriesWork>,
        mark: &Mark,
    ) -> Queue {
        let mut work = VecDeque::from(series);
        let mut parted = false;
        if let Some(part) = mark.part {
            if let Some(first) = work.iter_mut().find(|work| work.series == part.series) {
                first.buckets.retain(|(bucket, _)| *bucket >= part.until);
                parted = true;
            }
            if parted && work.front().is_some_and(|first| first.buckets.is_empty()) {
                work.pop_front();
                parted = false;
            }
        }
        Queue {
            slab,
            bucket: task.bucket,
            work,
            parted,
        }
    }

    /// The next chunk of at most `limit` rows, but at least one bucket: a bucket is compacted as
    /// a whole or not at all. `done` is the last series that is done.
    pub(super) fn cut(&mut self, limit: u64, done: Option<i64>) -> Option<Cut> {
        let first = self.work.front()?;
        if self.parted || rows(first) > limit {
            return self.cut_one(limit, done);
        }
        let sums_too = sums(first);
        let (mut series, mut total) = (Vec::new(), 0);
        while let Some(next) = self.work.front() {
            let more = rows(next);
            let fits = series.is_empty() || total + more <= limit;
            if !fits || sums(next) != sums_too || series.len() >= MAX_SERIES {
                break;
            }
            total += more;
            series.push(next.series);
            self.work.pop_front();
        }
        Some(Cut {
            series_done: series.last().copied(),
            part: None,
            chunk: SeriesChunk {
                series,
                span: self.slab,
                sums: sums_too,
            },
            rows: total,
        })
    }

    /// Some buckets of the first series alone.
    fn cut_one(&mut self, limit: u64, done: Option<i64>) -> Option<Cut> {
        let first = self.work.front_mut()?;
        let (series, sums) = (first.series, sums(first));
        let (from, mut total) = *first.buckets.first()?;
        let mut taken = 1;
        for (_, rows) in &first.buckets[1..] {
            if total + rows > limit {
                break;
            }
            total += rows;
            taken += 1;
        }
        let last = first.buckets.drain(..taken).next_back()?.0;
        let rest = !first.buckets.is_empty();
        let until = last + self.bucket;
        self.parted = rest;
        if !rest {
            self.work.pop_front();
        }
        Some(Cut {
            chunk: SeriesChunk {
                series: vec![series],
                span: Span { from, to: until },
                sums,
            },
            rows: total,
            series_done: if rest { done } else { Some(series) },
            part: rest.then_some(Part { series, until }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn work(series: i64, kind: Kind, rows: &[u64]) -> SeriesWork {
        SeriesWork {
            series,
            kind,
            buckets: rows
                .iter()
                .enumerate()
                .map(|(i, rows)| (i as i64 * 3600, *rows))
                .collect(),
        }
    }

    fn queue(series: Vec<SeriesWork>, parted: bool) -> Queue {
        Queue {
            slab: Span {
                from: 0,
                to: 86_400,
            },
            bucket: 3600,
            work: series.into(),
            parted,
        }
    }

    fn mark(part: Option<Part>) -> Mark {
        Mark {
            done_until: 0,
            slab_until: None,
            series_done: None,
            part,
            rows_removed: 0,
        }
    }

    #[test]
    fn small_series_go_together_and_kinds_apart() {
        let series = vec![
            work(1, Kind::Gauge, &[3, 4]),
            work(5, Kind::Rate, &[6]),
            work(6, Kind::Delta, &[3]),
        ];
        let mut queue = queue(series, false);
        let one = queue.cut(100, None).unwrap();
        assert_eq!((one.chunk.series, one.rows), (vec![1, 5], 13));
        assert_eq!((one.series_done, one.part), (Some(5), None));
        let two = queue.cut(100, Some(5)).unwrap();
        assert!(two.chunk.sums && two.chunk.series == [6]);
        assert_eq!(queue.cut(100, Some(6)), None);
    }

    #[test]
    fn a_part_that_is_done_is_not_done_again() {
        let task = super::super::task::tests::task();
        let slab = Span {
            from: 0,
            to: 86_400,
        };
        let series = || vec![work(7, Kind::Gauge, &[9, 9]), work(8, Kind::Gauge, &[9])];
        let part = |series, until| mark(Some(Part { series, until }));
        let mut half = Queue::new(&task, slab, series(), &part(7, 3600));
        let cut = half.cut(100, None).unwrap();
        assert_eq!((cut.chunk.series, cut.chunk.span.from), (vec![7], 3600));
        let mut whole = Queue::new(&task, slab, series(), &part(7, 7200));
        assert_eq!(whole.cut(100, None).unwrap().chunk.series, [8]);
        // The series that was done in part needs nothing more: the mark is about no other.
        let mut other = Queue::new(&task, slab, series(), &part(6, 7200));
        assert_eq!(other.cut(100, None).unwrap().chunk.series, [7, 8]);
    }

    proptest! {
        #[test]
        fn every_bucket_is_cut_exactly_once(
            counts in prop::collection::vec(prop::collection::vec(3..50u64, 1..20), 1..30),
            limit in 1..200u64,
        ) {
            let series: Vec<_> = counts
                .iter()
                .enumerate()
                .map(|(i, rows)| work(i as i64 * 3, Kind::Gauge, rows))
                .collect();
            let (mut queue, mut done) = (queue(series.clone(), false), None);
            let (mut seen, mut last) = (Vec::new(), None);
            while let Some(cut) = queue.cut(limit, done) {
                let mut inside = 0;
                for id in &cut.chunk.series {
                    let of = series.iter().find(|work| work.series == *id).unwrap();
                    for (bucket, rows) in &of.buckets {
                        if (cut.chunk.span.from..cut.chunk.span.to).contains(bucket) {
                            seen.push((*id, *bucket));
                            inside += rows;
                        }
                    }
                }
                prop_assert_eq!(inside, cut.rows);
                let buckets = (cut.chunk.span.to - cut.chunk.span.from) / 3600;
                prop_assert!(cut.rows <= limit || (cut.chunk.series.len() == 1 && buckets == 1));
                done = cut.series_done;
                last = cut.part;
            }
            let all: Vec<_> = series
                .iter()
                .flat_map(|work| work.buckets.iter().map(|(bucket, _)| (work.series, *bucket)))
                .collect();
            prop_assert_eq!(seen, all);
            prop_assert_eq!((done, last), (series.last().map(|work| work.series), None));
        }
    }
}
