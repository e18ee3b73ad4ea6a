//! Time columns: their units, and the one place where "N days ago" is computed.
//!
//! A limit of N days is N × 86 400 s for columns that hold instants and N calendar days for DATE
//! columns. The incumbent tool got this wrong three times (`* 8600`, `CURDATE() - N`, integer
//! slices that leave a remainder); see section 4.4 of the facts it is tested against.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp};
use serde::Serialize;

use crate::Scalar;

const SECONDS_PER_DAY: u64 = 86_400;

/// What a time column counts or writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeUnit {
    /// Whole seconds since 1970-01-01 UTC.
    EpochSeconds,
    /// Milliseconds since 1970-01-01 UTC.
    EpochMillis,
    /// A SQL TIMESTAMP, an instant that the server shows in the session's zone (Elpis sets UTC).
    Timestamp,
    /// A SQL DATETIME: a wall clock in the given zone.
    Datetime(TimeZone),
    /// A SQL DATE: a calendar day in the given zone.
    Date(TimeZone),
}

impl TimeUnit {
    /// The unit's name in a policy file.
    pub fn name(&self) -> &'static str {
        match self {
            TimeUnit::EpochSeconds => "epoch_seconds",
            TimeUnit::EpochMillis => "epoch_millis",
            TimeUnit::Timestamp => "timestamp",
            TimeUnit::Datetime(_) => "datetime",
            TimeUnit::Date(_) => "date",
        }
    }

    fn zone(&self) -> TimeZone {
        match self {
            TimeUnit::Datetime(zone) | TimeUnit::Date(zone) => zone.clone(),
            _ => TimeZone::UTC,
        }
    }

    /// The column value that separates rows older than `days` days at `now` (strictly below it)
    /// from those that stay, and the instant it stands for.
    ///
    /// `None` if the result lies outside the calendar (years −9999 to 9999).
    pub fn days_before(&self, now: Timestamp, days: u32) -> Option<Cutoff> {
        self.before(now, Duration::from_secs(u64::from(days) * SECONDS_PER_DAY))
    }

    /// The same for any length of time. A DATE goes back by the whole days in it, on the calendar.
    pub fn before(&self, now: Timestamp, elapsed: Duration) -> Option<Cutoff> {
        let days = i64::try_from(elapsed.as_secs() / SECONDS_PER_DAY).ok()?;
        let elapsed = SignedDuration::try_from(elapsed).ok()?;
        let value = match self {
            TimeUnit::EpochSeconds => Scalar::Int(now.checked_sub(elapsed).ok()?.as_second()),
            TimeUnit::EpochMillis => Scalar::Int(now.checked_sub(elapsed).ok()?.as_millisecond()),
            TimeUnit::Timestamp => {
                let instant = now.checked_sub(elapsed).ok()?;
                Scalar::Text(format_datetime(TimeZone::UTC.to_datetime(instant)))
            }
            TimeUnit::Datetime(zone) => {
                let instant = now.checked_sub(elapsed).ok()?;
                Scalar::Text(format_datetime(wall_clock_never_early(zone, instant)))
            }
            TimeUnit::Date(zone) => {
                let today = zone.to_datetime(now).date();
                let days = Span::new().try_days(days).ok()?;
                Scalar::Text(today.checked_sub(days).ok()?.to_string())
            }
        };
        Some(self.cutoff_at(value))
    }

    /// The cutoff at a column value that is already known, such as the n-th newest row's.
    pub fn cutoff_at(&self, value: Scalar) -> Cutoff {
        let instant = self.instant(&value);
        let local = instant.map(|at| at.to_zoned(self.zone()).strftime("%F %T %Z").to_string());
        Cutoff {
            value,
            instant,
            local,
        }
    }

    /// The instant a column value stands for; `None` for zero dates and other impossible values.
    pub fn instant(&self, value: &Scalar) -> Option<Timestamp> {
        match (self, value) {
            (TimeUnit::EpochSeconds, Scalar::Int(n)) => Timestamp::from_second(*n).ok(),
            (TimeUnit::EpochMillis, Scalar::Int(n)) => Timestamp::from_millisecond(*n).ok(),
            (_, Scalar::Text(text)) => {
                let civil: DateTime = match text.parse() {
                    Ok(civil) => civil,
                    Err(_) => text.parse::<jiff::civil::Date>().ok()?.into(),
                };
                civil
                    .to_zoned(self.zone())
                    .ok()
                    .map(|zoned| zoned.timestamp())
            }
            _ => None,
        }
    }
}

/// The wall clock of `instant`, moved back by the length of the fold where clocks go back.
///
/// In the repeated hour one wall-clock value stands for two instants. Taken as it is, the first
/// of them as cutoff would also cover rows written up to an hour later; moved back, it covers
/// none of them. Rows are kept at most one fold longer.
fn wall_clock_never_early(zone: &TimeZone, instant: Timestamp) -> DateTime {
    let civil = zone.to_datetime(instant);
    match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Fold { before, after } if before == zone.to_offset(instant) => {
            let fold = i64::from(before.seconds() - after.seconds());
            civil
                .checked_sub(SignedDuration::from_secs(fold))
                .unwrap_or(civil)
        }
        _ => civil,
    }
}

fn format_datetime(civil: DateTime) -> String {
    civil.strftime("%F %T").to_string()
}

/// Where deletion ends: rows whose time is strictly below `value` are expired.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cutoff {
    /// As the column stores it.
    pub value: Scalar,
    /// The same as an instant, if the calendar has one.
    pub instant: Option<Timestamp>,
    /// The same on the wall clock of the column's zone.
    pub local: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn cutoff(unit: &TimeUnit, now: &str, days: u32) -> Scalar {
        unit.days_before(at(now), days).unwrap().value
    }

    #[test]
    fn days_are_86400_seconds_for_instants() {
        let now = "2026-11-21T08:00:00Z";
        let expected = at(now).as_second() - 30 * 86_400;
        assert_eq!(
            cutoff(&TimeUnit::EpochSeconds, now, 30),
            Scalar::Int(expected)
        );
        assert_eq!(
            cutoff(&TimeUnit::EpochMillis, now, 30),
            Scalar::Int(expected * 1000)
        );
        assert_eq!(
            cutoff(&TimeUnit::Timestamp, now, 30),
            "2026-10-22 08:00:00".into()
        );
    }

    #[test]
    fn dates_go_back_over_month_year_and_leap_day() {
        let unit = TimeUnit::Date(zone("UTC"));
        // The incumbent computes 20261103 - 5 = 20261098 here and deletes nothing.
        assert_eq!(
            cutoff(&unit, "2026-11-03T12:00:00Z", 5),
            "2026-10-29".into()
        );
        assert_eq!(
            cutoff(&unit, "2026-11-03T12:00:00Z", 100),
            "2026-07-26".into()
        );
        assert_eq!(
            cutoff(&unit, "2028-03-01T00:00:00Z", 1),
            "2028-02-29".into()
        );
        assert_eq!(
            cutoff(&unit, "2026-01-01T00:00:00Z", 1),
            "2025-12-31".into()
        );
    }

    #[test]
    fn date_is_today_in_the_columns_zone() {
        let now = "2026-11-21T01:00:00Z";
        assert_eq!(
            cutoff(&TimeUnit::Date(zone("America/Lima")), now, 1),
            "2026-11-19".into()
        );
        assert_eq!(
            cutoff(&TimeUnit::Date(zone("Asia/Seoul")), now, 1),
            "2026-11-20".into()
        );
    }

    #[test]
    fn datetime_counts_elapsed_time_across_clock_changes() {
        // Madrid went from +02:00 to +01:00 on 2026-10-25: 30 × 86 400 s is an hour off the wall.
        let unit = TimeUnit::Datetime(zone("Europe/Madrid"));
        assert_eq!(
            cutoff(&unit, "2026-11-21T08:00:00Z", 30),
            "2026-10-22 10:00:00".into()
        );
    }

    #[test]
    fn datetime_in_the_repeated_hour_never_covers_younger_rows() {
        let unit = TimeUnit::Datetime(zone("Europe/Madrid"));
        // 00:30Z is the first 02:30 on that morning, 01:30Z the second.
        assert_eq!(
            cutoff(&unit, "2026-10-26T00:30:00Z", 1),
            "2026-10-25 01:30:00".into()
        );
        assert_eq!(
            cutoff(&unit, "2026-10-26T01:30:00Z", 1),
            "2026-10-25 02:30:00".into()
        );
    }

    #[test]
    fn impossible_values_have_no_instant() {
        let unit = TimeUnit::Datetime(zone("UTC"));
        assert_eq!(unit.instant(&"0000-00-00 00:00:00".into()), None);
        assert!(unit.instant(&"2026-11-21 08:00:00.250000".into()).is_some());
        assert!(
            TimeUnit::EpochSeconds
                .days_before(Timestamp::MIN, 400)
                .is_none()
        );
    }
}
