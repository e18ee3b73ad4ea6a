//! `dump`: one database into a plain SQL file.

use std::sync::Arc;

use anyhow::Result;
use elpis_backup::{InspectError, Source, dump_to_file};

use super::Context;
use crate::backup::output::Progress;
use crate::backup::settings::{connect_options, option_file};
use crate::backup::{args, sources};
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
    let pandora = context.settings.pandora.as_ref();
    let named = args.option_file.clone().or(configured);
    let option_file = option_file(named.or_else(|| pandora?.option_file.clone()))?;
    let mut warnings = Vec::new();
    let connect = connect_options(&option_file, &mut warnings)?;
    let profile = context.settings.profile.as_ref();
    let rules = profile
        .map(|profile| &profile.dump)
        .or_else(|| Some(&pandora?.dump));
    let mut rules = rules.cloned().unwrap_or_default();
    sources::be_gentle(&mut rules, &args.gentleness);
    let throttle = sources::throttle(&rules, &connect, &mut warnings)?;
    let policy = rules.policy(vec![args.database.clone()]);
    let mut source = sources::source(connect, policy, throttle);
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
