//! `list`: the archives of a directory, and whether the newest is young enough; or the restores
//! that can still be taken back.

use std::time::Duration;

use anyhow::Result;
use elpis_backup::store::Stored;
use elpis_run::Clock;

use super::Context;
use super::restore::kept;
use crate::backup::{args, output};
use crate::exit::{Code, Verdict};
use crate::output::seconds;

pub(super) fn run(context: &Context, args: args::List) -> Result<Verdict> {
    if args.restores {
        return kept::list(context);
    }
    let store = context.any_store(args.target.target)?;
    let archives = store.list()?;
    if context.printer.json {
        context.printer.document(&archives)?;
    } else if archives.is_empty() {
        context
            .printer
            .say(&format!("no archive is in {}", store.place()));
    } else if !context.printer.quiet {
        context
            .printer
            .data(&output::list(&archives, &context.zone))?;
    }
    kept::remind(context)?;
    match args.max_age {
        None => Ok(Verdict::silent(Code::Done)),
        Some(max_age) => Ok(judge(context, &archives, max_age, args.verified)),
    }
}

fn judge(context: &Context, archives: &[Stored], max_age: Duration, verified: bool) -> Verdict {
    let hint = "`elpis-backup create` makes one; see why the last run did not";
    let counts = |archive: &&Stored| match verified {
        true => archive.is_verified(),
        false => !archive.is_broken(),
    };
    let newest = archives
        .iter()
        .filter(counts)
        .map(|archive| archive.began(&context.zone))
        .max();
    let kind = if verified {
        "verified archive"
    } else {
        "archive"
    };
    let Some(began) = newest else {
        return Verdict::new(Code::Partial, format!("there is no {kind}"), hint);
    };
    let age = context.clock.now().duration_since(began);
    if age.as_secs_f64() <= max_age.as_secs_f64() {
        return Verdict::silent(Code::Done);
    }
    let (age, limit) = (seconds(age.as_secs_f64()), seconds(max_age.as_secs_f64()));
    Verdict::new(
        Code::Partial,
        format!("the newest {kind} is {age} old, more than {limit}"),
        hint,
    )
}
