//! The two streams.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

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
    pub(crate) fn data(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let end = if text.ends_with('\n') { "" } else { "\n" };
        match write!(out, "{text}{end}").and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }

    /// Writes one JSON document to standard output.
    ///
    /// # Errors
    /// As [`Printer::data`].
    pub(crate) fn document(&self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
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
