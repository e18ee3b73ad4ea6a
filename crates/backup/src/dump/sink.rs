//! Where a dump goes: pieces of SQL text, written side by side, read back in one order.

use serde::{Deserialize, Serialize};

/// What a sink says when it cannot go on; the dump ends with it.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Takes the pieces of a dump.
///
/// A dump is one SQL text a database. It comes in pieces: the schema, the rows of each table in
/// one or more chunks, the final part. Several pieces are written at the same time, each from
/// its own thread, so a sink must be able to keep as many open as the plan has readers. The SQL
/// text of a database is the concatenation of its finished pieces in the order of their
/// [`PieceId`]s; [`DumpReport::pieces`](super::DumpReport::pieces) has them in that order.
///
/// Calls may block (compression, files): they come from threads that do nothing else. What a
/// sink does with the text is its own business.
///
/// A piece whose writer is dropped without [`PieceWriter::finish`] was not completed. If the
/// dump ends with an error, everything the sink has got is to be thrown away.
pub trait DumpSink: Send + Sync {
    /// Begins a piece. Every piece is begun once.
    ///
    /// # Errors
    /// Ends the dump.
    fn begin(&self, piece: &PieceId) -> Result<Box<dyn PieceWriter>, SinkError>;

    /// Whether the sink has a piece like this from an earlier dump. If it says so, the dump reads
    /// the rows for their sum, offers it to [`take_over`](Self::take_over), and reads them once
    /// more if that declines.
    fn may_have(&self, piece: &PieceId) -> bool {
        let _ = piece;
        false
    }

    /// Takes over what it has if that is the same, byte for byte; otherwise the piece will be
    /// begun.
    ///
    /// # Errors
    /// Ends the dump.
    fn take_over(&self, piece: &Piece) -> Result<bool, SinkError> {
        let _ = piece;
        Ok(false)
    }
}

/// Takes the text of one piece.
pub trait PieceWriter: Send {
    /// The next bytes, any number of them. The boundaries between calls mean nothing.
    ///
    /// # Errors
    /// Ends the dump.
    fn write(&mut self, sql: &[u8]) -> Result<(), SinkError>;

    /// The piece is complete; `piece` counts and sums what was written.
    ///
    /// # Errors
    /// Ends the dump.
    fn finish(self: Box<Self>, piece: &Piece) -> Result<(), SinkError>;
}

/// Which piece. The order of these is the order in which pieces are concatenated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PieceId {
    /// The database, by its place in the plan.
    pub database: u32,
    /// Which part of the database's text.
    pub part: Part,
    /// The table, by its place in the text; 0 outside [`Part::Data`].
    pub table: u32,
    /// The chunk of the table; 0 outside [`Part::Data`].
    pub chunk: u32,
    /// The database's name, for people and file names.
    pub database_name: String,
    /// The table's name, for people; empty outside [`Part::Data`].
    pub table_name: String,
    /// The window of a [`Window`](super::Window) column that the chunk holds, from the first
    /// bound up to but without the second; `None` for the windows at both ends, which still
    /// change, and for other chunks.
    pub window: Option<[i64; 2]>,
}

/// The parts of a database's text, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The header, and every `CREATE` that data needs: sequences, tables, placeholders of views.
    Schema,
    /// Rows.
    Data,
    /// Triggers, views, routines, events and the completion mark, which is written when
    /// everything else has been finished.
    Final,
}

/// A finished piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Which.
    pub id: PieceId,
    /// Rows in it; 0 outside [`Part::Data`].
    pub rows: u64,
    /// Bytes of SQL text.
    pub bytes: u64,
    /// BLAKE3 of the SQL text, in lower-case hexadecimal.
    pub blake3: String,
}
