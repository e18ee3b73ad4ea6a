//! The thread beside a reader that sums what was read and gives it to the sink, so that neither
//! waits for the other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::error::DumpError;
use super::event::DumpEvent;
use super::gate::{End, Gate};
use super::sink::{DumpSink, Piece, PieceId, PieceWriter};
use elpis_run::Observer;

/// Full buffers that may wait for the sink: about as many bytes as it compresses at once, so that
/// the reader goes on meanwhile.
const WAITING: usize = 16;

/// What becomes of the pieces of all readers.
pub(super) struct Shelf {
    pub(super) sink: Arc<dyn DumpSink>,
    pub(super) observer: Arc<dyn Observer<DumpEvent>>,
    pub(super) gate: Arc<Gate>,
    pieces: Mutex<Vec<Piece>>,
    reused: AtomicU64,
}

impl Shelf {
    pub(super) fn new(
        sink: Arc<dyn DumpSink>,
        observer: Arc<dyn Observer<DumpEvent>>,
        gate: Arc<Gate>,
    ) -> Self {
        Self {
            sink,
            observer,
            gate,
            pieces: Mutex::new(Vec::new()),
            reused: AtomicU64::new(0),
        }
    }

    /// Offers a piece to the sink, which may have it already.
    pub(super) fn take_over(&self, piece: Piece) -> Result<bool, DumpError> {
        if !self.sink.take_over(&piece).map_err(DumpError::Sink)? {
            return Ok(false);
        }
        self.observer.on(&DumpEvent::Reused {
            table: format!("{}.{}", piece.id.database_name, piece.id.table_name),
            rows: piece.rows,
            bytes: piece.bytes,
        });
        self.reused.fetch_add(1, Ordering::Relaxed);
        self.push(piece);
        Ok(true)
    }

    /// How many pieces the sink had already.
    pub(super) fn reused(&self) -> u64 {
        self.reused.load(Ordering::Relaxed)
    }

    fn push(&self, piece: Piece) {
        self.pieces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(piece);
    }

    /// Stores a whole piece.
    pub(super) fn put(&self, id: PieceId, sql: &[u8]) -> Result<(), DumpError> {
        let mut open = Open::begin(self, id)?;
        open.write(sql)?;
        open.finish(self, 0)
    }

    pub(super) fn pieces(&self) -> Vec<Piece> {
        let mut pieces = self
            .pieces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        pieces.sort_by(|a, b| a.id.cmp(&b.id));
        pieces
    }
}

/// A piece on its way.
struct Open {
    id: PieceId,
    writer: Box<dyn PieceWriter>,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Open {
    fn begin(shelf: &Shelf, id: PieceId) -> Result<Self, DumpError> {
        Ok(Self {
            writer: shelf.sink.begin(&id).map_err(DumpError::Sink)?,
            id,
            hasher: blake3::Hasher::new(),
            bytes: 0,
        })
    }

    fn write(&mut self, sql: &[u8]) -> Result<(), DumpError> {
        self.hasher.update(sql);
        self.bytes += sql.len() as u64;
        self.writer.write(sql).map_err(DumpError::Sink)
    }

    fn finish(self, shelf: &Shelf, rows: u64) -> Result<(), DumpError> {
        let piece = Piece {
            id: self.id,
            rows,
            bytes: self.bytes,
            blake3: self.hasher.finalize().to_hex().to_string(),
        };
        self.writer.finish(&piece).map_err(DumpError::Sink)?;
        if rows > 0 {
            shelf.observer.on(&DumpEvent::Chunk {
                table: format!("{}.{}", piece.id.database_name, piece.id.table_name),
                rows,
                bytes: piece.bytes,
            });
        }
        shelf.push(piece);
        Ok(())
    }
}

enum Message {
    Begin(PieceId),
    Write(Vec<u8>),
    Finish { rows: u64 },
}

/// The reader's end.
pub(super) struct Store {
    to: SyncSender<Message>,
    back: Receiver<Vec<u8>>,
    thread: JoinHandle<Result<(), DumpError>>,
}

impl Store {
    pub(super) fn start(shelf: Arc<Shelf>) -> Result<Self, DumpError> {
        let (to, from) = sync_channel(WAITING);
        let (give_back, back) = channel();
        let thread = std::thread::Builder::new()
            .name("elpis-store".to_owned())
            .spawn(move || {
                let result = store(&shelf, &from, |buffer| {
                    // A reader that is gone wants no buffers.
                    let _ = give_back.send(buffer);
                });
                if result.is_err() {
                    shelf.gate.end(End::Failed);
                }
                result
            })
            .map_err(|error| DumpError::Reader {
                reason: error.to_string(),
            })?;
        Ok(Self { to, back, thread })
    }

    /// An empty buffer, used before if there is one.
    pub(super) fn buffer(&self) -> Vec<u8> {
        self.back.try_recv().unwrap_or_default()
    }

    pub(super) fn begin(&self, id: PieceId) -> Result<(), Gone> {
        self.send(Message::Begin(id))
    }

    pub(super) fn write(&self, sql: Vec<u8>) -> Result<(), Gone> {
        self.send(Message::Write(sql))
    }

    pub(super) fn finish(&self, rows: u64) -> Result<(), Gone> {
        self.send(Message::Finish { rows })
    }

    fn send(&self, message: Message) -> Result<(), Gone> {
        self.to.send(message).map_err(|_| Gone)
    }

    /// Waits until everything is stored.
    pub(super) fn end(self) -> Result<(), DumpError> {
        drop(self.to);
        self.thread.join().unwrap_or_else(|_| {
            Err(DumpError::Reader {
                reason: "the sink panicked".to_owned(),
            })
        })
    }
}

/// The storing thread has ended; [`Store::end`] tells why.
pub(super) struct Gone;

/// A buffer that held a row of many megabytes is not kept for the narrow ones that follow.
const KEPT: usize = 4 << 20;

fn store(
    shelf: &Shelf,
    from: &Receiver<Message>,
    give_back: impl Fn(Vec<u8>),
) -> Result<(), DumpError> {
    let mut open = None;
    while let Ok(message) = from.recv() {
        match message {
            Message::Begin(id) => open = Some(Open::begin(shelf, id)?),
            Message::Write(mut sql) => {
                if let Some(open) = &mut open {
                    open.write(&sql)?;
                }
                sql.clear();
                sql.shrink_to(KEPT);
                give_back(sql);
            }
            Message::Finish { rows } => {
                if let Some(open) = open.take() {
                    open.finish(shelf, rows)?;
                }
            }
        }
    }
    Ok(())
}
