//! The restores of which anything is left: where each stands, and what can be done about it.

use anyhow::Result;
use elpis_backup::restore::{FilesState, RestoreState, files_runs, runs};
use elpis_run::{Holder, Journal, RunId};
use jiff::Timestamp;
use serde::Serialize;

use crate::backup::commands::Context;
use crate::exit::{Code, Verdict};
use crate::output::grid::{PLAIN, table, text};

/// One restore.
#[derive(Debug, Serialize)]
struct Kept {
    run: RunId,
    started: Timestamp,
    /// `database` or `files`
    what: &'static str,
    /// The server and the database, or the first of the places.
    target: String,
    /// `unfinished`, `filling`, `done`, `replaced`, `undoing` or `undone`
    state: &'static str,
    /// Whether the process that began it still runs; nothing where that cannot be told.
    is_running: Option<bool>,
    /// The commands that make sense now.
    next: Vec<String>,
}

impl Kept {
    fn of(run: RunId, state: &'static str, holder: &Holder) -> Kept {
        let verbs: &[&str] = match state {
            "unfinished" | "filling" => &["resume", "undo"],
            "undoing" => &["undo"],
            "done" | "replaced" => &["undo", "forget"],
            _ => &["forget"],
        };
        let next = verbs.iter();
        Kept {
            run,
            started: holder.since,
            what: "database",
            target: String::new(),
            state,
            is_running: holder.is_alive(),
            next: next
                .map(|verb| format!("elpis-backup {verb} --run {run}"))
                .collect(),
        }
    }

    /// Whether it is neither done nor taken back.
    fn is_open(&self) -> bool {
        !self.next.iter().any(|next| next.contains(" forget "))
    }
}

/// All of the journal, the newest first.
fn all(journal: &dyn Journal) -> Result<Vec<Kept>> {
    let mut found = Vec::new();
    for run in runs(journal)? {
        let state = match run.state {
            RestoreState::Unfinished => "unfinished",
            RestoreState::Filling => "filling",
            RestoreState::Done => "done",
            RestoreState::Undoing => "undoing",
            RestoreState::Undone => "undone",
            _ => continue,
        };
        found.push(Kept {
            started: run.started,
            target: run.target,
            ..Kept::of(run.run, state, &run.holder)
        });
    }
    for run in files_runs(journal)? {
        let state = match run.state {
            FilesState::Unfinished => "unfinished",
            FilesState::Undoing => "undoing",
            FilesState::Restored => "done",
            FilesState::Replaced => "replaced",
            FilesState::Undone => "undone",
            _ => continue,
        };
        let place = run.places.first();
        found.push(Kept {
            started: run.started,
            what: "files",
            target: place.map_or_else(String::new, |place| place.display().to_string()),
            ..Kept::of(run.run, state, &run.holder)
        });
    }
    found.sort_by_key(|kept| std::cmp::Reverse(kept.run));
    Ok(found)
}

/// `list --restores`.
pub(in crate::backup::commands) fn list(context: &Context) -> Result<Verdict> {
    let all = all(&context.journal()?)?;
    if context.printer.json {
        context.printer.document(&all)?;
    } else if all.is_empty() {
        context.printer.say("nothing is left of any restore");
    } else {
        let rows = all.iter().map(|kept| {
            let started = kept.started.to_zoned(context.zone.clone());
            vec![
                text(kept.run.to_string()),
                text(started.strftime("%Y-%m-%d %H:%M").to_string()),
                text(format!("{} {}", kept.what, kept.target)),
                text(state(kept)),
                text(kept.next.join(", ")),
            ]
        });
        let head = ["run", "began", "of", "state", "next"];
        context.printer.data(&table(PLAIN, &head, rows.collect()))?;
    }
    Ok(Verdict::silent(Code::Done))
}

/// Where it stands, in words.
fn state(kept: &Kept) -> String {
    let said = match kept.state {
        "unfinished" => "not finished",
        "filling" => "in use, rows still follow",
        "undoing" => "half taken back",
        "undone" => "taken back",
        "replaced" => "done, something else is in its place now",
        state => state,
    };
    match kept.is_running.filter(|_| kept.is_open()) {
        Some(true) => format!("{said}, at work"),
        Some(false) => format!("{said}, its process has ended"),
        None => said.to_owned(),
    }
}

/// A word about restores that wait for somebody, where there is a journal at all.
pub(in crate::backup::commands) fn remind(context: &Context) -> Result<()> {
    if !context.journal_path().exists() {
        return Ok(());
    }
    let Ok(journal) = context.journal() else {
        // Whoever may list archives need not be who restores them.
        return Ok(());
    };
    for kept in all(&journal)?.iter().filter(|kept| kept.is_open()) {
        let (run, target, next) = (kept.run, &kept.target, kept.next.join("` or `"));
        context.printer.say(&format!(
            "restore {run} of {target}: {}; `{next}`",
            state(kept)
        ));
    }
    Ok(())
}
