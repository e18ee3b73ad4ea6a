//! The plan of a compaction: a pure function of policy and facts.

use jiff::Timestamp;
use serde::Serialize;

use super::{CompactTask, SeriesFacts, Span, TierFacts};
use crate::plan::{Moment, refusals};
use crate::store::{BucketPreview, Mark};
use crate::{Mode, Policy, Rates, Refusal, Scalar, TimeUnit};

/// What a rate is taken to be while none was measured, in rows a second: what the default
/// throttle reaches on dense series on two cores.
const ASSUMED_RATE: f64 = 25_000.0;

/// What one compaction will do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CompactPlan {
    /// The server's product and version.
    pub product: String,
    /// Where it is.
    pub target: String,
    /// The moment that ages are measured from.
    pub now: Timestamp,
    /// Whether a target that is itself a replica may be changed.
    pub allow_replica: bool,
    /// The locks the run takes.
    pub locks: Vec<String>,
    /// The tiers in the order in which they are visited: oldest first.
    pub tiers: Vec<TierPlan>,
    /// Why the run would be refused; empty if it would not.
    pub refusals: Vec<Refusal>,
    /// What an operator should know and a run does not stop for.
    pub warnings: Vec<String>,
}

/// What one compaction will do to one tier of one table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TierPlan {
    /// The exact task.
    pub task: CompactTask,
    /// From this age on, in days.
    pub older_than_days: u32,
    /// The length of a bucket, in seconds.
    pub bucket_s: i64,
    /// The end of the newest bucket that is old enough.
    pub cutoff: Moment,
    /// The buckets that nobody has compacted yet; empty if there are none.
    pub fresh: Span,
    /// The sealed buckets, which are searched for late rows; empty if there are none.
    pub sealed: Span,
    /// How far an earlier run has come.
    pub mark: Option<Mark>,
    /// About how many rows the fresh buckets hold, of all kinds.
    pub due: u64,
    /// What a sample of the fresh buckets says; `None` if there is nothing to sample.
    pub estimate: Option<Estimate>,
    /// About how long it will take, in seconds.
    pub duration_s: f64,
    /// Whether the duration comes from a rate measured by an earlier run.
    pub rate_measured: bool,
}

/// What a sample of buckets says about all of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// Series in the sample.
    pub series: u64,
    /// Buckets in the sample.
    pub buckets: u64,
    /// The share of rows that will be left, 0 to 1.
    pub kept_share: f64,
    /// How far that share may be off either way (95 %), if the sample can tell.
    pub error: Option<f64>,
    /// Rows of the fresh buckets afterwards.
    pub rows_after: u64,
    /// What the means will hide: the envelope that is lost. `None` in `envelope` mode, which
    /// loses nothing of it.
    pub lost: Option<LostEnvelope>,
}

/// The envelope that `mean` mode gives up, as a sample shows it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LostEnvelope {
    /// The share of buckets whose lowest and highest value differ, 0 to 1.
    pub buckets: f64,
    /// The mean difference in those, in the series' own unit.
    pub mean: f64,
    /// The largest difference.
    pub largest: f64,
}

impl CompactPlan {
    /// Makes the plan for the `[[compact]]` rules of `policy`.
    pub fn new(policy: &Policy, facts: &SeriesFacts, rates: &Rates) -> CompactPlan {
        let mut refused = refusals(policy, &facts.server, facts.clock_skew);
        if let Some(reason) = &facts.obstacle {
            refused.push(Refusal::NotWritable {
                reason: reason.clone(),
            });
        }
        let mut tiers = Vec::new();
        let mut warnings = facts.server.warnings.clone();
        for (rule, table) in policy.series.iter().zip(&facts.tables) {
            match &table.tiers {
                Err(reason) => refused.push(Refusal::Mismatch {
                    table: table.table.clone(),
                    reason: reason.clone(),
                }),
                Ok(facts) => {
                    let rate = rates.get(&table.table).copied();
                    tiers.extend(facts.iter().map(|tier| tier_plan(tier, &rule.unit, rate)));
                }
            }
            if rule.kinds.any_unfit(rule.mode) {
                warnings.push(format!(
                    "table {}: delta series stay as they are, since the envelope would lose their \
                     sums",
                    table.table
                ));
            }
        }
        // Oldest work first, across tables.
        tiers.sort_by_key(|tier| std::cmp::Reverse(tier.older_than_days));
        let database = &facts.server.database;
        CompactPlan {
            product: facts.server.product.clone(),
            target: facts.server.target.clone(),
            now: facts.now,
            allow_replica: policy.allow_replica,
            locks: policy
                .locks
                .iter()
                .map(|lock| lock.replace("{database}", database))
                .collect(),
            tiers,
            refusals: refused,
            warnings,
        }
    }

    /// About how many rows are due in all tiers.
    pub fn due(&self) -> u64 {
        self.tiers.iter().map(|tier| tier.due).sum()
    }
}

fn tier_plan(facts: &TierFacts, unit: &TimeUnit, rate: Option<f64>) -> TierPlan {
    let task = &facts.task;
    let cutoff = Scalar::Int(facts.cutoff);
    TierPlan {
        older_than_days: facts.tier.older_than_days,
        bucket_s: task.bucket / task.per_second,
        cutoff: Moment {
            instant: unit.instant(&cutoff),
            value: cutoff,
        },
        fresh: facts.fresh,
        sealed: facts.sealed,
        mark: facts.mark.clone(),
        due: facts.due,
        estimate: estimate(facts),
        duration_s: facts.due as f64 / rate.unwrap_or(ASSUMED_RATE),
        rate_measured: rate.is_some(),
        task: task.clone(),
    }
}

/// The ratio of kept rows, with series as the sampling units: buckets of one series resemble
/// each other, so they tell less than as many buckets of different series would.
fn estimate(facts: &TierFacts) -> Option<Estimate> {
    let of = |buckets: &[BucketPreview], what: fn(&BucketPreview) -> u64| {
        buckets
            .iter()
            .map(|bucket| what(bucket) as f64)
            .sum::<f64>()
    };
    let series: Vec<(f64, f64)> = facts
        .sample
        .iter()
        .filter(|buckets| !buckets.is_empty())
        .map(|buckets| (of(buckets, |b| b.rows), of(buckets, |b| b.kept)))
        .collect();
    let rows: f64 = series.iter().map(|(rows, _)| rows).sum();
    let kept: f64 = series.iter().map(|(_, kept)| kept).sum();
    if rows <= 0.0 {
        return None;
    }
    let (share, n) = (kept / rows, series.len() as f64);
    let error = (series.len() >= 5).then(|| {
        let residuals = series
            .iter()
            .map(|(rows, kept)| (kept - share * rows).powi(2));
        let variance = residuals.sum::<f64>() / (n * (n - 1.0));
        1.96 * variance.sqrt() / (rows / n)
    });
    let all: Vec<&BucketPreview> = facts.sample.iter().flatten().collect();
    let lost = (facts.task.mode == Mode::Mean).then(|| {
        let ranges: Vec<f64> = all.iter().map(|b| b.range).filter(|r| *r > 0.0).collect();
        LostEnvelope {
            buckets: ranges.len() as f64 / all.len().max(1) as f64,
            mean: ranges.iter().sum::<f64>() / ranges.len().max(1) as f64,
            largest: ranges.iter().copied().fold(0.0, f64::max),
        }
    });
    Some(Estimate {
        series: series.len() as u64,
        buckets: all.len() as u64,
        kept_share: share,
        error,
        rows_after: (facts.due as f64 * share).round() as u64,
        lost,
    })
}
