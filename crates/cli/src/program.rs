//! What every program does around its verb: answers for arguments, what it tells of itself, and
//! last words.

use std::process::ExitCode;

use anyhow::Result;
use clap::Command;
use clap_complete::Shell;

use crate::exit::{Code, Verdict};
use crate::output::Printer;

/// Prints what clap has to say instead of arguments. Help and version are answers too; they go to
/// standard output.
pub(crate) fn answer(said: &clap::Error) -> ExitCode {
    let _ = said.print();
    let code = if said.use_stderr() {
        Code::Usage
    } else {
        Code::Done
    };
    ExitCode::from(code as u8)
}

/// Prints the script with which a shell completes the command line.
pub(crate) fn completions(shell: Shell, mut command: Command, printer: Printer) -> Result<Verdict> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    printer.data(&String::from_utf8(script)?)?;
    Ok(Verdict::silent(Code::Done))
}

/// Prints the manual page.
pub(crate) fn man(command: Command, printer: Printer) -> Result<Verdict> {
    printer.data(&crate::manual::page(command)?)?;
    Ok(Verdict::silent(Code::Done))
}

/// Says what a verdict has to say, and turns it into the exit code.
pub(crate) fn conclude(printer: Printer, verdict: &Verdict) -> ExitCode {
    let weight = match verdict.code {
        Code::Done | Code::Partial | Code::Interrupted => "note",
        _ => "error",
    };
    if let Some(message) = &verdict.message {
        printer.always(&format!("{weight}: {message}"));
    }
    if let Some(hint) = &verdict.hint {
        printer.always(&format!("hint: {hint}"));
    }
    ExitCode::from(verdict.code as u8)
}
