//! What can happen to `elpis-backup`.

mod restore;

use std::error::Error;

use elpis_backup::archive::{ExtractError, VerifyError, WriteError};
use elpis_backup::{
    BackupError, DumpError, InspectError, KeyError, NameError, ProfileError, PruneError,
    SqlFileError, SqliteError, StoreError,
};
use elpis_run::{FsError, JournalError};

use super::{Code, Verdict};
use crate::backup::{ConfigError, NewestBroken, NotEmpty, Nothing};
use crate::interrupt::LeftAtOnce;

/// A code, a message and a hint for an error of any verb.
pub(crate) fn verdict(error: &anyhow::Error) -> Verdict {
    let (code, hint) = judge(error);
    Verdict {
        code,
        message: Some(format!("{error:#}")),
        hint: hint.map(str::to_owned),
    }
}

type Judgement = (Code, Option<&'static str>);

fn judge(error: &anyhow::Error) -> Judgement {
    if let Some(error) = error.downcast_ref::<ConfigError>() {
        // The hint of a configuration is its own.
        return (Code::Usage, config_hint(error));
    }
    if error.is::<LeftAtOnce>() {
        return (
            Code::Interrupted,
            Some("what is left of it goes with the next run"),
        );
    }
    // The outermost error that says enough; databases stand deeper.
    error
        .chain()
        .find_map(|error| known(inside(error)))
        .unwrap_or((Code::Internal, None))
}

/// What a transparent error is about: it passes on text and cause, and so hides what it holds.
fn inside<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let held: Option<&(dyn Error + 'static)> = if let Some(error) = error.downcast_ref() {
        match error {
            BackupError::Store(held) => Some(held),
            BackupError::Fs(held) => Some(held),
            BackupError::Journal(held) => Some(held),
            _ => None,
        }
    } else if let Some(PruneError::Store(held)) = error.downcast_ref() {
        Some(held)
    } else if let Some(PruneError::Journal(held)) = error.downcast_ref() {
        Some(held)
    } else if let Some(InspectError::Store(held)) = error.downcast_ref() {
        Some(held)
    } else if let Some(StoreError::Fs(held)) = error.downcast_ref() {
        Some(held)
    } else if let Some(WriteError::Fs(held)) = error.downcast_ref() {
        Some(held)
    } else if let Some(VerifyError::Fs(held)) = error.downcast_ref() {
        Some(held)
    } else if let Some(VerifyError::Store(held)) = error.downcast_ref() {
        Some(held)
    } else if let Some(KeyError::Fs(held)) = error.downcast_ref() {
        Some(held)
    } else if let Some(ExtractError::Fs(held)) = error.downcast_ref() {
        Some(held)
    } else if let Some(SqlFileError::Fs(held)) = error.downcast_ref() {
        Some(held)
    } else {
        inside_copy(error).or_else(|| restore::inside(error))
    };
    held.map_or(error, inside)
}

#[cfg(feature = "remote")]
fn inside_copy<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    use elpis_backup::store::CopyError;
    match error.downcast_ref()? {
        CopyError::From(held) => Some(held),
        CopyError::Journal(held) => Some(held),
        _ => None,
    }
}

#[cfg(not(feature = "remote"))]
fn inside_copy<'a>(_: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    None
}

fn config_hint(error: &ConfigError) -> Option<&'static str> {
    match error {
        ConfigError::Missing(_) => Some("check the path and its permissions"),
        ConfigError::Wrong { .. } => Some("correct the file"),
        ConfigError::OptionFile(_) => Some("correct the option file, or name another one"),
        ConfigError::NoUser { .. } => Some("set user and password under [client] in that file"),
        #[cfg(not(all(feature = "s3", feature = "sftp", feature = "age")))]
        ConfigError::NotBuilt { .. } => Some("build it with `--features s3,sftp,age`"),
        ConfigError::Unsaid { hint, .. } => Some(hint),
    }
}

fn known(error: &(dyn Error + 'static)) -> Option<Judgement> {
    if let Some(judgement) = restore::known(error) {
        return Some(judgement);
    }
    if let Some(error) = error.downcast_ref::<BackupError>() {
        return match error {
            BackupError::Refused { .. } => Some((
                Code::Refused,
                Some("`elpis-backup create --dry-run` shows what was found"),
            )),
            BackupError::Stopped => Some((Code::Interrupted, Some("nothing is left of it"))),
            BackupError::Verify(VerifyError::Broken { .. }) => Some((
                Code::NeedsPerson,
                Some("the disk or the memory of this host may be faulty; nothing was published"),
            )),
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<DumpError>() {
        return Some(dump(error));
    }
    if error.is::<elpis_pandora::ConfigError>() {
        return Some((
            Code::Usage,
            Some("-c takes the console's directory, or a pandora_server.conf"),
        ));
    }
    if error.is::<elpis_mysql::Error>() {
        return Some((
            Code::Unreachable,
            Some("check host and account, in the option file or in the product's own file"),
        ));
    }
    if error.is::<SqliteError>() {
        return Some((
            Code::Unreachable,
            Some("check the path of the database, and the file"),
        ));
    }
    if let Some(SqlFileError::Stopped) = error.downcast_ref::<SqlFileError>() {
        return Some((Code::Interrupted, Some("nothing is left of it")));
    }
    if let Some(error) = error.downcast_ref::<VerifyError>() {
        return match error {
            VerifyError::Broken { .. } | VerifyError::NotAnArchive { .. } => Some((
                Code::Partial,
                Some("use an older archive, and find out what damaged this one"),
            )),
            VerifyError::Encrypted { .. } => Some((
                Code::Usage,
                Some("use --identity FILE or --passphrase-file FILE"),
            )),
            VerifyError::Key { .. } => Some((
                Code::Usage,
                Some("use the identity that it was encrypted to"),
            )),
            VerifyError::Stopped => Some((Code::Interrupted, None)),
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<ExtractError>() {
        return extract(error);
    }
    if let Some(error) = error.downcast_ref::<StoreError>() {
        return match error {
            StoreError::Locked { .. } => Some((Code::Locked, Some("wait for it to end"))),
            StoreError::Exists { .. } => Some((Code::Refused, Some("try again in a minute"))),
            other => store(other),
        };
    }
    if let Some(error) = error.downcast_ref::<JournalError>() {
        return Some(match error {
            JournalError::Foreign { .. }
            | JournalError::Corrupt { .. }
            | JournalError::Newer { .. }
            | JournalError::Illegal { .. } => (
                Code::Refused,
                Some("the journal is evidence: move it away rather than delete it"),
            ),
            _ => (
                Code::Usage,
                Some("check directory under [state], and its permissions"),
            ),
        });
    }
    if let Some(PruneError::Rules(_)) = error.downcast_ref::<PruneError>() {
        return Some((
            Code::Usage,
            Some("use --keep-daily 7, or write [keep] into the file"),
        ));
    }
    if error.is::<KeyError>() {
        return Some((
            Code::Usage,
            Some("correct the file with keys, or name another"),
        ));
    }
    if error.is::<ProfileError>() {
        return Some((Code::Usage, Some("`elpis-backup --help` shows what goes")));
    }
    if error.is::<Nothing>() {
        return Some((Code::Partial, Some("`elpis-backup create` makes one")));
    }
    if let Some(error) = error.downcast_ref::<NewestBroken>() {
        let hint = match error.has_next() {
            true => "find out what damaged it; --newest-whole takes the newest that is not broken",
            false => "look for copies elsewhere, and find out what damages archives",
        };
        return Some((Code::Partial, Some(hint)));
    }
    if error.is::<NotEmpty>() {
        return Some((Code::Refused, Some("name a new directory")));
    }
    if error.is::<NameError>() {
        return Some((Code::Usage, Some("`elpis-backup list` shows the names")));
    }
    if let Some(error) = error.downcast_ref::<FsError>() {
        return Some(file(error));
    }
    None
}

fn store(error: &StoreError) -> Option<Judgement> {
    match error {
        StoreError::Missing { .. } => {
            Some((Code::Usage, Some("`elpis-backup list` shows what is there")))
        }
        StoreError::Settings { .. } => Some((Code::Usage, Some("correct [store]"))),
        StoreError::Unknown { .. } => Some((Code::Refused, Some("`elpis-backup verify` it"))),
        StoreError::Changed { .. } => Some((
            Code::NeedsPerson,
            Some("find out what changed it; `elpis-backup verify` tells what is wrong with it"),
        )),
        StoreError::Remote { .. } => Some((
            Code::Unreachable,
            Some("what has arrived stays; `elpis-backup upload` goes on with it"),
        )),
        StoreError::Stopped { .. } => Some((
            Code::Interrupted,
            Some("what has arrived stays; `elpis-backup upload` goes on with it"),
        )),
        _ => None,
    }
}

fn dump(error: &DumpError) -> Judgement {
    match error {
        DumpError::Stopped => (Code::Interrupted, Some("nothing is left of it")),
        DumpError::Policy { .. } | DumpError::NoDatabase { .. } => (
            Code::Usage,
            Some("check the name of the database and what the account may see"),
        ),
        DumpError::Privileges { .. } => (
            Code::Refused,
            Some("grant them to the account that the option file names"),
        ),
        DumpError::Sink(_) => (Code::Stopped, Some("the target may be full")),
        DumpError::Server { .. } => (
            Code::Unreachable,
            Some("check the option file, and that the server is up"),
        ),
        _ if error.is_retryable() => (Code::Stopped, Some("try again later")),
        _ => (Code::Stopped, Some("nothing is left of it")),
    }
}

fn extract(error: &ExtractError) -> Option<Judgement> {
    match error {
        ExtractError::Exists { .. } => Some((Code::Refused, Some("name a new directory"))),
        ExtractError::Space { .. } => Some((Code::Refused, Some("name a larger disk"))),
        ExtractError::OutsideLink { .. } => Some((
            Code::Refused,
            Some("if it is meant to, use --outside-links"),
        )),
        ExtractError::NoMember { .. } => Some((
            Code::Usage,
            Some("`elpis-backup inspect --members` lists them"),
        )),
        ExtractError::Changed { .. } | ExtractError::Read(_) => Some((
            Code::Partial,
            Some("somebody writes to the archive: verify it again"),
        )),
        ExtractError::Stopped => Some((Code::Interrupted, None)),
        _ => None,
    }
}

fn file(error: &FsError) -> Judgement {
    use std::io::ErrorKind;
    match error.source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => (
            Code::Stopped,
            Some("make room in the target; nothing is left of this run"),
        ),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidInput => {
            (Code::Usage, Some("check the path"))
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            (Code::Usage, Some("check the path and its permissions"))
        }
        ErrorKind::AlreadyExists => (
            Code::Refused,
            Some("name another file, or move that one away"),
        ),
        _ => (
            Code::Unreachable,
            Some("the disk does not answer as it should"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use elpis_run::FsError;
    use std::io;

    fn full() -> FsError {
        FsError::new(
            "write",
            "/target/x".as_ref(),
            io::ErrorKind::StorageFull.into(),
        )
    }

    #[test]
    fn errors_have_their_codes_however_deep_they_lie() {
        let code = |error: anyhow::Error| verdict(&error).code;
        let stopped = || DumpError::Stopped;
        assert_eq!(
            code(BackupError::from(WriteError::from(full())).into()),
            Code::Stopped
        );
        assert_eq!(
            code(BackupError::from(StoreError::from(full())).into()),
            Code::Stopped
        );
        assert_eq!(code(BackupError::from(full()).into()), Code::Stopped);
        assert_eq!(
            code(PruneError::from(StoreError::from(full())).into()),
            Code::Stopped
        );
        assert_eq!(
            code(BackupError::Source(Box::new(stopped())).into()),
            Code::Interrupted
        );
        assert_eq!(
            code(InspectError::Source(Box::new(stopped())).into()),
            Code::Interrupted
        );
        assert_eq!(code(BackupError::Stopped.into()), Code::Interrupted);
        let refused = BackupError::Refused {
            refusals: vec!["no room".to_owned()],
        };
        assert_eq!(code(refused.into()), Code::Refused);
        let locked = || StoreError::Locked {
            place: "/target".to_owned(),
            holder: "somebody".to_owned(),
            who: None,
        };
        assert_eq!(code(locked().into()), Code::Locked);
        assert_eq!(code(BackupError::from(locked()).into()), Code::Locked);
        let broken = || VerifyError::Broken {
            path: "/x".into(),
            problems: Vec::new(),
        };
        assert_eq!(code(broken().into()), Code::Partial);
        assert_eq!(code(BackupError::from(broken()).into()), Code::NeedsPerson);
        assert_eq!(code(LeftAtOnce.into()), Code::Interrupted);
        assert_eq!(code(anyhow::anyhow!("anything else")), Code::Internal);
    }
}
