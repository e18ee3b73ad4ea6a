//! A statement under construction: values always as parameters, names always through
//! [`Dialect::quote`].

use crate::store::{Position, StoreError};
use crate::{Due, Filter, PurgeTask, Scalar, Test, Walk};

/// Which SQL is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Dialect {
    #[cfg(feature = "mysql")]
    MySql,
    #[cfg(feature = "sqlite")]
    Sqlite,
}

impl Dialect {
    fn quote(self, name: &str) -> Result<String, StoreError> {
        match self {
            #[cfg(feature = "mysql")]
            Dialect::MySql => elpis_mysql::quote(name).map_err(|e| StoreError::Failed {
                doing: "quoting an identifier".to_owned(),
                source: e.into(),
            }),
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => Ok(crate::store::sqlite::quote(name)),
        }
    }
}

/// A statement under construction.
#[derive(Debug, Clone)]
pub(in crate::store) struct Sql {
    pub(in crate::store) text: String,
    pub(in crate::store) params: Vec<Scalar>,
    dialect: Dialect,
}

/// A stretch of a walk: from a position (or the beginning) to its last key, or to the end.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Stretch<'a> {
    pub(in crate::store) from: Option<&'a Position>,
    pub(in crate::store) to: Option<&'a [Scalar]>,
}

impl Sql {
    pub(in crate::store) fn new(dialect: Dialect, text: &str) -> Sql {
        Sql {
            text: text.to_owned(),
            params: Vec::new(),
            dialect,
        }
    }

    pub(in crate::store) fn raw(mut self, text: &str) -> Sql {
        self.text.push_str(text);
        self
    }

    pub(in crate::store) fn append(mut self, other: &Sql) -> Sql {
        self.text.push_str(&other.text);
        self.params.extend(other.params.iter().cloned());
        self
    }

    pub(in crate::store) fn name(mut self, name: &str) -> Result<Sql, StoreError> {
        let quoted = self.dialect.quote(name)?;
        self.text.push_str(&quoted);
        Ok(self)
    }

    pub(in crate::store) fn names(mut self, names: &[String]) -> Result<Sql, StoreError> {
        for (i, name) in names.iter().enumerate() {
            self = self.raw(if i == 0 { "" } else { ", " }).name(name)?;
        }
        Ok(self)
    }

    /// ` ORDER BY` these columns, from the last row on if `backwards`.
    pub(super) fn ordered(self, columns: &[String], backwards: bool) -> Result<Sql, StoreError> {
        let mut sql = self.raw(" ORDER BY ");
        for (i, column) in columns.iter().enumerate() {
            sql = sql.raw(if i == 0 { "" } else { ", " }).name(column)?;
            sql = sql.raw(if backwards { " DESC" } else { "" });
        }
        Ok(sql)
    }

    pub(in crate::store) fn value(mut self, value: &Scalar) -> Sql {
        self.text.push('?');
        self.params.push(value.clone());
        self
    }

    pub(in crate::store) fn number(self, n: u64) -> Sql {
        self.value(&Scalar::Int(i64::try_from(n).unwrap_or(i64::MAX)))
    }

    /// `name IN (?, …)`; the list is never empty.
    pub(in crate::store) fn within(
        mut self,
        column: &str,
        values: &[Scalar],
    ) -> Result<Sql, StoreError> {
        self = self.name(column)?.raw(" IN (");
        for (i, value) in values.iter().enumerate() {
            self = self.raw(if i == 0 { "" } else { ", " }).value(value);
        }
        Ok(self.raw(")"))
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The table of `task`, read along the index it is walked by.
    pub(super) fn walked(self, task: &PurgeTask) -> Result<Sql, StoreError> {
        match &task.walk {
            Walk::Time { index, .. } => self.read_by(&task.table, index),
            Walk::Key { .. } => self.name(&task.table),
        }
    }

    /// A table, read along this index.
    pub(super) fn read_by(self, table: &str, index: &str) -> Result<Sql, StoreError> {
        self.name(table)?.along(index)
    }

    /// The table that was named last is read along this index.
    pub(super) fn along(self, index: &str) -> Result<Sql, StoreError> {
        let sql = self;
        match sql.dialect {
            #[cfg(feature = "mysql")]
            Dialect::MySql => Ok(sql.raw(" FORCE INDEX (").name(index)?.raw(")")),
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => Ok(sql.raw(" INDEXED BY ").name(index)?),
        }
    }

    /// The condition of a filter.
    pub(in crate::store) fn filter(self, filter: &Filter) -> Result<Sql, StoreError> {
        Ok(match &filter.test {
            Test::Compare(op, value) => {
                let sql = self.name(&filter.column)?.raw(" ").raw(op);
                sql.raw(" ").value(value)
            }
            Test::In(values) => self.within(&filter.column, values)?,
            Test::NotIn(values) => self.raw("NOT ").within(&filter.column, values)?,
            Test::IsNull => self.name(&filter.column)?.raw(" IS NULL"),
            Test::IsNotNull => self.name(&filter.column)?.raw(" IS NOT NULL"),
        })
    }

    /// The condition for expired rows.
    pub(in crate::store) fn due(self, due: &Due) -> Result<Sql, StoreError> {
        let mut sql = self.name(&due.time_column)?.raw(" < ").value(&due.cutoff);
        for filter in &due.filters {
            sql = sql.raw(" AND ").filter(filter)?;
        }
        if let Some(condition) = &due.where_sql {
            sql = sql.raw(" AND (").raw(condition).raw(")");
        }
        Ok(sql)
    }

    /// Rows with a time, older than `below` if that is given.
    pub(super) fn older(self, time: &str, below: Option<&Scalar>) -> Result<Sql, StoreError> {
        let sql = self.name(time)?;
        Ok(match below {
            Some(below) => sql.raw(" < ").value(below),
            None => sql.raw(" IS NOT NULL"),
        })
    }

    /// The rows of a stretch, as a condition on the walk's columns.
    pub(super) fn stretch(
        self,
        columns: &[String],
        stretch: Stretch<'_>,
    ) -> Result<Sql, StoreError> {
        self.stretch_of("", columns, stretch)
    }

    /// The same where other tables have columns of these names: `alias` stands before each, with
    /// its dot.
    pub(super) fn stretch_of(
        mut self,
        alias: &str,
        columns: &[String],
        stretch: Stretch<'_>,
    ) -> Result<Sql, StoreError> {
        let mut any = false;
        // An empty position stands for the beginning.
        if let Some(from) = stretch.from.filter(|from| !from.at.is_empty()) {
            let op = if from.inclusive { " >= " } else { " > " };
            self = self.compare((alias, columns), &from.at, " > ", op)?;
            any = true;
        }
        if let Some(to) = stretch.to {
            self = self.raw(if any { " AND " } else { "" }).compare(
                (alias, columns),
                to,
                " < ",
                " <= ",
            )?;
            any = true;
        }
        Ok(if any { self } else { self.raw("1 = 1") })
    }

    /// A comparison of a compound key, written out: the optimiser of MariaDB reads a range from
    /// this form, not from `(a, b) > (?, ?)`.
    fn compare(
        mut self,
        (alias, columns): (&str, &[String]),
        values: &[Scalar],
        strict: &str,
        last: &str,
    ) -> Result<Sql, StoreError> {
        self = self.raw("(");
        for depth in 0..columns.len().min(values.len()) {
            self = self.raw(if depth == 0 { "(" } else { " OR (" });
            for (column, value) in columns.iter().zip(values).take(depth) {
                self = self.raw(alias).name(column)?;
                self = self.raw(" = ").value(value).raw(" AND ");
            }
            let op = if depth + 1 == columns.len() {
                last
            } else {
                strict
            };
            self = self
                .raw(alias)
                .name(&columns[depth])?
                .raw(op)
                .value(&values[depth])
                .raw(")");
        }
        Ok(self.raw(")"))
    }
}

impl Sql {
    /// Locks what is read, where the database has row locks. A child row cannot be added while
    /// its parent is locked, so nothing can slip in between and go uncounted.
    pub(super) fn for_update(self) -> Sql {
        match self.dialect {
            #[cfg(feature = "mysql")]
            Dialect::MySql => self.raw(" FOR UPDATE"),
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => self,
        }
    }
}
