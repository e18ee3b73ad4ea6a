//! The policy as written in a file: names and types only. `validate` gives it meaning.

use serde::Deserialize;
use toml::Spanned;

/// A policy as deserialised from TOML, before validation. Unknown keys are errors.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawPolicy {
    pub(super) locks: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) max_share: Option<Spanned<f64>>,
    pub(super) max_clock_skew_s: Option<Spanned<i64>>,
    pub(super) allow_replica: Option<bool>,
    #[serde(default)]
    pub(super) throttle: RawThrottle,
    #[serde(default)]
    pub(super) table: Vec<RawTable>,
    #[serde(default)]
    pub(super) compact: Vec<RawCompact>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawThrottle {
    pub(super) target_ms: Option<Spanned<f64>>,
    pub(super) min_rows: Option<Spanned<i64>>,
    pub(super) max_rows: Option<Spanned<i64>>,
    pub(super) duty: Option<Spanned<f64>>,
    pub(super) max_threads_running: Option<Spanned<i64>>,
    pub(super) critical_threads_running: Option<Spanned<i64>>,
    pub(super) max_history_list: Option<Spanned<i64>>,
    pub(super) max_replica_lag_s: Option<Spanned<f64>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTable {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) key: Vec<Spanned<String>>,
    pub(super) time: RawTime,
    pub(super) keep: Spanned<RawKeep>,
    #[serde(default, rename = "where")]
    pub(super) filters: Vec<RawFilter>,
    pub(super) where_sql: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) unsafe_sql: bool,
    #[serde(default)]
    pub(super) after: Vec<Spanned<String>>,
    pub(super) max_share: Option<Spanned<f64>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTime {
    pub(super) column: Spanned<String>,
    pub(super) unit: Spanned<String>,
    pub(super) zone: Option<Spanned<String>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKeep {
    pub(super) days: Option<Spanned<i64>>,
    pub(super) rows: Option<Spanned<i64>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFilter {
    pub(super) column: Spanned<String>,
    pub(super) op: Spanned<String>,
    pub(super) value: Option<Spanned<toml::Value>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCompact {
    pub(super) table: Spanned<String>,
    pub(super) series: Spanned<String>,
    pub(super) value: Spanned<String>,
    pub(super) time: RawTime,
    pub(super) kind: Option<Spanned<String>>,
    pub(super) kinds: Option<RawKinds>,
    pub(super) mode: Option<Spanned<String>>,
    pub(super) tiers: Spanned<Vec<Spanned<RawTier>>>,
    pub(super) rollup: Option<Spanned<bool>>,
    pub(super) max_mean_shift: Option<Spanned<f64>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKinds {
    pub(super) table: Spanned<String>,
    pub(super) key: Spanned<String>,
    pub(super) column: Spanned<String>,
    #[serde(default)]
    pub(super) gauge: Vec<Spanned<i64>>,
    #[serde(default)]
    pub(super) rate: Vec<Spanned<i64>>,
    #[serde(default)]
    pub(super) delta: Vec<Spanned<i64>>,
    #[serde(default)]
    pub(super) except: Vec<RawException>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawException {
    pub(super) table: Spanned<String>,
    pub(super) column: Spanned<String>,
    #[serde(default, rename = "where")]
    pub(super) filters: Vec<RawFilter>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTier {
    pub(super) older_than_days: Spanned<i64>,
    pub(super) bucket_hours: Spanned<i64>,
}
