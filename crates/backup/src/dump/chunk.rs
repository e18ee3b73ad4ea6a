//! The statements that read a table, chunk by chunk.

use elpis_mysql::{IdentError, quote};

use super::encode::Form;
use super::facts::{RangeColumn, TableFacts};

/// One chunk of a table, as the part of the statement that picks its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Slice {
    Whole,
    Partitions(Vec<String>),
    /// From the first bound up to but without the second; open at a missing one.
    Range(RangeColumn, Option<i128>, Option<i128>),
    /// Rows whose column is NULL.
    Null(RangeColumn),
}

/// The statement that selects a slice's rows.
pub(super) fn select(
    database: &str,
    table: &TableFacts,
    slice: &Slice,
) -> Result<String, IdentError> {
    let mut sql = format!(
        "SELECT {} FROM {}.{}",
        if table.columns.is_empty() {
            // A table whose columns are all generated still has a number of rows.
            "NULL".to_owned()
        } else {
            columns(table)?
        },
        quote(database)?,
        quote(&table.name)?
    );
    if let Slice::Partitions(names) = slice {
        let names: Result<Vec<String>, IdentError> = names.iter().map(|name| quote(name)).collect();
        sql += &format!(" PARTITION ({})", names?.join(", "));
    }
    let index = match slice {
        Slice::Range(range, ..) | Slice::Null(range) => Some(range.index.as_str()),
        // Otherwise a covering secondary index may be read, and a restore would not append to
        // the clustered index.
        _ => table.primary_key.then_some("PRIMARY"),
    };
    if let Some(index) = index {
        sql += &format!(" FORCE INDEX ({})", quote(index)?);
    }
    let conditions = match slice {
        Slice::Range(range, from, to) => {
            let column = quote(&range.column)?;
            let from = from.map(|from| format!("{column} >= {from}"));
            let to = to.map(|to| format!("{column} < {to}"));
            let bounds: Vec<String> = from.into_iter().chain(to).collect();
            if bounds.is_empty() && range.nullable {
                vec![format!("{column} IS NOT NULL")]
            } else {
                bounds
            }
        }
        Slice::Null(range) => vec![format!("{} IS NULL", quote(&range.column)?)],
        _ => Vec::new(),
    };
    if !conditions.is_empty() {
        sql += &format!(" WHERE {}", conditions.join(" AND "));
    }
    Ok(sql)
}

/// What every statement of a table begins with.
pub(super) fn insert(table: &TableFacts) -> Result<String, IdentError> {
    Ok(format!(
        "INSERT INTO {} ({}) VALUES\n",
        quote(&table.name)?,
        columns(table)?
    ))
}

pub(super) fn forms(table: &TableFacts) -> std::sync::Arc<[Form]> {
    table.columns.iter().map(|column| column.form).collect()
}

/// The statement that tells the smallest and the largest value of a range column.
pub(super) fn bounds(
    database: &str,
    table: &TableFacts,
    range: &RangeColumn,
) -> Result<String, IdentError> {
    let column = quote(&range.column)?;
    Ok(format!(
        "SELECT MIN({column}), MAX({column}) FROM {}.{} FORCE INDEX ({})",
        quote(database)?,
        quote(&table.name)?,
        quote(&range.index)?
    ))
}

fn columns(table: &TableFacts) -> Result<String, IdentError> {
    let names: Result<Vec<String>, IdentError> = table
        .columns
        .iter()
        .map(|column| quote(&column.name))
        .collect();
    Ok(names?.join(","))
}

/// `count` ranges of about equal width over `min..=max`, open at both ends, so that no value
/// falls outside whatever the bounds were.
pub(super) fn even(range: &RangeColumn, min: i128, max: i128, count: u64) -> Vec<Slice> {
    let width = ((max - min) / i128::from(count.max(1)) + 1).max(1);
    let inner = (1..)
        .map(|step| min + step * width)
        .take_while(|&bound| bound <= max);
    open_ended(range, inner.collect())
}

/// Ranges that end at multiples of `width`. At most [`WINDOWS`]: a stray value in the far past
/// or future gets no row of empty windows.
pub(super) fn windows(range: &RangeColumn, min: i128, max: i128, width: u64) -> Vec<Slice> {
    let width = i128::from(width.max(1));
    let first = (min.div_euclid(width) + 1) * width;
    let last = max.div_euclid(width) * width;
    let first = first.max(last - (WINDOWS - 1) * width);
    let inner = (0..)
        .map(|step| first + step * width)
        .take_while(|&bound| bound <= last);
    open_ended(range, inner.collect())
}

/// The most windows of one table.
const WINDOWS: i128 = 10_000;

fn open_ended(range: &RangeColumn, inner: Vec<i128>) -> Vec<Slice> {
    let from = std::iter::once(None).chain(inner.iter().copied().map(Some));
    let to = inner.iter().copied().map(Some).chain([None]);
    let null = range.nullable.then(|| Slice::Null(range.clone()));
    null.into_iter()
        .chain(
            from.zip(to)
                .map(|(from, to)| Slice::Range(range.clone(), from, to)),
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range() -> RangeColumn {
        RangeColumn {
            column: "c".to_owned(),
            index: "i".to_owned(),
            nullable: false,
        }
    }

    fn holders(slices: &[Slice], value: i128) -> usize {
        let holds = |slice: &&Slice| match slice {
            Slice::Range(_, from, to) => {
                from.is_none_or(|from| value >= from) && to.is_none_or(|to| value < to)
            }
            _ => false,
        };
        slices.iter().filter(holds).count()
    }

    proptest! {
        #[test]
        fn every_value_is_in_exactly_one_range(
            a in any::<i64>(), b in any::<u64>(), count in 1..500_u64, width in any::<u64>(),
            value in any::<i64>(),
        ) {
            let (a, b) = (i128::from(a), i128::from(b));
            let (min, max) = (a.min(b), a.max(b));
            let slices = even(&range(), min, max, count);
            prop_assert!(slices.len() as u64 <= count);
            prop_assert_eq!(holders(&slices, i128::from(value)), 1);
            let slices = windows(&range(), min, max, width);
            prop_assert!(slices.len() <= 10_001);
            prop_assert_eq!(holders(&slices, i128::from(value)), 1);
        }
    }

    #[test]
    fn windows_end_at_multiples() {
        let slices = windows(&range(), 86_399, 3 * 86_400, 86_400);
        let bounds: Vec<_> = slices
            .iter()
            .filter_map(|slice| match slice {
                Slice::Range(_, from, _) => *from,
                _ => None,
            })
            .collect();
        assert_eq!(bounds, [86_400, 2 * 86_400, 3 * 86_400]);
    }
}
