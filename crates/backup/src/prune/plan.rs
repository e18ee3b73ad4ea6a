//! Which archives may go: a pure function of rules, archives and the time.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::name::ArchiveName;
use crate::store::Stored;

/// What is kept. Each rule keeps the newest archive of each of so many periods that have one;
/// what no rule keeps may go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeepRules {
    /// The newest archives.
    pub last: u32,
    /// Hours.
    pub hourly: u32,
    /// Calendar days.
    pub daily: u32,
    /// Weeks that begin on Monday (ISO 8601).
    pub weekly: u32,
    /// Calendar months.
    pub monthly: u32,
    /// Calendar years.
    pub yearly: u32,
}

/// What becomes of each archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PrunePlan {
    /// The newest first.
    pub archives: Vec<Decision>,
}

/// What becomes of one archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Which.
    pub name: ArchiveName,
    /// When it was begun.
    pub began: Timestamp,
    /// Its length in bytes.
    pub bytes: u64,
    /// Why it is kept; it goes if there is no reason.
    pub keep: Vec<String>,
}

/// Rules that would keep nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no rule keeps anything: name at least one of last, hourly, daily, weekly, monthly, yearly"
)]
pub struct NoRules;

impl PrunePlan {
    /// Decides about `archives`, all of one prefix, with days and weeks as in `zone`.
    ///
    /// Kept whatever the rules say: pinned archives, the newest verified one, the newest that is
    /// not known to be broken, and those from the future, which fill no period. A broken archive
    /// fills none either.
    ///
    /// # Errors
    /// [`NoRules`].
    pub fn new(
        rules: &KeepRules,
        archives: &[Stored],
        now: Timestamp,
        zone: &TimeZone,
    ) -> Result<PrunePlan, NoRules> {
        if *rules == KeepRules::default() {
            return Err(NoRules);
        }
        let mut sorted: Vec<(Timestamp, &Stored)> = archives
            .iter()
            .map(|archive| (archive.began(zone), archive))
            .collect();
        sorted.sort_by(|(a, x), (b, y)| (b, y.name.to_string()).cmp(&(a, x.name.to_string())));
        let past = |at: Timestamp| at <= now;
        let newest = |fits: &dyn Fn(&Stored) -> bool| {
            sorted
                .iter()
                .position(|(at, archive)| past(*at) && fits(archive))
        };
        let newest_verified = newest(&|archive| archive.is_verified());
        let newest_sound = newest(&|archive| !archive.is_broken());
        let mut periods = rules.periods();
        let archives = sorted
            .iter()
            .enumerate()
            .map(|(at, (began, archive))| {
                let mut keep = Vec::new();
                if let Some(why) = archive.note.as_ref().and_then(|note| note.pinned.as_ref()) {
                    keep.push(format!("pinned: {why}"));
                }
                if newest_verified == Some(at) {
                    keep.push("newest verified".to_owned());
                }
                if newest_sound == Some(at) {
                    keep.push("newest".to_owned());
                }
                if !past(*began) {
                    keep.push("from the future".to_owned());
                } else if !archive.is_broken() {
                    let taken = periods
                        .iter_mut()
                        .filter_map(|period| period.take(*began, zone));
                    keep.extend(taken);
                }
                Decision {
                    name: archive.name.clone(),
                    began: *began,
                    bytes: archive.bytes,
                    keep,
                }
            })
            .collect();
        Ok(PrunePlan { archives })
    }

    /// The archives that go.
    pub fn removed(&self) -> impl Iterator<Item = &Decision> {
        self.archives
            .iter()
            .filter(|decision| decision.keep.is_empty())
    }
}

impl KeepRules {
    fn periods(&self) -> Vec<Periods> {
        let all = [
            ("last", "%s.%N", self.last),
            ("hourly", "%Y-%m-%d %H %z", self.hourly),
            ("daily", "%Y-%m-%d", self.daily),
            ("weekly", "%G-W%V", self.weekly),
            ("monthly", "%Y-%m", self.monthly),
            ("yearly", "%Y", self.yearly),
        ];
        all.map(|(rule, form, left)| Periods {
            rule,
            form,
            left,
            seen: BTreeSet::new(),
        })
        .into()
    }
}

/// The periods of one rule that are still to be filled.
struct Periods {
    rule: &'static str,
    form: &'static str,
    left: u32,
    seen: BTreeSet<String>,
}

impl Periods {
    /// Takes the newest archive of a period; they come newest first.
    fn take(&mut self, began: Timestamp, zone: &TimeZone) -> Option<String> {
        if self.left == 0 {
            return None;
        }
        let zoned = began.to_zoned(zone.clone());
        if self.rule == "last" {
            self.left -= 1;
            return Some("last".to_owned());
        }
        let period = zoned.strftime(self.form).to_string();
        if !self.seen.insert(period.clone()) {
            return None;
        }
        self.left -= 1;
        Some(format!("{} {period}", self.rule))
    }
}
