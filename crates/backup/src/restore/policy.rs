//! What the operator wants of a restore.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::accept::Accept;
use super::pace::FillPace;
use super::scope::Scope;
use crate::archive::Product;

/// How a database is to be restored. [`RestorePolicy::new`] has the defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestorePolicy {
    /// The live database that is replaced; it need not be there.
    pub database: String,
    /// The differences that are taken.
    pub accept: BTreeSet<Accept>,
    /// Parallel sessions that load, 1 to 64. A table is loaded by one at a time: while one
    /// builds its indexes the other loads the next.
    pub sessions: usize,
    /// About how many bytes of statements are one transaction: 64 KiB to 256 MiB. Each session
    /// holds up to two of them in memory, and of longer statements up to two of these.
    pub chunk_bytes: usize,
    /// From how many bytes of rows on a table gets its secondary indexes after them.
    pub defer_from: u64,
    /// How what was loaded is compared with the text.
    pub compare: Compare,
    /// How long one try of the exchange waits for those who read the tables, and makes others wait:
    /// whole seconds, at least one.
    pub lock_wait: Duration,
    /// How often the exchange is tried.
    pub lock_tries: u32,
    /// How long users of the database may take to go once the services are stopped.
    pub settle: Duration,
    /// How long one statement may take, such as building an index.
    pub statement_timeout: Duration,
    /// What becomes of accounts and rights that the archive has and the server has not.
    pub grants: Grants,
    /// What the installed product says of itself; what is empty is not compared.
    pub installed: Product,
    /// How much of the database is restored.
    #[serde(default)]
    pub scope: Scope,
    /// Tables whose rows come after the exchange, while the product works: they can be had later,
    /// such as time series. Of a whole database only, only of InnoDB, and not those that foreign
    /// keys or triggers tie to others; and none whose keys the product gives out by itself.
    #[serde(default)]
    pub later: Vec<LaterTable>,
    /// How fast rows are put into tables that are in use.
    #[serde(default)]
    pub pace: FillPace,
}

/// A table whose rows may come later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaterTable {
    /// The table.
    pub table: String,
    /// The column with the time, a whole number, if there is one: the newest rows come first, and
    /// not all at once.
    pub time: Option<String>,
}

/// How what was loaded is compared with the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// Every row is read again and compared, as far as our own dump wrote the text; of other
    /// texts the rows are counted.
    Content,
    /// Rows are counted.
    Counts,
}

/// What becomes of accounts and rights of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grants {
    /// What is missing is told.
    Check,
    /// What is missing is made.
    Apply,
}

impl RestorePolicy {
    /// The defaults for `database`.
    pub fn new(database: &str) -> RestorePolicy {
        RestorePolicy {
            database: database.to_owned(),
            accept: BTreeSet::new(),
            sessions: 2,
            chunk_bytes: 2 << 20,
            defer_from: 4 << 20,
            compare: Compare::Content,
            lock_wait: Duration::from_secs(1),
            lock_tries: 30,
            settle: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(12 * 3600),
            grants: Grants::Check,
            installed: Product::default(),
            scope: Scope::Whole,
            later: Vec::new(),
            pace: FillPace::default(),
        }
    }
}
