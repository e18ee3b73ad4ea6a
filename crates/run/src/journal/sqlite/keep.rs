//! What the journal keeps, and for how long.

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;
use jiff::{SignedDuration, Timestamp};

use super::{JournalError, SqliteJournal};

pub(super) const FORGET_RUNS: &str = "DELETE FROM runs WHERE finished < ?";

/// Reads through the plans that there are, of which there are few. A few at a time: what is removed
/// stands in the log first, and the disk may be nearly full.
pub(super) const FORGET_PLANS: &str = "DELETE FROM plans WHERE run IN \
     (SELECT run FROM plans WHERE EXISTS \
       (SELECT 1 FROM runs WHERE id = plans.run AND finished < ? AND job = ?) LIMIT 50)";

/// Those of earlier releases. Its condition on the plan is word for word that of the index.
pub(super) const FORGET_PLANS_THEN: &str = "UPDATE runs SET plan = 'null' WHERE id IN \
       (SELECT id FROM runs WHERE finished < ? AND plan <> 'null' AND job = ? LIMIT 50)";

/// A file that is smaller than this many pages (of 4 KiB) is not worth the trouble of making it
/// smaller.
const SMALL: i64 = 4096;

impl SqliteJournal {
    /// Forgets the plans of those runs of `jobs` that finished more than `days` days ago. The runs
    /// and their events stay; so do the plans of runs that have not finished.
    ///
    /// For jobs of which nobody reads the plan after the run: theirs may be most of the file.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn forget_plans(&self, jobs: &[&str], days: u32) -> Result<(), JournalError> {
        let Some(oldest) = ago(Timestamp::now(), days) else {
            return Ok(());
        };
        for statement in [FORGET_PLANS, FORGET_PLANS_THEN] {
            for job in jobs {
                let mut some = 1;
                while some > 0 {
                    some = self.write("remove old plans", |conn| {
                        let forget = diesel::sql_query(statement).bind::<BigInt, _>(oldest);
                        Ok(forget.bind::<Text, _>(job).execute(conn)?)
                    })?;
                }
            }
        }
        self.give_room_back()
    }

    /// Forgets the runs that finished more than `days` days before `now`.
    pub(super) fn forget_runs(&self, now: Timestamp, days: u32) -> Result<(), JournalError> {
        let Some(oldest) = ago(now, days) else {
            return Ok(());
        };
        self.write("remove old runs", |conn| {
            let delete = diesel::sql_query(FORGET_RUNS).bind::<BigInt, _>(oldest);
            delete.execute(conn)?;
            Ok(())
        })
    }

    /// Makes the file as small as what is in it, where most of it is empty: that happens once, to a
    /// journal of a release that kept every plan. SQLite does it as one transaction.
    fn give_room_back(&self) -> Result<(), JournalError> {
        let mut conn = self.conn.lock().map_err(|_| JournalError::Poisoned)?;
        let number = |conn: &mut SqliteConnection, pragma| sql::<BigInt>(pragma).get_result(conn);
        let pages: Result<i64, _> = number(&mut conn, "PRAGMA page_count");
        let empty: Result<i64, _> = number(&mut conn, "PRAGMA freelist_count");
        if let (Ok(pages), Ok(empty)) = (pages, empty)
            && pages > SMALL
            && empty > pages / 2
        {
            // Empty pages harm nobody: without the room or the peace for this they stay.
            let _ = conn.batch_execute("VACUUM");
        }
        Ok(())
    }
}

/// Longer ago than there has been time, nothing is.
fn ago(now: Timestamp, days: u32) -> Option<i64> {
    let oldest = now.checked_sub(SignedDuration::from_hours(i64::from(days) * 24));
    oldest.ok().map(Timestamp::as_microsecond)
}
