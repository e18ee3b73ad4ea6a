//! From what was written to what is meant. Every problem is collected, none is guessed away.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use jiff::tz::TimeZone;
use toml::Spanned;

use super::raw::{RawKeep, RawPolicy, RawTable, RawThrottle, RawTime};
use super::{Policy, PolicyError, Problem, Retention, TableRule, ThrottleRules};
use crate::TimeUnit;
use crate::order::order;

/// The longest lock name that MySQL accepts.
const MAX_LOCK_NAME: usize = 64;
/// The longest identifier that MySQL accepts, in characters.
const MAX_IDENTIFIER: usize = 64;
pub(super) const MAX_DAYS: i64 = 36_500;
const DEFAULT_MAX_SHARE: f64 = 0.5;

impl RawPolicy {
    /// Checks every setting; `text` is the document the policy was read from.
    ///
    /// # Errors
    /// All problems, in the order of the file.
    pub fn validate(&self, text: &str) -> Result<Policy, PolicyError> {
        self.check(text, true)
    }

    /// The same for a policy that adds to another one: it may have no rule at all.
    ///
    /// # Errors
    /// As [`validate`](RawPolicy::validate).
    pub fn validate_addition(&self, text: &str) -> Result<Policy, PolicyError> {
        self.check(text, false)
    }

    /// The largest share of a table that a run may delete, where the document says so itself.
    pub fn max_share(&self) -> Option<f64> {
        self.max_share.as_ref().map(|share| *share.get_ref())
    }

    fn check(&self, text: &str, needs_rule: bool) -> Result<Policy, PolicyError> {
        let mut check = Check {
            text,
            problems: Vec::new(),
        };
        let max_share = check
            .share("max_share", &self.max_share)
            .unwrap_or(DEFAULT_MAX_SHARE);
        let skew = check.integer("max_clock_skew_s", &self.max_clock_skew_s, 1..=86_400);
        let policy = Policy {
            locks: check.locks(&self.locks),
            max_clock_skew: Duration::from_secs(skew.unwrap_or(30)),
            allow_replica: self.allow_replica.unwrap_or(false),
            throttle: check.throttle(&self.throttle),
            tables: self
                .table
                .iter()
                .map(|table| check.table(table, max_share))
                .collect(),
            series: self.compact.iter().map(|raw| check.series(raw)).collect(),
        };
        check.references(&self.table);
        check.series_once(&self.compact);
        if needs_rule && self.table.is_empty() && self.compact.is_empty() {
            check.add(
                0..0,
                "table",
                "no table is named: add at least one [[table]] or [[compact]]",
            );
        }
        if check.problems.is_empty() {
            return Ok(policy);
        }
        check
            .problems
            .sort_by_key(|problem| (problem.line, problem.column));
        Err(PolicyError {
            problems: check.problems,
        })
    }
}

pub(super) struct Check<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

impl Check<'_> {
    pub(super) fn add(&mut self, span: Range<usize>, key: &str, reason: impl Into<String>) {
        self.problems
            .push(Problem::new(self.text, span, key.to_owned(), reason.into()));
    }

    pub(super) fn bounded<T: PartialOrd + Copy + Display>(
        &mut self,
        key: &str,
        value: &Option<Spanned<T>>,
        bounds: RangeInclusive<T>,
    ) -> Option<T> {
        let value = value.as_ref()?;
        if !bounds.contains(value.get_ref()) {
            let (low, high) = bounds.into_inner();
            self.add(
                value.span(),
                key,
                format!("must lie between {low} and {high}"),
            );
            return None;
        }
        Some(*value.get_ref())
    }

    pub(super) fn integer(
        &mut self,
        key: &str,
        value: &Option<Spanned<i64>>,
        bounds: RangeInclusive<i64>,
    ) -> Option<u64> {
        u64::try_from(self.bounded(key, value, bounds)?).ok()
    }

    pub(super) fn share(&mut self, key: &str, value: &Option<Spanned<f64>>) -> Option<f64> {
        let written = value.as_ref()?;
        let share = *written.get_ref();
        if share > 0.0 && share <= 1.0 {
            return Some(share);
        }
        self.add(written.span(), key, "must lie above 0 and be at most 1");
        None
    }

    pub(super) fn name(&mut self, key: &str, name: &Spanned<String>) -> String {
        let text = name.get_ref();
        let reason = if text.is_empty() {
            "is empty"
        } else if text.chars().count() > MAX_IDENTIFIER {
            "is longer than 64 characters"
        } else if text.contains('\0') || text.ends_with(' ') {
            "holds a NUL or ends with a space, which no identifier may"
        } else {
            return text.clone();
        };
        self.add(name.span(), key, reason);
        text.clone()
    }

    fn locks(&mut self, locks: &Option<Spanned<Vec<Spanned<String>>>>) -> Vec<String> {
        let Some(list) = locks else {
            return vec!["{database}_elpis_maint".to_owned()];
        };
        if list.get_ref().is_empty() {
            self.add(
                list.span(),
                "locks",
                "is empty: two runs could work at the same time",
            );
        }
        for lock in list.get_ref() {
            let rest = lock.get_ref().replace("{database}", "");
            if rest.contains(['{', '}']) {
                self.add(lock.span(), "locks", "knows no placeholder but {database}");
            } else if lock.get_ref().is_empty() || rest.len() > MAX_LOCK_NAME {
                self.add(lock.span(), "locks", "a lock name has 1 to 64 characters");
            }
        }
        list.get_ref()
            .iter()
            .map(|lock| lock.get_ref().clone())
            .collect()
    }

    fn throttle(&mut self, raw: &RawThrottle) -> ThrottleRules {
        let default = ThrottleRules::default();
        let target = self.bounded("throttle.target_ms", &raw.target_ms, 0.5..=60_000.0);
        let lag = self.bounded(
            "throttle.max_replica_lag_s",
            &raw.max_replica_lag_s,
            0.1..=86_400.0,
        );
        let rows = 1..=1_000_000;
        let min_rows = self.integer("throttle.min_rows", &raw.min_rows, rows.clone());
        let max_rows = self.integer("throttle.max_rows", &raw.max_rows, rows);
        let max_rows = max_rows.unwrap_or(default.max_rows.max(min_rows.unwrap_or(0)));
        let min_rows = min_rows.unwrap_or(default.min_rows.min(max_rows));
        if let Some(written) = raw.min_rows.as_ref().filter(|_| min_rows > max_rows) {
            let reason = format!("is above throttle.max_rows = {max_rows}");
            self.add(written.span(), "throttle.min_rows", reason);
        }
        let running = 1..=100_000;
        let max_running = self
            .integer(
                "throttle.max_threads_running",
                &raw.max_threads_running,
                running.clone(),
            )
            .map(|n| n as u32);
        let critical = self
            .integer(
                "throttle.critical_threads_running",
                &raw.critical_threads_running,
                running,
            )
            .map(|n| n as u32);
        let history = self.integer(
            "throttle.max_history_list",
            &raw.max_history_list,
            1..=i64::MAX,
        );
        ThrottleRules {
            target: target.map_or(default.target, |ms| Duration::from_secs_f64(ms / 1000.0)),
            min_rows,
            max_rows,
            duty: self
                .bounded("throttle.duty", &raw.duty, 0.01..=1.0)
                .unwrap_or(default.duty),
            max_threads_running: max_running.or(default.max_threads_running),
            critical_threads_running: critical.or(default.critical_threads_running),
            max_history_list: history.or(default.max_history_list),
            max_replica_lag: lag.map_or(default.max_replica_lag, Duration::from_secs_f64),
        }
    }

    fn table(&mut self, raw: &RawTable, max_share: f64) -> TableRule {
        let prefix = format!("table.{}", raw.name.get_ref());
        let key = |name: &str| format!("{prefix}.{name}");
        if let Some(sql) = &raw.where_sql {
            if !raw.unsafe_sql {
                self.add(
                    sql.span(),
                    &key("where_sql"),
                    "needs unsafe_sql = true beside it",
                );
            }
            if sql.get_ref().trim().is_empty() || sql.get_ref().contains(';') {
                self.add(
                    sql.span(),
                    &key("where_sql"),
                    "must be one condition without `;`",
                );
            }
        }
        TableRule {
            name: self.name("table.name", &raw.name),
            key: raw
                .key
                .iter()
                .map(|column| self.name(&key("key"), column))
                .collect(),
            time_column: self.name(&key("time.column"), &raw.time.column),
            unit: self.unit(&prefix, &raw.time),
            keep: self.keep(&prefix, &raw.keep),
            filters: raw
                .filters
                .iter()
                .map(|filter| self.filter(&prefix, filter))
                .collect(),
            where_sql: raw.where_sql.as_ref().map(|sql| sql.get_ref().clone()),
            after: raw
                .after
                .iter()
                .map(|name| name.get_ref().clone())
                .collect(),
            max_share: self
                .share(&key("max_share"), &raw.max_share)
                .unwrap_or(max_share),
        }
    }

    pub(super) fn unit(&mut self, prefix: &str, raw: &RawTime) -> TimeUnit {
        let key = format!("{prefix}.time.zone");
        let mut zone = || match &raw.zone {
            None => {
                let reason = "is missing: say in which zone the column is written, such as \
                              \"UTC\" or \"Europe/Madrid\"";
                let place = raw.unit.span().start;
                self.add(place..place, &key, reason);
                TimeZone::UTC
            }
            Some(name) => TimeZone::get(name.get_ref()).unwrap_or_else(|_| {
                self.add(
                    name.span(),
                    &key,
                    "is no IANA time zone such as \"Europe/Madrid\"",
                );
                TimeZone::UTC
            }),
        };
        let unit = match raw.unit.get_ref().as_str() {
            "epoch_seconds" => TimeUnit::EpochSeconds,
            "epoch_millis" => TimeUnit::EpochMillis,
            "timestamp" => TimeUnit::Timestamp,
            "datetime" => return TimeUnit::Datetime(zone()),
            "date" => return TimeUnit::Date(zone()),
            _ => {
                let reason =
                    "must be one of epoch_seconds, epoch_millis, timestamp, datetime, date";
                self.add(raw.unit.span(), &format!("{prefix}.time.unit"), reason);
                TimeUnit::EpochSeconds
            }
        };
        if let Some(zone) = &raw.zone {
            let reason = format!(
                "has no meaning for unit {}, which is UTC by nature",
                unit.name()
            );
            self.add(zone.span(), &key, reason);
        }
        unit
    }

    fn keep(&mut self, prefix: &str, raw: &Spanned<RawKeep>) -> Retention {
        let keep = raw.get_ref();
        let days = self.integer(&format!("{prefix}.keep.days"), &keep.days, 1..=MAX_DAYS);
        let rows = self.integer(&format!("{prefix}.keep.rows"), &keep.rows, 1..=i64::MAX);
        if keep.days.is_some() == keep.rows.is_some() {
            let reason = "needs either days or rows";
            self.add(raw.span(), &format!("{prefix}.keep"), reason);
        }
        match (days, rows) {
            (_, Some(rows)) => Retention::Rows(rows),
            (days, None) => Retention::Days(days.unwrap_or(MAX_DAYS as u64) as u32),
        }
    }

    /// Names that must be unique, exist, and not wait for each other in a ring.
    fn references(&mut self, tables: &[RawTable]) {
        let mut seen = BTreeMap::new();
        for table in tables {
            if seen
                .insert(table.name.get_ref().as_str(), table.name.span())
                .is_some()
            {
                self.add(table.name.span(), "table.name", "is named twice");
            }
        }
        for table in tables {
            for name in &table.after {
                if !seen.contains_key(name.get_ref().as_str()) {
                    let key = format!("table.{}.after", table.name.get_ref());
                    self.add(
                        name.span(),
                        &key,
                        "names a table that the policy does not have",
                    );
                }
            }
        }
        let names: Vec<&str> = tables
            .iter()
            .map(|table| table.name.get_ref().as_str())
            .collect();
        let waits: Vec<(&str, &str)> = tables
            .iter()
            .flat_map(|t| {
                t.after
                    .iter()
                    .map(|a| (a.get_ref().as_str(), t.name.get_ref().as_str()))
            })
            .collect();
        if let Err(ring) = order(&names, &waits) {
            let span = seen.get(ring.as_str()).cloned().unwrap_or(0..0);
            self.add(
                span,
                &format!("table.{ring}.after"),
                "waits for itself in a ring",
            );
        }
    }
}
