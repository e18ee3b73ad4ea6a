//! Everything that is written. Data goes to standard output, everything else to standard error.
//!
//! Nothing here is coloured, so `NO_COLOR` is honoured by nature.

#[cfg(feature = "maint")]
mod bar;
#[cfg(feature = "maint")]
mod compaction;
pub(crate) mod grid;
#[cfg(feature = "maint")]
mod housekeeping;
#[cfg(feature = "maint")]
mod json;
#[cfg(feature = "maint")]
mod lines;
#[cfg(feature = "maint")]
mod moves;
mod printer;
#[cfg(feature = "maint")]
mod progress;
#[cfg(feature = "maint")]
pub(crate) mod report;
mod spinner;
#[cfg(feature = "maint")]
mod table;
#[cfg(feature = "maint")]
mod task_bars;
#[cfg(feature = "maint")]
mod tasks;
mod words;

#[cfg(feature = "maint")]
pub(crate) use compaction::{compacted, compaction, rollups_verified};
#[cfg(feature = "maint")]
pub(crate) use housekeeping::{checks, housekept, pandora_plans, settings};
#[cfg(feature = "maint")]
pub(crate) use moves::{moved, moves};
pub(crate) use printer::{Printer, Unwritten, lost};
#[cfg(feature = "maint")]
pub(crate) use progress::{compact_progress, housekeeping_progress, move_progress, progress};
pub(crate) use spinner::Spinner;
#[cfg(feature = "maint")]
pub(crate) use table::{history, plans, record, result, status};
pub(crate) use words::{bytes, number, seconds};
#[cfg(feature = "maint")]
pub(crate) use words::{count, hours};
