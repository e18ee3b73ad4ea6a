//! How long things may take, and how long they usually do.

use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact;
use serde::{Deserialize, Serialize};

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

/// Upper bounds. After each the run holds, or undoes; nothing is killed on a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// One question to one unit.
    #[serde(with = "compact::required")]
    pub call: Duration,
    /// One thorough look at one unit, digests included.
    #[serde(with = "compact::required")]
    pub survey: Duration,
    /// A look at the pair that is older than this does not justify an act.
    #[serde(with = "compact::required")]
    pub fresh: Duration,
    /// Between two looks while waiting.
    #[serde(with = "compact::required")]
    pub poll: Duration,
    /// For a pair to settle by itself before an act.
    #[serde(with = "compact::required")]
    pub settle: Duration,
    /// Views of the two units that contradict each other are believed after so long: some hold
    /// times of a pair.
    #[serde(with = "compact::required")]
    pub contradiction: Duration,
    /// The product's readiness check.
    #[serde(with = "compact::required")]
    pub readiness: Duration,
    /// One installation, until its end is seen.
    #[serde(with = "compact::required")]
    pub install: Duration,
    /// Readiness check or installation without any sign of life.
    #[serde(with = "compact::required")]
    pub stall: Duration,
    /// Reboot, rejoin and synchronisation after an installation. The default is the vendor's own
    /// 7200 s for a synchronisation and 45 minutes for the boot.
    #[serde(with = "compact::required")]
    pub rejoin: Duration,
    /// High availability may be suspended so long after the reboot.
    #[serde(with = "compact::required")]
    pub suspended: Duration,
    /// From the switchover's command until the other unit carries the traffic and the probes have
    /// passed: one budget that only shrinks.
    #[serde(with = "compact::required")]
    pub outage: Duration,
    /// The same for undoing a switchover: a fresh budget.
    #[serde(with = "compact::required")]
    pub undo: Duration,
    /// How long an unacknowledged act is looked for.
    #[serde(with = "compact::required")]
    pub unknown: Duration,
    /// At least so long between two planned switchovers of one pair, whichever run made them.
    #[serde(with = "compact::required")]
    pub anti_flap: Duration,
    /// How often an act is ordered that certainly did not begin.
    pub attempts: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            call: minutes(1),
            survey: minutes(15),
            fresh: Duration::from_secs(10),
            poll: Duration::from_secs(5),
            settle: minutes(10),
            contradiction: Duration::from_secs(45),
            readiness: minutes(30),
            install: minutes(120),
            stall: minutes(60),
            rejoin: minutes(165),
            suspended: minutes(30),
            outage: minutes(3),
            undo: minutes(3),
            unknown: minutes(5),
            anti_flap: minutes(5),
            attempts: 2,
        }
    }
}

impl Limits {
    pub(super) fn problems(&self) -> Vec<String> {
        let above_zero = [
            ("call", self.call),
            ("survey", self.survey),
            ("fresh", self.fresh),
            ("poll", self.poll),
            ("settle", self.settle),
            ("contradiction", self.contradiction),
            ("readiness", self.readiness),
            ("install", self.install),
            ("stall", self.stall),
            ("rejoin", self.rejoin),
            ("suspended", self.suspended),
            ("outage", self.outage),
            ("undo", self.undo),
            ("unknown", self.unknown),
        ];
        let mut problems: Vec<String> = above_zero
            .iter()
            .filter(|(_, limit)| limit.is_zero())
            .map(|(key, _)| format!("limits.{key} must be above 0"))
            .collect();
        let week = minutes(7 * 24 * 60);
        problems.extend(
            above_zero
                .iter()
                .filter(|(_, limit)| *limit > week)
                .map(|(key, _)| format!("limits.{key} must be at most a week")),
        );
        if !(1..=5).contains(&self.attempts) {
            problems.push("limits.attempts must lie between 1 and 5".to_owned());
        }
        problems
    }
}

/// Usual durations: for the plan's time line and for the question whether the window suffices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Estimates {
    /// A thorough look at both units.
    #[serde(with = "compact::required")]
    pub survey: Duration,
    /// The product's readiness check.
    #[serde(with = "compact::required")]
    pub readiness: Duration,
    /// One installation.
    #[serde(with = "compact::required")]
    pub install: Duration,
    /// Reboot and rejoin.
    #[serde(with = "compact::required")]
    pub rejoin: Duration,
    /// One switchover with its verification.
    #[serde(with = "compact::required")]
    pub switchover: Duration,
}

impl Default for Estimates {
    /// From the vendor's guide: a whole unit took 38 minutes.
    fn default() -> Estimates {
        Estimates {
            survey: minutes(2),
            readiness: minutes(2),
            install: minutes(30),
            rejoin: minutes(15),
            switchover: Duration::from_secs(30),
        }
    }
}
