//! `prune`: remove what no rule keeps.

use anyhow::Result;
use elpis_backup::{KeepRules, Prune};

use super::Context;
use crate::backup::settings::ConfigError;
use crate::backup::{args, output};
use crate::exit::{Code, Verdict};
use crate::output::{bytes, number};

pub(super) fn run(context: &Context, args: args::Prune) -> Result<Verdict> {
    let rules = rules(context, &args);
    let configured = || {
        context
            .settings
            .profile
            .as_ref()
            .map(|profile| profile.prefix.clone())
    };
    let prefix = args.prefix.or_else(configured).ok_or(ConfigError::Unsaid {
        what: "whose archives to prune",
        hint: "use --prefix NAME: archives are called NAME_backup_…",
    })?;
    let store = context.any_store(args.target.target)?;
    let journal = context.journal()?;
    let prune = Prune {
        store: store.as_ref(),
        prefix: &prefix,
        journal: &journal,
        clock: &context.clock,
        zone: context.zone.clone(),
        stop: &context.interrupt.stop,
        holder: context.holder(),
    };
    if args.dry_run {
        let plan = prune.plan(&rules)?;
        match context.printer.json {
            true => context.printer.document(&plan)?,
            false => context.printer.data(&output::prune(&plan, &context.zone))?,
        }
        return Ok(Verdict::silent(Code::Done));
    }
    let report = prune.run(&rules)?;
    if context.printer.json {
        context.printer.document(&report)?;
    } else {
        let (removed, freed) = (number(report.removed), bytes(report.freed));
        let kept = report.plan.archives.len() as u64 - report.removed;
        context
            .printer
            .data(&format!("{removed} archives removed, {freed}; {kept} kept"))?;
    }
    Ok(match report.stopped {
        true => Verdict::new(
            Code::Interrupted,
            "stopped between two archives",
            "run it again to go on",
        ),
        false => Verdict::silent(Code::Done),
    })
}

/// Rules on the command line replace all of the configuration's: a mixture would keep or remove
/// what nobody wrote.
fn rules(context: &Context, args: &args::Prune) -> KeepRules {
    let given = KeepRules {
        last: args.keep_last.unwrap_or(0),
        hourly: args.keep_hourly.unwrap_or(0),
        daily: args.keep_daily.unwrap_or(0),
        weekly: args.keep_weekly.unwrap_or(0),
        monthly: args.keep_monthly.unwrap_or(0),
        yearly: args.keep_yearly.unwrap_or(0),
    };
    let said = [
        args.keep_last,
        args.keep_hourly,
        args.keep_daily,
        args.keep_weekly,
        args.keep_monthly,
        args.keep_yearly,
    ];
    match said.iter().any(Option::is_some) {
        true => given,
        false => context.settings.keep.unwrap_or_default(),
    }
}
