//! The beginning of a dialogue: the login, the banner, and whether it is the right place.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use elpis_run::Secret;

use super::prompt::Prompt;
use super::session::{Mode, Pace, Session, SessionError};
use super::text::last_line;
use super::transcript::Transcript;
use crate::ssh::{Host, Login, Transport};

impl Session {
    /// Logs in and waits for CLISH. `password` is for `sudo`, which has accepted it before if it
    /// `is_proven`.
    pub(crate) async fn open(
        transport: &dyn Transport,
        host: &Host,
        login: &Login,
        (password, is_proven): (Option<Secret<String>>, Arc<AtomicBool>),
        pace: Pace,
        transcript: Transcript,
    ) -> Result<Session, SessionError> {
        let terminal = transport.open(host, login).await?;
        let mut session = Session {
            terminal,
            seen: Vec::new(),
            mode: Mode::Clish,
            is_moving: false,
            clish_prompt: Prompt::Clish,
            lina_host: String::new(),
            password,
            is_proven,
            pace,
            patience: 1,
            transcript,
        };
        session.greet().await?;
        Ok(session)
    }

    /// The banner and the first prompt. A chassis has a prompt of its own, and so does a module:
    /// only a unit that says what it is may have its name before the `>`.
    async fn greet(&mut self) -> Result<(), SessionError> {
        let prompt = match self.expect("the login", |_| true).await {
            Err(SessionError::Deadline { .. }) if self.is_expired() => {
                return Err(SessionError::PasswordExpired);
            }
            other => other?,
        };
        let is_unit = self.rendered().contains("Threat Defense");
        match prompt {
            _ if self.is_expired() => Err(SessionError::PasswordExpired),
            Prompt::Clish => Ok(()),
            Prompt::Named(name) if is_unit && !name.contains("module") => {
                self.clish_prompt = Prompt::Named(name);
                Ok(())
            }
            _ => Err(SessionError::Prompt {
                after: String::from("the login"),
                shown: last_line(&self.rendered()).to_owned(),
            }),
        }
    }

    fn is_expired(&self) -> bool {
        let text = self.rendered().to_lowercase();
        [
            "must change your password",
            "password has expired",
            "new password:",
        ]
        .iter()
        .any(|words| text.contains(words))
    }
}
