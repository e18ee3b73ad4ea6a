//! `verify`: read archives to their end.

use std::path::PathBuf;

use anyhow::{Result, bail};
use elpis_backup::Inspector;
use elpis_backup::archive::{Archive, Problem, ReadLimits, Verified, VerifyError};
use serde::Serialize;

use super::{Context, Found};
use crate::backup::output::Progress;
use crate::backup::{args, places};
use crate::exit::{Code, Verdict};

/// What came out, for programs.
#[derive(Serialize)]
struct Outcome {
    archive: PathBuf,
    whole: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Problem>,
    bytes: u64,
    members: u64,
}

pub(super) fn run(context: &Context, args: args::Verify) -> Result<Verdict> {
    let target = args.target.target;
    let archives = match (args.archives.is_empty(), args.all) {
        (false, _) => args.archives,
        (true, all) => {
            let store = context.any_store(target.clone())?;
            let names = store.list()?.into_iter().map(|stored| stored.name);
            let place = PathBuf::from(store.place());
            let names: Vec<PathBuf> = names.map(|name| place.join(name.to_string())).collect();
            if names.is_empty() {
                bail!(places::Nothing {
                    place: store.place()
                });
            }
            names
                .into_iter()
                .take(if all { usize::MAX } else { 1 })
                .collect()
        }
    };
    let mut outcomes = Vec::new();
    for archive in &archives {
        let found = context.find(archive, target.clone())?;
        let outcome = match verify(context, &found) {
            Ok(verified) => whole(&found, &verified),
            Err(error) => match broken(&found, &error) {
                Some(outcome) => outcome,
                None => return Err(error.into()),
            },
        };
        if !context.printer.json {
            context.printer.data(&line(&outcome))?;
        }
        outcomes.push(outcome);
    }
    if context.printer.json {
        context.printer.document(&outcomes)?;
    }
    let count = outcomes.iter().filter(|outcome| !outcome.whole).count();
    Ok(match count {
        0 => Verdict::silent(Code::Done),
        count => Verdict::new(
            Code::Partial,
            format!("{count} of {} archives are broken", outcomes.len()),
            "use an older archive, and find out what damaged the broken ones",
        ),
    })
}

/// Verifies an archive, and notes the outcome if it is in a store.
pub(super) fn verify(context: &Context, found: &Found) -> Result<Archive<Verified>, VerifyError> {
    let progress = Progress::verifying(context.printer);
    let Some((store, name)) = &found.stored else {
        let how = elpis_backup::archive::Verify {
            limits: ReadLimits::default(),
            sha256: None,
            stop: &context.interrupt.stop,
            observer: &progress,
        };
        return Archive::open_with(&found.path, &context.keys)?.verify(&how);
    };
    let inspector = Inspector {
        store: store.as_ref(),
        keys: &context.keys,
        clock: &context.clock,
        zone: context.zone.clone(),
        stop: &context.interrupt.stop,
        observer: &progress,
    };
    inspector.verify(name, &mut |error| {
        context
            .printer
            .say(&format!("warning: the outcome is not noted: {error}"));
    })
}

fn whole(found: &Found, archive: &Archive<Verified>) -> Outcome {
    let contents = archive.contents();
    Outcome {
        archive: found.path.clone(),
        whole: true,
        complete: contents
            .manifest
            .as_ref()
            .map(|manifest| manifest.is_complete()),
        problems: Vec::new(),
        bytes: contents.bytes,
        members: contents.members.len() as u64,
    }
}

fn broken(found: &Found, error: &VerifyError) -> Option<Outcome> {
    let problems = match error {
        VerifyError::Broken { problems, .. } => problems.clone(),
        VerifyError::NotAnArchive { .. } => {
            vec![Problem {
                member: None,
                what: "it begins neither like gzip nor like zstd".into(),
            }]
        }
        _ => return None,
    };
    Some(Outcome {
        archive: found.path.clone(),
        whole: false,
        complete: None,
        problems,
        bytes: std::fs::metadata(&found.path).map_or(0, |found| found.len()),
        members: 0,
    })
}

fn line(outcome: &Outcome) -> String {
    let path = outcome.archive.display();
    if outcome.whole {
        let partial = if outcome.complete == Some(false) {
            ", but partial"
        } else {
            ""
        };
        let (members, bytes) = (outcome.members, crate::output::bytes(outcome.bytes));
        return format!("{path}: whole{partial}, {members} members, {bytes}");
    }
    let problems = outcome
        .problems
        .iter()
        .map(|problem| format!("\n  {problem}"));
    format!("{path}: broken{}", problems.collect::<String>())
}
