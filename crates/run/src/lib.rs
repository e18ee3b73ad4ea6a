//! What every Elpis run needs, whatever its job: a journal of what was meant and what was done,
//! typed events for an observer, a way to stop, a clock that tests can turn, a throttle's words,
//! locks that name their holder, secrets that do not print, and durable file writes.
//!
//! The crate knows no product and no database server. It never prints, exits, reads the
//! environment or installs anything global.
//!
//! | to ...                                        | use |
//! |-----------------------------------------------|-----|
//! | remember intents across a crash               | [`journal::Journal`]: [`journal::MemoryJournal`], `journal::SqliteJournal` (feature `sqlite`) |
//! | tell the caller what happens                  | [`Observer`], [`FnObserver`] |
//! | be stopped between two steps                  | [`StopToken`] |
//! | tell the time and wait                        | [`Clock`], [`RealClock`], [`VirtualClock`] |
//! | decide how fast to go                         | [`Throttle`], [`Pace`] |
//! | be the only one                               | [`FileLock`], [`Holder`] |
//! | keep a password out of every log              | [`Secret`] |
//! | write a file that survives a power cut        | [`fsx`] |
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod causes;
mod clock;
pub mod fsx;
mod holder;
pub mod journal;
mod lock;
mod observer;
mod secret;
mod stop;
mod throttle;

pub use causes::with_causes;
pub use clock::{Clock, RealClock, VirtualClock};
pub use fsx::FsError;
pub use holder::Holder;
#[cfg(feature = "sqlite")]
pub use journal::SqliteJournal;
pub use journal::{
    Event, Finish, History, IllegalEvent, Journal, JournalError, MemoryJournal, NewRun, Outcome,
    Query, Record, RunId, RunState, RunSummary,
};
pub use lock::{FileLock, LockError};
pub use observer::{FnObserver, Observer};
pub use secret::Secret;
pub use stop::{StopToken, Stopped};
pub use throttle::{ChunkTiming, Load, Pace, ReplicaLag, ReplicaState, Throttle};
