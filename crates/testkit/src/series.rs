//! Series that are hard to compact: every shape and defect that is known from the field, alone
//! and together, repeatable by a seed.

use std::f64::consts::TAU;

use elpis_maint_core::chart::Point;
use fastrand::Rng;

const DAY: i64 = 86_400;
/// Where every series ends: no multiple of any bucket.
const END: i64 = 1_795_247_983;

/// How the values of a series run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A number with a daily rhythm, noise, and jitter in its times.
    Gauge,
    /// As stored by a server that keeps a value only when it changes, or after a day.
    ChangeOnly,
    /// Flat, with rare single peaks in both directions.
    Spikes,
    /// Always the same value, at every interval.
    Constant,
    /// Below zero and around it, minus zero included.
    Negative,
    /// ±1e300 beside ±1e-300.
    Extreme,
    /// A row every second for some hours.
    Dense,
    /// Counts per interval, whole numbers, most of them small.
    Delta,
    /// One row.
    Single,
    /// No rows.
    Empty,
}

/// What is wrong with a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Nothing stored for 2 hours, a day, or 5 days.
    Holes,
    /// Rows stored long after later ones.
    LateRows,
    /// Rows stored twice, at once or later.
    Duplicates,
    /// NULL as value, alone and in runs.
    Nulls,
    /// Several values at one time.
    SameTime,
    /// The clock was put back: a stretch of time happens twice.
    ClockBack,
}

impl Shape {
    /// All of them.
    pub const ALL: [Shape; 10] = [
        Shape::Gauge,
        Shape::ChangeOnly,
        Shape::Spikes,
        Shape::Constant,
        Shape::Negative,
        Shape::Extreme,
        Shape::Dense,
        Shape::Delta,
        Shape::Single,
        Shape::Empty,
    ];
}

impl Defect {
    /// All of them.
    pub const ALL: [Defect; 6] = [
        Defect::Holes,
        Defect::LateRows,
        Defect::Duplicates,
        Defect::Nulls,
        Defect::SameTime,
        Defect::ClockBack,
    ];
}

/// A series to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesSpec {
    /// How its values run.
    pub shape: Shape,
    /// What is wrong with it, in the order in which it went wrong.
    pub defects: Vec<Defect>,
    /// The seconds between two rows, about.
    pub interval: u32,
    /// How long it is.
    pub days: u32,
    /// What everything random is made of.
    pub seed: u64,
}

impl SeriesSpec {
    /// The hard series of this number. Successive numbers go through all shapes; in every other
    /// round of them through all defects one by one, else through several at once.
    pub fn of(seed: u64) -> SeriesSpec {
        let mut rng = Rng::with_seed(seed ^ 0x5EED);
        let round = seed / Shape::ALL.len() as u64;
        let defects = match round % 4 {
            0 => Vec::new(),
            1 | 3 => vec![Defect::ALL[(round / 2) as usize % Defect::ALL.len()]],
            _ => rng.choose_multiple(Defect::ALL, 3),
        };
        SeriesSpec {
            shape: Shape::ALL[(seed % Shape::ALL.len() as u64) as usize],
            defects,
            interval: [60, 300, 300, 600, 3600][rng.usize(..5)],
            days: [3, 9, 16, 40, 400][rng.usize(..5)],
            seed,
        }
    }

    /// A series of one shape without defects: a row every 5 minutes for 30 days.
    pub fn new(shape: Shape, seed: u64) -> SeriesSpec {
        SeriesSpec {
            shape,
            defects: Vec::new(),
            interval: 300,
            days: 30,
            seed,
        }
    }

    /// The same series, and this wrong with it.
    #[must_use]
    pub fn with(mut self, defect: Defect) -> SeriesSpec {
        self.defects.push(defect);
        self
    }

    /// Its rows in storage order. Never more than about 9,000 at the first: a long series is
    /// stored less often.
    pub fn points(&self) -> Vec<Point> {
        let mut rng = Rng::with_seed(self.seed);
        let mut points = self.shape(&mut rng);
        for defect in &self.defects {
            if !points.is_empty() {
                spoil(&mut points, *defect, &mut rng);
            }
        }
        points
    }

    /// The second after the last row that the series could have.
    pub fn end(&self) -> i64 {
        END
    }

    fn shape(&self, rng: &mut Rng) -> Vec<Point> {
        let span = i64::from(self.days) * DAY;
        let interval = i64::from(self.interval).max(span / 8640);
        let begin = END - span;
        let regular = |interval: i64| (begin..END).step_by(interval as usize);
        let (base, swing) = (20.0 + 40.0 * rng.f64(), 5.0 + 25.0 * rng.f64());
        match self.shape {
            Shape::Empty => Vec::new(),
            Shape::Single => vec![(rng.i64(begin..END), Some(base))],
            Shape::Constant => regular(interval).map(|at| (at, Some(base))).collect(),
            Shape::Dense => (END - 5000..END)
                .map(|at| (at - DAY, Some(rhythm(at, base, swing) + rng.f64())))
                .collect(),
            Shape::Gauge => regular(interval)
                .map(|at| {
                    let at = (at + rng.i64(0..interval.min(60))).min(END - 1);
                    (at, Some(rhythm(at, base, swing) + 15.0 * rng.f64()))
                })
                .collect(),
            Shape::Spikes => regular(interval)
                .map(|at| match rng.u32(..200) {
                    0 => (at, Some(base * 100.0)),
                    1 => (at, Some(-base)),
                    _ => (at, Some(base + (rng.f64() * 4.0).floor())),
                })
                .collect(),
            Shape::Negative => regular(interval)
                .map(|at| match rng.u32(..20) {
                    0 => (at, Some(-0.0)),
                    1 => (at, Some(0.0)),
                    _ => (at, Some(rhythm(at, -10.0, 12.0) - rng.f64())),
                })
                .collect(),
            Shape::Extreme => regular(interval)
                .map(|at| {
                    let magnitude = [1e300, 1e-300, 1.0, 0.0, 1.7e308][rng.usize(..5)];
                    let sign = if rng.bool() { 1.0 } else { -1.0 };
                    (at, Some(sign * magnitude * (0.5 + rng.f64() / 2.0)))
                })
                .collect(),
            Shape::Delta => regular(interval)
                .map(|at| (at, Some((rng.f64().powi(8) * 1000.0).floor())))
                .collect(),
            Shape::ChangeOnly => {
                let mut stored: Vec<Point> = Vec::new();
                let mut value = base.floor();
                for at in regular(interval) {
                    let changed = rng.u32(..150) == 0;
                    if changed {
                        value = (base + 100.0 * rng.f64()).floor();
                    }
                    // The server stores an unchanged value once the last row is over a day old.
                    if changed || stored.last().is_none_or(|(last, _)| at - last > DAY) {
                        stored.push((at, Some(value)));
                    }
                }
                stored
            }
        }
    }
}

/// The rows of the hard series of this number, in storage order; [`SeriesSpec::of`] says what it
/// is.
pub fn generate(seed: u64) -> Vec<Point> {
    SeriesSpec::of(seed).points()
}

fn rhythm(at: i64, base: f64, swing: f64) -> f64 {
    base - swing * (TAU * (at % DAY) as f64 / DAY as f64).cos()
}

/// `points` are not empty.
fn spoil(points: &mut Vec<Point>, defect: Defect, rng: &mut Rng) {
    match defect {
        Defect::Holes => {
            for seconds in [2 * 3600, DAY, 5 * DAY] {
                if let Some((from, _)) = rng.choice(points.iter()).copied() {
                    points.retain(|(at, _)| !(from..from + seconds).contains(at));
                }
            }
        }
        Defect::LateRows => {
            for _ in 0..1 + points.len() / 50 {
                let row = points.remove(rng.usize(..points.len()));
                let delay = rng.usize(..=points.len().min(400));
                let place = points.iter().position(|(at, _)| *at >= row.0);
                let place = (place.unwrap_or(points.len()) + delay).min(points.len());
                points.insert(place, row);
            }
        }
        Defect::Duplicates => {
            for _ in 0..1 + points.len() / 50 {
                let place = rng.usize(..points.len());
                let again = rng.usize(place..points.len().min(place + 300));
                points.insert(again + 1, points[place]);
            }
        }
        Defect::Nulls => {
            for _ in 0..1 + points.len() / 300 {
                let place = rng.usize(..points.len());
                let run = rng.usize(1..12).min(points.len() - place);
                for point in &mut points[place..place + run] {
                    point.1 = None;
                }
            }
        }
        Defect::SameTime => {
            for _ in 0..1 + points.len() / 50 {
                let place = rng.usize(..points.len());
                let (at, value) = points[place];
                let other = value.map(|value| value + f64::from(rng.i32(-9..9)));
                points.insert(place + rng.usize(..2), (at, other));
            }
        }
        Defect::ClockBack => {
            let from = rng.usize(..points.len());
            let back = rng.i64(1..2 * 3600);
            let to = points.len().min(from + 50);
            for point in &mut points[from..to] {
                point.0 -= back;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_is_a_series() {
        for seed in 0..200 {
            assert_eq!(generate(seed), generate(seed));
        }
    }

    #[test]
    fn two_hundred_and_forty_numbers_have_every_shape_with_every_defect() {
        let mut seen = BTreeSet::new();
        for seed in 0..240 {
            let spec = SeriesSpec::of(seed);
            for defect in &spec.defects {
                seen.insert((spec.shape as u8, *defect as u8));
            }
        }
        assert_eq!(seen.len(), Shape::ALL.len() * Defect::ALL.len());
    }

    #[test]
    fn no_row_is_at_the_end_or_later() {
        for seed in 0..200 {
            assert!(generate(seed).iter().all(|(at, _)| *at < END));
        }
    }

    #[test]
    fn what_is_changed_only_is_kept_alive() {
        let points = SeriesSpec::new(Shape::ChangeOnly, 3).points();
        assert!(points.len() > 30);
        assert!(points.windows(2).all(|w| w[1].0 - w[0].0 <= DAY + 300));
        assert!(points.windows(2).any(|w| w[0].1 == w[1].1));
    }

    #[test]
    fn defects_show() {
        let plain = SeriesSpec::new(Shape::Gauge, 5);
        let spoilt = |defect| plain.clone().with(defect).points();
        let sorted = |points: &[Point]| points.is_sorted_by_key(|(at, _)| *at);
        let points = plain.points();
        assert!(sorted(&points) && points.windows(2).all(|w| w[0].0 < w[1].0));
        let holes = spoilt(Defect::Holes);
        assert!(holes.windows(2).any(|w| w[1].0 - w[0].0 > 4 * DAY));
        assert!(!sorted(&spoilt(Defect::LateRows)));
        let pairs = |points: &[Point]| {
            let mut points = points.to_vec();
            points.sort_by_key(|(at, _)| *at);
            let same = points.windows(2).filter(|w| w[0].0 == w[1].0);
            same.map(|w| w[0].1 == w[1].1).collect::<Vec<_>>()
        };
        assert!(pairs(&spoilt(Defect::Duplicates)).contains(&true));
        assert!(pairs(&spoilt(Defect::SameTime)).contains(&false));
        assert!(spoilt(Defect::Nulls).iter().any(|(_, v)| v.is_none()));
        assert!(!sorted(&spoilt(Defect::ClockBack)));
    }
}
