//! Everything Elpis knows of Pandora FMS, mostly as data: the product's files, its settings, its
//! tables.
//!
//! Without features only the readers of files are here: pure functions on bytes, so that a tool
//! that needs the console's credentials pays for nothing else. The feature `maint` adds what
//! housekeeping needs: the settings in `tconfig`, the rules of compaction, the tasks, and what is
//! asked of the live database.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(feature = "backup")]
mod backup_set;
#[cfg(feature = "backup")]
mod belongings;
#[cfg(feature = "maint")]
mod compaction;
#[cfg(feature = "maint")]
mod doctor;
mod files;
#[cfg(feature = "maint")]
mod moves;
#[cfg(feature = "backup")]
mod restore_set;
#[cfg(feature = "maint")]
mod schedule;
#[cfg(feature = "maint")]
mod server;
#[cfg(feature = "maint")]
mod tasks;
#[cfg(feature = "maint")]
mod tokens;

#[cfg(feature = "backup")]
pub use backup_set::{BackupSet, HistoryPlace, Part, PartNameError, Portrait, portrait};
#[cfg(feature = "backup")]
pub use belongings::{agent_data, time_series};
#[cfg(feature = "maint")]
pub use compaction::{history_series_rule, kind, series_rule};
#[cfg(feature = "maint")]
pub use doctor::{
    Check, DatabaseFacts, Disk, SchemaVersion, State, UnknownTable, judge_database,
    judge_history_schema, judge_moves,
};
pub use files::{
    ChosenHostError, ConfigError, Database, Disagreement, PhpConfig, Place, ServerConf, Tls, Token,
    below, chosen_host, chosen_host_below, console_database, ha_host, is_conf_d_name,
};
#[cfg(feature = "maint")]
pub use moves::{move_rules, move_steps};
#[cfg(feature = "backup")]
pub use restore_set::{RestoreSet, WorkingFiles, rehearsal_probes};
#[cfg(feature = "maint")]
pub use schedule::{
    By, FileToWrite, HourlyJob, Lack, LinkToMake, Schedule, ScheduledJob, Starts, Subject,
    is_as_written, is_signed, judge_schedule, resolved, scheduled, shell_word,
};
#[cfg(feature = "maint")]
pub use server::{
    Denied, Installation, ModuleType, NotMaster, PATIENCE, check_master, history_locks,
    hold_what_is_denied, is_brief, lacking_for_compaction, last_maintenance, locks,
    record_maintenance, server_name,
};
#[cfg(feature = "maint")]
pub use tasks::{
    FlowExpiry, HistoryKeeps, HousekeepingSettings, Programs, catalogue, history_catalogue,
};
#[cfg(feature = "maint")]
pub use tokens::{
    CompactionSettings, HistoryRetention, HistorySettings, Junk, Origin, PandoraSettings, Password,
    Setting, TokenFinding, TokenRow, Tokens, UnusableHistory,
};
