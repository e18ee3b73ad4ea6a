//! The tools that are compared, each as a command.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;
use elpis_benches::{elpis_maint, plain_loop, pt_archiver};

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
            Contestant::PtArchiver => Ok(pt_archiver(socket, cutoff)),
            Contestant::Loop => plain_loop(socket, "bench", cutoff),
        }
    }
}

fn elpis(socket: &Path, work: &Path, throttle: &[String], more: &[&str]) -> Result<Command> {
    let policy = format!(
        "[policy]\nmax_share = 1.0\n[policy.throttle]\n{}\n\
         [[policy.table]]\nname = \"tagente_datos\"\n\
         time = {{ column = \"utimestamp\", unit = \"epoch_seconds\" }}\nkeep = {{ days = 30 }}\n",
        throttle.join("\n"),
    );
    elpis_maint(socket, work, &policy, more)
}
