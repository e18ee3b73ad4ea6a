//! Accounts and rights of an archive, compared with those of the server.
//!
//! The list comes from the archive, and whoever made that may want something else than we do. It is
//! read before anything is changed, what our dumps do not write refuses the archive, and what is sent
//! to the server is written by ourselves: names are quoted, and the server prepares it, which it does
//! with one statement only.

mod read;
mod wish;

use elpis_mysql::{Flavour, FromRow, Params, Session};

pub(super) use self::read::Strange;
use self::wish::{Account, Place, Right, Wish};
use super::error::RestoreError;
use super::session::Ask;

/// The server prepares no statement of this kind (MySQL).
const NO_PREPARED: u16 = 1295;

/// What an archive asks for.
#[derive(Debug, Default)]
pub(super) struct Wanted(Vec<Wish>);

impl Wanted {
    /// Adds a list of an archive.
    pub(super) fn add(&mut self, list: &str) -> Result<(), Strange> {
        for wish in read::read(list)? {
            if matches!(&wish, Wish::Right(right) if right.on == Place::Everything) {
                let why = "it gives rights on everything";
                return Err(Strange { at: 0, why });
            }
            self.0.push(wish);
        }
        // The list is in the order of names: a role may come after those who have it.
        self.0.sort_by_key(Wish::rank);
        Ok(())
    }
}

/// Whether a restore understands a statement, without its end, of a list of accounts.
pub(crate) fn is_understood(statement: &str) -> bool {
    Wanted::default().add(&format!("{statement};")).is_ok()
}

/// What `wanted` has of `database` and the server has not, in words without any hash; made if
/// `apply`, and told all the same if that failed.
pub(super) async fn missing(
    session: &mut Session,
    wanted: &Wanted,
    database: &str,
    apply: bool,
) -> Result<Vec<String>, RestoreError> {
    let (flavour, version) = (session.server().flavour, session.server().version);
    // Our texts are written for a session in which a backslash means something. And whoever could not
    // be made must not come about, without a password, by being given a right.
    let mode = match (flavour, version) {
        (Flavour::MySql, (8.., ..)) => "",
        _ => "NO_AUTO_CREATE_USER",
    };
    session
        .tell(&format!("SET SESSION sql_mode = '{mode}'"))
        .await?;
    let mut missing = Vec::new();
    for wish in &wanted.0 {
        let (is_there, may_be_made) = match wish {
            Wish::Passed => continue,
            // Rights on other databases are not this restore's business.
            Wish::Right(right) if !right.concerns(database) => continue,
            Wish::User(account, _) | Wish::Role(account) => {
                (shown(session, account).await?.is_some(), true)
            }
            Wish::Right(right) => {
                let held = shown(session, &right.to).await?.unwrap_or_default();
                let is_within =
                    |held: &Wish| matches!(held, Wish::Right(held) if right.is_within(held));
                // A pattern may mean other databases as well.
                (held.iter().any(is_within), right.is_only_of(database))
            }
            Wish::Member { role, of, admin } => {
                let held = shown(session, of).await?.unwrap_or_default();
                let is_held = |held: &Wish| match held {
                    Wish::Member {
                        role: known,
                        of: whose,
                        admin: may,
                    } => known == role && whose == of && (*may || !admin),
                    _ => false,
                };
                let is_there = held.iter().any(is_held);
                // An archive must not make anybody a member of what is there and may do more.
                (
                    is_there,
                    !is_there && is_small(session, role, database).await?,
                )
            }
            Wish::Default { role, of } => {
                let held = shown(session, of).await?.unwrap_or_default();
                let is_held = |held: &Wish| matches!(held, Wish::Default { role: known, of: whose } if known == role && whose == of);
                (held.iter().any(is_held), true)
            }
        };
        if is_there {
            continue;
        }
        let made = apply && may_be_made && make(session, wish, flavour).await;
        if !made {
            missing.push(wish.words());
        }
    }
    Ok(missing)
}

impl Right {
    fn pattern(&self) -> Option<&str> {
        match &self.on {
            Place::Everything => None,
            Place::Database(name) | Place::Object(_, name, _) => Some(name),
        }
    }

    /// Whether it is about this database.
    fn concerns(&self, database: &str) -> bool {
        match &self.on {
            Place::Database(pattern) => crate::dump::privileges::is_like(database, pattern),
            _ => self.pattern() == Some(database),
        }
    }

    /// Whether it is written as one about no other.
    fn is_only_of(&self, database: &str) -> bool {
        let escaped = database.replace('_', "\\_").replace('%', "\\%");
        let is_plain = self.pattern() == Some(database) && !database.contains('%');
        is_plain || matches!(self.on, Place::Database(_)) && self.pattern() == Some(&escaped)
    }
}

/// Whether a role may do nothing but what concerns `database`.
async fn is_small(
    session: &mut Session,
    role: &Account,
    database: &str,
) -> Result<bool, RestoreError> {
    let Some(held) = lines(session, role).await? else {
        return Ok(false);
    };
    let is_mariadb = session.server().flavour == Flavour::MariaDb;
    let is_small = |line: &String| {
        let wishes = read::shown(line);
        let is_small = |wish: &Wish| match wish {
            Wish::Right(right) => {
                let does_nothing = right.privileges.keys().all(|name| name == "USAGE");
                does_nothing && !right.with_grant || right.is_only_of(database)
            }
            // What these bring MariaDB shows as well.
            Wish::Member { .. } => is_mariadb,
            _ => false,
        };
        !wishes.is_empty() && wishes.iter().all(is_small)
    };
    Ok(held.iter().all(is_small))
}

/// What the server says of an account; `None` if it does not know it.
async fn shown(
    session: &mut Session,
    account: &Account,
) -> Result<Option<Vec<Wish>>, RestoreError> {
    let lines = lines(session, account).await?;
    Ok(lines.map(|lines| lines.iter().flat_map(|line| read::shown(line)).collect()))
}

async fn lines(
    session: &mut Session,
    account: &Account,
) -> Result<Option<Vec<String>>, RestoreError> {
    let sql = format!("SHOW GRANTS FOR {account}");
    match prepared(session, &sql).await {
        Ok(lines) => Ok(Some(lines)),
        Err(error) if matches!(error.code(), Some(1141 | 1269 | 1959)) => Ok(None),
        Err(source) => Err(RestoreError::server("asking for rights", source)),
    }
}

/// Rows of one statement, which is prepared where the server can.
async fn prepared<T: FromRow + Send + 'static>(
    session: &mut Session,
    sql: &str,
) -> Result<Vec<T>, elpis_mysql::Error> {
    match session.rows(sql, Params::Positional(Vec::new())).await {
        Err(error) if error.code() == Some(NO_PREPARED) => session.rows(sql, Params::Empty).await,
        other => other,
    }
}

/// Whether the server has done it.
async fn make(session: &mut Session, wish: &Wish, flavour: Flavour) -> bool {
    let sql = wish.statement(flavour);
    match session.execute_single(sql.expose().as_bytes()).await {
        Err(error) if error.code() == Some(NO_PREPARED) => {
            session.execute(sql.expose(), Params::Empty).await.is_ok()
        }
        made => made.is_ok(),
    }
}
