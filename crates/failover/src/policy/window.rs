//! The maintenance window.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::PolicyError;

/// When changes may be made. The zone is mandatory: "two o'clock" without one has already
/// happened at the wrong hour to many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Its begin, as the wall clock of `zone` shows it.
    pub from: DateTime,
    /// Its end, likewise.
    pub to: DateTime,
    /// An IANA time zone, such as `Asia/Seoul`.
    pub zone: String,
}

impl Window {
    /// Begin and end as instants; `None` unless [`Policy::check`](super::Policy::check) passes.
    pub fn bounds(&self) -> Option<(Timestamp, Timestamp)> {
        let zone = TimeZone::get(&self.zone).ok()?;
        Some((
            zone.to_ambiguous_timestamp(self.from).unambiguous().ok()?,
            zone.to_ambiguous_timestamp(self.to).unambiguous().ok()?,
        ))
    }

    /// Whether something that takes `needed` may begin at `now`; the text says why not.
    ///
    /// # Errors
    /// In words, with the window's bounds.
    pub fn admits(&self, now: Timestamp, needed: Duration) -> Result<(), String> {
        let Some((from, to)) = self.bounds() else {
            return Err("the maintenance window has no valid bounds".to_owned());
        };
        let zone = &self.zone;
        if now < from {
            return Err(format!(
                "the maintenance window opens at {} {zone}",
                self.from
            ));
        }
        let end = now.checked_add(needed).unwrap_or(Timestamp::MAX);
        if end <= to {
            return Ok(());
        }
        Err(format!(
            "the maintenance window closes at {} {zone}, and this may take {} minutes",
            self.to,
            needed.as_secs().div_ceil(60)
        ))
    }

    /// Checks zone and bounds.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] with every problem.
    pub fn check(&self) -> Result<(), PolicyError> {
        let problems = self.problems();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(PolicyError::Invalid(problems))
        }
    }

    pub(super) fn problems(&self) -> Vec<String> {
        let Ok(zone) = TimeZone::get(&self.zone) else {
            return vec![format!(
                "window.zone = {:?}: is not an IANA time zone, such as Asia/Seoul",
                self.zone
            )];
        };
        let mut problems = Vec::new();
        for (key, time) in [("from", self.from), ("to", self.to)] {
            if zone.to_ambiguous_timestamp(time).is_ambiguous() {
                problems.push(format!(
                    "window.{key} = {time}: does not exist or exists twice in {}, because clocks \
                     are set there at that time",
                    self.zone
                ));
            }
        }
        if self.to <= self.from {
            problems.push("window.to must be after window.from".to_owned());
        }
        problems
    }
}
