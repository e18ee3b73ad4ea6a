//! Programs outside of the database that expire files of their own.

use std::ffi::OsString;
use std::path::PathBuf;
use std::pin::Pin;

use elpis_run::StopToken;
use serde::Serialize;

/// A program to be run, without any shell in between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProgramTask {
    /// What the journal calls it; unique within a run.
    pub name: String,
    /// The program: an absolute path.
    pub program: PathBuf,
    /// Its arguments, one by one.
    pub args: Vec<OsString>,
    /// A directory without which there is nothing to do.
    pub directory: PathBuf,
}

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// It is not there, or what it works on is not.
    #[error("{why}")]
    NotHere {
        /// What is missing.
        why: String,
    },
    /// It could not be started, or not be waited for.
    #[error("cannot run {}", .program.display())]
    NotRun {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It was stopped because the run was.
    #[error("{} was stopped with the run", .program.display())]
    Stopped {
        /// The program.
        program: PathBuf,
    },
    /// It ended with an error.
    #[error("{} failed: {how}", .program.display())]
    Failed {
        /// The program.
        program: PathBuf,
        /// Its exit code or signal, and the end of what it said.
        how: String,
    },
}

/// Somebody who can run programs.
pub trait ProgramRunner: Send + Sync {
    /// Runs the program to its end, or until `stop`: it, and whatever it has started, is then ended
    /// within seconds.
    fn run<'a>(
        &'a self,
        task: &'a ProgramTask,
        stop: &'a StopToken,
    ) -> Pin<Box<dyn Future<Output = Result<(), ProgramError>> + Send + 'a>>;
}

/// Runs nothing: every program is shown as skipped.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPrograms;

impl ProgramRunner for NoPrograms {
    fn run<'a>(
        &'a self,
        task: &'a ProgramTask,
        _stop: &'a StopToken,
    ) -> Pin<Box<dyn Future<Output = Result<(), ProgramError>> + Send + 'a>> {
        let why = format!("{} is not run here", task.program.display());
        Box::pin(std::future::ready(Err(ProgramError::NotHere { why })))
    }
}
