//! `evidence`: the document for the change record.

use std::path::Path;

use anyhow::Result;
use elpis_failover::{Evidence, StoredRun};
use elpis_run::{Journal, RunId, fsx};

use super::Context;
use crate::exit::{Code, Verdict};
use crate::failover::{args, document};

pub(super) fn write(context: &Context, run: &args::Run, file: Option<&Path>) -> Result<Verdict> {
    let journal = context.look()?;
    let run = context.run(&journal, run)?;
    of(context, &journal, run, file)?;
    Ok(Verdict::silent(Code::Done))
}

/// Writes the document of one run; without a file to standard output.
pub(super) fn of(
    context: &Context,
    journal: &dyn Journal,
    run: RunId,
    file: Option<&Path>,
) -> Result<()> {
    let evidence = Evidence::of(&StoredRun::load(journal, run)?);
    let is_html = file.is_some_and(|file| file.extension().is_some_and(|end| end == "html"));
    let text = if is_html {
        document::html(&evidence, &context.zone)
    } else {
        document::markdown(&evidence, &context.zone)
    };
    match file {
        None if context.printer.json => context.printer.document(&evidence)?,
        None => context.printer.data(&text)?,
        Some(file) => {
            fsx::write_durable(file, text.as_bytes(), 0o600)?;
            context
                .printer
                .say(&format!("the record is in {}", file.display()));
        }
    }
    Ok(())
}
