//! What keeps a rehearsal from being held, told apart from what an archive shows.
//!
//! Only what would go wrong on every server and every disk is held against the archive. A server says
//! why it refuses a statement by a number: those below speak of the server, its disk and its memory,
//! all others of the statement.

use std::error::Error as Cause;
use std::io::ErrorKind;

use elpis_mysql::{Error, ServerError};
use elpis_run::{FsError, with_causes};

use super::RehearseError;
use crate::archive::{ExtractError, ReadError};
use crate::dump::DumpError;
use crate::restore::{Accept, RestoreError, RestorePlan, SplitError, Survey, TextError};

/// The longest statement that any server takes, in bytes: the limit of `max_allowed_packet`.
const LONGEST: u64 = 1 << 30;

/// What kept a rehearsal from being held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hindrance {
    /// There is no room for the files or the databases.
    Room,
    /// The server has ended, does not answer, or lacks memory or time.
    Server,
    /// The server is too old, or lacks an engine, a character set or a right.
    Unfit,
    /// A file cannot be read or written.
    File,
}

impl std::fmt::Display for Hindrance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Hindrance::Room => "there is no room for it",
            Hindrance::Server => "its server has ended or lacks something",
            Hindrance::Unfit => "its server is not fit for this archive",
            Hindrance::File => "a file cannot be read or written",
        })
    }
}

/// What a failure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// The archive.
    Archive,
    /// Nobody: somebody has ended it.
    Stopped,
    /// Something else, so that nothing is known of the archive.
    Other(Hindrance),
}

use Blame::{Archive, Other, Stopped};

impl Blame {
    /// What was found of the archive, in words, or why nothing was.
    pub(super) fn found<E>(self, error: E) -> Result<String, RehearseError>
    where
        E: Cause + Send + Sync + 'static,
    {
        match self {
            Archive => Ok(with_causes(&error)),
            Stopped => Err(RehearseError::Stopped),
            Other(what) => Err(RehearseError::NotHeld {
                what,
                source: Box::new(error),
            }),
        }
    }
}

/// Of a plan that is refused: a refusal that no other server would take back is the archive's.
pub(super) fn of_plan(plan: &RestorePlan, survey: &Survey) -> Blame {
    let is_own = plan.tables.iter().any(|table| table.text.uses_sequence)
        || survey.longest_statement >= LONGEST;
    let lacks_room = |accept: Option<Accept>| accept == Some(Accept::Space);
    match plan.refusals.iter().any(|found| lacks_room(found.accept)) {
        _ if is_own => Archive,
        true => Other(Hindrance::Room),
        false => Other(Hindrance::Unfit),
    }
}

pub(super) fn of_restore(error: &RestoreError) -> Blame {
    match error {
        RestoreError::Interrupted { source, .. } => of_restore(source),
        RestoreError::Stopped => Stopped,
        RestoreError::Text(error) => of_text(error),
        RestoreError::Server { source, .. } => of_server(source),
        RestoreError::Compare(error) => of_dump(error),
        RestoreError::Different { .. } | RestoreError::NeedsPerson { .. } => Archive,
        _ => Other(Hindrance::Server),
    }
}

pub(super) fn of_text(error: &TextError) -> Blame {
    match error {
        TextError::Stopped => Stopped,
        TextError::Fs(error) => of_fs(error),
        TextError::Archive(error) => of_read(error),
        TextError::Split(SplitError::Read(error)) => {
            let inner = error.get_ref();
            match inner.and_then(|inner| inner.downcast_ref::<ReadError>()) {
                Some(error) => of_read(error),
                None => of_io(error),
            }
        }
        _ => Archive,
    }
}

fn of_dump(error: &DumpError) -> Blame {
    match error {
        DumpError::Stopped => Stopped,
        DumpError::Undumpable { .. } | DumpError::Sink(_) => Archive,
        DumpError::Server { source, .. } => of_server(source),
        _ => Other(Hindrance::Server),
    }
}

pub(super) fn of_extract(error: &ExtractError) -> Blame {
    match error {
        ExtractError::Stopped => Stopped,
        ExtractError::Space { .. } => Other(Hindrance::Room),
        ExtractError::Fs(error) => of_fs(error),
        ExtractError::Exists { .. } => Other(Hindrance::File),
        ExtractError::Read(error) => of_read(error),
        _ => Archive,
    }
}

fn of_read(error: &ReadError) -> Blame {
    match error {
        ReadError::Stream(error) => of_io(error),
        _ => Archive,
    }
}

pub(super) fn of_fs(error: &FsError) -> Blame {
    match error.source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Other(Hindrance::Room),
        _ => Other(Hindrance::File),
    }
}

/// What the system says is the disk's; what decoders say of a damaged stream is the archive's.
fn of_io(error: &std::io::Error) -> Blame {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Other(Hindrance::Room),
        _ if is_of_system(error) => Other(Hindrance::File),
        _ => Archive,
    }
}

fn is_of_system(error: &std::io::Error) -> bool {
    let inner = error.get_ref();
    let inner = inner.and_then(|inner| inner.downcast_ref::<std::io::Error>());
    error.raw_os_error().is_some() || inner.is_some_and(is_of_system)
}

pub(super) fn of_start(error: &ServerError) -> Option<Hindrance> {
    is_full(&with_causes(error)).then_some(Hindrance::Room)
}

pub(super) fn of_server(error: &Error) -> Blame {
    let Error::Server { code, message, .. } = error else {
        return Other(match error {
            Error::Denied { .. } => Hindrance::Unfit,
            _ => Hindrance::Server,
        });
    };
    match code {
        _ if is_full(message) => Other(Hindrance::Room),
        1005 if is_of_files(message) => Other(Hindrance::Server),
        // The disk is full; a table or the system tablespace is.
        1021 | 1114 => Other(Hindrance::Room),
        // What the server's file library says; files that cannot be made, opened, read, renamed.
        ..1000 | 1004 | 1006 | 1009..=1018 | 1023..=1027 | 1030 => Other(Hindrance::Server),
        // Damaged files of tables.
        1034 | 1035 | 1194 | 1195 | 1712 | 1932 => Other(Hindrance::Server),
        // Memory, threads, connections, locks, deadlocks, interruptions, commits.
        1037 | 1038 | 1040 | 1041 | 1135 | 1180 | 1181 | 1203 | 1205 | 1206 | 1213 | 1226
        | 1297 | 1317 => Other(Hindrance::Server),
        // Rights, and accounts that are not there.
        1044 | 1045 | 1142 | 1143 | 1227 | 1290 | 1370 | 1419 | 1449 => Other(Hindrance::Unfit),
        // Character sets, collations, engines and features that it does not have.
        1115 | 1273 | 1286 | 1289 => Other(Hindrance::Unfit),
        _ => Archive,
    }
}

/// Whether a table cannot be made for what the system says of its files: engines' own numbers begin
/// at 120.
fn is_of_files(message: &str) -> bool {
    let number = message.split("errno: ").nth(1).unwrap_or_default();
    let end = number.find(|sign: char| !sign.is_ascii_digit());
    let number: Result<u32, _> = number[..end.unwrap_or(number.len())].parse();
    number.is_ok_and(|number| number < 120)
}

/// Whether it speaks of a full disk or an exhausted quota, in words or by the system's number.
fn is_full(text: &str) -> bool {
    const WORDS: [&str; 6] = [
        "No space left",
        "Disk quota exceeded",
        "rrcode: 28",
        "rrno: 28",
        "rror 28",
        "rrno: 122",
    ];
    WORDS.iter().any(|word| {
        let mut behind = text.split(word).skip(1);
        behind.any(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: u16, message: &str) -> RestoreError {
        let source = Error::Server {
            code,
            state: "HY000".to_owned(),
            message: message.to_owned(),
        };
        let doing = "making it".to_owned();
        let source = Box::new(RestoreError::Server { doing, source });
        let live = crate::restore::Live::Old;
        let run = elpis_run::RunId(1);
        RestoreError::Interrupted { run, live, source }
    }

    /// The words are those of MariaDB 10.11 and of its file library.
    #[test]
    fn the_server_and_the_archive_are_told_apart_by_what_the_server_says() {
        let room = Other(Hindrance::Room);
        let server_s = Other(Hindrance::Server);
        for (code, message, blame) in [
            (1114, "The table 't' is full", room),
            (
                3,
                "Error writing file '/x/t.MYD' (Errcode: 28 \"No space left on device\")",
                room,
            ),
            (
                1005,
                "Can't create table `d`.`t` (errno: 28 \"No space left on device\")",
                room,
            ),
            (
                1030,
                "Got error 28 \"No space left on device\" from storage engine InnoDB",
                room,
            ),
            (
                1030,
                "Got error 175 \"File too short\" from storage engine Aria",
                server_s,
            ),
            (
                1005,
                "Can't create table `d`.`t` (errno: 24 \"Too many open files\")",
                server_s,
            ),
            (1041, "Out of memory.", server_s),
            (1030, "Got error 281 from storage engine", server_s),
            (1317, "Query execution was interrupted", server_s),
            (
                1286,
                "Unknown storage engine 'ROCKSDB'",
                Other(Hindrance::Unfit),
            ),
            (1062, "Duplicate entry '1' for key 'PRIMARY'", Archive),
            (1064, "You have an error in your SQL syntax", Archive),
            (
                1005,
                "Can't create table `d`.`t` (errno: 150 \"Foreign key constraint is incorrectly formed\")",
                Archive,
            ),
        ] {
            assert_eq!(of_restore(&server(code, message)), blame, "{message}");
        }
        let lost = Error::Lost {
            target: "x".to_owned(),
            reason: "it".to_owned(),
        };
        assert_eq!(of_server(&lost), server_s);
        let differences = vec!["t has 1 row".to_owned()];
        assert_eq!(
            of_restore(&RestoreError::Different { differences }),
            Archive
        );
        // As the reader of a member passes it on.
        let read = |error: std::io::Error| {
            let error = std::io::Error::other(ReadError::Stream(error));
            of_text(&TextError::Split(SplitError::Read(error)))
        };
        assert_eq!(read(ErrorKind::InvalidData.into()), Archive);
        assert_eq!(read(std::io::Error::other("corrupted block")), Archive);
        let disk = std::io::Error::from_raw_os_error(5);
        assert_eq!(read(disk), Other(Hindrance::File));
    }
}
