//! `elpis-maint`: housekeeping of a monitoring database.

use std::process::ExitCode;

fn main() -> ExitCode {
    elpis_cli::maint()
}
