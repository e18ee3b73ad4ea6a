//! The readiness check and the installation on a simulated unit.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::fault::Fault;
use super::files::Content;
use super::pair::{Deed, Pair};
use super::texts::{self, fill, message, table};
use super::unit::UPDATES;
use crate::observe::Unit;

/// What the shell does after an installer's first words.
pub(super) enum Begun {
    /// Prints this and gives the prompt back.
    Over(String),
    /// Prints this and keeps the terminal.
    Occupied(String),
    /// The connection breaks.
    Cut,
}

/// One line of a status file.
pub(super) fn status_line(at: i64, percent: u8, text: &str, old_format: bool) -> String {
    if old_format {
        return match percent {
            100 => format!("ui: {text}\n"),
            _ => format!(
                "ui: Upgrade in progress: ( {percent}% done.{} mins to reboot). {text}\n",
                100 - percent
            ),
        };
    }
    let time = Timestamp::from_second(at)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_zoned(TimeZone::UTC)
        .strftime("%a %b %d %H:%M:%S UTC %Y");
    let blank = if percent < 10 { " " } else { "" };
    format!("TIMESTAMP:{time} PERCENT:{blank}{percent}%\tMESSAGE:{text}\n")
}

impl Pair {
    /// `install_update.pl` with its arguments.
    pub(super) fn install_update(&mut self, unit: Unit, args: &[String]) -> Begun {
        let checks_only = args.iter().any(|arg| arg == "--readiness-check");
        let path = args.last().cloned().unwrap_or_default();
        let path = match path.starts_with('/') {
            true => path,
            false => format!("{UPDATES}/{path}"),
        };
        if self.unit(unit).files.get(&path).is_none() {
            return Begun::Over(format!(
                "Could not open {path}: No such file or directory\n"
            ));
        }
        let line = format!(
            "/usr/bin/perl /usr/local/sf/bin/install_update.pl {}",
            args.join(" ")
        );
        match checks_only {
            true => self.check_readiness(unit, &path, line),
            false => self.install(unit, &path, line),
        }
    }

    fn values(&self, unit: Unit, path: &str) -> [(&'static str, String); 6] {
        let (number, build) = self.setup.number_and_build();
        let running = self.unit(unit).release.clone();
        [
            ("path", path.to_owned()),
            ("short", path.trim_start_matches("/ngfw").to_owned()),
            ("number", number.to_owned()),
            ("build", build.to_owned()),
            (
                "running",
                running.split('-').next().unwrap_or_default().to_owned(),
            ),
            ("stamp", String::from("240718 02:48:17:007")),
        ]
    }

    fn filled(&self, unit: Unit, path: &str, text: &str) -> String {
        let values = self.values(unit, path);
        let values: Vec<(&str, &str)> = values
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        fill(text, &values)
    }

    /// With an old success in the file, the new job takes a while to write its first line.
    fn silence(&self, unit: Unit) -> u64 {
        match self.has(&Fault::StaleSuccess(unit)) {
            true => 90,
            false => 0,
        }
    }

    fn check_readiness(&mut self, unit: Unit, path: &str, line: String) -> Begun {
        self.deeds.push(Deed::Readiness(unit));
        let now = self.device_seconds(unit);
        self.unit_mut(unit).installers.push((now, line));
        self.begin_status(unit, true);
        let scripts = table(texts::READINESS_SCRIPTS);
        let fails = self.has(&Fault::ReadinessFails(unit));
        let hangs = self.has(&Fault::ReadinessHangs(unit));
        let count = scripts.len();
        let silence = self.silence(unit);
        for (index, script) in scripts.into_iter().enumerate() {
            if hangs && index > count / 2 {
                return Begun::Over(self.filled(unit, path, texts::READINESS));
            }
            let [at, name] = script.as_slice() else {
                continue;
            };
            let (at, text) = (
                silence + at.parse().unwrap_or(0),
                format!("Running script {name}..."),
            );
            // The guide's percentages: the share of 21, rounded.
            let percent = (index * 100 + count / 2) / count;
            self.later(at, move |pair| {
                pair.write_status(unit, true, percent as u8, &text)
            });
        }
        if self.strike(&Fault::CutDuringReadiness(unit)) {
            self.later(20, move |pair| pair.unit(unit).cut());
        }
        self.later(silence + 55, move |pair| {
            let words = message(if fails {
                "readiness-bad"
            } else {
                "readiness-good"
            });
            pair.write_status(unit, true, 100, words);
            pair.unit_mut(unit).installers.clear();
        });
        Begun::Over(self.filled(unit, path, texts::READINESS))
    }

    fn install(&mut self, unit: Unit, path: &str, line: String) -> Begun {
        let lost = [true, false]
            .into_iter()
            .find(|begins| self.strike(&Fault::CutAtInstall(unit, *begins)));
        if lost == Some(false) {
            self.unit(unit).cut();
            return Begun::Cut;
        }
        let mut text = self.filled(unit, path, texts::INSTALL);
        if self.has(&Fault::ArchiveCorrupt(unit)) {
            text.push_str(&texts::body(texts::INSTALL_CORRUPT));
            return Begun::Over(text);
        }
        let state = self.unit(unit).state.clone();
        self.deeds.push(Deed::Install(unit, state));
        let now = self.device_seconds(unit);
        self.unit_mut(unit).installers.push((now, line));
        self.begin_status(unit, false);
        self.plan_installation(unit);
        if lost == Some(true) {
            self.unit(unit).cut();
            return Begun::Cut;
        }
        text.push_str(&self.filled(unit, path, texts::INSTALL_BEGINS));
        Begun::Occupied(text)
    }

    fn plan_installation(&mut self, unit: Unit) {
        let whole = self.setup.install.as_secs();
        let stands = self.fault(|fault| match fault {
            Fault::Stands(of, time) if *of == unit => Some(time.as_secs()),
            _ => None,
        });
        let fails = self.fault(|fault| match fault {
            Fault::ScriptFails(of, words) if *of == unit => Some(words.clone()),
            _ => None,
        });
        let mut delay = self.silence(unit);
        for script in table(texts::INSTALL_SCRIPTS) {
            let [share, percent, name] = script.as_slice() else {
                continue;
            };
            let share: u64 = share.parse().unwrap_or(0);
            let percent: u8 = percent.parse().unwrap_or(0);
            let at = share * whole / 1000 + delay;
            let text = format!("Running script {name}...");
            self.later(at, move |pair| pair.run_script(unit, percent, &text));
            if let Some(words) = fails.clone()
                && share >= 100
            {
                self.later(at + 1, move |pair| {
                    pair.fail_installation(unit, percent, &words)
                });
                return;
            }
            if share == 198 {
                delay += stands.unwrap_or(0);
            }
        }
        self.plan_accidents(unit, whole);
        self.plan_chatter(unit, whole);
        self.later(whole + delay, move |pair| pair.finish_installation(unit));
    }

    /// Perl has a lot to say.
    fn plan_chatter(&mut self, unit: Unit, whole: u64) {
        let bytes = self.fault(|fault| match fault {
            Fault::Chatter(of, bytes) if *of == unit => Some(*bytes),
            _ => None,
        });
        let warning = "Use of uninitialized value in string at StatusProc.pm line 196.\n";
        for moment in 0..bytes.map_or(0, |_| whole) {
            let count = bytes.unwrap_or(0) / whole as usize / warning.len();
            self.later(moment, move |pair| {
                // Nobody may be watching.
                let _ = pair.unit(unit).console.send(warning.repeat(count));
            });
        }
    }

    /// What happens in the middle of the installation without stopping it.
    fn plan_accidents(&mut self, unit: Unit, whole: u64) {
        let middle = whole / 2;
        let peer = unit.other();
        if self.strike(&Fault::CutDuringInstall(unit)) {
            self.later(middle, move |pair| pair.unit(unit).cut());
        }
        if self.strike(&Fault::PeerDies(unit)) {
            self.later(middle, move |pair| pair.reboot(peer, None, true));
        }
        if self.strike(&Fault::PeerReboots(unit)) {
            self.later(middle, move |pair| pair.reboot(peer, None, false));
        }
        if self.strike(&Fault::Rotates(unit)) {
            self.later(middle, move |pair| {
                let file = pair.setup.status_file(false);
                let now = pair.device_seconds(unit);
                pair.unit_mut(unit)
                    .files
                    .create(&file, Content::Bytes(Vec::new()), now);
                pair.write_status(unit, false, 3, "Running script 300_os/110_again.sh...");
            });
        }
        if self.strike(&Fault::Garbage(unit)) {
            self.later(middle, move |pair| {
                let file = pair.status_path(unit, false);
                let now = pair.device_seconds(unit);
                let garbage = b"\0\0\0\xff\xfe\nUse of uninitialized value in string\nTIMESTAMP:Thu Jul 18 03:00:00 UTC 2024 PERC";
                pair.unit_mut(unit).files.append(&file, garbage, now);
            });
            self.later(middle + 60, move |pair| {
                let file = pair.status_path(unit, false);
                let now = pair.device_seconds(unit);
                pair.unit_mut(unit).files.append(&file, b"\n", now);
            });
        }
    }

    fn run_script(&mut self, unit: Unit, percent: u8, text: &str) {
        if self.unit(unit).installers.is_empty() {
            return;
        }
        self.write_status(unit, false, percent, text);
        let noise = format!(
            "[240718 02:48:18:525] BEGIN {}\n",
            text.trim_start_matches("Running script ")
        );
        // Nobody may be watching.
        let _ = self.unit(unit).console.send(noise);
    }

    fn fail_installation(&mut self, unit: Unit, percent: u8, words: &str) {
        self.write_status(unit, false, percent, words);
        let file = format!("{}/main_upgrade_script.log", self.setup.log_directory());
        let now = self.device_seconds(unit);
        let line = format!("[240718 03:01:02:003] {words}\n");
        let model = self.unit_mut(unit);
        model.files.append(&file, line.as_bytes(), now);
        model.installers.clear();
    }

    fn finish_installation(&mut self, unit: Unit) {
        if self.unit(unit).installers.is_empty() {
            return;
        }
        if self.strike(&Fault::NoReboot(unit)) {
            self.unit_mut(unit).installers.clear();
            return self.write_status(unit, false, 100, message("install-good"));
        }
        let _ = self
            .unit(unit)
            .console
            .send(format!("\n{}\n", message("reboot")));
        let other = self.fault(|fault| match fault {
            Fault::ComesBackAs(of, release) if *of == unit => Some(release.clone()),
            _ => None,
        });
        let release = other.clone().unwrap_or_else(|| self.setup.to.clone());
        let is_dead = self.has(&Fault::NeverBack(unit));
        self.reboot(unit, Some(release), is_dead);
        if !is_dead && other.is_none() {
            let back = self.setup.reboot.as_secs();
            self.later(back + 30, move |pair| {
                pair.write_status(unit, false, 100, message("install-good"));
            });
        }
    }

    /// The file of the status, which an old success in it lets grow on instead of starting anew.
    fn begin_status(&mut self, unit: Unit, of_readiness: bool) {
        let path = match of_readiness {
            true => self.setup.status_file(true),
            false => self.status_path(unit, false),
        };
        let appends = self.fault(|fault| match fault {
            Fault::StaleSuccess(of) | Fault::LongStatus(of, _) if *of == unit => Some(()),
            _ => None,
        });
        if appends.is_none() {
            let now = self.device_seconds(unit);
            self.unit_mut(unit)
                .files
                .create(&path, Content::Bytes(Vec::new()), now);
        }
    }

    fn status_path(&self, unit: Unit, of_readiness: bool) -> String {
        match self.has(&Fault::OldStatusFormat(unit)) && !of_readiness {
            true => format!("{}/status.log", self.setup.log_directory()),
            false => self.setup.status_file(of_readiness),
        }
    }

    fn write_status(&mut self, unit: Unit, of_readiness: bool, percent: u8, text: &str) {
        let path = self.status_path(unit, of_readiness);
        let old = self.has(&Fault::OldStatusFormat(unit)) && !of_readiness;
        let now = self.device_seconds(unit);
        let line = status_line(now, percent, text, old);
        self.unit_mut(unit)
            .files
            .append(&path, line.as_bytes(), now);
    }
}
