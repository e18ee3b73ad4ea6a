//! The old command: `-c CONSOLE -d DEST [-b] [-q]`, as in existing cron lines, and
//! `-c CONSOLE -s ARCHIVE [-f] [-b] [-q]`.

use std::path::PathBuf;

use anyhow::Result;
use elpis_backup::profile::DumpRules;
use elpis_backup::{BackupError, LocalStore};
use elpis_pandora::Part;

use super::{Context, create, restore};
use crate::backup::args::{Classic, Reach, Restore};
use crate::backup::pandora::{self, Wanted};
use crate::exit::Verdict;
use crate::output::Printer;

pub(super) fn run(context: &Context, args: Classic) -> Result<Verdict> {
    if let Some(source) = args.source.clone() {
        return restore_from(context, args, source);
    }
    let (Some(installation), Some(destination)) = (args.console, args.destination) else {
        return Ok(Verdict::silent(crate::exit::Code::Usage));
    };
    let store = LocalStore::open(&destination)?;
    if !installation.exists() {
        let why = format!("there is no console in {}", installation.display());
        return Err(BackupError::Refused {
            refusals: vec![why],
        }
        .into());
    }
    let wanted = Wanted {
        installation,
        without: args
            .no_database
            .then_some(Part::Database)
            .into_iter()
            .collect(),
        history: args.history,
        option_file: args.option_file,
        history_option_file: None,
        database: args.database,
        dump: DumpRules::default(),
    };
    let mut found = pandora::look(&wanted, context.settings.is_root)?;
    found.profile.check().map_err(anyhow::Error::from)?;
    let plan = create::plan(&found.profile, &mut found.sources, &store)?;
    let journal = context.journal()?;
    let by = create::By {
        store: &store,
        journal: &journal,
        encryption: None,
    };
    let report = create::make(context, &by, &plan, &mut found.sources)?;
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
    for warning in found.warnings.iter().chain(&report.warnings) {
        context.printer.say(&format!("warning: {warning}"));
    }
    Ok(create::verdict(&report))
}

/// The mode is what the arguments say, never what happens to be on disk: a file that is not there
/// is an error.
fn restore_from(context: &Context, args: Classic, source: PathBuf) -> Result<Verdict> {
    if args.no_database && !args.files {
        let refusals = vec!["with -b and without -f there is nothing to restore".to_owned()];
        return Err(BackupError::Refused { refusals }.into());
    }
    let wanted = Restore::classic(
        source,
        args.files,
        args.no_database,
        Reach {
            console: args.console,
            option_file: args.option_file,
        },
        args.database,
    );
    restore::manual(context, &wanted)
}
