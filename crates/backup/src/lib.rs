//! Consistent, verified backup of an installation: databases, configuration and files in one
//! archive that is whole or not there.
//!
//! The same words in the same order as everywhere in Elpis: a [`Profile`] says what is wanted,
//! [`Facts::gather`] looks at what is there, [`BackupPlan::new`] is a pure function of both, and
//! [`Backup::run`] carries the plan out and returns a [`BackupReport`].
//!
//! | to ...                                     | use |
//! |--------------------------------------------|-----|
//! | say what belongs into a backup             | [`Profile`] |
//! | bring in databases                         | [`Source`]: [`MySqlSource`], `SqliteSource` (feature `sqlite`) |
//! | dump MySQL and MariaDB consistently        | [`Dump`], and [`dump_to_file`] for a plain SQL file |
//! | leave a busy server and its replicas alone | [`DumpLimits`], [`DumpThrottle`] |
//! | read archives without trusting them        | [`archive::Archive`], [`archive::ArchiveReader`] |
//! | put an archive back                        | [`restore`] |
//! | prove that it can be put back              | `Rehearsal` (feature `rehearse`) |
//! | stop services around it                    | [`Standstill`], [`CommandServices`] |
//! | keep archives                              | [`LocalStore`], [`ObjectStore`] |
//! | know which of them are whole               | [`Inspector`] |
//! | remove what is no longer needed            | [`Prune`], [`PrunePlan`] |
//! | try it on something small                  | `demo` (feature `demo`) |
//!
//! The engine blocks; a caller on an async runtime gives it a thread.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use elpis_backup::archive::Tool;
//! use elpis_backup::{
//!     Backup, BackupPlan, DumpPolicy, Facts, Keys, LocalStore, MySqlSource, Profile, Source,
//! };
//! use elpis_run::journal::MemoryJournal;
//! use elpis_run::{Clock, Holder, RealClock, StopToken};
//!
//! # fn backup() -> Result<(), Box<dyn std::error::Error>> {
//! let profile = Profile::from_toml(
//!     r#"
//!     name = "appliance"
//!     prefix = "appliance"
//!     [[component]]
//!     name = "configuration"
//!     paths = ["/etc/appliance"]
//!     [[database]]
//!     name = "monitoring"
//!     option_file = "/etc/elpis/backup.cnf"
//!     "#,
//! )?;
//! let connect = elpis_mysql::ConnectOptions { user: "root".into(), ..Default::default() };
//! let policy = DumpPolicy::new(vec!["monitoring".into()]);
//! let mut sources: Vec<Box<dyn Source>> = vec![Box::new(MySqlSource::new(connect, policy))];
//! let store = LocalStore::open("/var/backups".as_ref())?;
//! let plan = BackupPlan::new(&profile, Facts::gather(&profile, &mut sources, &store)?);
//! let clock = RealClock::new();
//! let report = Backup {
//!     store: &store,
//!     journal: &MemoryJournal::new(),
//!     observer: Arc::new(()),
//!     clock: &clock,
//!     zone: jiff::tz::TimeZone::system(),
//!     stop: &StopToken::new(),
//!     holder: Holder::current("my-tool", clock.now()),
//!     tool: Tool { name: "my-tool".into(), version: "1".into() },
//!     encryption: None,
//!     keys: &Keys::none(),
//! }
//! .run(&plan, &mut sources)?;
//! assert!(report.verified);
//! # Ok(())
//! # }
//! ```
//!
//! `docs/archive-format.md` describes what an archive looks like.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod archive;
mod backup;
mod catalogue;
mod crypt;
#[cfg(feature = "demo")]
pub mod demo;
mod dump;
mod event;
mod files;
mod name;
mod pacer;
mod plan;
pub mod profile;
mod prune;
#[cfg(feature = "rehearse")]
mod rehearse;
mod report;
pub mod restore;
mod source;
mod sql_file;
mod standstill;
pub mod store;
mod work;

pub use backup::{Backup, BackupError, JOB};
pub use catalogue::Inspector;
pub use crypt::{Encryption, KeyError, Keys};
pub use dump::{
    BinlogPosition, Catalogue, DatabaseReport, Definers, Dump, DumpControl, DumpError, DumpEvent,
    DumpFacts, DumpLimits, DumpPlan, DumpPolicy, DumpReport, DumpSink, DumpThrottle,
    NonTransactional, Part, Piece, PieceId, PieceWriter, RangeColumn, ReplicaPosition, ServerFacts,
    SinkError, Snapshot, SnapshotStep, TableFacts, TableReport, Window,
};
pub use event::BackupEvent;
pub use files::{Pattern, PatternError};
pub use name::{ArchiveName, NameError};
pub use pacer::Pacer;
pub use plan::{BackupPlan, Facts, InspectError, RootFacts};
pub use profile::{Profile, ProfileError};
pub use prune::{Decision, KeepRules, NoRules, Prune, PruneError, PrunePlan, PruneReport};
#[cfg(feature = "rehearse")]
pub use rehearse::{
    CheckResult, Expect, Hindrance, OpenArchive, Probe, Rehearsal, RehearsalReport, RehearseError,
};
pub use report::{BackupReport, Phases};
pub use source::{
    Collected, CollectedData, DatabaseFacts, Intake, MySqlSource, Source, SourceError,
};
#[cfg(feature = "sqlite")]
pub use source::{SqliteError, SqliteSource};
pub use sql_file::{SqlFileError, SqlFileReport, dump_to_file};
pub use standstill::{
    CommandError, CommandServices, FlagFile, MaintenanceFlag, Notices, Standstill, run_command,
};
pub use store::{LocalStore, ObjectStore, StoreError};
