//! From one command line of a unit to another, and the one place where a password is typed.

use std::sync::atomic::Ordering;

use super::prompt::Prompt;
use super::session::{Mode, Session, SessionError};
use super::text::last_line;

impl Session {
    /// Goes where the cursor has to be, step by step.
    pub(crate) async fn enter(&mut self, goal: Mode) -> Result<(), SessionError> {
        while self.mode != goal {
            self.is_moving = true;
            match (self.mode, goal) {
                (Mode::Clish, Mode::Lina) => self.attach().await?,
                (Mode::Clish, _) => self.open_expert().await?,
                (Mode::Expert, Mode::Root) => self.become_root().await?,
                (Mode::Expert, _) => self.leave(Mode::Clish).await?,
                (Mode::Root, _) => self.leave(Mode::Expert).await?,
                (Mode::Lina, _) => self.detach().await?,
            }
            self.is_moving = false;
        }
        Ok(())
    }

    async fn open_expert(&mut self) -> Result<(), SessionError> {
        self.type_line("expert").await?;
        let prompt = self.expect("expert", |_| true).await?;
        match prompt {
            Prompt::Expert => {
                self.mode = Mode::Expert;
                Ok(())
            }
            prompt if self.is_clish(&prompt) => Err(SessionError::NoExpert {
                answer: self.answer_before_prompt("expert"),
            }),
            _ => Err(self.unexpected("expert")),
        }
    }

    /// `sudo su`. The password is typed once, at a question for a password, and never again: a
    /// second question means that the first answer was wrong or went somewhere else.
    async fn become_root(&mut self) -> Result<(), SessionError> {
        const COMMAND: &str = "sudo su";
        self.type_line(COMMAND).await?;
        let mut prompt = self.expect(COMMAND, |_| true).await?;
        if let Prompt::Password(_) = prompt {
            // Taken out: there is nothing left to type a second time.
            let Some(password) = self.password.take() else {
                return Err(self.refused(COMMAND));
            };
            self.type_line(password.expose()).await?;
            prompt = match self.expect(COMMAND, |_| true).await {
                Err(lost) => return Err(self.unanswered(COMMAND, lost)),
                Ok(prompt) => prompt,
            };
            if prompt == Prompt::Root {
                // It was right: `sudo` may ask again when its memory of it has run out.
                self.password = Some(password);
                self.is_proven.store(true, Ordering::SeqCst);
            }
        }
        match prompt {
            Prompt::Root => {
                self.mode = Mode::Root;
                Ok(())
            }
            Prompt::Password(_) | Prompt::Expert => Err(self.refused(COMMAND)),
            _ => Err(self.unexpected(COMMAND)),
        }
    }

    /// What it means that the dialogue ended when `sudo` had the password: a lost connection if
    /// the unit has accepted it before. Otherwise it may be the way in which the unit refuses one,
    /// or the line broke behind the refusal: it is not typed again.
    fn unanswered(&self, command: &str, lost: SessionError) -> SessionError {
        let ended = matches!(
            lost,
            SessionError::Dropped(_) | SessionError::Deadline { .. }
        );
        if !ended || self.is_proven.load(Ordering::SeqCst) {
            return lost;
        }
        SessionError::Unanswered {
            command: command.to_owned(),
            reason: lost.to_string(),
        }
    }

    async fn leave(&mut self, to: Mode) -> Result<(), SessionError> {
        self.type_line("exit").await?;
        let prompt = self.expect("exit", |_| true).await?;
        let arrived = match to {
            Mode::Expert => prompt == Prompt::Expert,
            _ => self.is_clish(&prompt),
        };
        if !arrived {
            return Err(self.unexpected("exit"));
        }
        self.mode = to;
        Ok(())
    }

    /// The diagnostic CLI is one for all: it may be at any prompt that somebody left it at.
    async fn attach(&mut self) -> Result<(), SessionError> {
        const COMMAND: &str = "system support diagnostic-cli";
        self.type_line(COMMAND).await?;
        let mut prompt = self.expect(COMMAND, |_| true).await?;
        if let Prompt::Config(_) = prompt {
            self.type_line("end").await?;
            prompt = self.expect("end", |_| true).await?;
        }
        if let Prompt::Named(_) = prompt {
            self.type_line("enable").await?;
            prompt = self.expect("enable", |_| true).await?;
            if let Prompt::Password(_) = prompt {
                // The diagnostic CLI has no password: an empty line is the answer.
                self.type_line("").await?;
                prompt = self.expect("enable", |_| true).await?;
            }
        }
        let Prompt::Enabled(name) = prompt else {
            return Err(match prompt {
                Prompt::Clish => self.refused(COMMAND),
                _ => self.unexpected(COMMAND),
            });
        };
        self.lina_host = name.split('/').next().unwrap_or_default().to_owned();
        self.mode = Mode::Lina;
        self.lina_without_pager().await
    }

    async fn lina_without_pager(&mut self) -> Result<(), SessionError> {
        const COMMAND: &str = "terminal pager 0";
        self.type_line(COMMAND).await?;
        self.expect(COMMAND, |prompt| matches!(prompt, Prompt::Enabled(_)))
            .await
            .map(drop)
    }

    /// Control-A and `d`, as the device says when one attaches.
    async fn detach(&mut self) -> Result<(), SessionError> {
        self.forget();
        self.type_keys(b"\x01d").await?;
        let prompt = self.expect("detach", |_| true).await?;
        if !self.is_clish(&prompt) {
            return Err(self.unexpected("detach"));
        }
        self.mode = Mode::Clish;
        Ok(())
    }

    fn refused(&self, command: &str) -> SessionError {
        SessionError::Refused {
            command: command.to_owned(),
            answer: self.answer_before_prompt(command),
        }
    }

    /// What was said between the command and the prompt, on one line.
    fn answer_before_prompt(&self, command: &str) -> String {
        let text = self.rendered();
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.ends_with(command))
            .collect();
        let said = lines.split_last().map_or(&[][..], |(_, said)| said);
        said.join(" ")
    }

    fn unexpected(&self, command: &str) -> SessionError {
        SessionError::Prompt {
            after: command.to_owned(),
            shown: last_line(&self.rendered()).to_owned(),
        }
    }
}
