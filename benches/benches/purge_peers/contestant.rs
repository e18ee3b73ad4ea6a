//! The tools that are compared, each as a command.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use elpis_mysql::{ConnectOptions, Params, Session, SessionSettings};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contestant {
    /// elpis-maint with its default throttle.
    Elpis,
    /// elpis-maint --no-throttle.
    Unthrottled,
    /// pt-archiver --purge --bulk-delete --limit 1000 --commit-each.
    PtArchiver,
    /// DELETE ... LIMIT 10000 until nothing is left.
    Loop,
}

impl Contestant {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Contestant::Elpis => "elpis, default throttle",
            Contestant::Unthrottled => "elpis, no throttle",
            Contestant::PtArchiver => "pt-archiver",
            Contestant::Loop => "plain loop, LIMIT 10000",
        }
    }

    pub(crate) fn command(
        self,
        socket: &Path,
        cutoff: i64,
        work: &Path,
        throttle: &[String],
    ) -> Result<Command> {
        match self {
            Contestant::Elpis => elpis(socket, work, throttle, &[]),
            Contestant::Unthrottled => elpis(socket, work, &[], &["--no-throttle"]),
            Contestant::PtArchiver => {
                let mut command = Command::new("pt-archiver");
                let source = format!(
                    "S={},u=root,D=bench,t=tagente_datos,i=idx_utimestamp",
                    socket.display()
                );
                command.args([
                    "--source",
                    &source,
                    "--where",
                    &format!("utimestamp < {cutoff}"),
                ]);
                command.args([
                    "--purge",
                    "--bulk-delete",
                    "--limit",
                    "1000",
                    "--commit-each",
                ]);
                command.arg("--no-check-charset");
                Ok(command)
            }
            Contestant::Loop => {
                let mut command = Command::new(std::env::current_exe()?);
                command
                    .arg("--plain-loop")
                    .arg(socket)
                    .args(["--cutoff", &cutoff.to_string()]);
                Ok(command)
            }
        }
    }
}

fn elpis(socket: &Path, work: &Path, throttle: &[String], more: &[&str]) -> Result<Command> {
    let config = work.join("maint.toml");
    let text = format!(
        "[database]\nkind = \"mysql\"\nname = \"bench\"\nsocket = \"{}\"\nuser = \"root\"\n\
         [state]\ndirectory = \"{}\"\n[policy]\nmax_share = 1.0\n[policy.throttle]\n{}\n\
         [[policy.table]]\nname = \"tagente_datos\"\n\
         time = {{ column = \"utimestamp\", unit = \"epoch_seconds\" }}\nkeep = {{ days = 30 }}\n",
        socket.display(),
        work.join("state").display(),
        throttle.join("\n"),
    );
    std::fs::write(&config, text)?;
    let mut command = Command::new(elpis_maint()?);
    command
        .arg("run")
        .arg("--config")
        .arg(config)
        .arg("-q")
        .args(more);
    Ok(command)
}

/// The release binary, built beside the benchmarks.
fn elpis_maint() -> Result<PathBuf> {
    let bench = std::env::current_exe()?;
    let directory = bench
        .parent()
        .and_then(Path::parent)
        .context("no target directory")?;
    let binary = directory.join("elpis-maint");
    ensure!(
        binary.is_file(),
        "{} is missing: run `cargo build --release --workspace` first",
        binary.display()
    );
    Ok(binary)
}

/// The plainest loop that a script would have.
pub(crate) async fn plain_loop(socket: &Path, cutoff: i64) -> Result<()> {
    let options = ConnectOptions {
        socket: Some(socket.to_owned()),
        user: "root".to_owned(),
        database: Some("bench".to_owned()),
        ..ConnectOptions::default()
    };
    let mut session = Session::open(&options, &SessionSettings::default()).await?;
    let sql = format!(
        "DELETE FROM tagente_datos WHERE utimestamp < {cutoff} ORDER BY utimestamp LIMIT 10000"
    );
    while session.execute(&sql, Params::Empty).await? > 0 {}
    Ok(())
}
