//! The two streams.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use serde::Serialize;

/// What was lost of what came of the work. A process has one standard output, and what fails once
/// there is told once.
static LOST: OnceLock<Unwritten> = OnceLock::new();

/// Standard output could not be written to.
#[derive(Debug)]
pub(crate) struct Unwritten(io::Error);

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot write the report to standard output")
    }
}

impl std::error::Error for Unwritten {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// The first failure that did not stop the work.
pub(crate) fn lost() -> Option<&'static Unwritten> {
    LOST.get()
}

/// Writes to standard output and standard error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    /// Data is JSON.
    pub(crate) json: bool,
    /// Only errors are said.
    pub(crate) quiet: bool,
    /// More is said.
    pub(crate) verbose: bool,
}

impl Printer {
    /// Writes data to standard output, with a line end.
    ///
    /// # Errors
    /// When it cannot be written. A reader who went away (`| head`) is none.
    pub(crate) fn data(&self, text: &str) -> Result<(), Unwritten> {
        let mut out = io::stdout().lock();
        let end = if text.ends_with('\n') { "" } else { "\n" };
        match write!(out, "{text}{end}").and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(Unwritten),
        }
    }

    /// Writes what came of a run to standard output, for people who asked for more than what went
    /// wrong. Programs have heard it as events.
    pub(crate) fn result(&self, text: &str) {
        if !self.json && !self.quiet {
            self.tell(text);
        }
    }

    /// Writes what happens while work goes on. A full disk behind standard output is no reason to
    /// leave a table half purged: what cannot be written is [`lost`], which is told at the end.
    pub(crate) fn tell(&self, text: &str) {
        if let Err(error) = self.data(text) {
            // What failed first is kept.
            let _ = LOST.set(error);
        }
    }

    /// Writes one JSON document to standard output.
    ///
    /// # Errors
    /// As [`Printer::data`].
    pub(crate) fn document(&self, value: &impl Serialize) -> Result<(), Unwritten> {
        let text = serde_json::to_string_pretty(value).map_err(|error| Unwritten(error.into()))?;
        self.data(&text)
    }

    /// Says something to standard error, unless asked to be quiet.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            self.always(text);
        }
    }

    /// Says something to standard error in any case.
    pub(crate) fn always(&self, text: &str) {
        // Nobody is left to be told that standard error is closed.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Whether somebody watches standard error.
    pub(crate) fn is_watched(&self) -> bool {
        !self.quiet && !self.json && io::stderr().is_terminal()
    }
}
