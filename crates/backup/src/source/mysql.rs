//! Databases of one MySQL or MariaDB server, dumped together at one moment.

use std::sync::Arc;

use elpis_mysql::ConnectOptions;
use elpis_run::{Observer, RealClock};
use tokio::runtime::{Builder, Runtime};

use super::{Collected, CollectedData, DatabaseFacts, Intake, Source, SourceError};
use crate::dump::grants::LEFT_OUT;
use crate::dump::{
    Dump, DumpControl, DumpError, DumpEvent, DumpPlan, DumpPolicy, DumpReport, DumpSink,
    DumpThrottle,
};
use crate::event::BackupEvent;

/// The databases of a [`DumpPolicy`], through [`Dump`].
#[derive(Debug)]
pub struct MySqlSource {
    dump: Dump,
    databases: Vec<String>,
    plan: Option<DumpPlan>,
    throttle: Option<DumpThrottle>,
    cores: usize,
}

impl MySqlSource {
    /// The databases that `policy` names, through connections made with `connect`.
    pub fn new(connect: ConnectOptions, policy: DumpPolicy) -> MySqlSource {
        MySqlSource {
            databases: policy.databases.clone(),
            dump: Dump::new(connect, policy),
            plan: None,
            throttle: None,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// Lets `throttle` decide how the dump goes on.
    #[must_use]
    pub fn throttled(self, throttle: DumpThrottle) -> MySqlSource {
        MySqlSource {
            throttle: Some(throttle),
            ..self
        }
    }

    fn plan(&mut self, runtime: &Runtime) -> Result<DumpPlan, DumpError> {
        if let Some(plan) = &self.plan {
            return Ok(plan.clone());
        }
        let facts = runtime.block_on(self.dump.inspect())?;
        let plan = self.dump.plan(&facts, self.cores)?;
        self.plan = Some(plan.clone());
        Ok(plan)
    }
}

impl Source for MySqlSource {
    fn inspect(&mut self) -> Result<Vec<DatabaseFacts>, SourceError> {
        let runtime = runtime()?;
        let plan = self.plan(&runtime)?;
        let mut warnings = plan.warnings;
        let facts = plan.databases.iter().map(|database| DatabaseFacts {
            name: database.name.clone(),
            bytes: database.tables.iter().map(|table| table.data_bytes).sum(),
            // They are about all of them; one says it.
            warnings: std::mem::take(&mut warnings),
        });
        Ok(facts.collect())
    }

    fn collect(&mut self, into: &Intake<'_>) -> Result<Vec<Collected>, SourceError> {
        let runtime = runtime()?;
        let plan = self.plan(&runtime)?;
        let sink: Arc<dyn DumpSink> = into.pieces.clone();
        let control = DumpControl {
            observer: Arc::new(Passing(Arc::clone(&into.observer))),
            stop: into.stop.clone(),
            clock: Arc::new(RealClock::new()),
            throttle: self.throttle.take(),
        };
        let report = runtime.block_on(self.dump.run(&plan, sink, control))?;
        // Accounts are looked at when there is a dump; without the privilege there is only that.
        let grants = runtime.block_on(self.dump.grants());
        let mut warnings: Vec<String> = report
            .warnings
            .iter()
            .filter(|w| !plan.warnings.contains(w))
            .cloned()
            .collect();
        let mut grants = match grants {
            Ok(text) => {
                let lines = text.expose().lines();
                let left_out = lines.filter_map(|line| line.strip_prefix(LEFT_OUT));
                warnings.extend(left_out.map(|what| format!("the accounts' rights lack {what}")));
                Some(text.expose().clone())
            }
            Err(error) => {
                warnings.push(format!(
                    "the accounts' rights are not in the archive: {error}"
                ));
                None
            }
        };
        let value = without_pieces(&report)?;
        let collected = self
            .databases
            .iter()
            .zip(0..)
            .map(|(name, number)| Collected {
                name: name.clone(),
                data: CollectedData::Pieces(number),
                report: value.clone(),
                grants: grants.take(),
                warnings: std::mem::take(&mut warnings),
            });
        Ok(collected.collect())
    }
}

/// A dump's threads are its own; this one only waits for them.
fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Passes a dump's events on to whoever watches the backup.
struct Passing(Arc<dyn Observer<BackupEvent>>);

impl Observer<DumpEvent> for Passing {
    fn on(&self, event: &DumpEvent) {
        self.0.on(&BackupEvent::Dump {
            dump: event.clone(),
        });
    }
}

/// The pieces have a list of their own in the archive.
fn without_pieces(report: &DumpReport) -> Result<serde_json::Value, serde_json::Error> {
    let mut value = serde_json::to_value(report)?;
    if let Some(fields) = value.as_object_mut() {
        fields.remove("pieces");
    }
    Ok(value)
}
