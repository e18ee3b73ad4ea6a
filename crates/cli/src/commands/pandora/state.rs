//! Whether the state directory can remember runs. Makes nothing there.

use std::path::Path;

use elpis_pandora::{Check, below};
use elpis_run::fsx;
use elpis_run::journal::JournalError;

use crate::commands::journal;
use crate::exit::Verdict;
use crate::settings::State;

/// With less room than this (bytes), a journal may fill its disk within days.
const ROOM: u64 = 64 << 20;

/// What a run would find, in the system whose root is `root`.
pub(super) fn judge_state(state: &State, root: &Path) -> Check {
    let state = State {
        directory: below(root, &state.directory),
        ..state.clone()
    };
    let directory = state.directory.display();
    match look(&state) {
        Err(error) => {
            let error = anyhow::Error::from(error);
            let what = format!("no run can be remembered, so none is begun: {error:#}");
            let remedy = Verdict::from(&error).hint;
            Check::problem(
                "state",
                what,
                remedy.unwrap_or_else(|| format!("see to {directory}")),
            )
        }
        Ok(room) if room < ROOM => Check::warning(
            "state",
            format!(
                "only {} MB are free for the journal in {directory}",
                room / 1_000_000
            ),
            format!("make room there, or give [state] directory another place than {directory}"),
        ),
        Ok(_) => Check::ok("state", format!("runs are remembered in {directory}")),
    }
}

/// The bytes that are free there.
fn look(state: &State) -> Result<u64, JournalError> {
    fsx::check_usable_dir(&state.directory)?;
    journal::look(state)?;
    let mut there = state.directory.ancestors();
    let room = there.find_map(|directory| fsx::space(directory).ok());
    Ok(room.map_or(u64::MAX, |(free, _)| free))
}
