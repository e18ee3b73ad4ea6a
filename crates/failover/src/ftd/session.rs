//! A dialogue with one unit: what is typed, and what counts as its answer.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use elpis_run::Secret;
use tokio::time::{Instant, timeout, timeout_at};

use super::prompt::{Prompt, answer_to};
use super::text::{last_line, render};
use super::transcript::Transcript;
use crate::ssh::{ConnectError, Dropped, Terminal};

/// How long the parts of a dialogue may take.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    /// From the end of a command to its closing prompt.
    pub command: Duration,
    /// How long the output has to rest before a prompt is believed.
    pub quiet: Duration,
}

/// Where the cursor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Clish,
    Expert,
    Root,
    Lina,
}

/// Why a dialogue did not lead anywhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Dropped(#[from] Dropped),
    #[error("no answer to {command:?} within {after:?}; the last line is {last:?}")]
    Deadline {
        command: String,
        after: Duration,
        last: String,
    },
    #[error("after {after:?} there is an unexpected prompt: {shown:?}")]
    Prompt { after: String, shown: String },
    #[error("the account's password has expired; log in by hand and change it")]
    PasswordExpired,
    #[error("{command:?} was refused: {answer}")]
    Refused { command: String, answer: String },
    #[error(
        "the dialogue ended when {command:?} had the password, which this unit has not accepted \
         before: {reason}; check the password before the next attempt"
    )]
    Unanswered { command: String, reason: String },
    #[error("`expert` leads nowhere: {answer}")]
    NoExpert { answer: String },
    #[error("the answer to {command:?} is not complete")]
    Incomplete { command: String },
}

/// What a shell command left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ran {
    pub output: String,
    pub status: i32,
}

/// An open dialogue. After an error it is only used again if [`Session::resync`] succeeds.
pub(crate) struct Session {
    pub(super) terminal: Box<dyn Terminal>,
    /// What was shown since the last command.
    pub(super) seen: Vec<u8>,
    pub(super) mode: Mode,
    /// Between two modes: what stands there may be a question.
    pub(super) is_moving: bool,
    /// CLISH's prompt as it was at the login.
    pub(super) clish_prompt: Prompt,
    /// The host's name in the prompt of the diagnostic CLI: text that ends in some other `#` is
    /// no prompt.
    pub(super) lina_host: String,
    pub(super) password: Option<Secret<String>>,
    /// Whether `sudo` has accepted it since the driver was made.
    pub(super) is_proven: Arc<AtomicBool>,
    pub(super) pace: Pace,
    /// A multiple of the pace's patience.
    pub(super) patience: u32,
    pub(super) transcript: Transcript,
}

/// More than any answer that we ask for; a device that floods us is cut off here.
const MOST_OUTPUT: usize = 8 << 20;

impl Session {
    /// Multiplies the patience with commands, for one that takes long.
    pub(crate) fn slow_down(&mut self, factor: u32) {
        self.patience = factor;
    }

    /// Asks CLISH; the answer is complete or an error.
    pub(crate) async fn clish(&mut self, command: &str) -> Result<String, SessionError> {
        self.enter(Mode::Clish).await?;
        let own = self.clish_prompt.clone();
        self.ask(command, |prompt| *prompt == own).await
    }

    /// Asks the diagnostic CLI; the answer is complete or an error.
    pub(crate) async fn lina(&mut self, command: &str) -> Result<String, SessionError> {
        self.enter(Mode::Lina).await?;
        let host = self.lina_host.clone();
        self.ask(command, |prompt| prompt.is_enabled_on(&host))
            .await
    }

    /// Runs a command in the shell of `mode`. A sentinel that no output can contain marks its
    /// end, so nothing in the output is mistaken for a prompt.
    pub(crate) async fn shell(&mut self, mode: Mode, command: &str) -> Result<Ran, SessionError> {
        self.enter(mode).await?;
        let nonce = nonce();
        // The echo shows the quotes, the output does not.
        let typed = format!("{command}; echo \"__elpis\"_{nonce}_$?__");
        let sentinel = format!("__elpis_{nonce}_");
        self.type_line(&typed).await?;
        let until = Instant::now() + self.pace.command * self.patience;
        loop {
            let text = self.rendered();
            if let Some(ran) = between(&text, &typed, &sentinel) {
                // The prompt that follows belongs to this command, not to the next. Behind the
                // sentinel nothing else can look like one, so it need not rest.
                if matches!(Prompt::on(&text), Some(Prompt::Expert | Prompt::Root)) {
                    return Ok(ran);
                }
            }
            self.receive_until(until, command).await?;
        }
    }

    /// Types `command` at the root prompt and reads until `enough` of the output or its prompt is
    /// there, or until the deadline, which is no error: an installer goes on printing.
    pub(crate) async fn launch(
        &mut self,
        command: &str,
        enough: impl Fn(&str) -> bool,
        patience: Duration,
    ) -> Result<Launched, SessionError> {
        self.enter(Mode::Root).await?;
        self.type_line(command).await?;
        let until = Instant::now() + patience;
        loop {
            let text = self.rendered();
            if let Some(output) = answer_to(command, &text) {
                let output = output.to_owned();
                return Ok(Launched {
                    output,
                    prompt_is_back: true,
                });
            }
            let (_, output) = text.split_once(command).unwrap_or_default();
            if enough(output) || Instant::now() >= until {
                let output = output.to_owned();
                return Ok(Launched {
                    output,
                    prompt_is_back: false,
                });
            }
            match self.receive_until(until, command).await {
                Ok(()) | Err(SessionError::Deadline { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads and forgets until the connection ends: a detached installer keeps printing on the
    /// terminal it was started from, and the terminal must not fill up.
    pub(crate) async fn drain(mut self) {
        while let Ok(bytes) = self.terminal.receive().await {
            self.transcript.shown(&bytes);
        }
    }

    /// Finds the prompt again after a command that was given up: its late output must not be
    /// taken for the next answer.
    /// On the way from one mode to another nothing is typed: it could be taken for a password.
    pub(crate) async fn resync(&mut self) -> bool {
        if self.is_moving {
            return false;
        }
        let mode = self.mode;
        let found = match mode {
            Mode::Expert | Mode::Root => self.shell(mode, "true").await.map(drop),
            Mode::Clish | Mode::Lina => {
                // The first line feed may answer what is still running; the second is ours.
                let twice = async {
                    self.ask("", |_| true).await?;
                    self.ask("", |_| true).await
                };
                twice.await.map(drop)
            }
        };
        found.is_ok()
    }

    /// Whether `prompt` is CLISH's.
    pub(super) fn is_clish(&self, prompt: &Prompt) -> bool {
        *prompt == self.clish_prompt
    }

    async fn ask(
        &mut self,
        command: &str,
        wanted: impl Fn(&Prompt) -> bool,
    ) -> Result<String, SessionError> {
        self.type_line(command).await?;
        self.expect(command, wanted).await?;
        answer_to(command, &self.rendered())
            .map(str::to_owned)
            .ok_or_else(|| SessionError::Incomplete {
                command: command.to_owned(),
            })
    }

    /// Forgets what was shown, and types a line.
    pub(super) async fn type_line(&mut self, line: &str) -> Result<(), SessionError> {
        self.forget();
        self.type_keys(format!("{line}\n").as_bytes()).await
    }

    /// What was shown so far does not belong to what comes.
    pub(super) fn forget(&mut self) {
        self.seen.clear();
    }

    /// Types without echo in the transcript: what the device echoes is there anyway.
    pub(super) async fn type_keys(&mut self, keys: &[u8]) -> Result<(), SessionError> {
        Ok(self.terminal.send(keys).await?)
    }

    /// Waits until the output ends in a prompt that is `wanted` and rests there. Pagers are
    /// turned; another prompt that rests is an error.
    pub(super) async fn expect(
        &mut self,
        after: &str,
        wanted: impl Fn(&Prompt) -> bool,
    ) -> Result<Prompt, SessionError> {
        let until = Instant::now() + self.pace.command * self.patience;
        let mut nudged = false;
        loop {
            let text = self.rendered();
            let prompt = Prompt::on(&text);
            if prompt == Some(Prompt::Pager) {
                self.type_keys(b" ").await?;
                self.receive_until(until, after).await?;
                continue;
            }
            let rest = match &prompt {
                Some(prompt) if wanted(prompt) => self.pace.quiet,
                Some(_) => self.pace.quiet * 5,
                None => self.pace.quiet * 10,
            };
            if self.receive_within(rest.min(self.pace.command)).await? {
                continue;
            }
            match prompt {
                Some(prompt) if wanted(&prompt) => return Ok(prompt),
                Some(_) => {
                    return Err(SessionError::Prompt {
                        after: after.to_owned(),
                        shown: last_line(&text).to_owned(),
                    });
                }
                // A console message behind the prompt hides it; an empty line brings it back.
                None if !nudged && is_hidden_by_message(&text) => {
                    nudged = true;
                    self.type_keys(b"\n").await?;
                }
                None => self.receive_until(until, after).await?,
            }
        }
    }

    pub(super) fn rendered(&self) -> String {
        render(&self.seen)
    }

    /// Waits for more output; `false` if none came in time.
    async fn receive_within(&mut self, patience: Duration) -> Result<bool, SessionError> {
        match timeout(patience, self.terminal.receive()).await {
            Ok(bytes) => self.take(&bytes?).map(|()| true),
            Err(_) => Ok(false),
        }
    }

    async fn receive_until(&mut self, until: Instant, command: &str) -> Result<(), SessionError> {
        match timeout_at(until, self.terminal.receive()).await {
            Ok(bytes) => self.take(&bytes?),
            Err(_) => Err(SessionError::Deadline {
                command: command.to_owned(),
                after: self.pace.command,
                last: last_line(&self.rendered()).to_owned(),
            }),
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        self.transcript.shown(bytes);
        self.seen.extend_from_slice(bytes);
        match self.seen.len() {
            0..=MOST_OUTPUT => Ok(()),
            _ => Err(Dropped(format!("more than {MOST_OUTPUT} bytes of output")).into()),
        }
    }
}

/// What came of a command that goes on by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Launched {
    pub output: String,
    pub prompt_is_back: bool,
}

/// Output and exit status between the echo of `typed` and the `sentinel`.
fn between(text: &str, typed: &str, sentinel: &str) -> Option<Ran> {
    let (_, output) = text.split_once(typed)?;
    let (output, rest) = output.strip_prefix('\n')?.split_once(sentinel)?;
    let (status, _) = rest.split_once("__")?;
    Some(Ran {
        output: output.to_owned(),
        status: status.parse().ok()?,
    })
}

/// `%FTD-1-104001: (Primary) Switching to ACTIVE` is the last thing on the screen, on a line that
/// began with a prompt or of its own.
fn is_hidden_by_message(text: &str) -> bool {
    text.trim_end()
        .lines()
        .next_back()
        .is_some_and(|line| line.contains("%FTD-") || line.contains("%ASA-"))
}

/// A word that no output contains by accident.
fn nonce() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_output_between_echo_and_sentinel_is_the_commands() {
        let typed = "cat x; echo \"__elpis\"_77_$?__";
        let text = format!("root@fw:~# {typed}\na # b\n> __elpis_77_3__\nroot@fw:~# ");
        let ran = between(&text, typed, "__elpis_77_").unwrap();
        assert_eq!((ran.output.as_str(), ran.status), ("a # b\n> ", 3));
        let status_end = text.find("3__").unwrap() + 3;
        for end in 0..status_end {
            assert_eq!(
                between(text.get(..end).unwrap(), typed, "__elpis_77_"),
                None
            );
        }
    }

    #[test]
    fn nonces_differ() {
        assert_ne!(nonce(), nonce());
    }

    #[test]
    fn a_console_message_hides_the_prompt() {
        assert!(is_hidden_by_message(
            "firepower# %FTD-1-104001: (Primary) Switching\n"
        ));
        assert!(!is_hidden_by_message("firepower# show\n"));
    }
}
