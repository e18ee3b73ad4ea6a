//! The question of `sudo`, and what becomes of its answer.

use super::{Fate, Mode, Terminal};
use crate::rehearse::fault::Fault;
use crate::rehearse::pair::{Deed, Pair};
use crate::rehearse::texts::{self, body, message};

impl Terminal {
    pub(super) fn ask_sudo(&mut self, pair: &mut Pair) {
        let question = self.sudo_question(pair);
        let is_asked_anew = pair.has(&Fault::CutAtSudo(self.unit));
        let model = pair.unit_mut(self.unit);
        if model.has_ticket && !is_asked_anew {
            self.mode = Mode::Root;
            return self.prompt();
        }
        if !std::mem::replace(&mut model.lectured, true) {
            self.print(&body(texts::LECTURE));
        }
        self.mode = Mode::Sudo(0);
        self.print(&question);
    }

    fn sudo_question(&self, pair: &Pair) -> String {
        let own_words = pair.fault(|fault| match fault {
            Fault::SudoQuestion(unit, words) if *unit == self.unit => Some(words.clone()),
            _ => None,
        });
        own_words.unwrap_or_else(|| message("sudo-question").to_owned())
    }

    pub(super) fn answer_sudo(&mut self, pair: &mut Pair, line: &str, tries: u8) -> Fate {
        if pair.strike(&Fault::CutAtSudo(self.unit)) {
            pair.unit(self.unit).cut();
            return Fate::Closed;
        }
        let other = pair.fault(|fault| match fault {
            Fault::SudoPassword(unit, password) if *unit == self.unit => Some(password.clone()),
            _ => None,
        });
        let right = other.unwrap_or_else(|| pair.setup.password.expose().clone());
        if line == right {
            pair.unit_mut(self.unit).has_ticket = true;
            self.mode = Mode::Root;
            self.prompt();
            return Fate::Open;
        }
        pair.deeds.push(Deed::WrongPassword(self.unit));
        if pair.has(&Fault::SudoHangsUp(self.unit)) {
            pair.unit(self.unit).cut();
            return Fate::Closed;
        }
        if tries < 2 {
            let question = self.sudo_question(pair);
            self.print(&format!("{}\n{question}", message("sudo-wrong")));
            self.mode = Mode::Sudo(tries + 1);
        } else {
            self.print(&format!("{}\n", message("sudo-end")));
            self.mode = Mode::Expert;
            self.prompt();
        }
        Fate::Open
    }
}
