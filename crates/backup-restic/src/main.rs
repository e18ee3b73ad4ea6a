//! `elpis-backup-restic`: archives of `elpis-backup` in a repository of `restic`.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use elpis_backup::archive::{Archive, ReadLimits, Verify, VerifyError};
use elpis_backup::{KeyError, Keys, LocalStore, ObjectStore};
use elpis_backup_restic::{Added, Repository, RepositoryError};
use elpis_run::{StopToken, with_causes};

/// Archives of elpis-backup in a deduplicated, encrypted repository that restic reads.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct Place {
    /// The directory of the repository
    #[arg(long, value_name = "DIR", global = true, default_value = "repository")]
    repository: PathBuf,
    /// A file of mode 0600 whose first line is the repository's password
    #[arg(
        long,
        value_name = "FILE",
        global = true,
        default_value = "/etc/elpis/repository-password"
    )]
    password_file: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make the repository
    Init,
    /// Verify an archive and store it as a snapshot
    Add {
        /// The archive
        archive: PathBuf,
        /// A file with what opens it, if it is encrypted
        #[arg(long, value_name = "FILE")]
        identity: Option<PathBuf>,
        /// Where to unpack it meanwhile [default: beside the archive]
        #[arg(long, value_name = "DIR")]
        work: Option<PathBuf>,
    },
    /// Store every archive of a directory that the repository lacks, the oldest first
    ///
    /// One that cannot be stored keeps none of the others waiting; the next time it is tried again.
    Sync {
        /// The directory that `elpis-backup` keeps its archives in
        directory: PathBuf,
        /// A file with what opens them, if they are encrypted
        #[arg(long, value_name = "FILE")]
        identity: Option<PathBuf>,
        /// Where to unpack them meanwhile [default: in the directory]
        #[arg(long, value_name = "DIR")]
        work: Option<PathBuf>,
    },
    /// List the archives in the repository
    List,
    /// Read everything in the repository and compare every checksum
    Check,
}

/// As `elpis-backup`: 1 internal, 2 usage, 3 refused, 7 broken, 8 unreachable.
fn code(error: &(dyn std::error::Error + 'static)) -> u8 {
    if let Some(error) = error.downcast_ref::<RepositoryError>() {
        return match error {
            RepositoryError::Password { .. } => 2,
            RepositoryError::Exists { .. } => 3,
            RepositoryError::Incomplete { .. } | RepositoryError::Pieces { .. } => 7,
            _ => 8,
        };
    }
    match error.downcast_ref::<VerifyError>() {
        Some(VerifyError::Broken { .. } | VerifyError::NotAnArchive { .. }) => 7,
        Some(_) => 2,
        None => 1,
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {}", with_causes(error.as_ref()));
            ExitCode::from(code(error.as_ref()))
        }
    }
}

fn run(args: &Arguments) -> Result<String, Box<dyn std::error::Error>> {
    let repository = Repository::new(&args.place.repository, &args.place.password_file)?;
    Ok(match &args.verb {
        Verb::Init => {
            repository.init()?;
            "made".to_owned()
        }
        Verb::Add {
            archive,
            identity,
            work,
        } => {
            let added = add(
                &repository,
                archive,
                &keys(identity.as_deref())?,
                work.as_deref(),
            )?;
            serde_json::to_string_pretty(&added)?
        }
        Verb::Sync {
            directory,
            identity,
            work,
        } => {
            let keys = keys(identity.as_deref())?;
            sync(&repository, directory, &keys, work.as_deref())?
        }
        Verb::List => serde_json::to_string_pretty(&repository.snapshots()?)?,
        Verb::Check => {
            repository.check()?;
            "whole".to_owned()
        }
    })
}

fn add(
    repository: &Repository,
    archive: &Path,
    keys: &Keys,
    work: Option<&Path>,
) -> Result<Added, Box<dyn std::error::Error>> {
    let stop = StopToken::new();
    let how = Verify {
        limits: ReadLimits::default(),
        sha256: None,
        stop: &stop,
        observer: &(),
    };
    let beside = match archive.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    let mut verified = Archive::open_with(archive, keys)?.verify(&how)?;
    let added = repository.add(&mut verified, &name, work.unwrap_or(beside), &stop)?;
    Ok(added)
}

fn keys(identity: Option<&Path>) -> Result<Keys, KeyError> {
    identity.map_or(Ok(Keys::none()), Keys::identities)
}

/// What was stored; the first archive that could not be is the error, with its name.
fn sync(
    repository: &Repository,
    directory: &Path,
    keys: &Keys,
    work: Option<&Path>,
) -> Result<String, Box<dyn std::error::Error>> {
    let store = LocalStore::open(directory)?;
    let there = repository.snapshots()?;
    let (mut stored, mut failed) = (Vec::new(), None);
    for archive in store.list()?.into_iter().rev() {
        let name = archive.name.to_string();
        if there.iter().any(|snapshot| snapshot.archive == name) {
            continue;
        }
        match add(repository, &store.path(&archive.name), keys, work) {
            Ok(added) => stored.push(added),
            Err(error) => {
                eprintln!("error: {name}: {}", with_causes(error.as_ref()));
                failed.get_or_insert(error);
            }
        }
    }
    let text = serde_json::to_string_pretty(&stored)?;
    match failed {
        None => Ok(text),
        Some(error) => {
            println!("{text}");
            Err(error)
        }
    }
}
