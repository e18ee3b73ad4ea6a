//! The one place that chooses between the stores.

use anyhow::Result;
use elpis_maint_core::{MySqlStore, SeriesStore, SqliteStore};

use crate::output::Printer;
use crate::settings::{Database, Server, Settings};

/// The name under which we hold locks.
pub(crate) const PROGRAM: &str = "elpis-maint";

/// Work that any store will do for.
pub(crate) trait Work {
    type Output;

    async fn on<S: SeriesStore>(self, store: &mut S) -> Result<Self::Output>;
}

/// Opens the database of `settings` and does `work` on it.
pub(crate) async fn with_store<W: Work>(
    settings: &Settings,
    printer: Printer,
    work: W,
) -> Result<W::Output> {
    match &settings.database {
        Database::Sqlite(path) => work.on(&mut SqliteStore::open(path, PROGRAM)?).await,
        Database::MySql(server) => work.on(&mut mysql(settings, server, printer).await?).await,
    }
}

/// Opens the database `server` of `settings`, whose replicas are watched.
pub(crate) async fn mysql(
    settings: &Settings,
    server: &Server,
    printer: Printer,
) -> Result<MySqlStore> {
    let mut warnings = Vec::new();
    let mut options = server.connect_options(&mut warnings)?;
    options.database.clone_from(&server.name);
    let mut replicas = Vec::with_capacity(settings.replicas.len());
    for replica in &settings.replicas {
        let name = replica.name.clone().unwrap_or_default();
        replicas.push((name, replica.connect_options(&mut warnings)?));
    }
    for warning in &warnings {
        printer.say(&format!("warning: {warning}"));
    }
    Ok(MySqlStore::connect(&options, replicas).await?)
}

/// A second session of the same database, to read what does not depend on the first. A server that
/// gives no more than one is not asked again: everything goes without it.
pub(crate) async fn beside(server: &Server) -> Option<MySqlStore> {
    let mut options = server.connect_options(&mut Vec::new()).ok()?;
    options.database.clone_from(&server.name);
    MySqlStore::connect(&options, Vec::new()).await.ok()
}
