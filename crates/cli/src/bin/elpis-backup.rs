//! `elpis-backup`: backup of a whole installation.

use std::process::ExitCode;

fn main() -> ExitCode {
    elpis_cli::backup()
}
