//! Which database is meant, and who may restore it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use elpis_backup::archive::{Archive, Extract, Product, Verified};
use elpis_backup::profile::DumpRules;
use elpis_backup::{BackupError, Profile};
use elpis_pandora::{Part, RestoreSet};

use crate::backup::args::Reach;
use crate::backup::commands::Context;
use crate::backup::pandora::{self, Reached, Wanted};
use crate::backup::settings::{ConfigError, connect_options, option_file};

/// Finds the database: by the installation that the arguments name, by the configuration, by the
/// installation on this host that the archive is of, or, if that is lost, by the archive's own.
pub(in crate::backup) fn find(
    context: &Context,
    reach: &Reach,
    archive: Option<&mut Archive<Verified>>,
) -> Result<Reached> {
    let is_root = context.settings.is_root;
    let configured = context.settings.pandora.clone().map(|wanted| Wanted {
        option_file: reach.option_file.clone().or(wanted.option_file),
        without: without(&wanted.without),
        ..wanted
    });
    if let Some(console) = &reach.console {
        if console.exists() {
            return pandora::reach(&wanted(console, reach), is_root);
        }
        return of_archive(console, reach, archive, is_root);
    }
    if let Some(wanted) = configured {
        if wanted.installation.exists() {
            return pandora::reach(&wanted, is_root);
        }
        let reach = Reach {
            option_file: wanted.option_file,
            ..reach.clone()
        };
        return of_archive(&wanted.installation, &reach, archive, is_root);
    }
    if let Some(profile) = &context.settings.profile {
        return of_profile(profile, reach);
    }
    let place = archive.as_ref().and_then(|archive| {
        let roots = RestoreSet::default().roots(archive.contents());
        let mut roots = roots.into_iter().filter(|root| root.component == "console");
        roots.next().map(|root| root.place)
    });
    match place {
        Some(place) if place.exists() => pandora::reach(&wanted(&place, reach), is_root),
        Some(place) => of_archive(&place, reach, archive, is_root),
        None => Err(ConfigError::Unsaid {
            what: "which installation is meant",
            hint: "use -c CONSOLE",
        }
        .into()),
    }
}

fn wanted(installation: &Path, reach: &Reach) -> Wanted {
    Wanted {
        installation: installation.to_owned(),
        without: Vec::new(),
        history: false,
        option_file: reach.option_file.clone(),
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
    reach: &Reach,
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
    let mut reached = pandora::reach(&wanted(&console, reach), is_root)?;
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
