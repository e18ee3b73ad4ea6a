//! What every [`Store`] must do, whatever it is made of: one suite of asynchronous functions,
//! each over a fresh [`Fixture`].
//!
//! ```ignore
//! elpis_testkit::conformance_tests!(my_store: MyFixture::new(); composite_keys, cascades);
//! ```

mod cases;
mod data;
mod relations;
mod special;

use std::future::Future;

use elpis_maint_core::store::{Counted, Purged};
use elpis_maint_core::{MySqlStore, PurgeTask, SqliteStore, Store};

use crate::database::Database;
use crate::server::MariaDb;
use crate::sqlite::SqliteFile;
use crate::table::{Row, Table};

pub use cases::*;
pub use relations::*;
pub use special::*;

/// A fresh, empty database of one kind: how it is filled, looked at, and opened.
///
/// `rows` must not go through the store under test.
pub trait Fixture {
    /// The store under test.
    type Store: Store;

    /// Makes a table; parents come before their children.
    fn create(&mut self, table: &Table);

    /// Inserts rows.
    fn insert(&mut self, table: &Table, rows: &[Row]);

    /// All rows of a table, in no order.
    fn rows(&mut self, table: &Table) -> Vec<Row>;

    /// Another session on the same database.
    fn store(&mut self) -> impl Future<Output = Self::Store>;
}

impl Fixture for MariaDb {
    type Store = MySqlStore;

    fn create(&mut self, table: &Table) {
        Database::create(self, table);
    }

    fn insert(&mut self, table: &Table, rows: &[Row]) {
        Database::insert(self, table, rows);
    }

    fn rows(&mut self, table: &Table) -> Vec<Row> {
        Database::rows(self, table)
    }

    async fn store(&mut self) -> MySqlStore {
        MariaDb::store(self).await
    }
}

impl Fixture for SqliteFile {
    type Store = SqliteStore;

    fn create(&mut self, table: &Table) {
        Database::create(self, table);
    }

    fn insert(&mut self, table: &Table, rows: &[Row]) {
        Database::insert(self, table, rows);
    }

    fn rows(&mut self, table: &Table) -> Vec<Row> {
        Database::rows(self, table)
    }

    async fn store(&mut self) -> SqliteStore {
        SqliteFile::store(self)
    }
}

/// Makes one test of every case; the cases that need more than any store offers are named after
/// the `;`: `composite_keys`, `cascades`, `calendar` (columns of DATETIME, TIMESTAMP and DATE),
/// `relations` (the store is a [`RelationStore`](elpis_maint_core::RelationStore)).
#[macro_export]
macro_rules! conformance_tests {
    ($name:ident: $fixture:expr $(; $($capability:ident),+)?) => {
        mod $name {
            #[allow(unused_imports, reason = "the fixture's own names")]
            use super::*;
            $crate::conformance_tests!(@ $fixture =>
                shape_and_walk_are_found, small_tables_are_counted_at_once,
                estimates_of_large_tables_are_labelled_and_sane, exact_counts_equal_the_recount,
                a_walk_by_time_deletes_exactly_the_expired, a_walk_by_key_deletes_exactly_the_expired,
                rows_without_a_time_stay, one_second_with_many_rows, nothing_due_ends_at_once,
                every_filter_means_what_it_says, the_nth_newest_row_is_found,
                the_nth_newest_row_is_found_far_back,
                a_lock_excludes_and_names_its_holder);
            $($($crate::conformance_tests!(@@ $capability $fixture);)+)?
        }
    };
    (@@ composite_keys $fixture:expr) => {
        $crate::conformance_tests!(@ $fixture => a_walk_by_composite_key);
    };
    (@@ cascades $fixture:expr) => {
        $crate::conformance_tests!(@ $fixture =>
            children_go_first_bounded_and_counted, grandchildren_go_first_bounded_and_counted,
            children_with_a_rule_of_their_own);
    };
    (@@ relations $fixture:expr) => {
        $crate::conformance_tests!(@ $fixture =>
            orphans_along_a_key, orphans_by_value, rows_that_have_another, rows_that_go_tell_others,
            missing_rows_are_added,
            columns_are_set, old_rows_along_a_composite_key, dependents_go_first,
            conditions_outlast_their_dependents,
            rows_are_cleared, restricted_rows_stay, what_changed_meanwhile_survives,
            what_is_not_there_is_skipped, several_tasks_look_at_once,
            several_tasks_look_at_values_at_once);
    };
    (@@ calendar $fixture:expr) => {
        $crate::conformance_tests!(@ $fixture => calendar_columns);
    };
    (@ $fixture:expr => $($case:ident),+) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::conformance::$case($fixture).await;
            }
        )+
    };
}

/// The sums of a whole walk of deleting chunks.
#[derive(Debug, Default, PartialEq, Eq)]
struct Walked {
    deleted: u64,
    cascaded: Vec<u64>,
    chunks: u64,
}

/// Deletes until the walk ends, checking what must hold of every chunk.
async fn purge_all<S: Store>(store: &mut S, task: &PurgeTask, limit: u64, rows: u64) -> Walked {
    let mut walked = Walked {
        cascaded: vec![0; task.cascaded_tables().len()],
        ..Walked::default()
    };
    let mut from = None;
    loop {
        let purged = store.purge_chunk(task, from.as_ref(), limit).await.unwrap();
        let Purged {
            deleted, cascaded, ..
        } = &purged;
        assert!(*deleted <= limit, "{purged:?} over {limit}");
        assert!(purged.examined >= *deleted, "{purged:?}");
        assert_eq!(cascaded.len(), walked.cascaded.len());
        assert!(
            cascaded.iter().all(|n| *n <= limit),
            "{purged:?} over {limit}"
        );
        walked.deleted += deleted;
        for (sum, n) in walked.cascaded.iter_mut().zip(cascaded) {
            *sum += n;
        }
        walked.chunks += 1;
        // One more for the empty chunk at the end of an instant, and one at the end of all.
        let most = 2 * (rows / limit + 1) + rows + 2;
        assert!(
            walked.chunks <= most,
            "no end after {} chunks",
            walked.chunks
        );
        from = purged.next;
        if from.is_none() {
            return walked;
        }
    }
}

/// Counts until the walk ends; the sums.
async fn count_all<S: Store>(store: &mut S, task: &PurgeTask, limit: u64, rows: u64) -> Counted {
    let mut sums = Counted {
        cascaded: vec![0; task.cascaded_tables().len()],
        ..Counted::default()
    };
    let (mut from, mut chunks) = (None, 0);
    loop {
        let counted = store.count_chunk(task, from.as_ref(), limit).await.unwrap();
        sums.rows += counted.rows;
        sums.due += counted.due;
        sums.untimed += counted.untimed;
        for (sum, n) in sums.cascaded.iter_mut().zip(&counted.cascaded) {
            *sum += n;
        }
        sums.span = match (sums.span, counted.span) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, other) => one.or(other),
        };
        chunks += 1;
        assert!(chunks <= rows + 2, "no end after {chunks} chunks");
        from = counted.next;
        if from.is_none() {
            return sums;
        }
    }
}
