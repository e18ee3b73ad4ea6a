//! What a job needs that the system does not have.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::starts::Start;
use crate::files::below;

/// Where programs without a path are looked for.
const PATH: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// Something that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// What the first line names.
    Interpreter(String),
    /// The tool itself: its file is missing, or cannot be executed.
    Program(String),
}

/// The interpreter of a script with this first line, if it is missing below `root`.
pub(super) fn interpreter(root: &Path, first_line: &str) -> Option<Lack> {
    // As the kernel splits it: a carriage return is a letter like any other.
    let line = first_line.strip_prefix("#!")?;
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let named = words.next().unwrap_or_default();
    let by_env = words.next().filter(|word| !word.starts_with('-'));
    let by_env = by_env.filter(|_| named.ends_with("/env"));
    let missing = [Some(named), by_env].into_iter().flatten();
    let mut missing = missing.filter(|word| !is_there(root, word, true));
    missing
        .next()
        .map(|word| Lack::Interpreter(word.to_owned()))
}

/// The program that `start` calls, if it is missing below `root`.
pub(super) fn program(root: &Path, start: &Start) -> Option<Lack> {
    let is_there = is_there(root, &start.program, start.is_executed);
    (!is_there).then(|| Lack::Program(start.program.clone()))
}

/// Whether a program can be run, as far as can be told.
fn is_there(root: &Path, program: &str, is_executed: bool) -> bool {
    // What a shell would put in nobody knows here.
    if program.contains(['$', '`', '*', '?']) {
        return true;
    }
    if program.starts_with('/') {
        return can_be_run(root, Path::new(program), is_executed);
    }
    if program.contains('/') {
        return true;
    }
    let mut places = PATH.iter().map(|place| Path::new(place).join(program));
    places.any(|path| can_be_run(root, &path, is_executed))
}

fn can_be_run(root: &Path, path: &Path, is_executed: bool) -> bool {
    match below(root, path).metadata() {
        Ok(found) => found.is_file() && (!is_executed || found.mode() & 0o111 != 0),
        Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}
