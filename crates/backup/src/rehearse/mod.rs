//! The proof that an archive can be restored: it is, into a server and a directory that are thrown
//! away afterwards, and looked at there.

mod accounts;
mod database;
mod held;
mod report;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use elpis_mysql::{ConnectOptions, PrivateServer, ServerError};
use elpis_run::{Clock, FsError, Holder, Observer, StopToken};
use jiff::Timestamp;

pub use held::Hindrance;
pub use report::{CheckResult, RehearsalReport};

use crate::archive::{Archive, DatabaseKind, Extract, Manifest, Verified, VerifyError};
use crate::restore::{FileCheck, FileRoot, RestoreEvent};
use crate::work::{WorkDir, sweep};
use held::Blame;

/// A question to a restored database, which a product's profile knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What it is about, in a few words.
    pub name: String,
    /// A query for one value, without a semicolon. Names without a database mean the restored one.
    pub sql: String,
    /// What it should answer.
    pub expect: Expect,
}

/// What a probe should answer. Where its table is not there, it is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// Any value but NULL.
    Something,
    /// This one, as text.
    Exactly(String),
    /// When the newest data was written, in seconds since 1970; NULL means that there is none.
    NewestData,
}

/// How to rehearse.
pub struct Rehearsal<'a> {
    /// Where the private directory is made, and removed again.
    pub scratch: &'a Path,
    /// The server program, if it is not the installed one.
    pub mariadbd: Option<&'a Path>,
    /// A server that may get a side database if no server program is installed.
    pub side: Option<ConnectOptions>,
    /// The trees of files that are looked at; their places do not matter.
    pub roots: Vec<FileRoot>,
    /// Looks at each of them.
    pub check: &'a dyn FileCheck,
    /// Asked of the first database.
    pub probes: Vec<Probe>,
    /// How old the newest data may have been when the backup began.
    pub max_data_age: Option<Duration>,
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// Ends it early.
    pub stop: &'a StopToken,
    /// This process.
    pub holder: Holder,
    /// Hears how the databases are restored.
    pub observer: Arc<dyn Observer<RestoreEvent>>,
}

/// Why a rehearsal could not be held. That an archive fails one is no error but a finding.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RehearseError {
    /// The archive is broken or cannot be read.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The scratch directory.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// No server can be started.
    #[error("there is no private server for the rehearsal")]
    Server(#[source] ServerError),
    /// It was begun and could not be ended, for a reason that is not the archive's.
    #[error("the rehearsal could not be held, and nothing is said of the archive: {what}")]
    NotHeld {
        /// What was in the way.
        what: Hindrance,
        /// What has failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Databases of the rehearsal may be left on a server that is not its own.
    #[error("databases whose names begin with {start} may be left on the server")]
    Left {
        /// What their names begin with.
        start: String,
        /// Why they could not be removed.
        source: elpis_mysql::Error,
    },
    /// No thread could be started.
    #[error("the rehearsal cannot start its threads")]
    Threads(#[source] std::io::Error),
    /// Stopped on request.
    #[error("stopped on request; nothing of the rehearsal is left")]
    Stopped,
}

/// Opens an archive and verifies it.
pub type OpenArchive<'a> = &'a dyn Fn() -> Result<Archive<Verified>, VerifyError>;

impl Rehearsal<'_> {
    /// Restores everything in `archive`, looks at it, and removes it. `again` opens the archive for
    /// each database but the first. `began` is when the backup was begun, where the archive does
    /// not say. Blocks.
    ///
    /// # Errors
    /// [`RehearseError`]: nothing is known of the archive then, and nothing is to be held against it.
    pub fn run(
        &self,
        mut archive: Archive<Verified>,
        again: OpenArchive<'_>,
        began: Timestamp,
    ) -> Result<RehearsalReport, RehearseError> {
        // What a killed rehearsal has left; if it cannot go, there may be room all the same.
        let _ = sweep(self.scratch);
        // A server has a working directory of its own.
        let scratch = std::fs::canonicalize(self.scratch)
            .map_err(|source| FsError::new("use directory", self.scratch, source))?;
        let work = WorkDir::create(&scratch).map_err(|error| match held::of_fs(&error) {
            Blame::Other(what @ Hindrance::Room) => RehearseError::NotHeld {
                what,
                source: Box::new(error),
            },
            _ => RehearseError::Fs(error),
        })?;
        let manifest = archive.manifest().cloned();
        let mut report = RehearsalReport {
            archive: archive.path().to_owned(),
            began: manifest.as_ref().map_or(began, |manifest| manifest.began),
            at: self.clock.now(),
            ..RehearsalReport::default()
        };
        self.files(&mut archive, work.path(), &mut report)?;
        let databases = databases(&archive, manifest.as_ref(), &mut report);
        if !databases.is_empty() {
            let (server, connect) = self.server(work.path())?;
            report.server = match &server {
                Some(_) => "a private server".to_owned(),
                None => format!("a side database on {}", connect.target()),
            };
            let mut archive = Some(archive);
            for (at, name) in databases.iter().enumerate() {
                let archive = match archive.take() {
                    Some(archive) => archive,
                    None => again()?,
                };
                let probes = if at == 0 { &self.probes[..] } else { &[] };
                let one = database::One {
                    by: self,
                    connect: &connect,
                    is_private: server.is_some(),
                    probes,
                };
                one.rehearse(archive, name.as_deref(), &mut report)?;
            }
        }
        report.restore_s = report.files_s + report.databases_s;
        Ok(report)
    }

    fn files(
        &self,
        archive: &mut Archive<Verified>,
        dir: &Path,
        report: &mut RehearsalReport,
    ) -> Result<(), RehearseError> {
        if self.roots.is_empty() {
            return Ok(());
        }
        let only: Vec<_> = self.roots.iter().map(|root| root.member.clone()).collect();
        let how = Extract {
            only: &only,
            // Nobody follows them here.
            outside_links: true,
            stop: self.stop,
        };
        let out = dir.join("files");
        let start = self.clock.monotonic();
        match archive.extract(&out, &how) {
            Ok(extracted) => report.files = extracted.entries,
            Err(error) => {
                report.failed("files", held::of_extract(&error).found(error)?);
                return Ok(());
            }
        }
        report.files_s = (self.clock.monotonic() - start).as_secs_f64();
        for root in &self.roots {
            let name = format!("files of {}", root.component);
            match self.check.check(root, &root.member.below(&out)) {
                Ok(()) => report.passed(&name, "they are there and can be read".to_owned()),
                Err(why) => report.failed(&name, why),
            }
        }
        Ok(())
    }

    /// A server of our own, or the one for side databases.
    fn server(&self, dir: &Path) -> Result<(Option<PrivateServer>, ConnectOptions), RehearseError> {
        let mut builder = PrivateServer::builder().dir(dir.to_owned());
        // Ours alone: what protects data against power cuts only costs time.
        for arg in [
            "--skip-networking",
            "--skip-log-bin",
            "--event-scheduler=OFF",
            // Rows that come as a file take less time and memory, on both sides.
            "--local-infile=ON",
            "--max-allowed-packet=1G",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-doublewrite=0",
        ] {
            builder = builder.arg(arg);
        }
        if let Some(program) = self.mariadbd {
            builder = builder.mariadbd(program);
        }
        match (builder.start(), &self.side) {
            (Ok(server), _) => {
                let options = server.options();
                Ok((Some(server), options))
            }
            (Err(ServerError::Missing { .. }), Some(side)) => Ok((None, side.clone())),
            (Err(error), _) => Err(match held::of_start(&error) {
                Some(what) => RehearseError::NotHeld {
                    what,
                    source: Box::new(error),
                },
                None => RehearseError::Server(error),
            }),
        }
    }
}

/// The databases that can be rehearsed, by their names; of an archive without a manifest the only
/// one, which has none.
fn databases(
    archive: &Archive<Verified>,
    manifest: Option<&Manifest>,
    report: &mut RehearsalReport,
) -> Vec<Option<String>> {
    let Some(manifest) = manifest else {
        let has_dump = !archive.contents().dumps.is_empty();
        return if has_dump { vec![None] } else { Vec::new() };
    };
    let mut names = Vec::new();
    for database in &manifest.databases {
        match database.kind {
            DatabaseKind::Sql => names.push(Some(database.name.clone())),
            DatabaseKind::Sqlite => report.warnings.push(format!(
                "database {} is a SQLite file: only its checksum was compared",
                database.name
            )),
        }
    }
    names
}
