//! The flow of compaction with the least to say, and series as tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use elpis_maint_core::chart::Point;
use elpis_maint_core::compact::{
    CompactError, CompactEvent, CompactPlan, CompactReport, SeriesInspection, Verify,
};
use elpis_maint_core::{Limits, Policy, Rates, Run, SeriesStore, Unthrottled};
use elpis_run::{Holder, Journal, MemoryJournal, Observer, StopToken, Throttle, VirtualClock};
use jiff::Timestamp;

use crate::database::Database;
use crate::harness::policy;
use crate::table::Dialect;

/// A policy that compacts `tagente_datos` as gauges; `more` adds settings to the rule.
pub fn compaction_policy(tiers: &[(u32, u32)], more: &str) -> Policy {
    let tiers: Vec<String> = tiers
        .iter()
        .map(|(days, hours)| format!("{{ older_than_days = {days}, bucket_hours = {hours} }}"))
        .collect();
    let kind = if more.contains("kind") {
        ""
    } else {
        "kind = \"gauge\"\n"
    };
    policy(&format!(
        "[[compact]]\ntable = \"tagente_datos\"\nseries = \"id_agente_modulo\"\n\
         value = \"datos\"\ntime = {{ column = \"utimestamp\", unit = \"epoch_seconds\" }}\n\
         {kind}tiers = [{}]\n{more}\n",
        tiers.join(", ")
    ))
}

/// Makes `tagente_datos`, empty, with a value column that takes any double.
pub fn create_series(on: &dyn Database) {
    let engine = match on.dialect() {
        Dialect::MySql => " ENGINE = InnoDB",
        Dialect::Sqlite => "",
    };
    on.sql(&format!(
        "CREATE TABLE tagente_datos (id_agente_modulo BIGINT NOT NULL, datos DOUBLE NULL, \
         utimestamp BIGINT NULL){engine};\n\
         CREATE INDEX data_index1 ON tagente_datos (id_agente_modulo, utimestamp);\n\
         CREATE INDEX idx_utimestamp ON tagente_datos (utimestamp);\n"
    ));
}

/// Stores the rows of a series in this order, every digit of them.
pub fn store_series(on: &dyn Database, series: u64, points: &[Point]) {
    store_all_series(on, &BTreeMap::from([(series, points.to_vec())]));
}

/// Stores the rows of several series, each in its order.
pub fn store_all_series(on: &dyn Database, all: &BTreeMap<u64, Vec<Point>>) {
    let mut text = String::from("BEGIN;\n");
    for (series, points) in all {
        for rows in points.chunks(1000) {
            let rows: Vec<String> = rows
                .iter()
                .map(|(at, value)| match value {
                    Some(value) => format!("({series}, {value:e}, {at})"),
                    None => format!("({series}, NULL, {at})"),
                })
                .collect();
            text += &format!("INSERT INTO tagente_datos VALUES {};\n", rows.join(", "));
        }
    }
    on.sql(&(text + "COMMIT;\n"));
}

/// The rows of a series in order of time, through another client than ours. Not every client
/// prints every digit.
pub fn stored_series(on: &dyn Database, series: u64) -> Vec<Point> {
    stored(on, &format!("WHERE id_agente_modulo = {series} "))
        .remove(&series)
        .unwrap_or_default()
}

/// The rows of all series, each in order of time.
pub fn stored_all_series(on: &dyn Database) -> BTreeMap<u64, Vec<Point>> {
    stored(on, "")
}

fn stored(on: &dyn Database, which: &str) -> BTreeMap<u64, Vec<Point>> {
    let (value, hint) = match on.dialect() {
        Dialect::MySql => ("datos", "FORCE INDEX (data_index1)"),
        Dialect::Sqlite => ("quote(datos)", "INDEXED BY data_index1"),
    };
    // Along the index, rows of one time come in the order in which they were stored.
    let text = on.sql(&format!(
        "SELECT id_agente_modulo, utimestamp, {value} FROM tagente_datos {hint} {which}\
         ORDER BY id_agente_modulo, utimestamp;"
    ));
    let mut all: BTreeMap<u64, Vec<Point>> = BTreeMap::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let value = (fields[2] != "NULL").then(|| fields[2].parse().expect("a number"));
        let series = fields[0].parse().expect("a series");
        let at = fields[1].parse().expect("a time");
        all.entry(series).or_default().push((at, value));
    }
    all
}

/// Everything that a compaction needs besides plan and store; the defaults disturb nothing.
pub struct CompactRun<'a> {
    /// The moment it takes for now.
    pub now: Timestamp,
    /// In memory by default.
    pub journal: Arc<dyn Journal>,
    /// None by default: chunks of a fixed size.
    pub throttle: Box<dyn Throttle + 'a>,
    /// Nobody by default.
    pub observer: &'a dyn Observer<CompactEvent>,
    /// Stopped by nobody.
    pub stop: StopToken,
    /// None by default.
    pub limits: Limits,
    /// On by default.
    pub verify: Verify,
}

impl<'a> CompactRun<'a> {
    /// At `now` (seconds since 1970) in chunks of `rows`.
    pub fn at(now: i64, rows: u64) -> CompactRun<'a> {
        CompactRun {
            now: Timestamp::from_second(now).expect("a time"),
            journal: Arc::new(MemoryJournal::new()),
            throttle: Box::new(Unthrottled { rows }),
            observer: &(),
            stop: StopToken::new(),
            limits: Limits::default(),
            verify: Verify::Sample,
        }
    }

    /// The plan.
    pub async fn plan<S: SeriesStore>(&self, policy: &Policy, store: &mut S) -> CompactPlan {
        let clock = VirtualClock::new(self.now);
        let inspection = SeriesInspection {
            clock: &clock,
            stop: &self.stop,
        };
        let facts = inspection.run(policy, store).await;
        let facts = facts.unwrap_or_else(|e| panic!("{e}: {:?}", std::error::Error::source(&e)));
        CompactPlan::new(policy, &facts, &Rates::new())
    }

    /// Plans and runs.
    pub async fn on<S: SeriesStore>(
        &mut self,
        policy: &Policy,
        store: &mut S,
    ) -> Result<CompactReport, CompactError> {
        let plan = self.plan(policy, store).await;
        let clock = VirtualClock::new(self.now);
        let mut run = Run {
            journal: &*self.journal,
            throttle: &mut *self.throttle,
            observer: self.observer,
            clock: &clock,
            stop: &self.stop,
            holder: Holder::current("elpis-test", self.now),
            limits: self.limits,
        };
        run.compact(&plan, store, self.verify).await
    }
}
