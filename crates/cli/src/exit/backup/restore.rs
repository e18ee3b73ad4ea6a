//! What can happen when an archive is put back.

use std::error::Error;

use elpis_backup::restore::{FilesError, RestoreError, TextError};
use elpis_backup::{CommandError, Hindrance, RehearseError};
use elpis_mysql::ServerError;
use elpis_run::LockError;

use super::Judgement;
use crate::backup::NoRestore;
use crate::exit::Code;

/// What is held by an error that passes on its text and cause.
pub(super) fn inside<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    if let Some(FilesError::Fs(held)) = error.downcast_ref() {
        return Some(held);
    }
    if let Some(FilesError::Journal(held)) = error.downcast_ref() {
        return Some(held);
    }
    if let Some(FilesError::Lock(held)) = error.downcast_ref() {
        return Some(held);
    }
    if let Some(LockError::Fs(held)) = error.downcast_ref() {
        return Some(held);
    }
    if let Some(RestoreError::Journal(held)) = error.downcast_ref() {
        return Some(held);
    }
    if let Some(TextError::Fs(held)) = error.downcast_ref() {
        return Some(held);
    }
    if let Some(RehearseError::Verify(held)) = error.downcast_ref() {
        return Some(held);
    }
    if let Some(RehearseError::Fs(held)) = error.downcast_ref() {
        return Some(held);
    }
    None
}

pub(super) fn known(error: &(dyn Error + 'static)) -> Option<Judgement> {
    if let Some(error) = error.downcast_ref::<FilesError>() {
        return files(error);
    }
    if let Some(error) = error.downcast_ref::<RestoreError>() {
        return database(error);
    }
    if let Some(error) = error.downcast_ref::<TextError>() {
        return text(error);
    }
    if let Some(error) = error.downcast_ref::<RehearseError>() {
        return rehearsal(error);
    }
    if error.is::<LockError>() {
        return Some((Code::Locked, Some("wait for it to end")));
    }
    if error.is::<NoRestore>() {
        return Some((Code::Usage, Some("without --run the newest is meant")));
    }
    if error.is::<CommandError>() {
        let hint = "correct [restore] in the configuration, or see to the service";
        return Some((Code::Stopped, Some(hint)));
    }
    None
}

fn rehearsal(error: &RehearseError) -> Option<Judgement> {
    match error {
        RehearseError::Server(ServerError::Missing { .. }) => Some((
            Code::Usage,
            Some(
                "install mariadb-server, name its program with --mariadbd, or use --side-database",
            ),
        )),
        RehearseError::Server(_) => Some((
            Code::Stopped,
            Some(
                "see to what its log says: memory, or room in --scratch and /tmp; then rehearse again",
            ),
        )),
        RehearseError::NotHeld { what, .. } => {
            let hint = match what {
                Hindrance::Room => "make room, or name another directory with --scratch",
                Hindrance::Unfit => {
                    "use --mariadbd with a server as new as the backup's and with its engines"
                }
                Hindrance::File => "see to the disk, then rehearse again",
                _ => "see whether the host has memory for it, then rehearse again",
            };
            Some((Code::Stopped, Some(hint)))
        }
        RehearseError::Left { .. } => {
            Some((Code::NeedsPerson, Some("drop them once the server answers")))
        }
        RehearseError::Stopped => Some((Code::Interrupted, Some("nothing is left of it"))),
        _ => None,
    }
}

fn files(error: &FilesError) -> Option<Judgement> {
    match error {
        FilesError::Refused { .. } => Some((
            Code::Refused,
            Some("--dry-run shows the plan; --accept takes a difference that has a name"),
        )),
        FilesError::Unfinished { .. } => Some((
            Code::Refused,
            Some("`elpis-backup resume` finishes it, `elpis-backup undo` takes it back"),
        )),
        FilesError::Undoing { .. } => Some((
            Code::Refused,
            Some("`elpis-backup undo` goes on with taking it back"),
        )),
        FilesError::Unfit { .. } => Some((Code::Refused, Some("use another archive"))),
        FilesError::Swap { back: true, .. } => {
            Some((Code::Stopped, Some("see to the reason, and restore again")))
        }
        FilesError::Swap { .. } => Some((
            Code::NeedsPerson,
            Some("see to the reason, then `elpis-backup resume` or `elpis-backup undo`"),
        )),
        FilesError::Replaced { .. } => Some((
            Code::NeedsPerson,
            Some("move it away, then `elpis-backup undo`; the trees lie beside it"),
        )),
        FilesError::NothingLeft { .. } => {
            Some((Code::Usage, Some("without --run the newest is meant")))
        }
        FilesError::Stopped => Some((Code::Interrupted, Some("nothing is left of it"))),
        _ => None,
    }
}

fn database(error: &RestoreError) -> Option<Judgement> {
    const EITHER: &str = "`elpis-backup resume` goes on with it, `elpis-backup undo` removes it";
    match error {
        RestoreError::Interrupted { source, .. } => Some(match &**source {
            RestoreError::Stopped => (Code::Interrupted, Some(EITHER)),
            RestoreError::NeedsPerson { .. } | RestoreError::NeedsText { .. } => database(source)?,
            _ => (Code::Stopped, Some(EITHER)),
        }),
        RestoreError::Refused { .. } => Some((
            Code::Refused,
            Some("--dry-run shows the plan; --accept takes a difference that has a name"),
        )),
        RestoreError::Server { .. } => Some((
            Code::Unreachable,
            Some("nothing was begun; see to the server, then say it again"),
        )),
        RestoreError::Locked { .. } => Some((Code::Locked, Some("wait for it to end"))),
        RestoreError::Unfinished { .. } => Some((Code::Refused, Some(EITHER))),
        RestoreError::HalfDone { .. } => Some((
            Code::Refused,
            Some(
                "resume or undo it with the state directory that it began with; drop what it loaded only if nothing of the live database is missing",
            ),
        )),
        RestoreError::Run { .. } => Some((Code::Usage, Some("without --run the newest is meant"))),
        RestoreError::NeedsText { .. } => Some((Code::Usage, Some("use --from FILE"))),
        RestoreError::Different { .. } | RestoreError::Compare(_) => Some((
            Code::Stopped,
            Some("`elpis-backup undo` removes what was loaded"),
        )),
        RestoreError::Services { .. } => Some((
            Code::Stopped,
            Some("see to the service, then `elpis-backup resume` or `elpis-backup undo`"),
        )),
        RestoreError::InUse { .. } => Some((
            Code::Stopped,
            Some("stop them, or name what stops them under [restore]; then `elpis-backup resume`"),
        )),
        RestoreError::NeedsPerson { .. } => Some((
            Code::NeedsPerson,
            Some("nothing was dropped: look before you act"),
        )),
        RestoreError::Stopped => Some((Code::Interrupted, Some(EITHER))),
        _ => None,
    }
}

fn text(error: &TextError) -> Option<Judgement> {
    match error {
        TextError::NoDump { .. } => Some((Code::Usage, Some("name one with --database"))),
        TextError::Stopped => Some((Code::Interrupted, Some("nothing was changed"))),
        TextError::Changed | TextError::Archive(_) => Some((
            Code::Partial,
            Some("somebody writes to the file: verify it again"),
        )),
        _ => Some((
            Code::Refused,
            Some("nothing was changed; use another archive or dump"),
        )),
    }
}
