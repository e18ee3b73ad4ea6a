//! The arguments of everything that puts an archive back.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};

use super::Target;
use crate::backup::values::{Accepted, accepted, duration};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").args(["archive", "newest", "newest_whole", "source", "sql"]).required(true)))]
pub(crate) struct Restore {
    #[command(flatten)]
    pub(crate) target: Target,
    /// A name in the target, or a path
    pub(crate) archive: Option<PathBuf>,
    /// The newest archive of the target; if it is broken, nothing is restored
    #[arg(long)]
    pub(crate) newest: bool,
    /// The newest archive of the target that is not broken; says which newer ones are
    #[arg(long)]
    pub(crate) newest_whole: bool,
    /// The archive, as with pandora_backup.sh
    #[arg(short = 's', value_name = "ARCHIVE")]
    pub(crate) source: Option<PathBuf>,
    /// A plain dump instead of an archive: FILE, FILE.gz or FILE.zst
    #[arg(long, value_name = "FILE", conflicts_with_all = ["files", "no_database"])]
    pub(crate) sql: Option<PathBuf>,
    /// Also the files: console, configuration, pending files
    #[arg(short = 'f', long = "files")]
    pub(crate) files: bool,
    /// Not the database
    #[arg(short = 'b', long = "no-database", requires = "files")]
    pub(crate) no_database: bool,
    /// Only this table, with its triggers; may be given several times
    #[arg(long = "table", value_name = "NAME", conflicts_with_all = ["files", "grants"])]
    pub(crate) tables: Vec<String>,
    /// Only what is missing of the data of one agent, by its number, alias or name, put into the
    /// tables in use
    #[arg(long, value_name = "AGENT", conflicts_with_all = ["files", "grants", "tables"])]
    pub(crate) agent: Option<String>,
    /// Configuration and states first: the services start before the time series are there, which
    /// then come in, the newest first
    #[arg(long, conflicts_with_all = ["no_database", "tables", "agent"])]
    pub(crate) config_first: bool,
    /// Only this file or directory of the archive; may be given several times
    #[arg(long = "path", value_name = "PATH", requires = "no_database")]
    pub(crate) paths: Vec<PathBuf>,
    /// The directory where the paths go, instead of their own places
    #[arg(long, value_name = "DIR", requires = "paths")]
    pub(crate) to: Option<PathBuf>,
    /// Files that are not in the archive go away; --dry-run lists them
    #[arg(long, requires = "files")]
    pub(crate) mirror: bool,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Which database of the archive [default: its first]
    #[arg(long, value_name = "NAME", conflicts_with = "no_database")]
    pub(crate) database: Option<String>,
    /// The database to replace or to make, instead of the installation's
    #[arg(long, value_name = "NAME", conflicts_with = "no_database")]
    pub(crate) to_database: Option<String>,
    /// Go on in spite of a difference: schema, server, charset, replica, writers, space, non-atomic,
    /// views or outside-links; may be given several times
    #[arg(long, value_name = "DIFFERENCE", value_parser = accepted)]
    pub(crate) accept: Vec<Accepted>,
    /// How many sessions load [default: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=32))]
    pub(crate) sessions: Option<u8>,
    /// What is compared before the exchange
    #[arg(long, value_enum, default_value = "content")]
    pub(crate) compare: Compared,
    /// Give the accounts their rights again, as the archive has them, instead of only saying what
    /// is missing
    #[arg(long)]
    pub(crate) grants: bool,
    /// Only show what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl Restore {
    /// As the old command says it.
    pub(crate) fn classic(
        source: PathBuf,
        files: bool,
        no_database: bool,
        reach: Reach,
        to_database: Option<String>,
    ) -> Restore {
        Restore {
            target: Target { target: None },
            archive: None,
            newest: false,
            newest_whole: false,
            source: Some(source),
            sql: None,
            files,
            no_database,
            tables: Vec::new(),
            agent: None,
            config_first: false,
            paths: Vec::new(),
            to: None,
            mirror: false,
            reach,
            database: None,
            to_database,
            accept: Vec::new(),
            sessions: None,
            compare: Compared::Content,
            grants: false,
            dry_run: false,
        }
    }
}

/// The installation, and the account for its database.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Reach {
    /// Path to the Pandora FMS console, or to a pandora_server.conf [default: the configuration's
    /// installation, else as the archive has it]
    #[arg(short = 'c', value_name = "CONSOLE")]
    pub(crate) console: Option<PathBuf>,
    /// An option file with an administrator's account [default: as for backups]
    #[arg(long, value_name = "FILE")]
    pub(crate) option_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compared {
    /// Rows of every table, and what is in them
    Content,
    /// Only how many rows every table has
    Counts,
}

#[derive(Debug, Args)]
pub(crate) struct TakeBack {
    /// The number of the run [default: the newest restore]
    #[arg(long, value_name = "N")]
    pub(crate) run: Option<i64>,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

#[derive(Debug, Args)]
pub(crate) struct Resume {
    #[command(flatten)]
    pub(crate) take: TakeBack,
    /// The archive or the plain dump again, if rows are still to be loaded [default: where the run
    /// had it]
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Rehearse {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Names in the target [default: the newest archive]
    #[arg(conflicts_with = "all")]
    pub(crate) archives: Vec<PathBuf>,
    /// Every archive of the target that was not rehearsed yet
    #[arg(long)]
    pub(crate) all: bool,
    /// Where the private server and the files are made, and removed again [default: the system's
    /// temporary directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
    /// The server program [default: the installed mariadbd]
    #[arg(long, value_name = "FILE")]
    pub(crate) mariadbd: Option<PathBuf>,
    /// Rehearse in a side database of the installation's server, which is removed again, if there is
    /// no server program
    #[arg(long)]
    pub(crate) side_database: bool,
    /// Exit with 7 if the newest data is older than this when the backup began, such as 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) max_data_age: Option<Duration>,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

pub(super) const RESTORE_EXAMPLES: &str = "\
Nothing is dropped: the database is loaded beside the one in use, compared, and exchanged in one
moment; files are unpacked beside theirs and exchanged. What was there before is kept until `forget`.

Examples:
  elpis-backup restore --newest --dry-run            what would happen, and what forbids it
  elpis-backup restore -c /var/www/html/pandora_console -s ARCHIVE         the database
  elpis-backup restore -c /var/www/html/pandora_console -s ARCHIVE -f      and the files
  elpis-backup restore -c /var/www/html/pandora_console -s ARCHIVE -f -b   only the files
  elpis-backup restore ARCHIVE --to-database look    beside the one in use
  elpis-backup restore ARCHIVE -f --config-first     the server runs before its history is back
  elpis-backup restore ARCHIVE --table tagente_modulo --table tagente_estado
  elpis-backup restore ARCHIVE --agent web01 --dry-run     counts what is missing of its data
  elpis-backup restore ARCHIVE -f -b --path /etc/pandora/pandora_server.conf --to /tmp/look
  elpis-backup restore --sql pandora.sql.gz -c /var/www/html/pandora_console";

pub(super) const UNDO_EXAMPLES: &str = "\
What was written since the restore is kept until `forget`, the database's under another name.

Examples:
  elpis-backup undo
  elpis-backup undo --run 12";

pub(super) const FORGET_EXAMPLES: &str = "\
There is no undo afterwards.

Examples:
  elpis-backup forget --run 12";

pub(super) const REHEARSE_EXAMPLES: &str = "\
A throwaway server on this host gets the archive's database, a throwaway directory its files; both
are looked at and removed. The installation is not touched.

Examples:
  elpis-backup rehearse
  elpis-backup rehearse --all --max-data-age 2h      for a nightly timer";
