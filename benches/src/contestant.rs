//! Contestants that several benchmarks have, each as a command.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// `elpis-maint run` on the bench's database with this policy, and more arguments.
pub fn elpis_maint(socket: &Path, work: &Path, policy: &str, more: &[&str]) -> Result<Command> {
    let config = work.join("maint.toml");
    let text = format!(
        "[database]\nkind = \"mysql\"\nname = \"bench\"\nsocket = \"{}\"\nuser = \"root\"\n\
         [state]\ndirectory = \"{}\"\n{policy}",
        socket.display(),
        work.join("state").display(),
    );
    std::fs::write(&config, text)?;
    let mut command = Command::new(program("elpis-maint")?);
    command
        .arg("run")
        .arg("--config")
        .arg(config)
        .arg("-q")
        .args(more);
    Ok(command)
}

/// A program of ours, built in the same way as the benchmark.
pub fn program(name: &str) -> Result<PathBuf> {
    let bench = std::env::current_exe()?;
    let directory = bench.parent().and_then(Path::parent);
    let binary = directory.context("no target directory")?.join(name);
    ensure!(
        binary.is_file(),
        "{} is missing: run `cargo build --release -p elpis-cli --all-features` first",
        binary.display()
    );
    Ok(binary)
}

/// pt-archiver's purge of everything before `cutoff`, as its users run it.
pub fn pt_archiver(socket: &Path, cutoff: i64) -> Command {
    let mut command = Command::new("pt-archiver");
    let source = format!(
        "S={},u=root,D=bench,t=tagente_datos,i=idx_utimestamp",
        socket.display()
    );
    command
        .args(["--source", &source, "--where"])
        .arg(format!("utimestamp < {cutoff}"))
        .args(["--purge", "--bulk-delete", "--limit", "1000"])
        .args(["--commit-each", "--no-check-charset"]);
    command
}
