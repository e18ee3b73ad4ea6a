//! What has to be done to a table, and whether the account may.

use elpis_maint_core::housekeeping::{PartPlan, Work};
use elpis_maint_core::sweep::{Act, Dependent, Expr, Fate, Mark, SweepAct};
use elpis_mysql::{Error, Params, Session, quote};

/// Access denied to the database, to the table, to the column.
const DENIED: [u16; 3] = [1044, 1142, 1143];

/// Something that is done to a table, and a column by which the server can be asked whether it may
/// be done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    Select { table: String },
    Delete { table: String },
    Update { table: String, column: String },
    Insert { table: String, column: String },
}

/// What a part of a plan does.
pub(super) fn of_part(part: &PartPlan) -> Vec<Need> {
    match part {
        PartPlan::Purge(plan) => {
            let tables = plan.task.cascaded_tables().into_iter();
            tables
                .chain([&*plan.task.table])
                .map(Need::delete)
                .collect()
        }
        PartPlan::Sweep(plan) => {
            let task = &plan.task;
            let mut needs = on_others(task.dependents(), task.marks());
            match &task.act {
                SweepAct::Delete { .. } => needs.push(Need::delete(&task.table)),
                SweepAct::Clear { .. } => {}
                SweepAct::Insert { into, values, .. } => needs.extend(insert(into, values)),
                SweepAct::Set { values } => needs.extend(update(&task.table, values)),
            }
            needs
        }
        PartPlan::Program(_) | PartPlan::Skipped { .. } | PartPlan::Held { .. } => Vec::new(),
    }
}

/// What a task does wherever its tables are, foreign keys of the live schema not included.
pub(super) fn of_work(work: &Work) -> Vec<Need> {
    let select = |table: &String| Need::Select {
        table: table.clone(),
    };
    match work {
        Work::Retention(rule) => vec![select(&rule.name), Need::delete(&rule.name)],
        Work::Sweep(rule) => {
            let mut needs = vec![select(&rule.table)];
            match &rule.act {
                Act::Delete { dependents, marks } => {
                    needs.extend(on_others(dependents, marks));
                    needs.push(Need::delete(&rule.table));
                }
                Act::Clear { dependents } => needs.extend(on_others(dependents, &[])),
                Act::Insert { into, values, .. } => needs.extend(insert(into, values)),
                Act::Set { values } => needs.extend(update(&rule.table, values)),
            }
            needs
        }
        Work::Program(_) | Work::Skip { .. } => Vec::new(),
    }
}

/// One column stands for all that are given a value.
fn insert(table: &str, values: &[(String, Expr)]) -> Option<Need> {
    let (column, _) = values.first()?;
    Some(Need::insert(table, column))
}

fn update<T>(table: &str, values: &[(String, T)]) -> Option<Need> {
    let (column, _) = values.first()?;
    Some(Need::update(table, column))
}

/// What happens to the rows of other tables when a row goes.
fn on_others(dependents: &[Dependent], marks: &[Mark]) -> Vec<Need> {
    let dependents = Dependent::on_all_levels(dependents).into_iter();
    let hanging = dependents.map(|one| match one.fate {
        Fate::Delete => Need::delete(&one.table),
        Fate::Detach => Need::update(&one.table, &one.column),
    });
    let marks = marks.iter();
    let marked = marks.filter_map(|mark| update(&mark.table, &mark.values));
    hanging.chain(marked).collect()
}

impl Need {
    pub(super) fn delete(table: &str) -> Need {
        Need::Delete {
            table: table.to_owned(),
        }
    }

    pub(super) fn insert(table: &str, column: &str) -> Need {
        Need::Insert {
            table: table.to_owned(),
            column: column.to_owned(),
        }
    }

    pub(super) fn update(table: &str, column: &str) -> Need {
        Need::Update {
            table: table.to_owned(),
            column: column.to_owned(),
        }
    }

    pub(super) fn privilege(&self) -> &'static str {
        match self {
            Need::Select { .. } => "SELECT",
            Need::Delete { .. } => "DELETE",
            Need::Update { .. } => "UPDATE",
            Need::Insert { .. } => "INSERT",
        }
    }

    pub(super) fn table(&self) -> &str {
        match self {
            Need::Select { table }
            | Need::Delete { table }
            | Need::Update { table, .. }
            | Need::Insert { table, .. } => table,
        }
    }

    /// A statement that is only explained needs the same privileges as one that is carried out.
    pub(super) async fn is_denied(&self, session: &mut Session) -> Result<bool, Error> {
        let table = quote(self.table())?;
        let sql = match self {
            Need::Select { .. } => format!("EXPLAIN SELECT * FROM {table} WHERE 1 = 0"),
            Need::Delete { .. } => format!("EXPLAIN DELETE FROM {table} WHERE 1 = 0"),
            Need::Update { column, .. } => {
                let column = quote(column)?;
                format!("EXPLAIN UPDATE {table} SET {column} = {column} WHERE 1 = 0")
            }
            Need::Insert { column, .. } => {
                let column = quote(column)?;
                format!(
                    "EXPLAIN INSERT INTO {table} ({column}) \
                     SELECT {column} FROM {table} WHERE 1 = 0"
                )
            }
        };
        match session.execute(&sql, Params::Empty).await {
            Err(error) if error.is_lost() => Err(error),
            // Other errors: a table or column that this edition lacks.
            Err(error) => Ok(error.code().is_some_and(|code| DENIED.contains(&code))),
            Ok(_) => Ok(false),
        }
    }
}
