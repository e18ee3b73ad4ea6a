//! An installed Pandora FMS: what belongs into its backup, and how its databases are reached.

use std::path::PathBuf;

use anyhow::Result;
use elpis_backup::archive::Product;
use elpis_backup::profile::DumpRules;
use elpis_backup::{MySqlSource, Profile, Source};
use elpis_mysql::{ConnectOptions, Session, SessionSettings, Tls};
use elpis_pandora::{
    BackupSet, Database, HistoryPlace, Part, Portrait, ServerConf, chosen_host, console_database,
    portrait,
};
use elpis_run::{Secret, fsx};

use super::settings::{ConfigError, connect_options_over, usual_option_file};
use super::sources::{source, throttle};

/// What the operator says of an installation.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The console's directory, or a `pandora_server.conf`.
    pub(super) installation: PathBuf,
    /// What is left out.
    pub(super) without: Vec<Part>,
    /// Whether the history database is wanted.
    pub(super) history: bool,
    /// The option file with an administrator's account.
    pub(super) option_file: Option<PathBuf>,
    /// The option file for the history database, if the product's own password will not do.
    pub(super) history_option_file: Option<PathBuf>,
    /// The database, if it is not the one that the product's file names.
    pub(super) database: Option<String>,
    /// How databases are read.
    pub(super) dump: DumpRules,
}

/// What was found.
pub(super) struct Found {
    pub(super) profile: Profile,
    pub(super) sources: Vec<Box<dyn Source>>,
    /// What the operator should know.
    pub(super) warnings: Vec<String>,
}

/// Looks at the product's files, and asks its database. Changes nothing; blocks.
pub(super) fn look(wanted: &Wanted, is_root: bool) -> Result<Found> {
    let (set, own) = read_files(wanted)?;
    let mut found = Found {
        profile: set.profile(),
        sources: Vec::new(),
        warnings: Vec::new(),
    };
    found.profile.dump = wanted.dump.clone();
    let dump = &mut found.profile.dump;
    if dump.reuse && dump.windows.is_empty() {
        dump.windows = BackupSet::windows();
    }
    let Some(own) = own else {
        return Ok(found);
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let target = target(&own);
    let named = wanted.option_file.clone();
    let account = account(named, Some(&own), target, is_root, &mut found.warnings);
    let connect = runtime.block_on(account)?;
    let name = wanted.database.clone().unwrap_or(own.name);
    let said = runtime.block_on(ask(&connect, &name, &mut found.warnings))?;
    found.profile.product = said.product;
    let mut names = vec![name];
    if wanted.history {
        match said.history {
            None => found
                .warnings
                .push("the installation has no history database".to_owned()),
            Some(place) => history(wanted, place, &connect, &mut names, &mut found)?,
        }
    }
    let policy = found.profile.dump.policy(names);
    let throttle = throttle(&found.profile.dump, &connect, &mut found.warnings)?;
    let main: Box<dyn Source> = Box::new(source(connect, policy, throttle));
    found.sources.insert(0, main);
    Ok(found)
}

/// A database that is to be restored, and who may do it.
pub(super) struct Reached {
    pub(super) connect: ConnectOptions,
    /// What the product calls its database.
    pub(super) name: String,
    /// What the installed product says of itself; nothing where there is none.
    pub(super) product: Product,
    /// What the operator should know.
    pub(super) warnings: Vec<String>,
}

/// Finds the database of an installation, which may be lost. Changes nothing; blocks.
pub(super) fn reach(wanted: &Wanted, is_root: bool) -> Result<Reached> {
    let (_, own) = read_files(wanted)?;
    let own = own.ok_or(ConfigError::Unsaid {
        what: "which database the installation has",
        hint: "take `database` out of `without`, or use -c CONSOLE",
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut warnings = Vec::new();
    let named = wanted.option_file.clone();
    let account = account(named, Some(&own), target(&own), is_root, &mut warnings);
    let connect = runtime.block_on(account)?;
    let name = wanted.database.clone().unwrap_or(own.name);
    // A server without the database has nothing to compare with, and nothing to warn of.
    let said = runtime.block_on(ask(&connect, &name, &mut Vec::new()))?;
    Ok(Reached {
        connect,
        name,
        product: said.product,
        warnings,
    })
}

/// Whether the installation's own settings are there and can be read.
pub(super) fn is_readable(wanted: &Wanted) -> bool {
    read_files(wanted).is_ok_and(|(_, own)| own.is_some())
}

/// Reaches a server without an installation that would say how. Asks nothing of it; blocks.
pub(super) fn reach_server(
    option_file: Option<PathBuf>,
    server: ConnectOptions,
    is_root: bool,
) -> Result<Reached> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut warnings = Vec::new();
    let account = account(option_file, None, server, is_root, &mut warnings);
    let connect = runtime.block_on(account)?;
    Ok(Reached {
        connect,
        name: String::new(),
        product: Product::default(),
        warnings,
    })
}

/// What belongs into the backup, and how the product reaches its database if that does.
fn read_files(wanted: &Wanted) -> Result<(BackupSet, Option<Database>)> {
    // A relative path means what it means here, and `.` is no part of a name.
    let place: PathBuf = std::path::absolute(&wanted.installation)?
        .components()
        .collect();
    let mut set = BackupSet {
        without: wanted.without.clone(),
        ..BackupSet::default()
    };
    if !place.is_file() {
        set.console = Some(place.clone());
        if !set.has(Part::Database) {
            return Ok((set, None));
        }
        let path = place.join("include/config.php");
        let bytes = Secret::new(fsx::read(&path)?);
        let database = console_database(&path, bytes.expose())?;
        return Ok((set, Some(database)));
    }
    let conf = ServerConf::parse(&place, fsx::read(&place)?);
    if let Some(dir) = place.parent() {
        set.configuration = dir.to_owned();
    }
    if let Some(dir) = conf.text("incomingdir")? {
        set.pending = dir.into();
    }
    if !set.has(Part::Database) {
        return Ok((set, None));
    }
    let host = chosen_host(&conf)?;
    let database = conf.database(host.as_deref())?;
    Ok((set, Some(database)))
}

/// Where the product finds its database; its clients take `localhost` for the socket.
fn target(database: &Database) -> ConnectOptions {
    ConnectOptions {
        host: database.host.clone(),
        port: database.port,
        socket: database.socket_here(),
        tls: database.tls.as_ref().map_or(Tls::Off, |tls| Tls::Required {
            ca: tls.ca.clone(),
            verify_host: tls.verify,
        }),
        program: super::commands::PROGRAM.to_owned(),
        ..ConnectOptions::default()
    }
}

/// The account that may do most: the administrator's of an option file, root at the socket, or
/// the product's own, which usually may take no snapshot for several readers.
async fn account(
    option_file: Option<PathBuf>,
    own: Option<&Database>,
    target: ConnectOptions,
    is_root: bool,
    warnings: &mut Vec<String>,
) -> Result<ConnectOptions> {
    if let Some(file) = option_file.or_else(usual_option_file) {
        return Ok(connect_options_over(&file, target, warnings)?);
    }
    let root = ConnectOptions {
        user: "root".to_owned(),
        ..target.clone()
    };
    if is_root && root.socket.is_some() && opens(&root).await {
        return Ok(root);
    }
    let own = own.ok_or(ConfigError::Unsaid {
        what: "which account to use, and no config.php is left that would",
        hint: "use --option-file FILE with an administrator's account",
    })?;
    Ok(ConnectOptions {
        user: own.user.clone(),
        password: own.password.clone(),
        ..target
    })
}

async fn opens(connect: &ConnectOptions) -> bool {
    match Session::open(connect, &SessionSettings::default()).await {
        Ok(session) => {
            // Nothing was asked of it.
            let _ = session.close().await;
            true
        }
        Err(_) => false,
    }
}

/// What the database says of the installation; a database without `tconfig` says nothing.
async fn ask(connect: &ConnectOptions, name: &str, warnings: &mut Vec<String>) -> Result<Portrait> {
    let mut session = Session::open(connect, &SessionSettings::default()).await?;
    let said = match portrait(&mut session, name).await {
        Err(error) if error.code().is_some() => {
            warnings.push(format!("the product's version is not known: {error}"));
            Portrait {
                product: Product::default(),
                history: None,
            }
        }
        other => other?,
    };
    session.close().await?;
    Ok(said)
}

/// Adds the history database: to the others of its server, or as a source of its own.
fn history(
    wanted: &Wanted,
    place: HistoryPlace,
    main: &ConnectOptions,
    names: &mut Vec<String>,
    found: &mut Found,
) -> Result<()> {
    let database = Database {
        socket: place
            .host
            .starts_with('/')
            .then(|| place.host.clone().into()),
        host: place.host,
        port: place.port,
        name: place.name,
        user: place.user,
        password: Some(place.password),
        tls: None,
    };
    let target = target(&database);
    let same = match (&target.socket, &main.socket) {
        (Some(a), Some(b)) => a == b,
        (None, None) => (&target.host, target.port) == (&main.host, main.port),
        _ => false,
    };
    if same && wanted.history_option_file.is_none() {
        names.push(database.name);
        return Ok(());
    }
    let connect = match &wanted.history_option_file {
        Some(file) => connect_options_over(file, target, &mut found.warnings)?,
        None => ConnectOptions {
            user: database.user,
            password: database.password,
            ..target
        },
    };
    let policy = found.profile.dump.policy(vec![database.name]);
    found
        .sources
        .push(Box::new(MySqlSource::new(connect, policy)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_addresses_names_and_sockets() {
        for (host, port, expected) in [
            ("10.0.0.7", "", "10.0.0.7:3306"),
            (
                "db-1.example.org",
                "$config['dbport'] = 3307;",
                "db-1.example.org:3307",
            ),
            ("::1", "", "::1:3306"),
            ("/run/mysqld/s.sock", "", "/run/mysqld/s.sock"),
        ] {
            let text = format!(
                "<?php $config['dbname']='p'; $config['dbuser']='u'; $config['dbhost']='{host}'; {port}"
            );
            let database = console_database("config.php".as_ref(), text.as_bytes()).unwrap();
            assert_eq!(target(&database).target(), expected);
        }
    }
}
