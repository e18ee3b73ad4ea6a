//! One tier of one table of series, with everything a store has to know.

use serde::{Deserialize, Serialize};

use crate::store::{ColumnKind, Shape};
use crate::{Kinds, Mode, SeriesRule, TimeUnit};

/// The longest table name whose side table still has a name: MySQL's limit less the prefix.
const MAX_TABLE_NAME: usize = 64 - ROLLUP_PREFIX.len();
/// What the name of a table's side table begins with.
pub(crate) const ROLLUP_PREFIX: &str = "elpis_rollup_";

/// Compaction of one table into buckets of one length.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CompactTask {
    /// The table.
    pub table: String,
    /// The column with the series' number.
    pub series: String,
    /// The column with the value.
    pub value: String,
    /// The column with the time.
    pub time: String,
    /// The index on series and time.
    pub index: String,
    /// An index that begins with the time, if there is one.
    pub time_index: Option<String>,
    /// The kinds of the series.
    pub kinds: Kinds,
    /// What is kept of a bucket.
    pub mode: Mode,
    /// The length of a bucket, in the units of the time column. Buckets begin at its multiples.
    pub bucket: i64,
    /// The bucket lengths of every tier of the rule, finest first.
    pub levels: Vec<i64>,
    /// How many units of the time column a second has: 1 or 1000.
    pub per_second: i64,
    /// Whether changed buckets are remembered in the side table.
    pub rollup: bool,
    /// The limit for the shift of a bucket's drawn mean, as a share of its range.
    pub max_mean_shift: Option<f64>,
}

/// A stretch of time in the units of the time column, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first instant.
    pub from: i64,
    /// The first instant after it.
    pub to: i64,
}

impl CompactTask {
    /// The side table's name.
    pub fn rollup_table(&self) -> String {
        format!("{ROLLUP_PREFIX}{}", self.table)
    }

    /// Buckets with more rows than this may hold rows to leave out, if nobody has looked yet.
    pub(crate) fn minimal_rows(&self) -> u64 {
        match self.mode {
            Mode::Envelope => 2,
            Mode::Mean => 1,
        }
    }

    /// Sealed buckets with more rows than this have late ones. `None` where late rows stay as
    /// they are: with more rows kept for the mean's sake, nothing tells them from late ones.
    pub(crate) fn sealed_rows(&self) -> Option<u64> {
        match (self.mode, self.max_mean_shift) {
            (Mode::Mean, _) => Some(1),
            (Mode::Envelope, None) => Some(4),
            (Mode::Envelope, Some(_)) => None,
        }
    }

    /// The beginning of the bucket that holds `time`.
    pub(crate) fn bucket_start(&self, time: i64) -> i64 {
        time - time.rem_euclid(self.bucket)
    }
}

/// The tasks of a rule, finest tier first.
///
/// # Errors
/// Why this table cannot be compacted.
pub(crate) fn tasks(rule: &SeriesRule, shape: &Shape) -> Result<Vec<CompactTask>, String> {
    if let Some(obstacle) = &shape.obstacle {
        return Err(obstacle.clone());
    }
    let kind = |name: &str| {
        let found = shape.columns.iter().find(|column| column.name == name);
        found
            .map(|column| &column.kind)
            .ok_or_else(|| format!("has no column {name}"))
    };
    for name in [&rule.series_column, &rule.time_column] {
        if !matches!(kind(name)?, ColumnKind::Integer) {
            return Err(format!("column {name} does not hold whole numbers"));
        }
    }
    number(kind(&rule.value_column)?, rule)?;
    if !shape.referenced_by.is_empty() {
        let child = &shape.referenced_by[0].child;
        return Err(format!(
            "is referenced by {child}, so rows cannot be left out"
        ));
    }
    let wanted = [&rule.series_column, &rule.time_column];
    let begins = |index: &&crate::store::Index, with: &[&String]| {
        index
            .columns
            .iter()
            .take(with.len())
            .eq(with.iter().copied())
    };
    let index = shape.indexes.iter().find(|index| begins(index, &wanted));
    let Some(index) = index else {
        return Err(format!(
            "has no index on ({0}, {1}), without which no series can be read in bounded steps: \
             add an index on ({0}, {1})",
            wanted[0], wanted[1]
        ));
    };
    if rule.rollup && rule.table.chars().count() > MAX_TABLE_NAME {
        return Err(format!(
            "has a name of more than {MAX_TABLE_NAME} characters, which leaves none for its side \
             table {ROLLUP_PREFIX}…"
        ));
    }
    if rule.mode == Mode::Mean {
        let own = [&rule.series_column, &rule.time_column, &rule.value_column];
        // The drawn row is one that was there, so what names it stays true.
        let belongs = |name: &String| own.contains(&name) || shape.tie_break.contains(name);
        if let Some(other) = shape.columns.iter().find(|c| !belongs(&c.name)) {
            let other = &other.name;
            return Err(format!(
                "has a column {other} besides series, time and value, which has no mean: choose \
                 mode = \"envelope\""
            ));
        }
    }
    let time_index = shape
        .indexes
        .iter()
        .find(|index| begins(index, &[&rule.time_column]));
    let per_second = match rule.unit {
        TimeUnit::EpochMillis => 1000,
        _ => 1,
    };
    let levels: Vec<i64> = rule
        .tiers
        .iter()
        .map(|tier| i64::from(tier.bucket_hours) * 3600 * per_second)
        .collect();
    let task = |bucket: &i64| CompactTask {
        table: rule.table.clone(),
        series: rule.series_column.clone(),
        value: rule.value_column.clone(),
        time: rule.time_column.clone(),
        index: index.name.clone(),
        time_index: time_index.map(|index| index.name.clone()),
        kinds: rule.kinds.clone(),
        mode: rule.mode,
        bucket: *bucket,
        levels: levels.clone(),
        per_second,
        rollup: rule.rollup,
        max_mean_shift: rule.max_mean_shift,
    };
    Ok(levels.iter().map(task).collect())
}

/// Whether a column holds numbers that this mode may keep.
fn number(kind: &ColumnKind, rule: &SeriesRule) -> Result<(), String> {
    let name = &rule.value_column;
    let ColumnKind::Other(text) = kind else {
        return match kind {
            ColumnKind::Dynamic => Ok(()),
            ColumnKind::Integer if rule.mode == Mode::Envelope => Ok(()),
            ColumnKind::Integer => Err(format!("column {name} would round a mean")),
            _ => Err(format!("column {name} does not hold numbers")),
        };
    };
    let text = text.to_lowercase();
    let starts = |names: &[&str]| names.iter().any(|name| text.starts_with(name));
    if starts(&["double", "real"]) {
        Ok(())
    } else if starts(&["float", "decimal", "numeric"]) {
        match rule.mode {
            Mode::Envelope => Ok(()),
            Mode::Mean => Err(format!("column {name} is {text} and would round a mean")),
        }
    } else {
        Err(format!("column {name} is {text}, which holds no numbers"))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::Kind;

    pub(in crate::compact) fn task() -> CompactTask {
        CompactTask {
            table: "samples".to_owned(),
            series: "id".to_owned(),
            value: "value".to_owned(),
            time: "at".to_owned(),
            index: "by_series".to_owned(),
            time_index: None,
            kinds: Kinds::All(Kind::Gauge),
            mode: Mode::Envelope,
            bucket: 3600,
            levels: vec![3600],
            per_second: 1,
            rollup: false,
            max_mean_shift: None,
        }
    }
}
