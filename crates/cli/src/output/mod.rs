//! Everything that is written. Data goes to standard output, everything else to standard error.
//!
//! Nothing here is coloured, so `NO_COLOR` is honoured by nature.

mod bar;
mod json;
mod lines;
mod printer;
mod progress;
pub(crate) mod report;
mod table;
mod words;

pub(crate) use printer::Printer;
pub(crate) use progress::{Spinner, progress};
pub(crate) use table::{history, plan, record, result, status};
pub(crate) use words::{bytes, count, number, seconds};
