//! `pin` and `unpin`: archives that no rule removes.

use std::path::PathBuf;

use anyhow::Result;
use elpis_backup::{ArchiveName, Inspector};

use super::Context;
use crate::exit::{Code, Verdict};

pub(super) fn run(
    context: &Context,
    target: Option<PathBuf>,
    archive: &str,
    why: Option<String>,
) -> Result<Verdict> {
    let store = context.any_store(target)?;
    let name: ArchiveName = archive.parse()?;
    let inspector = Inspector {
        store: store.as_ref(),
        keys: &context.keys,
        clock: &context.clock,
        zone: context.zone.clone(),
        stop: &context.interrupt.stop,
        observer: &(),
    };
    let word = if why.is_some() {
        "pinned"
    } else {
        "no longer pinned"
    };
    inspector.pin(&name, why)?;
    context.printer.say(&format!("{name} is {word}"));
    Ok(Verdict::silent(Code::Done))
}
