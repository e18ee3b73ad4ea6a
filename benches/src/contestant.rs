//! Contestants that several benchmarks have, each as a command.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use elpis_mysql::{ConnectOptions, Params, Session, SessionSettings};

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

/// The running benchmark as [`PlainLoop`], which it must have among its arguments.
pub fn plain_loop(socket: &Path, database: &str, cutoff: i64) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("--plain-loop")
        .arg(socket)
        .args(["--database", database])
        .args(["--cutoff", &cutoff.to_string()]);
    Ok(command)
}

/// The plainest loop that a script would have: DELETE ... LIMIT 10000 until nothing is left.
#[derive(Args)]
pub struct PlainLoop {
    /// Works as the plain loop on this socket (used by the benchmark itself).
    #[arg(long, hide = true)]
    plain_loop: Option<PathBuf>,
    /// Its database.
    #[arg(long, hide = true, default_value = "")]
    database: String,
    /// Its cutoff.
    #[arg(long, hide = true, default_value_t = 0)]
    cutoff: i64,
}

impl PlainLoop {
    /// Whether this process is the loop, which then has ended.
    pub async fn ran(&self) -> Result<bool> {
        let Some(socket) = &self.plain_loop else {
            return Ok(false);
        };
        let options = ConnectOptions {
            socket: Some(socket.clone()),
            user: "root".to_owned(),
            database: Some(self.database.clone()),
            ..ConnectOptions::default()
        };
        let mut session = Session::open(&options, &SessionSettings::default()).await?;
        let sql = format!(
            "DELETE FROM tagente_datos WHERE utimestamp < {} ORDER BY utimestamp LIMIT 10000",
            self.cutoff
        );
        while session.execute(&sql, Params::Empty).await? > 0 {}
        Ok(true)
    }
}
