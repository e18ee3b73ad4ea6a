//! `elpis-failover`: upgrades a high-availability pair.

use std::process::ExitCode;

fn main() -> ExitCode {
    elpis_cli::failover()
}
