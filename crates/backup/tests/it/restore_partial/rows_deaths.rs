//! Processes that die while they put rows into tables in use.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use elpis_backup::archive::Container;
use elpis_backup::restore::{COUNT_JOB, Restore, RestoreEvent, RestorePlan, runs};
use elpis_run::{Journal, Observer, Query};

use super::rows::{FILL, LIVE, make, of, rows};
use super::{die_everywhere, with};
use crate::restore_db::{Bench, backup, databases, mariadb, of_archive, server};
use crate::support::rounds;

#[test]
fn a_count_that_died_is_cleaned_up_by_the_next() {
    let socket = server().socket();
    make("counting", "");
    let (_world, path) = backup(&server().options(), &["counting"], Container::TarZst);
    let text = of_archive(&path);
    let bench = Bench::new(server().options());
    let plan: RestorePlan = bench.plan(&of("counting", "web"), &text);
    for left in [2, 4] {
        let memory = elpis_run::MemoryJournal::new();
        let dying = crate::restore_files::deaths::Dying {
            inner: &memory,
            left: std::sync::atomic::AtomicU32::new(left),
            after: true,
        };
        let by = with(&bench, &dying);
        let died =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| by.count(&plan, &text)));
        assert!(died.is_err());
        with(&bench, &memory).count(&plan, &text).unwrap();
        assert_eq!(databases(socket, "counting"), ["counting"]);
        let open = memory.list(&Query {
            job: Some(COUNT_JOB.to_owned()),
            open_only: true,
            ..Query::default()
        });
        assert_eq!(open.unwrap().len(), 0);
    }
}

#[test]
fn rows_survive_a_death_at_any_record() {
    let socket = server().socket();
    make("dying_rows", "");
    let (_world, path) = backup(&server().options(), &["dying_rows"], Container::TarZst);
    let text = of_archive(&path);
    let bench = Bench::new(server().options());
    let before = || make("dying_rows", LIVE);
    before();
    let old = rows("dying_rows", "");
    bench.run(&of("dying_rows", "web"), &text).unwrap();
    let new = rows("dying_rows", "");
    assert_ne!(old, new);
    let run = runs(&bench.journal).unwrap()[0].run;
    bench.restore(None).forget(run).unwrap();
    let deaths = die_everywhere(
        &bench,
        &of("dying_rows", "web"),
        &text,
        &before,
        &|| assert_eq!(rows("dying_rows", ""), new),
        &|| assert_eq!(rows("dying_rows", ""), old),
        [12, 11, 11, 13],
    );
    assert!(deaths >= 4, "{deaths}");
    assert_eq!(databases(socket, "dying_rows"), ["dying_rows"]);
}

/// Dies at the n-th transaction, after it.
struct DiesAt(AtomicU32);

impl Observer<RestoreEvent> for DiesAt {
    fn on(&self, event: &RestoreEvent) {
        if matches!(event, RestoreEvent::Inserted { .. })
            && self.0.fetch_sub(1, Ordering::Relaxed) == 1
        {
            panic!("killed after a transaction");
        }
    }
}

struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The product writes all the time; what it writes stays, and each row comes once.
#[test]
fn a_death_between_two_transactions_beside_a_product_that_writes() {
    let socket = server().socket().to_owned();
    make("busy", LIVE);
    let live = "CREATE OR REPLACE DATABASE busy_source CHARACTER SET utf8mb4";
    mariadb(&socket, "", live);
    mariadb(&socket, "busy_source", FILL);
    let (_world, path) = backup(&server().options(), &["busy_source"], Container::TarZst);
    let text = of_archive(&path);
    let bench = Bench::new(server().options());
    bench.run(&of("busy", "web"), &text).unwrap();
    let new = rows("busy", "");
    let written = std::sync::atomic::AtomicU64::new(0);
    let done = AtomicBool::new(false);
    let deaths: Vec<u32> = match rounds(2, 9) {
        2 => vec![2, 7],
        most => (1..=most as u32).collect(),
    };
    for (turn, death) in deaths.into_iter().enumerate() {
        make("busy", LIVE);
        let old = rows("busy", "");
        let memory = elpis_run::MemoryJournal::new();
        done.store(false, Ordering::SeqCst);
        written.store(0, Ordering::SeqCst);
        std::thread::scope(|scope| {
            // Also when this thread fails.
            let _end = Ends(&done);
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    // Now, and late, in the middle of what is restored.
                    let sql = "INSERT INTO nums VALUES (11, 1000, 1, 1950000000), (12, 1000, 1, 1700000100)";
                    mariadb(&socket, "busy", sql);
                    written.fetch_add(2, Ordering::SeqCst);
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
            });
            let plan = bench.plan(&of("busy", "web"), &text);
            let by = Restore {
                observer: Arc::new(DiesAt(AtomicU32::new(death))),
                ..with(&bench, &memory)
            };
            let died =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| by.run(&plan, &text)));
            assert!(died.is_err(), "there are fewer than {death} transactions");
            let run = runs(&memory).unwrap()[0].run;
            let by = with(&bench, &memory);
            // The text is not needed: everything lies beside.
            match turn % 2 {
                0 => drop(by.resume(run, None).unwrap()),
                _ => drop(by.undo(run).unwrap()),
            }
        });
        let expected = if turn % 2 == 0 { &new } else { &old };
        let count = mariadb(&socket, "busy", "SELECT COUNT(*) FROM nums WHERE v = 1000");
        assert_eq!(count.trim(), written.load(Ordering::SeqCst).to_string());
        mariadb(&socket, "busy", "DELETE FROM nums WHERE v = 1000");
        assert_eq!(rows("busy", ""), *expected, "{death}");
    }
}
