//! A restore that is half done and that the journal at hand does not know.

use std::sync::Arc;

use elpis_backup::restore::{Restore, RestoreError, RestoreEvent};
use elpis_run::{Journal, Observer, Query, StopToken};

use super::{Bench, create_and_backup, mariadb, of_archive, policy, portrait, same, server};

/// Asks the run to stop when it begins to compare.
struct Stopping(StopToken);

impl Observer<RestoreEvent> for Stopping {
    fn on(&self, event: &RestoreEvent) {
        if matches!(event, RestoreEvent::Step { step } if step == "compare") {
            self.0.stop();
        }
    }
}

#[test]
fn another_journal_does_not_begin_over_it() {
    let socket = server().socket();
    let (_world, path) = create_and_backup(server(), "unknown");
    mariadb(socket, "unknown", "DELETE FROM samples WHERE m > 3");
    let before = portrait(socket, "unknown");
    let text = of_archive(&path);
    let (first, second) = (
        Bench::new(server().options()),
        Bench::new(server().options()),
    );
    let stopped = Restore {
        observer: Arc::new(Stopping(first.stop.clone())),
        ..first.restore(None)
    };
    let plan = first.plan(&policy("unknown"), &text);
    let error = stopped.run(&plan, &text).unwrap_err();
    let RestoreError::Interrupted { run, .. } = error else {
        panic!("{error:?}");
    };

    let refused = second.run(&policy("unknown"), &text).unwrap_err();
    let RestoreError::HalfDone { side } = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!(*side, plan.side);
    assert!(second.journal.list(&Query::default()).unwrap().is_empty());
    same(&portrait(socket, "unknown"), &before);

    let fresh = Bench {
        stop: StopToken::new(),
        ..first
    };
    fresh.restore(None).undo(run).unwrap();
    second.run(&policy("unknown"), &text).unwrap();
    assert_eq!(
        mariadb(socket, "unknown", "SELECT COUNT(*) FROM samples").trim(),
        "8000"
    );
}
