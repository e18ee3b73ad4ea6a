//! What the account may do, asked before a run rather than found out in its middle.

mod need;

use std::collections::{BTreeMap, BTreeSet};

use elpis_maint_core::SeriesRule;
use elpis_maint_core::housekeeping::{HousekeepingPlan, PartPlan, Task};
use elpis_maint_core::store::STATE_TABLE;
use elpis_maint_core::sweep::HeldBy;
use elpis_mysql::{Error, Params, Session};

use super::one;
use need::{Need, of_part, of_work};

/// Something that the account may not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The privilege.
    pub privilege: &'static str,
    /// On what.
    pub table: String,
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
        for need in of_part(part) {
            let denied = match asked.get(&need) {
                Some(denied) => *denied,
                None => need.is_denied(session).await?,
            };
            if denied {
                *part = PartPlan::Held {
                    by: HeldBy::Privilege,
                    why: format!(
                        "the account lacks {} on {}: nothing of this is done; GRANT SELECT, INSERT, \
                         UPDATE, DELETE on the whole database to it",
                        need.privilege(),
                        need.table()
                    ),
                };
            }
            asked.insert(need, denied);
            if denied {
                break;
            }
        }
    }
    plan.find_overlaps();
    Ok(())
}

/// What the account of `session` may not do of all that `tasks` may ever do, of what compaction may
/// do, and of what tells the console. Of a table that it does not see nobody can tell whether it is
/// there: only those of `shipped`, which every version has, are asked about all the same.
///
/// # Errors
/// The session is lost, or the server does not answer.
pub(crate) async fn denied(
    tasks: &[Task],
    shipped: &[&str],
    session: &mut Session,
) -> Result<Vec<Denied>, Error> {
    if may_write_everything(session).await? {
        return Ok(Vec::new());
    }
    let works = tasks.iter().flat_map(|task| &task.work);
    let mut needs: BTreeSet<Need> = works.flat_map(of_work).collect();
    needs.insert(Need::insert("tconfig", "value"));
    needs.insert(Need::update("tconfig", "value"));
    needs.extend(on_progress());
    let seen = "SELECT CAST(table_name AS BINARY) FROM information_schema.tables \
                WHERE table_schema = DATABASE()";
    let seen: Vec<Vec<u8>> = session.rows(seen, Params::Empty).await?;
    needs.retain(|need| {
        let table = need.table();
        shipped.contains(&table) || seen.iter().any(|name| name == table.as_bytes())
    });
    let mut denied = Vec::new();
    for need in needs {
        if need.is_denied(session).await? {
            denied.push(Denied {
                privilege: need.privilege(),
                table: need.table().to_owned(),
            });
        }
    }
    denied.dedup();
    Ok(denied)
}

/// The privilege that compaction by `rules`, which keep values as they are
/// ([`Mode::Envelope`](elpis_maint_core::Mode::Envelope)), lacks, in words, if it lacks one.
///
/// # Errors
/// The session is lost, or the server does not answer.
pub async fn lacking_for_compaction(
    rules: &[SeriesRule],
    session: &mut Session,
) -> Result<Option<String>, Error> {
    if may_create_progress(session).await? == Some(false) {
        return Ok(Some(
            "CREATE, which compaction needs once, for the table of its progress".to_owned(),
        ));
    }
    if may_write_everything(session).await? {
        return Ok(None);
    }
    let data = rules.iter().map(|rule| Need::delete(&rule.table));
    // Where the table is yet to come, the server says what is denied before it says what is missing.
    for need in data.chain(on_progress()) {
        if need.is_denied(session).await? {
            return Ok(Some(format!("{} on {}", need.privilege(), need.table())));
        }
    }
    Ok(None)
}

/// A row of progress is replaced, which deletes it.
fn on_progress() -> [Need; 2] {
    [
        Need::delete(STATE_TABLE),
        Need::insert(STATE_TABLE, "table_name"),
    ]
}

/// Whether the account may change all tables of the database, by grants of its own that say so
/// plainly. Where they do not (roles, several grants of which one is the closest, single tables), each
/// table is asked about.
async fn may_write_everything(session: &mut Session) -> Result<bool, Error> {
    // As the server writes it, in quotes.
    const GRANTEE: &str = "CONCAT(QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', 1)), '@', \
                           QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)))";
    const FOUR: &str = "privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')";
    // CHAR(92) is a backslash in every sql_mode: names in grants may be patterns.
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
pub(crate) async fn may_create_progress(session: &mut Session) -> Result<Option<bool>, Error> {
    let there = "SELECT COUNT(*) FROM information_schema.tables \
                 WHERE table_schema = DATABASE() AND table_name = ?";
    let there = session.first::<i64>(there, one(STATE_TABLE)).await?;
    if there > Some(0) {
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
