//! Which database is meant, and who may restore it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use elpis_backup::archive::{Archive, Extract, Product, Verified};
use elpis_backup::profile::DumpRules;
use elpis_backup::{BackupError, Profile};
use elpis_mysql::ConnectOptions;
use elpis_pandora::{Part, RestoreSet};

use crate::backup::args::Reach;
use crate::backup::commands::Context;
use crate::backup::pandora::{self, Reached, Wanted};
use crate::backup::settings::{ConfigError, connect_options, option_file};

/// Where it is said how the database is reached.
enum Place<'a> {
    /// An installation that is there.
    Here(Box<Wanted>),
    /// One that is not, and the option file that is named.
    Lost(PathBuf, Option<PathBuf>),
    Profile(&'a Profile),
    /// Nobody says it.
    Nowhere,
}

/// By the installation that the arguments name, by the configuration, by the installation on this
/// host that the archive is of.
fn place<'a>(
    context: &'a Context,
    reach: &Reach,
    archive: Option<&Archive<Verified>>,
) -> Place<'a> {
    let is_there = |wanted: Wanted| match wanted.installation.exists() {
        true => Place::Here(Box::new(wanted)),
        false => Place::Lost(wanted.installation, wanted.option_file),
    };
    if let Some(console) = &reach.console {
        return is_there(wanted(console, reach.option_file.clone()));
    }
    if let Some(configured) = context.settings.pandora.clone() {
        return is_there(Wanted {
            option_file: reach.option_file.clone().or(configured.option_file),
            without: without(&configured.without),
            ..configured
        });
    }
    if let Some(profile) = &context.settings.profile {
        return Place::Profile(profile);
    }
    let place = archive.and_then(|archive| {
        let roots = RestoreSet::default().roots(archive.contents());
        let mut roots = roots.into_iter().filter(|root| root.component == "console");
        roots.next().map(|root| root.place)
    });
    match place {
        Some(place) => is_there(wanted(&place, reach.option_file.clone())),
        None => Place::Nowhere,
    }
}

/// Finds the database; if its installation is lost, by the archive's own settings.
pub(in crate::backup) fn find(
    context: &Context,
    reach: &Reach,
    archive: Option<&mut Archive<Verified>>,
) -> Result<Reached> {
    let is_root = context.settings.is_root;
    match place(context, reach, archive.as_deref()) {
        Place::Here(wanted) => pandora::reach(&wanted, is_root),
        Place::Lost(console, option_file) => of_archive(&console, option_file, archive, is_root),
        Place::Profile(profile) => of_profile(profile, reach),
        Place::Nowhere => Err(ConfigError::Unsaid {
            what: "which installation is meant",
            hint: "use -c CONSOLE",
        }
        .into()),
    }
}

/// The same for a restore of the journal, of which `target` is what it says of server and database:
/// without an installation whose settings can be read, and without an archive that has them, an
/// administrator's account is enough.
pub(in crate::backup) fn again(
    context: &Context,
    reach: &Reach,
    archive: Option<&mut Archive<Verified>>,
    target: &str,
) -> Result<Reached> {
    let is_root = context.settings.is_root;
    let (lost, option_file) = match place(context, reach, archive.as_deref()) {
        Place::Profile(profile) => return of_profile(profile, reach),
        Place::Here(wanted) if pandora::is_readable(&wanted) => {
            return pandora::reach(&wanted, is_root);
        }
        Place::Here(wanted) => (Some(wanted.installation), wanted.option_file),
        Place::Lost(console, option_file) => (Some(console), option_file),
        Place::Nowhere => (None, reach.option_file.clone()),
    };
    let console = lost.filter(|_| archive.as_ref().is_some_and(|archive| has_console(archive)));
    if let Some(console) = console {
        return of_archive(&console, option_file, archive, is_root);
    }
    let mut reached = pandora::reach_server(option_file, server(target), is_root)?;
    reached.warnings.push(
        "no config.php says how to reach the database: the journal knows its server".to_owned(),
    );
    Ok(reached)
}

fn has_console(archive: &Archive<Verified>) -> bool {
    RestoreSet::console_file(archive.contents()).is_some()
}

/// The server of what the journal calls `server/database`.
fn server(target: &str) -> ConnectOptions {
    let server = target.rsplit_once('/').map_or(target, |(server, _)| server);
    let usual = ConnectOptions {
        program: super::super::PROGRAM.to_owned(),
        ..ConnectOptions::default()
    };
    if server.starts_with('/') {
        return ConnectOptions {
            socket: Some(server.into()),
            ..usual
        };
    }
    let (host, port) = server.rsplit_once(':').unwrap_or((server, ""));
    ConnectOptions {
        host: host.to_owned(),
        port: port.parse().unwrap_or(usual.port),
        ..usual
    }
}

fn wanted(installation: &Path, option_file: Option<PathBuf>) -> Wanted {
    Wanted {
        installation: installation.to_owned(),
        without: Vec::new(),
        history: false,
        option_file,
        history_option_file: None,
        database: None,
        dump: DumpRules::default(),
    }
}

/// The database is wanted here, whatever backups leave out.
fn without(parts: &[Part]) -> Vec<Part> {
    let parts = parts.iter().copied();
    parts.filter(|part| *part != Part::Database).collect()
}

/// The console is lost: its settings are in the archive.
fn of_archive(
    console: &Path,
    option_file: Option<PathBuf>,
    archive: Option<&mut Archive<Verified>>,
    is_root: bool,
) -> Result<Reached> {
    let lost = || BackupError::Refused {
        refusals: vec![format!(
            "there is no console in {}, and the archive has none",
            console.display()
        )],
    };
    let archive = archive.ok_or_else(lost)?;
    let file = RestoreSet::console_file(archive.contents()).ok_or_else(lost)?;
    // Private, and gone in a moment: the file holds the database's password.
    let scratch = tempfile::Builder::new()
        .prefix("elpis-restore-")
        .tempdir()?;
    let stop = elpis_run::StopToken::new();
    let how = Extract {
        only: std::slice::from_ref(&file),
        outside_links: false,
        stop: &stop,
    };
    let out = scratch.path().join("files");
    archive.extract(&out, &how)?;
    let settings = file.below(&out);
    let console: PathBuf = settings.ancestors().nth(2).unwrap_or(&out).to_owned();
    let mut reached = pandora::reach(&wanted(&console, option_file), is_root)?;
    reached
        .warnings
        .push("the console is lost: the archive says how to reach its database".to_owned());
    Ok(reached)
}

/// The first database of a profile that is on a server.
fn of_profile(profile: &Profile, reach: &Reach) -> Result<Reached> {
    let mut databases = profile.databases.iter();
    let database = databases.find(|database| database.option_file.is_some());
    let named = reach.option_file.clone();
    let option_file = option_file(named.or_else(|| database?.option_file.clone()))?;
    let mut warnings = Vec::new();
    let connect = connect_options(&option_file, &mut warnings)?;
    Ok(Reached {
        connect,
        name: database
            .map(|database| database.name.clone())
            .unwrap_or_default(),
        product: Product::default(),
        warnings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_what_the_journal_calls_it() {
        for of in [
            "127.0.0.1:3307",
            "::1:3306",
            "db-1.example.org:3306",
            "/run/s.sock",
        ] {
            assert_eq!(server(&format!("{of}/pandora")).target(), of);
        }
    }
}
