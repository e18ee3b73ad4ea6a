//! What the list of accounts of an archive asks for, and how we write it: names and texts are
//! always quoted by ourselves, so that nothing of the archive stands in a statement as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use elpis_mysql::Flavour;
use elpis_run::Secret;

/// An account or role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) user: String,
    /// MariaDB's roles have none.
    pub(super) host: Option<String>,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&name(&self.user))?;
        match &self.host {
            Some(host) => write!(f, "@{}", name(host)),
            None => Ok(()),
        }
    }
}

/// What a right is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// `*.*`, which only a server says: our dumps leave it out.
    Everything,
    /// All of a database, as the pattern that it is written as.
    Database(String),
    /// A table, or a routine of the kind that stands before the names.
    Object(&'static str, String, String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Everything => f.write_str("*.*"),
            Place::Database(pattern) => write!(f, "{}.*", name(pattern)),
            Place::Object(kind, database, object) => {
                write!(f, "{kind}{}.{}", name(database), name(object))
            }
        }
    }
}

/// A statement of the list.
#[derive(Debug, Clone)]
pub(super) enum Wish {
    /// An account with all that stands behind its name, password hash included.
    User(Account, Secret<String>),
    Role(Account),
    Right(Right),
    /// A role for an account.
    Member {
        role: Account,
        of: Account,
        admin: bool,
    },
    /// The role that an account begins with.
    Default {
        role: Account,
        of: Account,
    },
    /// Understood, and nobody's business here: rights of a proxy, rights taken away.
    Passed,
}

/// `GRANT ... ON ... TO`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Right {
    /// Each with the columns that it is limited to; none for all.
    pub(super) privileges: BTreeMap<String, BTreeSet<String>>,
    pub(super) on: Place,
    pub(super) to: Account,
    pub(super) with_grant: bool,
}

impl Right {
    /// Whether `held` gives this one already.
    pub(super) fn is_within(&self, held: &Right) -> bool {
        let is_covered = |privilege: &String, columns: &BTreeSet<String>| {
            if held.privileges.contains_key("ALL PRIVILEGES") || privilege == "USAGE" {
                return true;
            }
            let known = held.privileges.get(privilege);
            known.is_some_and(|known| known.is_empty() || !columns.is_empty() && columns <= known)
        };
        self.to == held.to
            && (self.on == held.on || held.on == Place::Everything)
            && (held.with_grant || !self.with_grant)
            && self
                .privileges
                .iter()
                .all(|(name, columns)| is_covered(name, columns))
    }

    /// What it gives on what, without to whom.
    pub(super) fn words(&self) -> String {
        let one = |(privilege, columns): (&String, &BTreeSet<String>)| match columns.is_empty() {
            true => privilege.clone(),
            false => {
                let columns: Vec<String> = columns.iter().map(|column| name(column)).collect();
                format!("{privilege} ({})", columns.join(", "))
            }
        };
        let privileges: Vec<String> = self.privileges.iter().map(one).collect();
        format!("{} ON {}", privileges.join(", "), self.on)
    }
}

impl Wish {
    /// What must be there before it has a lower one.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Wish::User(..) | Wish::Role(_) => 0,
            Wish::Right(_) | Wish::Passed => 1,
            Wish::Member { .. } => 2,
            Wish::Default { .. } => 3,
        }
    }

    /// What it is, for people: without any hash.
    pub(super) fn words(&self) -> String {
        match self {
            Wish::User(account, _) => format!("account {account}"),
            Wish::Role(role) => format!("role {role}"),
            Wish::Right(right) => {
                let with = if right.with_grant {
                    " WITH GRANT OPTION"
                } else {
                    ""
                };
                format!("{} TO {}{with}", right.words(), right.to)
            }
            Wish::Member { role, of, admin } => {
                let with = if *admin { " WITH ADMIN OPTION" } else { "" };
                format!("role {role} TO {of}{with}")
            }
            Wish::Default { role, of } => format!("default role {role} FOR {of}"),
            Wish::Passed => String::new(),
        }
    }

    /// The one statement that fulfils it.
    pub(super) fn statement(&self, flavour: Flavour) -> Secret<String> {
        Secret::new(match self {
            Wish::User(account, options) => {
                format!("CREATE USER IF NOT EXISTS {account} {}", options.expose())
            }
            Wish::Role(role) => format!("CREATE ROLE IF NOT EXISTS {role}"),
            Wish::Right(_) => format!("GRANT {}", self.words()),
            Wish::Member { role, of, admin } => {
                let with = if *admin { " WITH ADMIN OPTION" } else { "" };
                format!("GRANT {role} TO {of}{with}")
            }
            Wish::Default { role, of } => match flavour {
                Flavour::MariaDb => format!("SET DEFAULT ROLE {role} FOR {of}"),
                Flavour::MySql => format!("SET DEFAULT ROLE {role} TO {of}"),
            },
            Wish::Passed => String::new(),
        })
    }
}

/// Names of accounts are longer than identifiers may be. The reader has refused zero bytes.
fn name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text, for a session without `NO_BACKSLASH_ESCAPES`.
pub(super) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
