//! What the operator wants in a backup: which databases, which paths, in which container. No I/O.

mod check;
mod rules;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use check::ProfileError;
pub use rules::{DumpRules, Replica};

use crate::archive::{Container, Product};
use crate::files::Pattern;

/// What belongs into a backup, validated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name, for people.
    pub name: String,
    /// What the names of archives begin with: `PREFIX_backup_YYYY-MM-DD-HH-MM-SS.tar.gz`.
    pub prefix: String,
    /// What the archives are.
    #[serde(default = "default_container")]
    pub container: Container,
    /// How hard to compress; see [`Compression`](crate::archive::Compression).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<i32>,
    /// On how many threads; all cores if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Whether an archive is read back and checked before it gets its name.
    #[serde(default = "yes")]
    pub verify: bool,
    /// Whether free space is checked before anything is written.
    #[serde(default = "yes")]
    pub check_space: bool,
    /// How databases on servers are dumped.
    #[serde(default)]
    pub dump: DumpRules,
    /// What the installed product says of itself.
    #[serde(default)]
    pub product: Product,
    /// Parts of the installation that are files.
    #[serde(default, rename = "component")]
    pub components: Vec<Component>,
    /// Parts of the installation that are databases.
    #[serde(default, rename = "database")]
    pub databases: Vec<Database>,
}

/// A part of the installation that is files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Its name, unique in the profile.
    pub name: String,
    /// Files and directories, absolute, none within another.
    pub paths: Vec<PathBuf>,
    /// What is left out of directories.
    #[serde(default)]
    pub exclude: Vec<Pattern>,
    /// Whether a backup without one of the paths is partial. Otherwise it is only remarked.
    #[serde(default = "yes")]
    pub required: bool,
}

/// A part of the installation that is a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Its name; on a server, what the server calls it.
    pub name: String,
    /// The option file with host, account and password, of a database on a MySQL or MariaDB
    /// server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub option_file: Option<PathBuf>,
    /// The file of a SQLite database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqlite: Option<PathBuf>,
    /// Tables whose rows are left out: `name`, or `start*`.
    #[serde(default)]
    pub without_rows: Vec<String>,
}

fn yes() -> bool {
    true
}

fn default_container() -> Container {
    Container::TarZst
}

impl Profile {
    /// A profile without any part.
    pub fn new(
        name: impl Into<String>,
        prefix: impl Into<String>,
        container: Container,
    ) -> Profile {
        Profile {
            name: name.into(),
            prefix: prefix.into(),
            container,
            level: None,
            threads: None,
            verify: true,
            check_space: true,
            dump: DumpRules::default(),
            product: Product::default(),
            components: Vec::new(),
            databases: Vec::new(),
        }
    }
}
