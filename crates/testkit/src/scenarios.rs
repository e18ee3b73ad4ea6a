//! What the incumbent gets wrong (facts, section 4.3), as data: any store can be filled with a
//! scenario, compacted, and handed to [`Scenario::check`].

use elpis_maint_core::chart::Point;

use crate::charts::Charts;

const DAY: i64 = 86_400;
const HOUR: u32 = 3600;
const INTERVAL: u32 = 300;

/// Series that are compacted at one or more moments.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its letter in the facts and what it is about.
    pub name: &'static str,
    /// The series: number and rows in storage order.
    pub series: Vec<(u64, Vec<Point>)>,
    /// Rows younger than this stay as they are, in days.
    pub older_than_days: u32,
    /// The length of the buckets in seconds.
    pub bucket_s: u32,
    /// When compaction runs, in seconds since 1970, one after the other. A row is stored before
    /// a run if its time is not after it.
    pub runs: Vec<i64>,
}

impl Scenario {
    /// Scenarios A to F, the last run of each at `now`.
    pub fn all(now: i64) -> Vec<Scenario> {
        let month = || gauge(now, 30);
        let holed = || without(month(), now - 23 * DAY, 2 * 3600);
        let base = |name, series| Scenario {
            name,
            series,
            older_than_days: 7,
            bucket_s: HOUR,
            runs: vec![now],
        };
        let (step, flat) = (now / DAY * DAY - 20 * DAY + 7 * 3600, Some(20.0));
        let change_only = vec![
            (step, Some(0.0)),
            (step + 1200, Some(100.0)),
            (step + 2400, flat),
            (step + 2400 + DAY, flat),
            (step + 2400 + 2 * DAY, flat),
            (step + 2400 + 3 * DAY, flat),
            (step + 2400 + 4 * DAY, flat),
        ];
        vec![
            base("A: 30 days without a gap", vec![(1, month())]),
            base("B: a hole of two hours", vec![(1, month()), (2, holed())]),
            Scenario {
                // Twelve days after the last visit, the hole in between.
                runs: vec![now - 12 * DAY, now],
                older_than_days: 0,
                ..base(
                    "C: a hole, and twelve days since the last run",
                    vec![(1, without(month(), now - 5 * DAY, 2 * 3600))],
                )
            },
            Scenario {
                // All that the neighbour has came after the first run.
                runs: vec![now - 2 * DAY, now],
                ..base(
                    "D: beside a series that was never compacted",
                    vec![(1, month()), (2, gauge(now, 1))],
                )
            },
            base("E: 0, 100, 20, then flat", vec![(1, change_only)]),
            base(
                "F: five series, with gaps between their numbers",
                [1, 5, 287, 900_000, 4_000_000]
                    .into_iter()
                    .map(|number| (number, month()))
                    .collect(),
            ),
        ]
    }

    /// Rows at or after this second stay as they are in the last run.
    pub fn cutoff(&self) -> i64 {
        self.cutoff_of(self.runs[self.runs.len() - 1])
    }

    /// Rows at or after this second stay as they are in a run at `now`.
    pub fn cutoff_of(&self, now: i64) -> i64 {
        now - i64::from(self.older_than_days) * DAY
    }

    /// Fails the test unless `after`, what compaction left of the series of this number, is made
    /// of its real rows only, has all that are younger than the cutoff, is smaller (but for E,
    /// where nothing can be spared), and draws the same charts.
    pub fn check(&self, number: u64, after: &[Point]) {
        let found = self.series.iter().find(|(n, _)| *n == number);
        let (_, before) = found.unwrap_or_else(|| panic!("{} has no series {number}", self.name));
        let context = format!("{}, series {number}", self.name);
        let mut spare = before.clone();
        let mut kept = after.to_vec();
        for rows in [&mut spare, &mut kept] {
            rows.sort_by(|a, b| a.partial_cmp(b).expect("no NaN"));
        }
        let mut kept = kept.into_iter().peekable();
        spare.retain(|row| kept.next_if(|next| next == row).is_none());
        assert_eq!(kept.next(), None, "{context}: never stored");
        let young = spare.iter().filter(|(at, _)| *at >= self.cutoff());
        assert_eq!(young.count(), 0, "{context}: young rows are gone");
        // Of 12 rows an hour at most 4 are left.
        let sealed = before.iter().filter(|(at, _)| *at < self.cutoff()).count();
        let dense = before.len() > 100;
        assert!(
            !dense || spare.len() * 2 >= sealed,
            "{context}: {} gone",
            spare.len()
        );
        assert!(dense || spare.is_empty(), "{context}: nothing to spare");
        let last = self.runs[self.runs.len() - 1];
        for days in 0..30 {
            let end = last - days * DAY - days * 1000;
            Charts::of(before, INTERVAL, self.bucket_s).assert_same(after, end, &context);
        }
    }
}

/// A row every five minutes until `now`.
fn gauge(now: i64, days: i64) -> Vec<Point> {
    let times = (now - days * DAY..now).step_by(INTERVAL as usize);
    // Pseudo-random, the same for everybody: a multiplicative hash of the time.
    let noise = |at: i64| (at / 300).wrapping_mul(0x9E37_79B9).rem_euclid(1000) as f64 / 100.0;
    let value = |at: i64| 50.0 + 20.0 * (at as f64 / 13_750.0).sin() + noise(at);
    times.map(|at| (at, Some(value(at)))).collect()
}

fn without(mut points: Vec<Point>, from: i64, seconds: i64) -> Vec<Point> {
    points.retain(|(at, _)| !(from..from + seconds).contains(at));
    points
}
