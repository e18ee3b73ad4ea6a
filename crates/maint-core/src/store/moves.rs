//! What a store must offer for moves: rows that leave the active database for a history database.
//!
//! Two stores take part in a move. Each of their transactions also writes one small record, so that
//! after a crash both sides say exactly what had become durable; see [`crate::moves`].

use std::future::Future;

use serde::{Deserialize, Serialize};

use super::{Store, StoreError};
use crate::Scalar;
use crate::moves::MoveTask;

/// Which of the two databases of a move a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveSide {
    /// Rows leave it.
    Active,
    /// Rows arrive in it.
    History,
}

/// A value of a row in transit, compared bit by bit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cell {
    /// NULL.
    Null,
    /// A whole number.
    Int(i64),
    /// A whole number above `i64::MAX`.
    UInt(u64),
    /// The bits of a floating-point number, in double precision.
    Real(u64),
    /// Text in UTF-8, bytes, and what travels as text.
    Bytes(Vec<u8>),
    /// Year, month, day, hour, minute, second, microsecond, whatever the calendar says to them.
    Moment([u32; 7]),
    /// A length of time: whether it is negative, days, hours, minutes, seconds, microseconds.
    Elapsed(bool, [u32; 5]),
}

/// A row in transit: its cells in the order of [`MoveTask::columns`].
pub type MoveRow = Vec<Cell>;

/// A stretch of time of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Its first time.
    pub from: Scalar,
    /// Its end.
    pub to: Scalar,
    /// Whether the end belongs to it.
    pub closed: bool,
    /// Of that time, only rows whose [`MoveTask::split`] column is below this: many rows may be of
    /// one instant.
    pub below: Option<Scalar>,
}

/// The rows of one step of a move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Where they are. Of a table without a key, they are all that is there.
    pub window: Window,
    /// The rows.
    pub rows: Vec<MoveRow>,
    /// What hangs on them, in the order of [`MoveTask::children`].
    pub children: Vec<Vec<MoveRow>>,
}

/// What a side remembers of the last step of a table's moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveRecord {
    /// The step's name, never given twice. On the history side: of the last step whose rows came;
    /// on the active side: of the last one whose rows went.
    pub id: String,
    /// Where its rows were.
    pub window: Window,
    /// Whether the rows that came are also held apart, because the history database had other rows
    /// of that time already.
    pub staged: bool,
    /// How many rows it were, what hung on them not counted.
    pub rows: u64,
    /// The rows' checksum.
    pub checksum: u64,
}

/// What came of sending rows to a history database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// They are durable there, compared with what was sent, and recorded.
    Proven {
        /// Rows that were there before, with the very same content.
        known: u64,
    },
    /// Nothing was done.
    Conflict {
        /// What a person has to look at.
        why: String,
    },
}

/// One column, as far as it matters whether another one can hold its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MoveColumn {
    /// Its name.
    pub name: String,
    /// Its declared type in lower case, such as `int(10) unsigned`.
    pub declared: String,
    /// The character set of a text column.
    pub charset: Option<String>,
    /// Whether rows can be written without a value for it.
    pub has_default: bool,
    /// Whether the server computes it.
    pub is_generated: bool,
    /// Whether the server numbers it.
    pub is_numbered: bool,
}

/// One side of a move. [`hold`](MoveStore::hold) and what follows it is asked of the active side,
/// [`receive`](MoveStore::receive) and [`received`](MoveStore::received) of the history side.
pub trait MoveStore: Store {
    /// Which database this is, however it was reached.
    fn identity(&mut self) -> impl Future<Output = Result<String, StoreError>> + Send;

    /// The columns of a table in their order; none if there is no such table.
    fn columns(
        &mut self,
        table: &str,
    ) -> impl Future<Output = Result<Vec<MoveColumn>, StoreError>> + Send;

    /// The first of `columns` that has another value than its default in a row of the table (below
    /// `due`, a time column and its end, if that is given).
    fn unlike_default(
        &mut self,
        table: &str,
        columns: &[String],
        due: Option<(&str, &Scalar)>,
    ) -> impl Future<Output = Result<Option<String>, StoreError>> + Send;

    /// Makes the session one in which values arrive as they are, and the small table of records, if
    /// it is missing. Rows arrive together with what hangs on them; that other tables which they
    /// point at have no rows in the history database is no obstacle there.
    fn begin_moves(
        &mut self,
        side: MoveSide,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The session is as it was before.
    fn end_moves(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// What this side remembers of a table.
    fn last_move(
        &mut self,
        table: &str,
    ) -> impl Future<Output = Result<Option<MoveRecord>, StoreError>> + Send;

    /// What this side remembers of all tables, in their order; nothing if it has no records yet.
    fn last_moves(
        &mut self,
    ) -> impl Future<Output = Result<Vec<(String, MoveRecord)>, StoreError>> + Send;

    /// A name for the next step.
    fn new_move(&mut self) -> impl Future<Output = Result<String, StoreError>> + Send;

    /// Begins a transaction and reads the oldest due rows, about `limit`, or all of `window`,
    /// locked: until [`delete_held`](MoveStore::delete_held) or [`let_go`](MoveStore::let_go)
    /// nobody can change or delete them. `None` if there are none; then there is no transaction.
    fn hold(
        &mut self,
        task: &MoveTask,
        limit: u64,
        window: Option<&Window>,
    ) -> impl Future<Output = Result<Option<Batch>, StoreError>> + Send;

    /// Deletes what is held and nothing else, records `id`, and commits. False, with nothing done
    /// and nothing held any more, if other rows came into the window meanwhile or the server chose
    /// this transaction to end a deadlock.
    fn delete_held(
        &mut self,
        task: &MoveTask,
        batch: &Batch,
        id: &str,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// The same for some of the rows that are held, one by one: the others stay.
    fn delete_some(
        &mut self,
        task: &MoveTask,
        batch: &Batch,
        rows: &[MoveRow],
        id: &str,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Records `id` although nothing was there to delete.
    fn none_left(
        &mut self,
        table: &str,
        id: &str,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Gives back what is held.
    fn let_go(&mut self) -> impl Future<Output = ()> + Send;

    /// Writes the rows of `batch`, reads them back, compares them with what was sent, and records
    /// `id`, in one transaction. Of a table with a key, rows that are there already are compared;
    /// where `newer` says that the sender's are newer they replace what differs.
    fn receive(
        &mut self,
        task: &MoveTask,
        batch: &Batch,
        id: &str,
        newer: bool,
    ) -> impl Future<Output = Result<Received, StoreError>> + Send;

    /// The rows that the step of `record` brought to a table without a key.
    fn received(
        &mut self,
        task: &MoveTask,
        record: &MoveRecord,
    ) -> impl Future<Output = Result<Vec<MoveRow>, StoreError>> + Send;

    /// Nothing of the table is under way any more.
    fn tidy(&mut self, task: &MoveTask) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// The checksum of rows for [`MoveRecord::checksum`], whatever their order; rows that are there twice
/// count twice.
pub fn row_checksum(rows: &[MoveRow]) -> u64 {
    rows.iter()
        .fold(0, |sum: u64, row| sum.wrapping_add(image(row)))
}

/// FNV-1a over the cells with their kinds and lengths: the same on every host and in every version.
fn image(row: &MoveRow) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut take = |kind: u8, bytes: &[u8]| {
        let length = (bytes.len() as u64).to_le_bytes();
        for byte in [kind].iter().chain(&length).chain(bytes) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
    };
    for cell in row {
        match cell {
            Cell::Null => take(0, &[]),
            Cell::Int(n) => take(1, &n.to_le_bytes()),
            Cell::UInt(n) => take(2, &n.to_le_bytes()),
            Cell::Real(bits) => take(3, &bits.to_le_bytes()),
            Cell::Bytes(bytes) => take(4, bytes),
            Cell::Moment(parts) => parts.iter().for_each(|part| take(5, &part.to_le_bytes())),
            Cell::Elapsed(negative, parts) => {
                take(6, &[u8::from(*negative)]);
                parts.iter().for_each(|part| take(6, &part.to_le_bytes()));
            }
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_tells_rows_and_their_number_and_not_their_order() {
        let row = |n: i64, text: &str| vec![Cell::Int(n), Cell::Bytes(text.into()), Cell::Null];
        let (a, b) = (row(1, "x"), row(2, "y"));
        let sum = |rows: &[&MoveRow]| {
            let rows: Vec<MoveRow> = rows.iter().map(|row| (*row).clone()).collect();
            row_checksum(&rows)
        };
        assert_eq!(sum(&[&a, &b]), sum(&[&b, &a]));
        assert_ne!(sum(&[&a, &b]), sum(&[&a, &a, &b]));
        assert_ne!(sum(&[&a, &a]), 0);
        let shifted = vec![Cell::Bytes("ab".into()), Cell::Bytes("c".into())];
        let other = vec![Cell::Bytes("a".into()), Cell::Bytes("bc".into())];
        assert_ne!(sum(&[&shifted]), sum(&[&other]));
        assert_ne!(
            sum(&[&vec![Cell::Null]]),
            sum(&[&vec![Cell::Bytes(vec![])]])
        );
    }
}
