//! From a rule and a table's structure to the exact task a store carries out. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::store::{Column, ColumnKind, OnDelete, Shape};
use crate::{Filter, Retention, Scalar, TableRule, Test, TimeUnit};

/// The structures of the tables of a policy, and of all that hang on them by foreign key.
pub(crate) type Shapes = BTreeMap<String, Shape>;

/// How deep cascading foreign keys are followed.
const MAX_DEPTH: usize = 8;

/// A purge of one table with nothing left to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PurgeTask {
    /// The table.
    pub table: String,
    /// Which of its rows are expired.
    pub due: Due,
    /// How they are reached.
    pub walk: Walk,
    /// Tables whose rows follow by ON DELETE CASCADE; they are deleted first.
    pub cascades: Vec<Cascade>,
}

/// A condition for expired rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Due {
    /// The column that tells a row's age.
    pub time_column: String,
    /// Rows strictly below this are expired; rows with NULL never are.
    pub cutoff: Scalar,
    /// Further conditions, all of which must hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Filter>,
    /// A raw SQL condition that the operator vouches for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub where_sql: Option<String>,
}

/// How a table is walked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Walk {
    /// Along an index that begins with the time column: oldest first, only expired rows are read.
    Time {
        /// The index's name.
        index: String,
        /// The key by which rows of one instant are told apart, where that is needed: a filter
        /// may skip most of them, and a step must not read them all. Without a key it must.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        then: Vec<String>,
    },
    /// Along a unique key, reading every row once.
    Key {
        /// The key's columns.
        columns: Vec<String>,
    },
}

/// A table whose rows go with those of its parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cascade {
    /// The child table.
    pub table: String,
    /// Its column that points at the parent.
    pub column: String,
    /// The parent's column it points at, a unique key; the same for all children of one parent.
    pub parent_column: String,
    /// The child's own rule in the same policy, which is carried out before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<Due>,
    /// What hangs on the child in turn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cascades: Vec<Cascade>,
}

impl PurgeTask {
    /// The tables of [`PurgeTask::cascades`], depth first: parents before their children.
    pub fn cascaded_tables(&self) -> Vec<&str> {
        fn collect<'a>(cascades: &'a [Cascade], into: &mut Vec<&'a str>) {
            for cascade in cascades {
                into.push(&cascade.table);
                collect(&cascade.cascades, into);
            }
        }
        let mut tables = Vec::new();
        collect(&self.cascades, &mut tables);
        tables
    }
}

impl Cascade {
    /// How many tables hang on this one, over all levels.
    pub fn tables_below(&self) -> usize {
        self.cascades
            .iter()
            .map(|cascade| 1 + cascade.tables_below())
            .sum()
    }
}

impl Due {
    /// The expired rows of `rule`, older than `cutoff`.
    pub fn new(rule: &TableRule, cutoff: Scalar) -> Due {
        Due {
            time_column: rule.time_column.clone(),
            cutoff,
            filters: rule.filters.clone(),
            where_sql: rule.where_sql.clone(),
        }
    }
}

/// Chooses how the table of `rule` is walked.
///
/// # Errors
/// Why the rule does not fit the table; one sentence an operator can act on.
pub(crate) fn walk(rule: &TableRule, shape: &Shape) -> Result<Walk, String> {
    if let Some(obstacle) = &shape.obstacle {
        return Err(obstacle.clone());
    }
    let time = column(shape, &rule.time_column)?;
    if !fits(&rule.unit, &time.kind) {
        let (unit, kind) = (rule.unit.name(), &time.kind);
        return Err(format!(
            "column {} is {kind:?}, which cannot be {unit}",
            time.name
        ));
    }
    for filter in &rule.filters {
        column(shape, &filter.column)?;
    }
    let on_time = shape
        .indexes
        .iter()
        .filter(|i| i.columns.first() == Some(&rule.time_column));
    let index = on_time.min_by_key(|index| index.columns.len());
    if !rule.key.is_empty() && !shape.keys.contains(&rule.key) {
        let key = rule.key.join(", ");
        return Err(format!(
            "({key}) is no unique key without NULLs of this table"
        ));
    }
    if index.is_none() && matches!(rule.keep, Retention::Rows(_)) {
        let time = &rule.time_column;
        return Err(format!(
            "keeps a number of rows, for which it needs an index on {time}"
        ));
    }
    match (index, rule.key.is_empty(), shape.keys.first()) {
        (Some(index), _, _) => {
            let selective = !rule.filters.is_empty() || rule.where_sql.is_some();
            let then = if selective && index.columns.len() == 1 {
                shape.tie_break.clone()
            } else {
                Vec::new()
            };
            Ok(Walk::Time {
                index: index.name.clone(),
                then,
            })
        }
        (None, false, _) => Ok(Walk::Key {
            columns: rule.key.clone(),
        }),
        (None, true, Some(key)) => Ok(Walk::Key {
            columns: key.clone(),
        }),
        (None, true, None) => Err(format!(
            "has neither an index on {} nor a unique key, so no bounded walk is possible: add an \
             index on {}",
            rule.time_column, rule.time_column
        )),
    }
}

fn column<'a>(shape: &'a Shape, name: &str) -> Result<&'a Column, String> {
    shape
        .columns
        .iter()
        .find(|column| column.name == name)
        .ok_or_else(|| format!("has no column {name}"))
}

pub(crate) fn fits(unit: &TimeUnit, kind: &ColumnKind) -> bool {
    matches!(
        (unit, kind),
        (
            TimeUnit::EpochSeconds | TimeUnit::EpochMillis,
            ColumnKind::Integer
        ) | (
            TimeUnit::Timestamp,
            ColumnKind::Timestamp | ColumnKind::Dynamic
        ) | (
            TimeUnit::Datetime(_),
            ColumnKind::Datetime | ColumnKind::Dynamic
        ) | (TimeUnit::Date(_), ColumnKind::Date | ColumnKind::Dynamic)
    )
}

/// Follows the foreign keys that point at `table`. `own` holds the conditions of all rules.
///
/// # Errors
/// Why rows of this table cannot be deleted in bounded steps.
pub(crate) fn cascades(
    table: &str,
    shapes: &Shapes,
    own: &BTreeMap<String, Due>,
) -> Result<Vec<Cascade>, String> {
    follow(table, shapes, own, &mut vec![table.to_owned()])
}

fn follow(
    table: &str,
    shapes: &Shapes,
    own: &BTreeMap<String, Due>,
    path: &mut Vec<String>,
) -> Result<Vec<Cascade>, String> {
    let through = if path.len() > 1 {
        format!("takes {table} with it, which ")
    } else {
        String::new()
    };
    let Some(shape) = shapes.get(table) else {
        return Ok(Vec::new());
    };
    let mut cascades = Vec::new();
    for reference in &shape.referenced_by {
        let (name, child) = (&reference.name, &reference.child);
        match reference.on_delete {
            OnDelete::Restrict => {
                if own.contains_key(child) && !path.contains(child) {
                    continue;
                }
                return Err(format!(
                    "{through}is referenced by {child} ({name}), which forbids deletes: give {child} a rule \
                     of its own"
                ));
            }
            OnDelete::SetNull => {
                return Err(format!(
                    "{through}is referenced by {child} ({name}) ON DELETE SET NULL, which no bounded step \
                     can carry out"
                ));
            }
            OnDelete::Cascade => {}
        }
        if path.contains(child) || path.len() >= MAX_DEPTH {
            return Err(format!(
                "{through}is in a ring or long chain of cascades through {child} ({name})"
            ));
        }
        let ([column], [parent_column]) = (
            reference.columns.as_slice(),
            reference.parent_columns.as_slice(),
        ) else {
            return Err(format!(
                "{through}has a cascade over several columns from {child} ({name})"
            ));
        };
        if !shape.keys.contains(&vec![parent_column.clone()]) {
            return Err(format!(
                "{through}has a column {parent_column} that {child} references and that is not unique"
            ));
        }
        if cascades
            .first()
            .is_some_and(|first: &Cascade| first.parent_column != *parent_column)
        {
            return Err(format!(
                "{through}is referenced by cascades to different columns ({name})"
            ));
        }
        path.push(child.clone());
        cascades.push(Cascade {
            table: child.clone(),
            column: column.clone(),
            parent_column: parent_column.clone(),
            own: own.get(child).cloned(),
            cascades: follow(child, shapes, own, path)?,
        });
        path.pop();
    }
    Ok(cascades)
}

impl Serialize for Filter {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl std::fmt::Display for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |values: &[Scalar]| {
            values
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let column = &self.column;
        match &self.test {
            Test::Compare(op, value) => write!(f, "{column} {op} {value}"),
            Test::In(values) => write!(f, "{column} in ({})", list(values)),
            Test::NotIn(values) => write!(f, "{column} not in ({})", list(values)),
            Test::IsNull => write!(f, "{column} is null"),
            Test::IsNotNull => write!(f, "{column} is not null"),
        }
    }
}
