//! A server with production settings whose data directory is kept once it is filled: every
//! contestant starts from the same files.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use elpis_mysql::PrivateServer;

pub struct KeptServer {
    server: PrivateServer,
    kept: tempfile::TempDir,
}

impl KeptServer {
    /// Starts an empty server with more arguments than all benchmarks have.
    pub fn start(more: &[&str]) -> Result<KeptServer> {
        let arguments = [
            "--innodb-buffer-pool-size=2G",
            "--innodb-log-file-size=512M",
            "--innodb-flush-log-at-trx-commit=1",
            "--log-bin=bin",
            "--binlog-format=ROW",
            "--sync-binlog=0",
        ];
        let server = arguments
            .iter()
            .chain(more)
            .fold(PrivateServer::builder(), |builder, argument| {
                builder.arg(argument)
            })
            .start()?;
        Ok(KeptServer {
            server,
            kept: tempfile::tempdir()?,
        })
    }

    /// Keeps a copy of the data directory; the server is stopped afterwards.
    pub fn keep(&mut self) -> Result<()> {
        self.server.stop()?;
        copy(&self.server.datadir(), &self.kept.path().join("data"))
    }

    /// Puts the data directory back as it was kept and starts the server.
    pub fn put_back(&mut self) -> Result<()> {
        self.server.stop()?;
        std::fs::remove_dir_all(self.server.datadir())?;
        copy(&self.kept.path().join("data"), &self.server.datadir())?;
        self.restart()
    }

    /// Starts the server with everything written out that it was given before.
    pub fn restart(&mut self) -> Result<()> {
        self.server.stop()?;
        // Or the kernel would write the files out in the middle of the measurement.
        ensure!(Command::new("sync").status()?.success(), "sync");
        self.server.restart()?;
        Ok(())
    }

    pub fn server(&self) -> &PrivateServer {
        &self.server
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(
        status.success(),
        "cp {} {}: {status}",
        from.display(),
        to.display()
    );
    Ok(())
}
