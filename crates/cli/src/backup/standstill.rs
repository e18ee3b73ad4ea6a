//! `[restore]`: what stops and starts the services, what the watchdog looks at, who is told, and
//! how busy the server may be.

use std::path::PathBuf;
use std::time::Duration;

use elpis_backup::restore::{FillPace, Services};
use elpis_backup::{CommandServices, FlagFile, MaintenanceFlag, Notices, Standstill, run_command};
use elpis_run::with_causes;
use jiff::Zoned;
use serde::Deserialize;

use crate::output::Printer;

/// How long a command may take unless the configuration says otherwise, in seconds.
const PATIENCE_S: u64 = 120;

/// What goes around a restore.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RestoreSettings {
    /// Programs with their arguments that stop the services, in this order.
    stop: Vec<Vec<String>>,
    /// Programs that start them.
    start: Vec<Vec<String>>,
    /// How long each may take, in seconds.
    patience_s: Option<u64>,
    /// A file that is there while the services are meant not to run.
    maintenance_flag: Option<PathBuf>,
    /// A program that gets each notice as its last argument.
    notify: Vec<String>,
    /// Rows are put into tables in use only while no more statements than that are running, as with
    /// dumps.
    max_threads_running: Option<u32>,
}

impl RestoreSettings {
    /// The same with paths relative to the configuration.
    pub(super) fn beside(self, beside: &dyn Fn(PathBuf) -> PathBuf) -> RestoreSettings {
        RestoreSettings {
            maintenance_flag: self.maintenance_flag.map(beside),
            ..self
        }
    }

    /// What is wrong with it, if anything.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        for (commands, said) in [
            (&self.stop, "stop: a command is a program and its arguments"),
            (
                &self.start,
                "start: a command is a program and its arguments",
            ),
        ] {
            if commands.iter().any(|command| command.is_empty()) {
                return Err(said);
            }
        }
        match (self.stop.is_empty(), self.start.is_empty()) {
            (false, true) => Err("start: is missing: what is stopped is to be started again"),
            (true, false) => Err("stop: is missing: what is started is to be stopped before"),
            _ if self.patience_s == Some(0) => Err("patience_s: must be 1 or more"),
            _ if self.max_threads_running == Some(0) => {
                Err("max_threads_running: must be 1 or more")
            }
            _ => Ok(()),
        }
    }

    /// How fast rows are put into tables in use.
    pub(super) fn pace(&self) -> FillPace {
        FillPace {
            max_threads_running: self.max_threads_running,
            ..FillPace::default()
        }
    }

    /// What carries it out.
    pub(super) fn parts(&self, printer: Printer) -> Parts {
        let patience = Duration::from_secs(self.patience_s.unwrap_or(PATIENCE_S));
        let services = CommandServices {
            stop: self.stop.clone(),
            start: self.start.clone(),
            patience,
        };
        Parts {
            services: (!self.stop.is_empty()).then_some(services),
            flag: self.maintenance_flag.clone().map(|path| FlagFile { path }),
            told: Told {
                printer,
                command: self.notify.clone(),
                patience,
            },
        }
    }
}

/// Everything that a standstill is made of.
pub(super) struct Parts {
    services: Option<CommandServices>,
    flag: Option<FlagFile>,
    told: Told,
}

impl Parts {
    /// The standstill for `why`.
    pub(super) fn standstill(&self, why: &str) -> Standstill<'_> {
        let is_empty = self.services.is_none() && self.flag.is_none();
        Standstill {
            why: why.to_owned(),
            services: self
                .services
                .as_ref()
                .map(|services| services as &dyn Services),
            flag: self.flag.as_ref().map(|flag| flag as &dyn MaintenanceFlag),
            // Where nothing stops, nobody is told that something does.
            notices: (!is_empty).then_some(&self.told as &dyn Notices),
        }
    }

    /// Whether anything is stopped at all.
    pub(super) fn stops_services(&self) -> bool {
        self.services.is_some()
    }
}

/// Says notices here, and to the program of the configuration.
struct Told {
    printer: Printer,
    command: Vec<String>,
    patience: Duration,
}

impl Notices for Told {
    fn tell(&self, sentence: &str) {
        let now = Zoned::now().strftime("%H:%M:%S");
        self.printer.say(&format!("{now} [RESTORE] {sentence}"));
        if self.command.is_empty() {
            return;
        }
        if let Err(error) = run_command(&self.command, &[sentence], self.patience) {
            let why = with_causes(&error);
            self.printer
                .say(&format!("warning: nobody was notified: {why}"));
        }
    }
}
