//! `extract`: an archive's files in a new directory.

use std::os::unix::ffi::OsStrExt;

use anyhow::{Context as _, Result};
use elpis_backup::archive::{Extract, MemberPath};

use super::{Context, verify};
use crate::backup::args;
use crate::exit::{Code, Verdict};
use crate::output::{bytes, number};

pub(super) fn run(context: &Context, args: &args::Extract) -> Result<Verdict> {
    let mut only = Vec::new();
    for member in &args.only {
        // As it lies on disk is as good as it stands in the archive.
        let member = member.strip_prefix("/").unwrap_or(member);
        let path = MemberPath::new(member.as_os_str().as_bytes())
            .with_context(|| format!("{} can be no member", member.display()))?;
        only.push(path);
    }
    let found = context.find(&args.archive, args.target.target.clone())?;
    let mut archive = verify::verify(context, &found)?;
    let how = Extract {
        only: &only,
        outside_links: args.outside_links,
        stop: &context.interrupt.stop,
    };
    let extracted = archive.extract(&args.to, &how)?;
    if context.printer.json {
        context.printer.document(&extracted)?;
    } else {
        let (entries, bytes) = (number(extracted.entries), bytes(extracted.bytes));
        context.printer.data(&format!(
            "{entries} members, {bytes} in {}",
            args.to.display()
        ))?;
        for warning in &extracted.warnings {
            context.printer.say(&format!("warning: {warning}"));
        }
    }
    Ok(Verdict::silent(Code::Done))
}
