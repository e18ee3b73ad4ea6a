//! `dump`: one database into a plain SQL file.

use std::sync::Arc;

use anyhow::Result;
use elpis_backup::{InspectError, MySqlSource, Source, dump_to_file};

use super::Context;
use crate::backup::args;
use crate::backup::output::Progress;
use crate::backup::settings::{ConfigError, connect_options};
use crate::exit::{Code, Verdict};
use crate::output::bytes;

pub(super) fn run(context: &Context, args: &args::Dump) -> Result<Verdict> {
    let databases = context
        .settings
        .profile
        .iter()
        .flat_map(|profile| &profile.databases);
    let configured = databases.filter(|database| database.name == args.database);
    let configured = configured
        .filter_map(|database| database.option_file.clone())
        .next();
    let option_file = args
        .option_file
        .clone()
        .or(configured)
        .ok_or(ConfigError::Unsaid {
            what: "which account to use",
            hint: "use --option-file FILE",
        })?;
    let mut warnings = Vec::new();
    let connect = connect_options(&option_file, &mut warnings)?;
    let rules = context
        .settings
        .profile
        .as_ref()
        .map(|profile| profile.dump.clone());
    let policy = rules
        .unwrap_or_default()
        .policy(vec![args.database.clone()]);
    let mut source = MySqlSource::new(connect, policy);
    for facts in source.inspect().map_err(InspectError::Source)? {
        warnings.extend(facts.warnings);
    }
    let progress = Arc::new(Progress::backup(context.printer));
    let report = dump_to_file(&mut source, &args.output, &context.interrupt.stop, progress)?;
    warnings.extend(report.warnings.iter().cloned());
    for warning in &warnings {
        context.printer.say(&format!("warning: {warning}"));
    }
    if context.printer.json {
        context.printer.document(&report)?;
    } else {
        let (file, size) = (args.output.display(), bytes(report.bytes));
        context
            .printer
            .say(&format!("{}: {size} in {file}", args.database));
    }
    Ok(Verdict::silent(Code::Done))
}
