//! A small installation to try things on: a SQLite database, configuration, pending files and a
//! console, and the profile that belongs to it.

use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use elpis_run::{FsError, fsx};

use crate::archive::Container;
use crate::profile::{Component, Database, Profile};

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// A file or directory.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The database.
    #[error("cannot fill the demo database {}", path.display())]
    Database {
        /// Its file.
        path: PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Makes an installation with `rows` rows below `dir`, where nothing of that name may be yet, and
/// returns its profile. Blocks: a second for a million rows.
///
/// # Errors
/// [`DemoError`]; what is there then is of no use.
pub fn create(dir: &Path, rows: u64) -> Result<Profile, DemoError> {
    for part in ["etc", "data_in/conf", "console/include", "console/images"] {
        let path = dir.join(part);
        std::fs::DirBuilder::new()
            .recursive(true)
            .create(&path)
            .map_err(|source| FsError::new("create directory", &path, source))?;
    }
    let put = |name: &str, text: &[u8], mode| fsx::write_durable(&dir.join(name), text, mode);
    put(
        "etc/pandora_server.conf",
        b"# a demo\nservername demo\n",
        0o640,
    )?;
    put(
        "console/include/config.php",
        b"<?php\n$config[\"dbname\"] = \"demo\";\n",
        0o600,
    )?;
    put("console/.htaccess", b"Options -Indexes\n", 0o644)?;
    put(
        "console/index.php",
        b"<?php require 'include/config.php';\n",
        0o644,
    )?;
    for n in 0..20 {
        put(
            &format!("data_in/conf/agent-{n}.conf"),
            format!("agent_name {n}\n").as_bytes(),
            0o644,
        )?;
        put(
            &format!("data_in/agent-{n}.data"),
            b"<agent_data/>\n",
            0o644,
        )?;
    }
    let image = dir.join("console/images/logo.img");
    let fail = |source| FsError::new("write", &image, source);
    let sparse = crate::work::create_new(&image, 0o644)?;
    sparse.set_len(8 << 20).map_err(fail)?;
    let link = dir.join("console/images/current");
    std::os::unix::fs::symlink("logo.img", &link)
        .map_err(|source| FsError::new("create link", &link, source))?;
    let database = dir.join("monitoring.db");
    fill(&database, rows)?;
    Ok(profile(dir, database))
}

fn fill(path: &Path, rows: u64) -> Result<(), DemoError> {
    let fail = |source: Box<dyn std::error::Error + Send + Sync>| DemoError::Database {
        path: path.to_owned(),
        source,
    };
    let shown = path
        .to_str()
        .ok_or_else(|| fail("its path is not UTF-8".into()))?;
    let mut connection = SqliteConnection::establish(shown).map_err(|error| fail(error.into()))?;
    let sql = format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
         CREATE TABLE tagente_datos (id_agente_modulo INTEGER, datos REAL, utimestamp INTEGER);
         CREATE TABLE tevento (id_evento INTEGER PRIMARY KEY, evento TEXT, utimestamp INTEGER);
         BEGIN;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO tagente_datos SELECT i % 97, i * 0.37, 1700000000 + i * 300 FROM n;
         INSERT INTO tevento SELECT NULL, 'module ' || id_agente_modulo || ' changed', utimestamp
         FROM tagente_datos WHERE utimestamp % 9000 < 300;
         COMMIT;"
    );
    connection
        .batch_execute(&sql)
        .map_err(|error| fail(error.into()))
}

fn profile(dir: &Path, database: PathBuf) -> Profile {
    let component = |name: &str, path: &str| Component {
        name: name.to_owned(),
        paths: vec![dir.join(path)],
        exclude: Vec::new(),
        required: true,
    };
    let mut profile = Profile::new("demo", "demo", Container::TarZst);
    profile.components = vec![
        component("configuration", "etc"),
        component("pending files", "data_in"),
        component("console", "console"),
    ];
    profile.databases = vec![Database {
        name: "monitoring".to_owned(),
        option_file: None,
        sqlite: Some(database),
        without_rows: Vec::new(),
    }];
    profile
}
