//! Which series are compacted, how, and from what age on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::Filter;
use crate::TimeUnit;

/// Compaction of one table of series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesRule {
    /// The table's name in its database.
    pub table: String,
    /// The column that tells which series a row belongs to: whole numbers.
    pub series_column: String,
    /// The column that holds the value: a number.
    pub value_column: String,
    /// The column that holds the time.
    pub time_column: String,
    /// What the time column counts: epoch seconds or epoch milliseconds.
    pub unit: TimeUnit,
    /// What kind of series these are.
    pub kinds: Kinds,
    /// What is kept of a bucket.
    pub mode: Mode,
    /// From what age on in what buckets; finest and youngest first, each bucket a whole multiple
    /// of the one before.
    pub tiers: Vec<Tier>,
    /// Whether a side table remembers count, sum, extremes and integral of every changed bucket.
    pub rollup: bool,
    /// How far the mean of a bucket's drawn points may move, as a share of the bucket's range
    /// (above 0, at most 1); more real rows are kept until it holds.
    pub max_mean_shift: Option<f64>,
}

/// From this age on, buckets of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tier {
    /// Days of 86 400 s. Only buckets wholly older than this are touched.
    pub older_than_days: u32,
    /// Hours, 1 to 24: a longer bucket could look like a gap where consoles draw "unknown" after
    /// a day without a point.
    pub bucket_hours: u32,
}

/// What is kept of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Real rows only: the first, the last, a lowest, a highest.
    Envelope,
    /// One row with the mean (the sum, for deltas), at the time of the bucket's first row.
    Mean,
}

/// Where the kind of a series comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kinds {
    /// Every series of the table is of this kind.
    All(Kind),
    /// Another table says it. Series that it does not know are never touched.
    Lookup {
        /// That table.
        table: String,
        /// Its column with the series' number.
        key: String,
        /// Its column with the type, a whole number.
        column: String,
        /// The kinds of the types; series of other types are never touched.
        types: BTreeMap<i64, Kind>,
        /// Series that are left alone whatever their type.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        except: Vec<Exception>,
    },
    /// Somebody who knows them has listed them. Other series are never touched.
    Listed(SeriesList),
}

/// Series with their kinds, for a database that does not tell them itself. Clones share one list.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(into = "Listing")]
pub struct SeriesList(Arc<BTreeMap<i64, Kind>>);

/// A list in a plan or a journal: how long it is, since it can be as long as the table of series.
#[derive(Serialize)]
struct Listing {
    series: usize,
}

impl From<SeriesList> for Listing {
    fn from(list: SeriesList) -> Listing {
        Listing { series: list.len() }
    }
}

impl FromIterator<(i64, Kind)> for SeriesList {
    fn from_iter<I: IntoIterator<Item = (i64, Kind)>>(series: I) -> SeriesList {
        SeriesList(Arc::new(series.into_iter().collect()))
    }
}

impl fmt::Debug for SeriesList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeriesList({} series)", self.len())
    }
}

impl SeriesList {
    /// How many series it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The kind of a series; `None` if it is not listed.
    pub fn kind(&self, series: i64) -> Option<Kind> {
        self.0.get(&series).copied()
    }
}

/// Series that a table names (such as those that a report needs as they are).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exception {
    /// That table. It is read whole for every few hundred series unless `column` has an index.
    pub table: String,
    /// Its column with the series' number.
    pub column: String,
    /// Only its rows that meet every filter count.
    pub filters: Vec<Filter>,
}

/// What the numbers of a series mean, and so what may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A level, such as a temperature.
    Gauge,
    /// A change per second.
    Rate,
    /// A change since the row before: only sums mean something, so the envelope would lose them.
    Delta,
}

impl Kind {
    /// Whether a mode leaves out nothing that this kind means.
    pub fn fits(self, mode: Mode) -> bool {
        !matches!((self, mode), (Kind::Delta, Mode::Envelope))
    }
}

impl Kinds {
    /// Whether there are series that `mode` leaves alone.
    pub(crate) fn any_unfit(&self, mode: Mode) -> bool {
        match self {
            Kinds::All(kind) => !kind.fits(mode),
            Kinds::Lookup { types, .. } => types.values().any(|kind| !kind.fits(mode)),
            Kinds::Listed(list) => list.0.values().any(|kind| !kind.fits(mode)),
        }
    }

    /// Whether any series can be compacted in `mode`.
    pub(crate) fn any_fits(&self, mode: Mode) -> bool {
        match self {
            Kinds::All(kind) => kind.fits(mode),
            Kinds::Lookup { types, .. } => types.values().any(|kind| kind.fits(mode)),
            Kinds::Listed(list) => list.0.values().any(|kind| kind.fits(mode)),
        }
    }
}
