//! Which archive the arguments of `restore` mean. An older one than the newest is never taken
//! without a word: what came in between would be lost, and nobody would know.

use std::path::PathBuf;

use anyhow::{Result, bail};
use elpis_backup::archive::{Archive, Verified, VerifyError};
use elpis_backup::store::Stored;

use super::verify;
use crate::backup::args::Restore;
use crate::backup::commands::{Context, Found};
use crate::backup::places::{NewestBroken, Nothing};

/// An archive to restore.
pub(super) struct Chosen {
    pub(super) archive: Archive<Verified>,
    /// Newer ones that are broken.
    pub(super) passed_over: usize,
}

/// The archive that the arguments mean, verified.
pub(super) fn choose(context: &Context, args: &Restore) -> Result<Chosen> {
    if let Some(path) = args.archive.as_ref().or(args.source.as_ref()) {
        let found = context.find(path, args.target.target.clone())?;
        return Ok(Chosen {
            archive: verify::verify(context, &found)?,
            passed_over: 0,
        });
    }
    let store = context.any_store(args.target.target.clone())?;
    let all = store.list()?;
    let mut newest = None;
    for (at, stored) in all.iter().enumerate() {
        let why = match open(context, args, &store.place(), stored)? {
            Ok(archive) => {
                let passed_over = at;
                return Ok(Chosen {
                    archive,
                    passed_over,
                });
            }
            Err(why) => why,
        };
        if args.newest {
            let mut next = all[at + 1..].iter().filter(|stored| !stored.is_broken());
            bail!(NewestBroken {
                why,
                next: next.next().map(|next| told(context, next)),
            });
        }
        let said = format!("warning: passed over, with everything that only it holds: {why}");
        context.printer.say(&said);
        newest.get_or_insert(why);
    }
    match newest {
        Some(why) => bail!(NewestBroken { why, next: None }),
        None => bail!(Nothing {
            place: store.place()
        }),
    }
}

/// Verifies an archive of a store, unless it is known to be broken; or says what is wrong with it.
fn open(
    context: &Context,
    args: &Restore,
    place: &str,
    stored: &Stored,
) -> Result<std::result::Result<Archive<Verified>, String>> {
    if let Some(known) = stored.broken() {
        return Ok(Err(known.to_owned()));
    }
    let path = PathBuf::from(place).join(stored.name.to_string());
    let found: Found = context.find(&path, args.target.target.clone())?;
    match verify::verify(context, &found) {
        Ok(archive) => Ok(Ok(archive)),
        Err(error @ (VerifyError::Broken { .. } | VerifyError::NotAnArchive { .. })) => {
            Ok(Err(error.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

/// An archive, and when it was begun.
fn told(context: &Context, stored: &Stored) -> String {
    let began = stored.began(&context.zone).to_zoned(context.zone.clone());
    format!("{} of {}", stored.name, began.strftime("%Y-%m-%d %H:%M %Z"))
}
