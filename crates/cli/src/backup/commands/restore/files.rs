//! The files of a restore: which go where, and what carries it out.

use std::path::{Path, PathBuf};

use anyhow::Result;
use elpis_backup::archive::{Archive, Contents, Verified};
use elpis_backup::restore::{
    FileCheck, FileRestore, FileRoot, FilesError, FilesFacts, FilesPlan, FilesWish,
};
use elpis_pandora::{RestoreSet, ServerConf, WorkingFiles};
use elpis_run::{Holder, Journal, fsx};

use crate::backup::args::Restore;
use crate::backup::commands::Context;
use crate::backup::values::Accepted;

/// Looks and decides.
pub(super) fn plan(
    context: &Context,
    args: &Restore,
    archive: &Archive<Verified>,
) -> Result<FilesPlan> {
    let set = match installation(context, args) {
        Some(installation) => restore_set(&installation)?,
        None => RestoreSet::default(),
    };
    let trees = set.roots(archive.contents());
    let wish = FilesWish {
        roots: match args.paths.is_empty() {
            true => trees,
            false => parts(args, archive, &trees)?,
        },
        mirror: args.mirror,
        outside_links: args.accept.contains(&Accepted::OutsideLinks),
        with_database: !args.no_database,
    };
    let facts = FilesFacts::gather(archive, &wish)?;
    Ok(FilesPlan::new(&wish, facts))
}

/// The files and directories that the arguments name.
fn parts(args: &Restore, archive: &Archive<Verified>, trees: &[FileRoot]) -> Result<Vec<FileRoot>> {
    let to = args.to.as_deref().map(std::path::absolute).transpose()?;
    let parts = args.paths.iter().map(|path| {
        let here = std::path::absolute(path)?;
        let part = FileRoot::part(trees, path, to.as_deref());
        let part = part.or_else(|| FileRoot::part(trees, &here, to.as_deref()));
        part.ok_or_else(|| {
            let (path, archive) = (path.display(), archive.path().display());
            let refusals = vec![format!("{archive} has no file or directory {path}")];
            FilesError::Refused { refusals }.into()
        })
    });
    parts.collect()
}

/// Where the files of an installation go that the operator names; its console may be lost.
fn restore_set(installation: &Path) -> Result<RestoreSet> {
    let place: PathBuf = std::path::absolute(installation)?.components().collect();
    if !place.is_file() {
        return Ok(RestoreSet {
            console: Some(place),
            ..RestoreSet::default()
        });
    }
    let conf = ServerConf::parse(&place, fsx::read(&place)?);
    Ok(RestoreSet {
        console: None,
        configuration: place.parent().map(Path::to_owned),
        pending: conf.text("incomingdir")?.map(PathBuf::from),
    })
}

/// The installation that arguments or configuration name.
fn installation(context: &Context, args: &Restore) -> Option<PathBuf> {
    let configured = context.settings.pandora.as_ref();
    let configured = configured.map(|wanted| wanted.installation.clone());
    args.reach.console.clone().or(configured)
}

/// What looks at the files of an archive: the product's own eyes, if they are the product's.
pub(in crate::backup) fn check_of(contents: &Contents) -> &'static dyn FileCheck {
    match RestoreSet::is_of_the_product(contents) {
        true => &WorkingFiles,
        false => &(),
    }
}

/// What restores files and takes them back.
pub(super) fn engine<'a>(
    context: &'a Context,
    journal: &'a dyn Journal,
    holder: &Holder,
    check: &'a dyn FileCheck,
) -> FileRestore<'a> {
    FileRestore {
        journal,
        clock: &context.clock,
        stop: &context.interrupt.stop,
        holder: holder.clone(),
        lock: lock(&context.settings.state),
        check,
    }
}

fn lock(state: &Path) -> PathBuf {
    state.join("restore.lock")
}
