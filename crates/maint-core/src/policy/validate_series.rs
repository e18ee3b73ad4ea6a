//! The `[[compact]]` rules: from what was written to what is meant.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;

use super::raw::{RawCompact, RawKinds, RawTier};
use super::validate::{Check, MAX_DAYS};
use super::{Exception, Kind, Kinds, Mode, SeriesRule, Tier};
use crate::TimeUnit;

impl Check<'_> {
    pub(super) fn series(&mut self, raw: &RawCompact) -> SeriesRule {
        let prefix = format!("compact.{}", raw.table.get_ref());
        let key = |name: &str| format!("{prefix}.{name}");
        let unit = self.unit(&prefix, &raw.time);
        if !matches!(unit, TimeUnit::EpochSeconds | TimeUnit::EpochMillis) {
            let reason = "must be epoch_seconds or epoch_millis: buckets are cut by numbers";
            self.add(raw.time.unit.span(), &key("time.unit"), reason);
        }
        let mode = match raw.mode.as_ref().map(|mode| mode.get_ref().as_str()) {
            None | Some("envelope") => Mode::Envelope,
            Some("mean") => Mode::Mean,
            Some(_) => {
                self.add(span(&raw.mode), &key("mode"), "must be envelope or mean");
                Mode::Envelope
            }
        };
        let kinds = self.kinds(&prefix, raw);
        if !kinds.any_fits(mode) {
            let reason = "the envelope would lose the sums of delta series, so nothing is left to \
                          compact: choose mode = \"mean\" or name gauges or rates";
            self.add(raw.table.span(), &prefix, reason);
        }
        let rollup = raw.rollup.as_ref().map(|on| *on.get_ref());
        if mode == Mode::Mean && rollup == Some(false) {
            let reason = "mode = \"mean\" needs it: it holds the weights of the means";
            self.add(span(&raw.rollup), &key("rollup"), reason);
        }
        let shift = self.share(&key("max_mean_shift"), &raw.max_mean_shift);
        if mode == Mode::Mean && shift.is_some() {
            let reason = "has no meaning in mode = \"mean\", which keeps one row";
            self.add(span(&raw.max_mean_shift), &key("max_mean_shift"), reason);
        }
        SeriesRule {
            table: self.name("compact.table", &raw.table),
            series_column: self.name(&key("series"), &raw.series),
            value_column: self.name(&key("value"), &raw.value),
            time_column: self.name(&key("time.column"), &raw.time.column),
            unit,
            kinds,
            mode,
            tiers: self.tiers(&key("tiers"), &raw.tiers),
            rollup: rollup.unwrap_or(mode == Mode::Mean),
            max_mean_shift: shift,
        }
    }

    /// Two rules for one table would compact it twice.
    pub(super) fn series_once(&mut self, rules: &[RawCompact]) {
        let mut seen = BTreeSet::new();
        for rule in rules {
            if !seen.insert(rule.table.get_ref()) {
                self.add(rule.table.span(), "compact.table", "has a rule already");
            }
        }
    }

    fn kinds(&mut self, prefix: &str, raw: &RawCompact) -> Kinds {
        match (&raw.kind, &raw.kinds) {
            (Some(kind), None) => Kinds::All(match kind.get_ref().as_str() {
                "gauge" => Kind::Gauge,
                "rate" => Kind::Rate,
                "delta" => Kind::Delta,
                _ => {
                    let reason = "must be gauge, rate or delta; states, events and texts cannot \
                                  be thinned without loss and are never compacted";
                    self.add(kind.span(), &format!("{prefix}.kind"), reason);
                    Kind::Gauge
                }
            }),
            (None, Some(kinds)) => self.lookup(prefix, kinds),
            _ => {
                let reason = "needs either kind (of all its series) or kinds (a table that knows)";
                self.add(raw.table.span(), prefix, reason);
                Kinds::All(Kind::Gauge)
            }
        }
    }

    fn lookup(&mut self, prefix: &str, raw: &RawKinds) -> Kinds {
        let key = |name: &str| format!("{prefix}.kinds.{name}");
        let mut types = BTreeMap::new();
        for (name, list, kind) in [
            ("gauge", &raw.gauge, Kind::Gauge),
            ("rate", &raw.rate, Kind::Rate),
            ("delta", &raw.delta, Kind::Delta),
        ] {
            for id in list {
                if types.insert(*id.get_ref(), kind).is_some() {
                    self.add(id.span(), &key(name), "is named twice");
                }
            }
        }
        if types.is_empty() {
            let reason = "names no type: nothing could be compacted";
            self.add(raw.table.span(), &key("table"), reason);
        }
        Kinds::Lookup {
            table: self.name(&key("table"), &raw.table),
            key: self.name(&key("key"), &raw.key),
            column: self.name(&key("column"), &raw.column),
            types,
            except: raw
                .except
                .iter()
                .map(|except| Exception {
                    table: self.name(&key("except.table"), &except.table),
                    column: self.name(&key("except.column"), &except.column),
                    filters: except
                        .filters
                        .iter()
                        .map(|filter| self.filter(&key("except"), filter))
                        .collect(),
                })
                .collect(),
        }
    }

    fn tiers(&mut self, key: &str, raw: &Spanned<Vec<Spanned<RawTier>>>) -> Vec<Tier> {
        if raw.get_ref().is_empty() {
            let reason = "is empty: say from what age on, in what buckets";
            self.add(raw.span(), key, reason);
        }
        let mut tiers: Vec<Tier> = Vec::new();
        for written in raw.get_ref() {
            let tier = written.get_ref();
            let days = Some(tier.older_than_days.clone());
            let days = self.integer(&format!("{key}.older_than_days"), &days, 1..=MAX_DAYS);
            let hours = Some(tier.bucket_hours.clone());
            let hours = self.integer(&format!("{key}.bucket_hours"), &hours, 1..=24);
            let (Some(days), Some(hours)) = (days, hours) else {
                continue;
            };
            let tier = Tier {
                older_than_days: days as u32,
                bucket_hours: hours as u32,
            };
            let coarser = tiers.last().is_none_or(|finer| {
                tier.older_than_days > finer.older_than_days
                    && tier.bucket_hours > finer.bucket_hours
                    && tier.bucket_hours.is_multiple_of(finer.bucket_hours)
            });
            if !coarser {
                let reason = "must be older than the tier before it, with buckets that are a \
                              whole multiple of that tier's";
                self.add(written.span(), key, reason);
            }
            tiers.push(tier);
        }
        tiers
    }
}

fn span<T>(value: &Option<Spanned<T>>) -> std::ops::Range<usize> {
    value.as_ref().map_or(0..0, Spanned::span)
}
