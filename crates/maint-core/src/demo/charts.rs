//! The independent check of a compaction: every series of the demo database, before and after.

use std::num::NonZeroU32;
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::sql_types::{BigInt, Double, Nullable, Text};
use diesel::{RunQueryDsl, SqliteConnection};

use super::{DemoError, connect};
use crate::chart::{ChartRules, Point, Series, SliceLength, Window, compare};

const DAY: i64 = 86_400;
/// Windows that a console offers, in days.
const WINDOWS: [i64; 4] = [1, 7, 30, 365];
/// The type of modules that are states: none of their rows may go.
const STATE: i64 = 2;

/// What the check found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChartSurvey {
    /// Series looked at.
    pub series: u64,
    /// Of these, the ones that have fewer rows now.
    pub compacted: u64,
    /// Rows that are gone.
    pub removed: u64,
    /// Rows that are there now and were not before. There may be none.
    pub invented: u64,
    /// Rows that are gone although they are young or belong to a state. There may be none.
    pub wronged: u64,
    /// Charts compared: windows of a day, a week, 30 days and a year of every series, each cut
    /// as the console does and again along the edges of buckets.
    pub charts: u64,
    /// Charts among them that are not the same as far as is promised. There may be none.
    pub broken: u64,
    /// The mean shift of an average drawn so, as a share of its chart's range, averaged over all
    /// charts. This is what the envelope does not promise.
    pub mean_shift: f64,
}

/// How the console of the demo's product draws a series with this interval in seconds.
pub fn console_rules(interval_s: i64) -> ChartRules {
    let interval = u32::try_from(interval_s).unwrap_or(u32::MAX / 4);
    ChartRules {
        slice: SliceLength::Parts {
            parts: NonZeroU32::MIN.saturating_add(249),
            plus_s: 100,
        },
        gap_s: Some(86_400 + 2 * interval),
        start_point_in_first_slice: true,
        ground: None,
    }
}

/// Copies the database at `from` to `to`, where no file may be yet.
///
/// Blocks: about a second for a hundred megabytes.
///
/// # Errors
/// [`DemoError`]
pub fn copy(from: &Path, to: &Path) -> Result<(), DemoError> {
    let mut connection = connect(from)?;
    let to = to.display().to_string().replace('\'', "''");
    connection
        .batch_execute(&format!("VACUUM INTO '{to}'"))
        .map_err(|source| DemoError::Statement {
            doing: "copy everything",
            source,
        })
}

/// Compares every series of two states of a demo database, by SQL of its own and in memory. The
/// rows come about every `interval_s` seconds; only those before `cutoff` (epoch seconds) may
/// have been compacted, into buckets of at most `bucket_s` seconds. `progress` hears how many
/// series are done.
///
/// Blocks: some seconds for a million rows.
///
/// # Errors
/// [`DemoError`] if one of them is no demo database.
pub fn compare_charts(
    (before, after): (&Path, &Path),
    interval_s: i64,
    cutoff: i64,
    bucket_s: NonZeroU32,
    progress: &mut dyn FnMut(u64),
) -> Result<ChartSurvey, DemoError> {
    let (mut before, mut after) = (connect(before)?, connect(after)?);
    let end = newest(&mut before)? + 1;
    let mut survey = ChartSurvey::default();
    let mut shifts = 0.0;
    for (id, _, kind) in modules(&mut before)? {
        let was = points(&mut before, id)?;
        let is = points(&mut after, id)?;
        survey.series += 1;
        let gone = survey.rows(&was, &is, |at| kind == STATE || at >= cutoff);
        if gone > 0 {
            survey.compacted += 1;
            survey.removed += gone;
            let (was, is) = (Series::new(was), Series::new(is));
            for (rules, window) in charts(interval_s, bucket_s, end) {
                let difference = compare(&was, &is, &rules, window, bucket_s);
                survey.charts += 1;
                survey.broken += u64::from(!difference.is_within_promise());
                shifts += difference.mean_shift.mean_relative;
            }
        }
        progress(survey.series);
    }
    survey.mean_shift = shifts / survey.charts.max(1) as f64;
    Ok(survey)
}

/// Every window, cut as the console does and along the edges of buckets.
fn charts(interval_s: i64, bucket_s: NonZeroU32, end: i64) -> Vec<(ChartRules, Window)> {
    let console = console_rules(interval_s);
    let mut charts = Vec::new();
    for days in WINDOWS {
        let length = days * DAY;
        let start = end - length;
        charts.push((console.clone(), Window { start, end }));
        let bucket = i64::from(bucket_s.get());
        let slice = (length / 250 / bucket + 1) * bucket;
        let end = end.div_euclid(slice) * slice;
        let start = end - (length / slice).max(1) * slice;
        let whole = bucket_s.saturating_mul(
            u32::try_from(slice / bucket)
                .ok()
                .and_then(NonZeroU32::new)
                .unwrap_or(NonZeroU32::MIN),
        );
        let rules = ChartRules {
            slice: SliceLength::Seconds(whole),
            ..console.clone()
        };
        charts.push((rules, Window { start, end }));
    }
    charts
}

impl ChartSurvey {
    /// Compares the rows of a series as sets; how many are gone.
    fn rows(&mut self, was: &[Point], is: &[Point], must_stay: impl Fn(i64) -> bool) -> u64 {
        let order = |a: &Point, b: &Point| {
            let value = |point: &Point| point.1.unwrap_or(f64::NEG_INFINITY);
            a.0.cmp(&b.0).then(value(a).total_cmp(&value(b)))
        };
        let sorted = |points: &[Point]| {
            let mut points = points.to_vec();
            points.sort_by(order);
            points
        };
        let (was, is) = (sorted(was), sorted(is));
        let mut left = is.iter().peekable();
        let mut gone = 0;
        for row in &was {
            // Whatever finds no partner was not there before.
            while left.next_if(|next| order(next, row).is_lt()).is_some() {
                self.invented += 1;
            }
            if left.next_if(|next| order(next, row).is_eq()).is_none() {
                gone += 1;
                self.wronged += u64::from(must_stay(row.0));
            }
        }
        self.invented += left.count() as u64;
        gone
    }
}

fn failed(source: diesel::result::Error) -> DemoError {
    DemoError::Statement {
        doing: "read the series",
        source,
    }
}

/// The newest time.
fn newest(connection: &mut SqliteConnection) -> Result<i64, DemoError> {
    sql::<BigInt>("SELECT MAX(utimestamp) FROM tagente_datos")
        .get_result(connection)
        .map_err(failed)
}

/// Number, name and type of every module.
pub(super) fn modules(
    connection: &mut SqliteConnection,
) -> Result<Vec<(i64, String, i64)>, DemoError> {
    let query = "SELECT id_agente_modulo, nombre, id_tipo_modulo FROM tagente_modulo ORDER BY 1";
    sql::<(BigInt, Text, BigInt)>(query)
        .load(connection)
        .map_err(failed)
}

/// The rows of one series that have a time, in drawing order.
pub(super) fn points(connection: &mut SqliteConnection, id: i64) -> Result<Vec<Point>, DemoError> {
    let query = format!(
        "SELECT utimestamp, datos FROM tagente_datos WHERE id_agente_modulo = {id} \
         AND utimestamp IS NOT NULL ORDER BY utimestamp, rowid"
    );
    sql::<(BigInt, Nullable<Double>)>(&query)
        .load(connection)
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::{DemoSpec, create};
    use jiff::Timestamp;

    const END: i64 = 1_767_225_600;

    /// The check of a database on which `change` was carried out.
    fn check(change: &str) -> ChartSurvey {
        let dir = tempfile::tempdir().unwrap();
        let (path, kept) = (dir.path().join("demo.db"), dir.path().join("copy.db"));
        let spec = DemoSpec {
            rows: 20_000,
            days: 20,
            seed: 1,
            now: Timestamp::from_second(END).unwrap(),
        };
        create(&path, &spec, &mut |_| {}).unwrap();
        copy(&path, &kept).unwrap();
        connect(&path).unwrap().batch_execute(change).unwrap();
        let hour = NonZeroU32::new(3600).unwrap();
        let paths = (kept.as_path(), path.as_path());
        compare_charts(paths, spec.interval_s(), END - 10 * DAY, hour, &mut |_| {}).unwrap()
    }

    #[test]
    fn nothing_is_held_against_an_untouched_database() {
        let found = check("SELECT 1");
        assert!(found.series > 8, "{found:?}");
        let series = found.series;
        assert_eq!(
            found,
            ChartSurvey {
                series,
                ..ChartSurvey::default()
            }
        );
    }

    #[test]
    fn a_lost_extreme_a_young_row_a_state_and_an_average_are_noticed() {
        let old = END - 15 * DAY;
        let highest = check(&format!(
            "DELETE FROM tagente_datos WHERE rowid = (SELECT rowid FROM tagente_datos \
             WHERE id_agente_modulo = 1 AND utimestamp < {old} ORDER BY datos DESC LIMIT 1)"
        ));
        assert_eq!((highest.removed, highest.wronged), (1, 0));
        assert!(highest.broken > 0, "{highest:?}");
        let young = check(
            "DELETE FROM tagente_datos WHERE rowid = \
             (SELECT rowid FROM tagente_datos ORDER BY utimestamp DESC LIMIT 1)",
        );
        assert_eq!((young.removed, young.wronged), (1, 1));
        let state = check(&format!(
            "DELETE FROM tagente_datos WHERE rowid = (SELECT rowid FROM tagente_datos \
             WHERE id_agente_modulo >= 4000 AND utimestamp < {old} LIMIT 1)"
        ));
        assert_eq!((state.removed, state.wronged), (1, 1));
        let average = check(&format!(
            "UPDATE tagente_datos SET datos = datos + 0.5 WHERE rowid = (SELECT rowid FROM \
             tagente_datos WHERE id_agente_modulo = 1 AND utimestamp < {old} LIMIT 1)"
        ));
        assert_eq!((average.removed, average.invented), (1, 1));
    }
}
