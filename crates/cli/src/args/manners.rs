//! What is the same on every command line.

use clap::{Args, ValueEnum};

use crate::output::Printer;

/// How a program speaks.
#[derive(Debug, Args)]
pub(crate) struct Manners {
    /// How data is written: tables and sentences, or one document (one object a line for events)
    #[arg(long, value_enum, default_value = "human", global = true)]
    format: Format,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more: the small steps, too
    #[arg(short, long, global = true)]
    verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
}

impl Manners {
    /// Who writes in this manner.
    pub(crate) fn printer(&self) -> Printer {
        Printer {
            json: self.format == Format::Json,
            quiet: self.quiet,
            verbose: self.verbose,
        }
    }
}
