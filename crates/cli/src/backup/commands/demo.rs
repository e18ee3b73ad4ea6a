//! `demo`: a small installation is backed up, verified, extracted and compared.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use elpis_backup::archive::{Extract, MemberPath};
use elpis_backup::{KeepRules, LocalStore, Profile, Prune, demo};
use elpis_run::fsx;

use super::{Context, create, verify};
use crate::backup::{args, output, places, sources};
use crate::exit::{Code, Verdict};
use crate::output::{Spinner, bytes, number};

pub(super) fn run(context: &Context, args: &args::Demo) -> Result<Verdict> {
    let dir = directory(args.keep.as_deref())?;
    let say = |text: &str| context.printer.say(text);
    say(&format!("everything is in {}", dir.display()));

    let spinner = Spinner::new(context.printer.is_watched());
    spinner.show(format!("an installation with {} rows", number(args.rows)));
    let installation = dir.join("installation");
    let profile = demo::create(&installation, args.rows)?;
    drop(spinner);
    let target = dir.join("archives");
    fsx::create_private_dir(&target)?;
    fsx::create_private_dir(&dir.join("state"))?;
    configure(&dir, &profile)?;

    let store = LocalStore::open(&target)?;
    let mut sources = sources::sources(&profile, &mut Vec::new())?;
    let plan = create::plan(&profile, &mut sources, &store)?;
    let journal = elpis_run::SqliteJournal::open(&dir.join("state/journal.db"), None)?;
    let by = create::By {
        store: &store,
        journal: &journal,
        encryption: None,
    };
    let report = create::make(context, &by, &plan, &mut sources)?;
    if !context.printer.json {
        context.printer.data(&output::report(&report))?;
    }

    let found = context.find(&report.path, None)?;
    let mut archive = verify::verify(context, &found)?;
    let out = dir.join("extracted");
    let how = Extract {
        only: &[],
        outside_links: false,
        stop: &context.interrupt.stop,
    };
    let extracted = archive.extract(&out, &how)?;
    say(&format!(
        "extracted: {} members, {}",
        extracted.entries,
        bytes(extracted.bytes)
    ));
    for component in &profile.components {
        for path in &component.paths {
            same(path, &MemberPath::of_file(path)?.below(&out))?;
        }
    }
    say("compared: every file is what it was");

    let prune = Prune {
        store: &store,
        prefix: &profile.prefix,
        journal: &journal,
        clock: &context.clock,
        zone: context.zone.clone(),
        stop: &context.interrupt.stop,
        holder: context.holder(),
    };
    let plan = prune.plan(&KeepRules {
        daily: 7,
        weekly: 5,
        ..KeepRules::default()
    })?;
    if !context.printer.json {
        context.printer.data(&output::prune(&plan, &context.zone))?;
    }
    let config = dir.join("backup.toml");
    say(&format!(
        "try: elpis-backup --config {} list",
        config.display()
    ));
    Ok(Verdict::silent(Code::Done))
}

/// A directory that is new or empty.
fn directory(keep: Option<&Path>) -> Result<PathBuf> {
    let Some(dir) = keep else {
        return Ok(tempfile::Builder::new()
            .prefix("elpis-backup-demo-")
            .tempdir()?
            .keep());
    };
    fsx::create_private_dir(dir)?;
    if std::fs::read_dir(dir)?.next().is_some() {
        bail!(places::NotEmpty {
            place: dir.display().to_string()
        });
    }
    Ok(std::fs::canonicalize(dir)?)
}

/// Writes the configuration that would have made the same backup.
fn configure(dir: &Path, profile: &Profile) -> Result<()> {
    let mut text = String::from(
        "# Written by `elpis-backup demo`.\n[target]\ndirectory = \"archives\"\n\n[state]\n\
         directory = \"state\"\n\n[keep]\ndaily = 7\nweekly = 5\nmonthly = 12\n\n[profile]\n",
    );
    text += &format!(
        "name = \"{}\"\nprefix = \"{}\"\n",
        profile.name, profile.prefix
    );
    text += &format!("container = \"{}\"\n", profile.container);
    for component in &profile.components {
        text += &format!("\n[[profile.component]]\nname = \"{}\"\n", component.name);
        text += &format!("paths = {:?}\n", component.paths);
    }
    for database in &profile.databases {
        text += &format!("\n[[profile.database]]\nname = \"{}\"\n", database.name);
        text += &format!(
            "sqlite = {:?}\n",
            database.sqlite.clone().unwrap_or_default()
        );
    }
    Ok(fsx::write_durable(
        &dir.join("backup.toml"),
        text.as_bytes(),
        0o600,
    )?)
}

/// Compares two trees without the engine: names, kinds, modes, times, content.
fn same(left: &Path, right: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let differs = || anyhow::anyhow!("{} is not what it was", left.display());
    let (a, b) = (
        std::fs::symlink_metadata(left)?,
        std::fs::symlink_metadata(right)?,
    );
    let portrait = |m: &std::fs::Metadata| (m.mode(), m.mtime(), m.mtime_nsec(), m.uid(), m.gid());
    if portrait(&a) != portrait(&b) {
        return Err(differs());
    }
    if a.is_symlink() {
        return match std::fs::read_link(left)? == std::fs::read_link(right)? {
            true => Ok(()),
            false => Err(differs()),
        };
    }
    if a.is_dir() {
        let mut names: Vec<_> = std::fs::read_dir(left)?
            .map(|entry| Ok(entry?.file_name()))
            .collect::<Result<_>>()?;
        names.sort();
        if names.len() != std::fs::read_dir(right)?.count() {
            return Err(differs());
        }
        return names
            .iter()
            .try_for_each(|name| same(&left.join(name), &right.join(name)));
    }
    match content(left)? == content(right)? {
        true => Ok(()),
        false => Err(differs()),
    }
}

fn content(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::options()
        .read(true)
        .open(path)?
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
