//! The command line of `elpis-backup`. Only clap: no logic, no defaults that depend on anything.

mod examples;
mod restore;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand};
use clap_complete::Shell;
use elpis_backup::archive::Container;

use self::examples::{
    CREATE_EXAMPLES, DEMO_EXAMPLES, DUMP_EXAMPLES, EXTRACT_EXAMPLES, LIST_EXAMPLES, MAIN_EXAMPLES,
    PRUNE_EXAMPLES, UPLOAD_EXAMPLES, VERIFY_EXAMPLES,
};
pub(crate) use self::restore::{Compared, Reach, Rehearse, Restore, Resume, TakeBack};
use self::restore::{FORGET_EXAMPLES, REHEARSE_EXAMPLES, RESTORE_EXAMPLES, UNDO_EXAMPLES};
use super::values::{container, duration, rate};
use crate::args::Manners;

/// Backup of a whole installation: databases, configuration and files, as of one moment, in one
/// archive that is whole or not there.
///
/// Without a verb it is the old pandora_backup.sh: `elpis-backup -c CONSOLE -d DEST [-b] [-q]`, and
/// `elpis-backup -c CONSOLE -s ARCHIVE [-f] [-b] [-q]`.
#[derive(Debug, Parser)]
#[command(name = "elpis-backup", version, max_term_width = 100, after_help = MAIN_EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) classic: Classic,
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

/// The old command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of the old command")]
#[command(group(ArgGroup::new("direction").args(["destination", "source"])))]
pub(crate) struct Classic {
    /// Path to the Pandora FMS console, such as /var/www/html/pandora_console, or to a
    /// pandora_server.conf where no console is
    #[arg(short = 'c', value_name = "CONSOLE", requires = "direction")]
    pub(crate) console: Option<PathBuf>,
    /// Destination path for the backup file, such as /tmp
    #[arg(short = 'd', value_name = "DEST", requires = "console")]
    pub(crate) destination: Option<PathBuf>,
    /// The backup file to restore; its database, unless -f says more
    #[arg(short = 's', value_name = "ARCHIVE", requires = "console")]
    pub(crate) source: Option<PathBuf>,
    /// Restore also the files
    #[arg(short = 'f', requires = "source")]
    pub(crate) files: bool,
    /// No database backup or restore
    #[arg(short = 'b', requires = "console")]
    pub(crate) no_database: bool,
    /// Also back up the history database, if the installation has one
    #[arg(long, requires = "destination", conflicts_with = "no_database")]
    pub(crate) history: bool,
    /// An option file with an administrator's account [default: /etc/elpis/backup.cnf if it is
    /// there, else root at the server's socket, else the product's own account]
    #[arg(long, value_name = "FILE", requires = "console")]
    pub(crate) option_file: Option<PathBuf>,
    /// The name of the database [default: as the product's file says]
    #[arg(long, value_name = "NAME", requires = "console")]
    pub(crate) database: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every verb")]
pub(crate) struct Global {
    /// The configuration [default: $ELPIS_BACKUP_CONFIG, or /etc/elpis/backup.toml]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) manners: Manners,
    /// A file with what opens encrypted archives, as age-keygen writes it; may be given again
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) identity: Vec<PathBuf>,
    /// A file whose first line is the passphrase of encrypted archives
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make a backup as the configuration says
    #[command(after_help = CREATE_EXAMPLES)]
    Create(Create),
    /// Write one database into a plain SQL file
    #[command(after_help = DUMP_EXAMPLES)]
    Dump(Dump),
    /// Read archives to their end and compare every checksum
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(Verify),
    /// List the archives of a directory
    #[command(after_help = LIST_EXAMPLES)]
    List(List),
    /// Verify an archive and show what is in it
    Inspect(Inspect),
    /// Verify an archive and put its files into a new directory
    #[command(after_help = EXTRACT_EXAMPLES)]
    Extract(Extract),
    /// Put an archive's database, its files or both back into their places
    #[command(after_help = RESTORE_EXAMPLES)]
    Restore(Restore),
    /// Take a restore back
    #[command(after_help = UNDO_EXAMPLES)]
    Undo(TakeBack),
    /// Finish a restore whose process died
    Resume(Resume),
    /// Remove what is kept of a restore for an undo
    #[command(after_help = FORGET_EXAMPLES)]
    Forget(TakeBack),
    /// Restore an archive into a throwaway server and directory, and see whether it works
    #[command(after_help = REHEARSE_EXAMPLES)]
    Rehearse(Rehearse),
    /// Copy archives to the store of the configuration, or go on with it
    #[command(after_help = UPLOAD_EXAMPLES)]
    Upload(Upload),
    /// Remove archives that no rule keeps
    #[command(after_help = PRUNE_EXAMPLES)]
    Prune(Prune),
    /// Keep an archive whatever the rules say
    Pin(Pin),
    /// Let the rules decide about an archive again
    Unpin(Unpin),
    /// Back up a small installation of its own, verify it, extract it and compare
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(Demo),
    /// Write a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual page
    Man,
}

#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The directory with the archives, instead of the configuration's; to read and to prune also
    /// s3://BUCKET/PREFIX or sftp://HOST/PATH
    #[arg(long, value_name = "DIR")]
    pub(crate) target: Option<PathBuf>,
}

/// How gently databases are read.
#[derive(Debug, Default, Args)]
pub(crate) struct Gentleness {
    /// The most bytes of SQL text a second, such as 20M, instead of what the configuration says
    #[arg(long, value_name = "BYTES", value_parser = rate)]
    pub(crate) max_rate: Option<u64>,
    /// Give up when a dump takes longer, such as 2h, instead of what the configuration says
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) deadline: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) gentleness: Gentleness,
    /// What the archive is to be, instead of what the configuration says
    #[arg(long, value_name = "KIND", value_parser = container)]
    pub(crate) container: Option<Container>,
    /// Encrypt the archive to a recipient such as age1…, instead of what the configuration says;
    /// may be given several times
    #[arg(long, value_name = "RECIPIENT")]
    pub(crate) encrypt_to: Vec<String>,
    /// Copy the archive to s3://BUCKET/PREFIX or sftp://HOST/PATH, instead of the configuration's store
    #[arg(long, value_name = "URL")]
    pub(crate) to: Option<PathBuf>,
    /// Do not read the archive back before it gets its name
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Use chunks of the newest archive again where a closed window of time did not change
    #[arg(long)]
    pub(crate) reuse: bool,
    /// Only show what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Dump {
    /// The database
    pub(crate) database: String,
    /// The new SQL file; one that is there is not replaced
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// The option file with host, account and password [default: as configured for the database]
    #[arg(long, value_name = "FILE")]
    pub(crate) option_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) gentleness: Gentleness,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Names in the target, or paths [default: the newest in the target]
    pub(crate) archives: Vec<PathBuf>,
    /// All archives of the target
    #[arg(long, conflicts_with = "archives")]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Exit with 7 unless the newest archive that is not broken is younger, such as 26h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) max_age: Option<Duration>,
    /// For --max-age only archives that were verified count
    #[arg(long, requires = "max_age")]
    pub(crate) verified: bool,
    /// Instead of archives the restores of which anything is left, and what can be done about each
    #[arg(long, conflicts_with_all = ["target", "max_age"])]
    pub(crate) restores: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    #[command(flatten)]
    pub(crate) target: Target,
    /// A name in the target, or a path
    pub(crate) archive: PathBuf,
    /// List every member
    #[arg(long)]
    pub(crate) members: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Extract {
    #[command(flatten)]
    pub(crate) target: Target,
    /// A name in the target, or a path
    pub(crate) archive: PathBuf,
    /// The directory, which is empty or not there
    #[arg(value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// Only this member and what lies below it; may be given several times
    #[arg(long, value_name = "MEMBER")]
    pub(crate) only: Vec<PathBuf>,
    /// Make also symbolic links that lead out of the directory
    #[arg(long)]
    pub(crate) outside_links: bool,
}

#[derive(Debug, Args)]
#[cfg_attr(
    not(feature = "remote"),
    allow(dead_code, reason = "only stores elsewhere read it")
)]
pub(crate) struct Upload {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Where to, s3://BUCKET/PREFIX or sftp://HOST/PATH, instead of the configuration's store
    #[arg(long, value_name = "URL")]
    pub(crate) to: Option<PathBuf>,
    /// Names in the directory, besides those that were begun before
    pub(crate) archives: Vec<String>,
    /// Every archive of the directory that the store lacks
    #[arg(long, conflicts_with = "archives")]
    pub(crate) all: bool,
    /// The most bytes a second, such as 5M, instead of what the configuration says
    #[arg(long, value_name = "BYTES", value_parser = rate)]
    pub(crate) max_rate: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Prune {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Archives of this prefix [default: the configuration's]
    #[arg(long)]
    pub(crate) prefix: Option<String>,
    /// Keep the newest N archives
    #[arg(long, value_name = "N")]
    pub(crate) keep_last: Option<u32>,
    /// Keep the newest archive of each of the last N hours that have one
    #[arg(long, value_name = "N")]
    pub(crate) keep_hourly: Option<u32>,
    /// The same for days
    #[arg(long, value_name = "N")]
    pub(crate) keep_daily: Option<u32>,
    /// The same for weeks, which begin on Monday
    #[arg(long, value_name = "N")]
    pub(crate) keep_weekly: Option<u32>,
    /// The same for months
    #[arg(long, value_name = "N")]
    pub(crate) keep_monthly: Option<u32>,
    /// The same for years
    #[arg(long, value_name = "N")]
    pub(crate) keep_yearly: Option<u32>,
    /// Only show what would go, and why the others stay
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Pin {
    #[command(flatten)]
    pub(crate) target: Target,
    /// The name of the archive
    pub(crate) archive: String,
    /// The reason, for whoever wonders later
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: String,
}

#[derive(Debug, Args)]
pub(crate) struct Unpin {
    #[command(flatten)]
    pub(crate) target: Target,
    /// The name of the archive
    pub(crate) archive: String,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Put everything into this new or empty directory [default: a temporary one, which is kept]
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// How many rows the database gets
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=50_000_000))]
    pub(crate) rows: u64,
}
