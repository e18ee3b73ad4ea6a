//! The tools that are compared, each as a command.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;
use elpis_mysql::{ConnectOptions, Params, Session, SessionSettings, quote};

use crate::site::Site;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contestant {
    /// elpis-maint with its default throttle.
    Elpis,
    /// elpis-maint --no-throttle.
    Unthrottled,
    /// pt-archiver --dest --bulk-insert --bulk-delete --limit 10000 --commit-each.
    PtArchiver,
    /// INSERT ... SELECT and DELETE of 10,000 rows in one transaction, until nothing is left.
    Loop,
}

impl Contestant {
    pub(crate) const ALL: [Contestant; 4] = [
        Contestant::Elpis,
        Contestant::Unthrottled,
        Contestant::PtArchiver,
        Contestant::Loop,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Contestant::Elpis => "elpis, default throttle",
            Contestant::Unthrottled => "elpis, no throttle",
            Contestant::PtArchiver => "pt-archiver",
            Contestant::Loop => "plain loop on one server, LIMIT 10000",
        }
    }

    pub(crate) fn command(self, site: &Site, cutoff: i64) -> Result<Command> {
        match self {
            Contestant::Elpis => site.elpis(&[]),
            Contestant::Unthrottled => site.elpis(&["--no-throttle"]),
            Contestant::PtArchiver => Ok(pt_archiver(site, cutoff)),
            Contestant::Loop => {
                let mut command = Command::new(std::env::current_exe()?);
                command
                    .arg("--plain-loop")
                    .arg(site.socket())
                    .args([site.active(), site.history()])
                    .args(["--cutoff", &cutoff.to_string()]);
                Ok(command)
            }
        }
    }
}

fn pt_archiver(site: &Site, cutoff: i64) -> Command {
    let socket = site.socket().display().to_string();
    let place = |database: &str| format!("S={socket},u=root,D={database},t=tagente_datos");
    let mut command = Command::new("pt-archiver");
    command
        .args([
            "--source",
            &format!("{},i=idx_utimestamp", place(site.active())),
        ])
        .args(["--dest", &format!("{},L=1", place(site.history()))])
        .args(["--where", &format!("utimestamp < {cutoff}")])
        .args(["--bulk-insert", "--bulk-delete", "--limit", "10000"])
        .args(["--commit-each", "--no-check-charset"]);
    command
}

/// The plainest loop that a script would have where both databases are on one server. It trusts that
/// both statements meet the same rows.
pub(crate) async fn plain_loop(socket: &Path, (from, to): (&str, &str), cutoff: i64) -> Result<()> {
    let options = ConnectOptions {
        socket: Some(socket.to_owned()),
        user: "root".to_owned(),
        database: Some(from.to_owned()),
        ..ConnectOptions::default()
    };
    let mut session = Session::open(&options, &SessionSettings::default()).await?;
    let due = format!("WHERE utimestamp < {cutoff} ORDER BY utimestamp LIMIT 10000");
    let copy = format!(
        "INSERT INTO {}.tagente_datos SELECT * FROM tagente_datos {due}",
        quote(to)?
    );
    let delete = format!("DELETE FROM tagente_datos {due}");
    loop {
        session.begin().await?;
        let copied = session.execute(&copy, Params::Empty).await?;
        session.execute(&delete, Params::Empty).await?;
        session.commit().await?;
        if copied == 0 {
            return Ok(());
        }
    }
}
