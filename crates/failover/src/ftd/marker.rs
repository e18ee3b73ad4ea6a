//! A file on the unit that says that an order is about to be carried out: written before the
//! command, so that its absence proves that the command was never typed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::report::{GRACE, boot_id, device_time};
use super::session::{Mode, Session, SessionError};
use crate::driver::{Located, Order};

/// Where they lie. The directory survives a reboot; nothing else looks at it.
const DIRECTORY: &str = "/ngfw/var/tmp/elpis";

/// What a marker says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    attempt: u32,
    /// The boot in which it was written.
    pub boot: String,
    /// When, on the unit's clock, in seconds since the epoch.
    pub started: i64,
    /// What the act needs to be found again.
    pub act: Value,
}

impl Marker {
    /// A marker for now.
    pub(super) async fn new(
        session: &mut Session,
        order: &Order,
        act: Value,
    ) -> Result<Marker, SessionError> {
        Ok(Marker {
            attempt: order.attempt,
            boot: boot_id(session, Mode::Root).await?,
            started: device_time(session, Mode::Root).await?.unwrap_or(0),
            act,
        })
    }

    /// The marker of this attempt, if it is there. One of an earlier attempt, which certainly did
    /// nothing, does not count.
    pub(super) async fn find(
        session: &mut Session,
        order: &Order,
    ) -> Result<Option<Marker>, SessionError> {
        let command = format!("cat {}", path(order)?);
        let ran = session.shell(Mode::Root, &command).await?;
        let marker: Option<Marker> = serde_json::from_str(ran.output.trim()).ok();
        Ok(marker.filter(|marker| ran.status == 0 && marker.attempt == order.attempt))
    }

    /// Puts it on the unit's disk.
    pub(super) async fn write(
        &self,
        session: &mut Session,
        order: &Order,
    ) -> Result<(), SessionError> {
        let path = path(order)?;
        let text = serde_json::to_string(self).unwrap_or_default();
        let command = format!(
            "mkdir -p {DIRECTORY} && echo '{text}' > {path}.new && mv {path}.new {path} && sync"
        );
        let ran = session.shell(Mode::Root, &command).await?;
        match ran.status {
            0 => Ok(()),
            _ => Err(refused(&path, ran.output.trim())),
        }
    }

    /// Takes it away again when it is certain that nothing was begun. If that fails, a later look
    /// finds the marker and waits for its grace to pass.
    pub(super) async fn remove(session: &mut Session, order: &Order) {
        if let Ok(path) = path(order) {
            let _ = session.shell(Mode::Root, &format!("rm -f {path}")).await;
        }
    }

    /// What to say when nothing is seen of the act: too early to tell, or certainly not begun.
    pub(super) async fn nothing_seen(
        &self,
        session: &mut Session,
        look: &str,
    ) -> Result<Located, SessionError> {
        let now = device_time(session, Mode::Root).await?;
        let waited = now.map(|now| now.saturating_sub(self.started));
        Ok(match waited {
            Some(seconds) if seconds >= GRACE.as_secs() as i64 => Located::Absent,
            _ => Located::Unclear(format!("{look}; it may be too early to tell")),
        })
    }
}

/// The order's marker is letters, digits and `-` by contract; anything else is not typed.
fn path(order: &Order) -> Result<String, SessionError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    match !order.marker.is_empty() && order.marker.chars().all(plain) {
        true => Ok(format!("{DIRECTORY}/{}.json", order.marker)),
        false => Err(refused(&order.marker, "it cannot be a file name")),
    }
}

fn refused(path: &str, answer: &str) -> SessionError {
    SessionError::Refused {
        command: format!("writing {path}"),
        answer: answer.to_owned(),
    }
}
