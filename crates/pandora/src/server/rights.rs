//! What the account may do, asked before a run rather than found out in its middle.

use std::collections::BTreeMap;

use elpis_maint_core::housekeeping::{HousekeepingPlan, PartPlan};
use elpis_maint_core::sweep::{Dependent, Fate, HeldBy, SweepAct, SweepTask};
use elpis_mysql::{Error, Params, Session, quote};

/// Access denied to the database, to the table, to the column.
const DENIED: [u16; 3] = [1044, 1142, 1143];

/// Something that a plan does to a table, and a column by which the server can be asked whether it
/// may be done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    Delete { table: String },
    Update { table: String, column: String },
    Insert { table: String, column: String },
}

/// Parts of `plan` that the account of `session` may not carry out are held back, each with the
/// privilege it lacks, so that a run does everything else and never stops half the way.
///
/// # Errors
/// The session is lost.
pub async fn hold_what_is_denied(
    plan: &mut HousekeepingPlan,
    session: &mut Session,
) -> Result<(), Error> {
    if may_write_everything(session).await? {
        return Ok(());
    }
    let mut asked: BTreeMap<Need, bool> = BTreeMap::new();
    for part in plan.tasks.iter_mut().flat_map(|task| &mut task.parts) {
        for need in needs(part) {
            let denied = match asked.get(&need) {
                Some(denied) => *denied,
                None => is_denied(session, &need).await?,
            };
            asked.insert(need.clone(), denied);
            if denied {
                *part = PartPlan::Held {
                    by: HeldBy::Privilege,
                    why: need.lacking(),
                };
                break;
            }
        }
    }
    Ok(())
}

/// Whether the account may change all tables of the database, by grants of its own that say so
/// plainly. Where they do not (roles, several grants of which one is the closest, single tables), each
/// table is asked about.
async fn may_write_everything(session: &mut Session) -> Result<bool, Error> {
    // CHAR(92) is a backslash in every sql_mode: names in grants may be patterns.
    const GRANTEE: &str = "CONCAT('''''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), ''''@'''', \
                           SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''''')";
    const FOUR: &str = "privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')";
    let sql = format!(
        "SELECT COALESCE( \
           (SELECT COUNT(*) = 4 FROM information_schema.user_privileges \
            WHERE grantee = {GRANTEE} AND {FOUR}) \
           OR (SELECT COUNT(DISTINCT table_schema) = 1 AND SUM({FOUR}) = 4 \
               FROM information_schema.schema_privileges WHERE grantee = {GRANTEE} \
                 AND BINARY REPLACE(table_schema, CHAR(92), '') = BINARY DATABASE()), 0)"
    );
    match session.first::<i64>(&sql, Params::Empty).await {
        Err(error) if error.is_lost() => Err(error),
        answer => Ok(matches!(answer, Ok(Some(1)))),
    }
}

/// Whether the account may make the table that compaction keeps its progress in; `None` if that is
/// there, or nobody can tell.
///
/// # Errors
/// The session is lost, or the server does not answer.
pub async fn may_create_progress(session: &mut Session) -> Result<Option<bool>, Error> {
    let there = "SELECT COUNT(*) FROM information_schema.tables \
                 WHERE table_schema = DATABASE() AND table_name = 'elpis_compaction'";
    if session.first::<i64>(there, Params::Empty).await? > Some(0) {
        return Ok(None);
    }
    let database: Option<Option<String>> =
        session.first("SELECT DATABASE()", Params::Empty).await?;
    let database = database.flatten().unwrap_or_default();
    let grants: Vec<String> = session.rows("SHOW GRANTS", Params::Empty).await?;
    // A role's grants are not listed here.
    if grants.iter().any(|grant| !grant.contains(" ON ")) {
        return Ok(None);
    }
    let plain = |text: &str| text.replace(['`', '\\', '\''], "").to_lowercase();
    let covers = |grant: &String| {
        let grant = plain(grant);
        let Some((privileges, rest)) = grant.split_once(" on ") else {
            return false;
        };
        let listed = privileges
            .trim_start_matches("grant ")
            .split(',')
            .map(str::trim);
        let mut listed = listed.filter(|one| *one == "create" || one.starts_with("all privileges"));
        let here = rest.starts_with("*.*") || rest.starts_with(&format!("{}.*", plain(&database)));
        here && listed.next().is_some()
    };
    Ok(Some(grants.iter().any(covers)))
}

/// A statement that is only explained needs the same privileges as one that is carried out.
async fn is_denied(session: &mut Session, need: &Need) -> Result<bool, Error> {
    let sql = match need {
        Need::Delete { table } => format!("EXPLAIN DELETE FROM {} WHERE 1 = 0", quote(table)?),
        Need::Update { table, column } => {
            let (table, column) = (quote(table)?, quote(column)?);
            format!("EXPLAIN UPDATE {table} SET {column} = {column} WHERE 1 = 0")
        }
        Need::Insert { table, column } => {
            let (table, column) = (quote(table)?, quote(column)?);
            format!(
                "EXPLAIN INSERT INTO {table} ({column}) SELECT {column} FROM {table} WHERE 1 = 0"
            )
        }
    };
    match session.execute(&sql, Params::Empty).await {
        Err(error) if error.is_lost() => Err(error),
        Err(error) => Ok(error.code().is_some_and(|code| DENIED.contains(&code))),
        Ok(_) => Ok(false),
    }
}

fn needs(part: &PartPlan) -> Vec<Need> {
    let delete = |table: &String| Need::Delete {
        table: table.clone(),
    };
    match part {
        PartPlan::Purge(plan) => {
            let cascades = plan.task.cascaded_tables().into_iter();
            let cascades = cascades.map(|table| delete(&table.to_owned()));
            cascades.chain([delete(&plan.task.table)]).collect()
        }
        PartPlan::Sweep(plan) => of_sweep(&plan.task),
        PartPlan::Program(_) | PartPlan::Skipped { .. } | PartPlan::Held { .. } => Vec::new(),
    }
}

fn of_sweep(task: &SweepTask) -> Vec<Need> {
    let update = |table: &String, column: Option<&String>| {
        column.map(|column| Need::Update {
            table: table.clone(),
            column: column.clone(),
        })
    };
    let mut needs = Vec::new();
    of_dependents(task.dependents(), &mut needs);
    let marks = task.marks().iter();
    needs.extend(marks.filter_map(|mark| {
        let mut columns = mark.values.iter().map(|(column, _)| column);
        update(&mark.table, columns.next())
    }));
    match &task.act {
        SweepAct::Delete { .. } => needs.push(Need::Delete {
            table: task.table.clone(),
        }),
        SweepAct::Clear { .. } => {}
        SweepAct::Insert { into, values, .. } => {
            needs.extend(values.first().map(|(column, _)| Need::Insert {
                table: into.clone(),
                column: column.clone(),
            }));
        }
        SweepAct::Set { values } => {
            needs.extend(update(
                &task.table,
                values.first().map(|(column, _)| column),
            ));
        }
    }
    needs
}

fn of_dependents(dependents: &[Dependent], needs: &mut Vec<Need>) {
    for one in dependents {
        needs.push(match one.fate {
            Fate::Delete => Need::Delete {
                table: one.table.clone(),
            },
            Fate::Detach => Need::Update {
                table: one.table.clone(),
                column: one.column.clone(),
            },
        });
        of_dependents(&one.dependents, needs);
    }
}

impl Need {
    fn lacking(&self) -> String {
        let (privilege, table) = match self {
            Need::Delete { table } => ("DELETE", table),
            Need::Update { table, .. } => ("UPDATE", table),
            Need::Insert { table, .. } => ("INSERT", table),
        };
        format!(
            "the account lacks {privilege} on {table}: nothing of this is done; \
             GRANT SELECT, INSERT, UPDATE, DELETE on the whole database to it"
        )
    }
}
