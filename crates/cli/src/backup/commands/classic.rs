//! The old command: `-c CONSOLE -d DEST [-b] [-q]`, as in existing cron lines.

use std::path::{Path, PathBuf};

use anyhow::Result;
use elpis_backup::archive::Container;
use elpis_backup::profile::{Component, Database};
use elpis_backup::{BackupError, LocalStore, Profile};

use super::{Context, create};
use crate::backup::args::Classic;
use crate::exit::Verdict;
use crate::output::Printer;

/// What the old script takes besides the console, whatever the console is.
const CONFIGURATION: &str = "/etc/pandora";
const PENDING: &str = "/var/spool/pandora/data_in";

pub(super) fn run(context: &Context, args: Classic) -> Result<Verdict> {
    let (Some(console), Some(destination)) = (&args.console, &args.destination) else {
        return Ok(Verdict::silent(crate::exit::Code::Usage));
    };
    let store = LocalStore::open(destination)?;
    let profile = profile(console, &args)?;
    profile.check().map_err(anyhow::Error::from)?;
    let mut sources = create::sources(&profile, context)?;
    let plan = create::plan(&profile, &mut sources, &store)?;
    if !plan.facts.roots.first().is_some_and(|root| root.found) {
        let why = format!("there is no console in {}", console.display());
        return Err(BackupError::Refused {
            refusals: vec![why],
        }
        .into());
    }
    let journal = context.journal()?;
    let report = create::make(context, &store, &journal, &plan, &mut sources)?;
    let name = report
        .path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    // Word for word what the manual shows, the doubled slash of `-d /tmp/` included.
    let message = format!(
        "Backup completed and placed in {}/{name}",
        destination.display()
    );
    let Printer { quiet, json, .. } = context.printer;
    if !quiet && !json {
        context.printer.data(&message)?;
    }
    for warning in &report.warnings {
        context.printer.say(&format!("warning: {warning}"));
    }
    Ok(create::verdict(&report))
}

fn profile(console: &Path, args: &Classic) -> Result<Profile> {
    let component = |name: &str, path: PathBuf, required| Component {
        name: name.to_owned(),
        paths: vec![path],
        exclude: Vec::new(),
        required,
    };
    // A relative path means what it means here, and `..` is resolved before it becomes a name.
    let console = std::path::absolute(console)?.components().collect();
    let mut profile = Profile::new("pandora", "pandorafms", Container::TarGz);
    profile.components = vec![
        component("console", console, true),
        // A console may stand without a server on its host.
        component("configuration", CONFIGURATION.into(), false),
        component("pending files", PENDING.into(), false),
    ];
    if !args.no_database {
        profile.databases.push(Database {
            name: args.database.clone(),
            option_file: Some(std::path::absolute(&args.option_file)?),
            sqlite: None,
            without_rows: Vec::new(),
        });
    }
    Ok(profile)
}
