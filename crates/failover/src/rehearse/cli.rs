//! What CLISH and the diagnostic CLI answer.

use super::fault::Fault;
use super::pair::{Deed, Pair};
use super::texts::{self, fill, message};
use crate::observe::Unit;

/// An answer of a command line.
pub(super) enum Answer {
    Text(String),
    /// The connection breaks.
    Cut,
}

impl Pair {
    /// A command of CLISH or of the diagnostic CLI, which have most in common.
    pub(super) fn command(&mut self, unit: Unit, line: &str, in_lina: bool) -> Answer {
        let words: Vec<&str> = line.split_whitespace().collect();
        let text = match words.as_slice() {
            [] => String::new(),
            ["sh" | "show", "version"] => self.show_version(unit),
            ["sh" | "show", "failover"] => self.show_failover(unit),
            ["sh" | "show", "failover", "state"] => return self.show_failover_state(unit),
            ["sh" | "show", "serial-number"] => format!("{}\n", self.unit(unit).serial),
            ["sh" | "show", "failover", "history"] => self.show_history(unit),
            ["terminal", "pager", _] | ["end"] if in_lina => String::new(),
            ["failover", "active"] if in_lina => return self.failover_active(unit),
            ["no", "failover", "active"] if in_lina => return self.failover_active(unit.other()),
            _ if in_lina => format!("{}\n", message("lina-error")),
            _ => format!("{}\n", message("clish-error")),
        };
        Answer::Text(text)
    }

    fn show_version(&self, unit: Unit) -> String {
        let model = self.unit(unit);
        let (number, build) = model
            .release
            .split_once('-')
            .unwrap_or((&model.release, "0"));
        fill(
            texts::VERSION,
            &[
                ("host", "firepower"),
                ("model", &model.model),
                ("number", number),
                ("build", build),
                ("uuid", &model.uuid),
                ("lsp", "lsp-rel-20240306-2015"),
                ("vdb", "353"),
                ("lina", &model.lina),
                ("fxos", &model.fxos),
            ],
        )
    }

    /// State and last failure in the columns of the device.
    fn show_failover_state(&mut self, unit: Unit) -> Answer {
        let model = self.unit(unit);
        let peer = self.unit(unit.other());
        let (peer_state, failure) = self.peer_of(unit);
        let (reason, time) = failure.unwrap_or((String::from("None"), String::new()));
        let standby = match model.state.as_str() {
            "Active" => "",
            _ => " - STANDBY",
        };
        let faulty = match model.interface.starts_with("Normal") {
            true => String::new(),
            false => format!(
                "                              inside: {}\n",
                model.interface.split(" (").next().unwrap_or_default()
            ),
        };
        let text = fill(
            texts::FAILOVER_STATE,
            &[
                ("own_part", model.part),
                ("own_state", &format!("{:<15}", padded(&model.state))),
                ("own_reason", "None"),
                ("own_time", ""),
                ("own_interfaces", &faulty),
                ("peer_part", peer.part),
                ("peer_state", &format!("{:<15}", padded(&peer_state))),
                ("peer_reason", &format!("{reason:<25}")),
                ("peer_time", &time),
                ("config", &format!("{}{standby}", model.sync)),
            ],
        );
        let cut = self.fault(|fault| match fault {
            Fault::CutAnswer(of, times) if *of == unit && *times > 0 => Some(*times),
            _ => None,
        });
        let Some(times) = cut else {
            return Answer::Text(text);
        };
        self.strike(&Fault::CutAnswer(unit, times));
        self.setup.faults.push(Fault::CutAnswer(unit, times - 1));
        let (head, _) = text.split_once("Other host").unwrap_or_default();
        Answer::Text(head.to_owned())
    }

    fn show_failover(&self, unit: Unit) -> String {
        let model = self.unit(unit);
        let peer = self.unit(unit.other());
        if !model.failover_on {
            return fill(texts::FAILOVER_OFF, &[("own_part", model.part)]);
        }
        let (peer_state, _) = self.peer_of(unit);
        let mate_lina = match peer.is_up() {
            true => peer.lina.as_str(),
            false => "Unknown",
        };
        let interfaces = format!(
            "\t\t  Interface outside (192.168.10.2): Normal (Monitored)\n\t\t  Interface inside (10.0.0.2): {}\n",
            model.interface
        );
        let last = model
            .history
            .last()
            .map_or("02:10:04 UTC Jul 11 2024", |[time, ..]| time);
        let text = fill(
            texts::FAILOVER,
            &[
                ("own_part", model.part),
                ("own_state", &model.state),
                ("own_lina", &model.lina),
                ("own_serial", &model.serial),
                ("peer_part", peer.part),
                ("peer_state", &peer_state),
                ("peer_lina", mate_lina),
                ("peer_serial", &model.mate),
                ("interfaces", &interfaces),
                ("last_failover", last),
            ],
        );
        text + &self.mate_message(unit, mate_lina)
    }

    /// The message about different versions that the guide tells to expect, or the bad one.
    fn mate_message(&self, unit: Unit, mate_lina: &str) -> String {
        let own = &self.unit(unit).lina;
        if own == mate_lina || mate_lina == "Unknown" {
            return String::new();
        }
        let bad = Unit::BOTH
            .into_iter()
            .any(|of| self.has(&Fault::Incompatible(of)));
        let words = message(if bad {
            "not-compatible"
        } else {
            "not-identical"
        });
        words
            .replace("{own_lina}", own)
            .replace("{peer_lina}", mate_lina)
            + "\n"
    }

    fn show_history(&self, unit: Unit) -> String {
        let entries: String = self
            .unit(unit)
            .history
            .iter()
            .map(|[time, from, to, reason]| format!("{time}\n{from:<27}{to:<27}{reason}\n\n"))
            .collect();
        fill(texts::HISTORY, &[("entries", &entries)])
    }

    /// Somebody wants `unit` to be the active one.
    fn failover_active(&mut self, unit: Unit) -> Answer {
        if self.strike(&Fault::SwitchRefused(unit)) {
            return Answer::Text(format!("{}\n", message("lina-error")));
        }
        if self.unit(unit).state == "Active" {
            return Answer::Text(String::new());
        }
        self.deeds.push(Deed::Switchover(unit));
        let lost = [true, false]
            .into_iter()
            .find(|came| self.strike(&Fault::CutAtSwitch(unit, *came)));
        if lost != Some(false) && !self.has(&Fault::SwitchIgnored(unit)) {
            self.later(1, move |pair| pair.take_over(unit));
        }
        if lost.is_some() {
            for of in Unit::BOTH {
                self.unit(of).cut();
            }
            return Answer::Cut;
        }
        Answer::Text(format!("\n\t{}\n", message("switching")))
    }
}

/// The column is wider for a long state: there are always two blanks.
fn padded(state: &str) -> String {
    format!("{state}  ")
}
