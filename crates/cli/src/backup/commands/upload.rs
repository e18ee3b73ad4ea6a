//! `upload`: copy archives to the configured store; what was begun before goes on.

use anyhow::Result;

use super::Context;
use crate::backup::args;
use crate::exit::Verdict;

#[cfg(feature = "remote")]
pub(super) fn run(context: &Context, args: args::Upload) -> Result<Verdict> {
    use elpis_backup::ObjectStore;

    use crate::exit::Code;
    use crate::output::bytes;

    let local = context.store(args.target.target)?;
    let to = context.copies_to(args.to, args.max_rate)?;
    let listed = local.list()?;
    let names: Vec<elpis_backup::ArchiveName> = match args.all {
        true => listed.into_iter().map(|stored| stored.name).collect(),
        false => args
            .archives
            .iter()
            .map(|name| name.parse())
            .collect::<Result<Vec<_>, _>>()?,
    };
    let there = match args.all {
        true => to.list()?,
        false => Vec::new(),
    };
    for name in names {
        if !there.iter().any(|stored| stored.name == name) {
            local.queue(&name)?;
        }
    }
    let report = copy(context, &local, to.as_ref())?;
    if context.printer.json {
        context.printer.document(&report)?;
    } else {
        let (count, size) = (report.copied.len(), bytes(report.bytes));
        context
            .printer
            .data(&format!("{count} archives copied to {}, {size}", report.to))?;
    }
    Ok(Verdict::silent(Code::Done))
}

/// Copies what is queued in a directory.
#[cfg(feature = "remote")]
pub(super) fn copy(
    context: &Context,
    from: &elpis_backup::LocalStore,
    to: &dyn elpis_backup::ObjectStore,
) -> Result<elpis_backup::store::CopyReport> {
    let journal = context.journal()?;
    let copies = elpis_backup::store::Copies {
        from,
        to,
        keep_local: context.settings.store.keep_local(),
        journal: &journal,
        clock: &context.clock,
        stop: &context.interrupt.stop,
        holder: context.holder(),
    };
    Ok(copies.run()?)
}

#[cfg(not(feature = "remote"))]
pub(super) fn run(_: &Context, _: args::Upload) -> Result<Verdict> {
    use crate::backup::settings::ConfigError;
    Err(ConfigError::NotBuilt { feature: "s3,sftp" }.into())
}
