//! Parts of a database: some tables, and the rows of one owner, on a real MariaDB. What must not
//! change is what `mariadb-dump` and `CHECKSUM TABLE` say of it.

mod rows;
mod rows_deaths;
mod server_deaths;
mod tables;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicU32;

use elpis_backup::restore::{Restore, RestorePolicy, RestoreState, SqlText, Surveyed, runs};
use elpis_run::MemoryJournal;

use crate::restore_db::Bench;
use crate::restore_files::deaths::Dying;
use crate::support::rounds;

/// The same with another journal.
pub(crate) fn with<'a>(bench: &'a Bench, journal: &'a dyn elpis_run::Journal) -> Restore<'a> {
    Restore {
        journal,
        ..bench.restore(None)
    }
}

/// Restores in a process that dies at one record after the other, and goes on or back from there.
/// `before` makes the live database anew; `restored` and `undone` judge it. All deaths take minutes:
/// those at the records of `quick` are always died, before and after one, to go back and on.
pub(crate) fn die_everywhere(
    bench: &Bench,
    policy: &RestorePolicy,
    text: &SqlText<Surveyed>,
    before: &dyn Fn(),
    restored: &dyn Fn(),
    undone: &dyn Fn(),
    quick: [u32; 4],
) -> u32 {
    let mut deaths = 0;
    let all = rounds(0, 1) == 1;
    for (turn, (after, forward)) in [(false, false), (false, true), (true, false), (true, true)]
        .into_iter()
        .enumerate()
    {
        let lefts = match all {
            true => 1..u32::MAX,
            false => quick[turn]..quick[turn] + 1,
        };
        for left in lefts {
            before();
            let memory = MemoryJournal::new();
            let dying = Dying {
                inner: &memory,
                left: AtomicU32::new(left),
                after,
            };
            let plan = bench.plan(policy, text);
            assert_eq!(plan.refusals, []);
            let died = catch_unwind(AssertUnwindSafe(|| {
                with(bench, &dying).run(&plan, text).unwrap()
            }))
            .is_err();
            let by = with(bench, &memory);
            let run = runs(&memory).unwrap().remove(0);
            let open = [RestoreState::Unfinished, RestoreState::Filling];
            let is_open = open.contains(&run.state);
            if is_open && forward {
                by.resume(run.run, Some(text)).unwrap();
                restored();
            }
            // Taking it back dies as well.
            let dying = Dying {
                inner: &memory,
                left: AtomicU32::new(left % 11),
                after,
            };
            let _ = catch_unwind(AssertUnwindSafe(|| {
                with(bench, &dying).undo(run.run).unwrap()
            }));
            if runs(&memory).unwrap()[0].state != RestoreState::Undone {
                by.undo(run.run).unwrap();
            }
            undone();
            by.forget(run.run).unwrap();
            if !died {
                break;
            }
            deaths += 1;
        }
    }
    println!("{deaths} deaths");
    deaths
}

/// Without the counter of keys.
pub(crate) fn counterless(portrait: &str) -> String {
    let lines = portrait
        .lines()
        .map(|line| match line.find(" AUTO_INCREMENT=") {
            Some(at) => &line[..at],
            None => line,
        });
    lines.collect::<Vec<&str>>().join("\n")
}
