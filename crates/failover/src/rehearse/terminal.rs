//! One login on a simulated unit: prompts, modes, echo and pager.

mod sudo;

use super::cli::Answer;
use super::fault::Fault;
use super::pair::{Deed, Pair};
use super::shell::{self, Ran};
use super::texts::{self, body, fill, message};
use crate::observe::Unit;

/// What waits for input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Clish,
    Expert,
    Root,
    /// A question for the password, asked so many times before.
    Sudo(u8),
    LinaUser,
    LinaPassword,
    Lina,
    /// A dead end: a chassis, or an expired password.
    Elsewhere,
    /// An installer has the terminal.
    Occupied,
}

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Open,
    Closed,
}

pub(super) struct Terminal {
    unit: Unit,
    mode: Mode,
    line: String,
    output: Vec<u8>,
    /// Lines that wait behind the pager.
    waiting: Vec<String>,
    /// Control-A was typed: the next key is a command.
    prefix: bool,
    lina_pager: bool,
    noise_left: u8,
    name: String,
    clish_name: String,
    lina_name: String,
    /// Commands carried out so far.
    pub commands: u32,
}

const PAGE: usize = 12;
const CLISH_PAGER: &str = "--More--";
const LINA_PAGER: &str = "<--- More --->";

impl Terminal {
    /// A login: what it shows first, and whether it stays open.
    pub(super) fn new(pair: &Pair, unit: Unit) -> (Terminal, Fate) {
        let mut terminal = Terminal {
            unit,
            mode: Mode::Clish,
            line: String::new(),
            output: Vec::new(),
            waiting: Vec::new(),
            prefix: false,
            lina_pager: true,
            noise_left: 1,
            name: String::from("firepower"),
            clish_name: String::new(),
            lina_name: String::from("firepower"),
            commands: 0,
        };
        terminal.rename(pair);
        let fate = terminal.greet(pair);
        (terminal, fate)
    }

    /// What there is to send.
    pub(super) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// A line of the console reaches everybody; a broadcast or an installer's noise.
    pub(super) fn console(&mut self, text: &str) {
        let is_wall = text.contains("going down");
        if self.mode == Mode::Occupied || is_wall {
            self.print(text);
        }
    }

    fn greet(&mut self, pair: &Pair) -> Fate {
        let model = pair.unit(self.unit);
        if pair.has(&Fault::PasswordExpired(self.unit)) {
            self.mode = Mode::Elsewhere;
            self.print(&format!(
                "{}\n{}",
                message("must-change"),
                message("must-change-question")
            ));
            return Fate::Open;
        }
        if pair.has(&Fault::LandsInChassis(self.unit)) {
            self.mode = Mode::Elsewhere;
            self.print("Cisco Firepower Extensible Operating System (FX-OS) Software\nTAC support: http://www.cisco.com/tac\n\nFPR4145-A# ");
            return Fate::Open;
        }
        if pair.now.as_secs() < model.clish_ready {
            self.print(&format!("{}\n", message("booting")));
            return Fate::Closed;
        }
        let (number, build) = model
            .release
            .split_once('-')
            .unwrap_or((&model.release, "0"));
        self.print(&body(texts::LAST_LOGIN));
        self.print(&fill(
            texts::BANNER,
            &[
                ("model", &model.model),
                ("number", number),
                ("build", build),
            ],
        ));
        self.prompt();
        Fate::Open
    }

    /// Keys that were typed.
    pub(super) fn feed(&mut self, pair: &mut Pair, keys: &[u8]) -> Fate {
        for key in keys {
            let fate = self.key(pair, *key);
            if fate == Fate::Closed {
                return fate;
            }
        }
        Fate::Open
    }

    fn key(&mut self, pair: &mut Pair, key: u8) -> Fate {
        match key {
            3 => pair.deeds.push(Deed::Interrupt(self.unit)),
            1 => self.prefix = true,
            b'd' if self.prefix => self.detach(),
            _ if !self.waiting.is_empty() => self.turn_page(key),
            _ if matches!(self.mode, Mode::Occupied) => {}
            b'\r' | b'\n' => {
                self.output.extend(b"\r\n");
                let line = std::mem::take(&mut self.line);
                return self.enter(pair, &line);
            }
            _ => {
                let hidden = matches!(
                    self.mode,
                    Mode::Sudo(_) | Mode::LinaPassword | Mode::Elsewhere
                );
                if !hidden || pair.has(&Fault::EchoesPassword(self.unit)) {
                    self.output.push(key);
                }
                self.line.push(char::from(key));
            }
        }
        Fate::Open
    }

    fn enter(&mut self, pair: &mut Pair, line: &str) -> Fate {
        self.commands += 1;
        self.rename(pair);
        match self.mode {
            Mode::Clish => return self.clish(pair, line.trim()),
            Mode::Expert | Mode::Root => return self.shell(pair, line.trim()),
            Mode::Sudo(tries) => return self.answer_sudo(pair, line, tries),
            Mode::LinaUser if line.trim() == "enable" => {
                self.mode = Mode::LinaPassword;
                self.print(message("sudo-question"));
            }
            Mode::LinaPassword => {
                if !line.is_empty() {
                    pair.deeds.push(Deed::WrongPassword(self.unit));
                }
                self.mode = if line.is_empty() {
                    Mode::Lina
                } else {
                    Mode::LinaUser
                };
                self.prompt();
            }
            Mode::Lina => return self.lina(pair, line.trim()),
            Mode::Elsewhere if !line.trim().is_empty() => {
                pair.deeds.push(Deed::WrongPassword(self.unit));
                self.prompt();
            }
            Mode::LinaUser | Mode::Elsewhere | Mode::Occupied => self.prompt(),
        }
        Fate::Open
    }

    fn clish(&mut self, pair: &mut Pair, line: &str) -> Fate {
        match line {
            "exit" => return Fate::Closed,
            "expert" if pair.has(&Fault::ExpertRefused(self.unit)) => {
                self.print(&format!("{}\n", message("expert-refused")));
            }
            "expert" => {
                if pair.has(&Fault::ExpertNotice(self.unit)) {
                    self.print(&body(texts::EXPERT_NOTICE));
                }
                self.mode = Mode::Expert;
            }
            "system support diagnostic-cli" => {
                self.print(&body(texts::DIAGNOSTIC_CLI));
                self.mode = Mode::LinaUser;
            }
            _ => return self.show(pair, line, false),
        }
        self.prompt();
        Fate::Open
    }

    fn lina(&mut self, pair: &mut Pair, line: &str) -> Fate {
        match line {
            "exit" | "quit" => {
                self.print(&format!("\n{}\n\n", message("logoff")));
                self.mode = Mode::LinaUser;
                self.prompt();
                Fate::Open
            }
            _ => {
                if line == "terminal pager 0" {
                    self.lina_pager = false;
                }
                self.show(pair, line, true)
            }
        }
    }

    /// An answer of a command line, by pages if somebody wants that.
    fn show(&mut self, pair: &mut Pair, line: &str, in_lina: bool) -> Fate {
        let text = match pair.command(self.unit, line, in_lina) {
            Answer::Text(text) => text,
            Answer::Cut => return Fate::Closed,
        };
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        let is_noisy = pair.has(&Fault::ConsoleNoise(self.unit));
        if is_noisy && lines.len() > 4 {
            lines.insert(4, format!("{}\n", message("syslog-active")));
        }
        if pair.has(&Fault::Pager(self.unit)) && (self.lina_pager || !in_lina) {
            self.waiting = lines;
            self.next_page();
            return Fate::Open;
        }
        self.print(&lines.concat());
        self.prompt();
        if is_noisy && self.noise_left > 0 && !lines.is_empty() {
            self.noise_left -= 1;
            self.print(&format!("{}\n", message("syslog-active")));
        }
        Fate::Open
    }

    fn shell(&mut self, pair: &mut Pair, line: &str) -> Fate {
        match shell::run(pair, self.unit, line) {
            Ran::Output(output) => {
                self.print(&String::from_utf8_lossy(&output));
                self.prompt();
            }
            Ran::Occupied(text) => {
                self.print(&text);
                self.mode = Mode::Occupied;
            }
            Ran::Cut => return Fate::Closed,
            Ran::Exit => {
                self.mode = match self.mode {
                    Mode::Root => Mode::Expert,
                    _ => Mode::Clish,
                };
                self.prompt();
            }
            Ran::Sudo => self.ask_sudo(pair),
        }
        Fate::Open
    }

    fn detach(&mut self) {
        self.prefix = false;
        if matches!(self.mode, Mode::Lina | Mode::LinaUser) {
            self.mode = Mode::Clish;
            self.print("\n");
            self.prompt();
        }
    }

    fn turn_page(&mut self, key: u8) {
        let blanks = " ".repeat(LINA_PAGER.len());
        self.output.extend(format!("\r{blanks}\r").bytes());
        if key == b'q' {
            self.waiting.clear();
            return self.prompt();
        }
        self.next_page();
    }

    fn next_page(&mut self) {
        let end = self.waiting.len().min(PAGE);
        let page: String = self.waiting.drain(..end).collect();
        self.print(&page);
        if self.waiting.is_empty() {
            return self.prompt();
        }
        let pager = if self.mode == Mode::Lina {
            LINA_PAGER
        } else {
            CLISH_PAGER
        };
        self.output.extend(pager.bytes());
    }

    fn prompt(&mut self) {
        let prompt = match self.mode {
            Mode::Clish => format!("{}> ", self.clish_name),
            Mode::Expert => format!("admin@{}:~$ ", self.name),
            Mode::Root => format!("root@{}:/home/admin# ", self.name),
            Mode::LinaUser => format!("{}> ", self.lina_name),
            Mode::Lina => format!("{}# ", self.lina_name),
            Mode::Elsewhere => "FPR4145-A# ".to_owned(),
            Mode::Sudo(_) | Mode::LinaPassword | Mode::Occupied => return,
        };
        self.print(&prompt);
    }

    /// With `prompt hostname priority state` the prompt of the diagnostic CLI tells the unit's part
    /// and state, as they are now.
    fn rename(&mut self, pair: &Pair) {
        let model = pair.unit(self.unit);
        let given = pair.fault(|fault| match fault {
            Fault::Named(unit, name) if *unit == self.unit => Some(name.clone()),
            _ => None,
        });
        let Some(name) = given else { return };
        let part = model.part.get(..3).unwrap_or_default().to_lowercase();
        let state = match model.state.as_str() {
            "Active" => "act",
            "Standby Ready" => "stby",
            _ => "NoFailover",
        };
        self.lina_name = format!("{name}/{part}/{state}");
        self.clish_name.clone_from(&name);
        self.name = name;
    }

    /// A terminal's line ends; this device sends one carriage return too many, as real ones do.
    fn print(&mut self, text: &str) {
        self.output.extend(text.replace('\n', "\r\r\n").bytes());
    }
}
