//! The promise of compaction as an assertion: the charts of a console before and after.

use std::num::NonZeroU32;

use elpis_maint_core::chart::{
    ChartRules, Difference, Point, Series, SliceLength, Window, compare,
};

const DAY: i64 = 86_400;

/// The windows of statement 16: a day, a week, 30 days, a year; in seconds.
pub const WINDOWS: [i64; 4] = [DAY, 7 * DAY, 30 * DAY, 365 * DAY];

/// How the Pandora FMS console (7.0NG) draws a module with this interval in seconds, without
/// zoom. The slice is `$data_slice` of `grafico_modulo_sparse_data` (functions_graph.php), the
/// rest `db_uncompress_module_data` (functions_db.php) and `fullscale_data`
/// (functions_graph.php); with a zoom of n there are n times as many parts. States and texts are
/// those of `grafico_modulo_sparse_data_chart`: 250 parts without more, and a look ahead of one
/// interval.
pub fn console_rules(interval_s: u32) -> ChartRules {
    ChartRules {
        slice: SliceLength::Parts {
            parts: seconds(250),
            plus_s: 100,
        },
        gap_s: Some(86_400 + 2 * interval_s),
        start_point_in_first_slice: true,
        ground: Some(0.0),
    }
}

/// The same with slices of so many seconds.
pub fn sliced_rules(interval_s: u32, slice_s: u32) -> ChartRules {
    ChartRules {
        slice: SliceLength::Seconds(seconds(slice_s)),
        ..console_rules(interval_s)
    }
}

/// Charts of one series, to be compared before and after its rows were reduced.
#[derive(Debug, Clone)]
pub struct Charts {
    before: Series,
    interval_s: u32,
    bucket_s: u32,
}

impl Charts {
    /// The charts of rows that are about to be reduced in buckets of `bucket_s` seconds; the rows
    /// come about every `interval_s` seconds.
    pub fn of(before: &[Point], interval_s: u32, bucket_s: u32) -> Charts {
        Charts {
            before: Series::new(before.iter().copied()),
            interval_s,
            bucket_s,
        }
    }

    /// How the charts of all [`WINDOWS`] that end at `end` differ: as the console cuts them, and
    /// once more (the second four) with slices made of whole buckets, at about the same time.
    pub fn differences(&self, after: &[Point], end: i64) -> Vec<Difference> {
        let after = Series::new(after.iter().copied());
        let compared = |rules: &ChartRules, window| {
            compare(&self.before, &after, rules, window, seconds(self.bucket_s))
        };
        let console = WINDOWS.iter().map(|length| {
            let window = Window {
                start: end - length,
                end,
            };
            compared(&console_rules(self.interval_s), window)
        });
        let whole = WINDOWS.iter().map(|length| {
            let bucket = i64::from(self.bucket_s);
            let slice = (length / 250 / bucket + 1) * bucket;
            let end = end.div_euclid(slice) * slice;
            let window = Window {
                start: end - length / slice * slice,
                end,
            };
            let slice = u32::try_from(slice).expect("a slice below a century");
            compared(&sliced_rules(self.interval_s, slice), window)
        });
        console.chain(whole).collect()
    }

    /// The same, and a failure of the test if one of them breaks the promise.
    pub fn assert_same(&self, after: &[Point], end: i64, context: &str) -> Vec<Difference> {
        let differences = self.differences(after, end);
        for difference in &differences {
            assert!(
                difference.is_within_promise(),
                "{context}, buckets of {} s: {difference:#?}",
                self.bucket_s
            );
        }
        for whole in &differences[WINDOWS.len()..] {
            assert_eq!(whole.cut.slices, 0, "slices of whole buckets");
        }
        differences
    }
}

fn seconds(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("a length above zero")
}
