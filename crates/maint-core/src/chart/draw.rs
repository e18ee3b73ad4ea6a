//! The chart of a numeric series.

use serde::{Deserialize, Serialize};

use super::{ChartRules, Series, Window};

/// What is drawn of a numeric series in a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// The slices, one after the other; the last may reach past the window's end.
    pub slices: Vec<Slice>,
    /// When the series is drawn as unknown.
    pub unknown: Vec<Span>,
}

/// One slice of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// Where it begins, in seconds since 1970.
    pub start: f64,
    /// Where the next one begins.
    pub end: f64,
    /// The smallest value; `None` if nothing is drawn.
    pub min: Option<f64>,
    /// The arithmetic mean of the values.
    pub mean: Option<f64>,
    /// The largest value.
    pub max: Option<f64>,
    /// Whether it is unknown, for a part at least.
    pub unknown: bool,
    /// Whether it has no rows and shows what is carried forward.
    pub carried: bool,
}

/// A stretch of time in seconds since 1970; it may be of no length.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Its begin.
    pub from: f64,
    /// Its end.
    pub to: f64,
}

/// What is known of a series at some time.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Standing {
    /// Nothing was ever stored.
    Nothing,
    Value(f64),
    Unknown,
}

impl From<Option<f64>> for Standing {
    fn from(value: Option<f64>) -> Standing {
        value.map_or(Standing::Unknown, Standing::Value)
    }
}

/// Draws a numeric series.
///
/// - The value carried into the window is that of the latest row before its start.
/// - A NULL is unknown from its time on, and counts as a point with the value drawn before.
/// - A slice that begins after too long a silence begins unknown, which counts as such a point
///   too, also if rows follow in it. Before the first row ever, silence is counted from the
///   window's start, and draws the ground.
/// - Means do not overflow: values of ±1e300 are averaged like others.
pub fn draw(series: &Series, rules: &ChartRules, window: Window) -> Chart {
    let length = rules.slice.seconds(window);
    let carry = series.carried(|at| at < window.start);
    let mut standing = carry.map_or(Standing::Nothing, |(_, value)| value.into());
    let mut heard = carry.map_or(window.start, |(at, _)| at);
    let rows = series.between(window.start, window.end.saturating_add(1));
    let mut rows = rows.iter().peekable();
    let mut pen = Pen::new(rules.ground);
    let mut slices = Vec::new();
    let mut start = window.start as f64;
    while start < window.end as f64 {
        let end = start + length;
        let mut tally = Tally::default();
        let has_rows = rows.peek().is_some_and(|(at, _)| (*at as f64) < end);
        let silence = start - heard as f64;
        if rules.gap_s.is_some_and(|gap| silence > f64::from(gap)) {
            if standing != Standing::Nothing {
                standing = Standing::Unknown;
            }
            pen.draw(start, standing, &mut tally);
        } else if !has_rows || (slices.is_empty() && rules.start_point_in_first_slice) {
            pen.draw(start, standing, &mut tally);
        }
        while let Some((at, value)) = rows.next_if(|(at, _)| (*at as f64) < end) {
            (standing, heard) = ((*value).into(), *at);
            pen.draw(*at as f64, standing, &mut tally);
        }
        slices.push(tally.slice(start, end, !has_rows));
        start = end;
    }
    let unknown = pen.finish(window.end as f64);
    Chart { slices, unknown }
}

/// Draws one point after the other and remembers what the last one was.
struct Pen {
    ground: Option<f64>,
    /// The last known value that was drawn.
    previous: Option<f64>,
    unknown_since: Option<f64>,
    unknown: Vec<Span>,
}

impl Pen {
    fn new(ground: Option<f64>) -> Pen {
        Pen {
            ground,
            previous: ground,
            unknown_since: None,
            unknown: Vec::new(),
        }
    }

    fn draw(&mut self, at: f64, what: Standing, tally: &mut Tally) {
        match what {
            Standing::Unknown => {
                tally.unknown = true;
                self.unknown_since.get_or_insert(at);
            }
            Standing::Nothing => self.known(at, self.ground),
            Standing::Value(value) => self.known(at, Some(value)),
        }
        if let Some(value) = self.previous {
            tally.add(value);
        }
    }

    fn known(&mut self, at: f64, value: Option<f64>) {
        if let Some(from) = self.unknown_since.take() {
            self.unknown.push(Span { from, to: at });
        }
        self.previous = value;
    }

    fn finish(mut self, end: f64) -> Vec<Span> {
        let last = self.unknown_since.map(|from| Span { from, to: end });
        self.unknown.extend(last);
        self.unknown
    }
}

/// 2^40, more points than a slice has: sums of values divided by it do not overflow.
const SCALE: f64 = (1_u64 << 40) as f64;

/// The points of one slice.
#[derive(Default)]
struct Tally {
    points: u64,
    sum: f64,
    /// The sum again, of values divided by [`SCALE`].
    scaled: f64,
    range: Option<(f64, f64)>,
    unknown: bool,
}

impl Tally {
    fn add(&mut self, value: f64) {
        let (min, max) = self.range.unwrap_or((value, value));
        self.range = Some((min.min(value), max.max(value)));
        self.sum += value;
        self.scaled += value / SCALE;
        self.points += 1;
    }

    fn slice(&self, start: f64, end: f64, carried: bool) -> Slice {
        let count = self.points as f64;
        let mean = self.range.map(|(min, max)| {
            let mean = match self.sum / count {
                mean if mean.is_finite() => mean,
                _ => self.scaled / count * SCALE,
            };
            // Rounding may carry a mean of equal values past them.
            mean.clamp(min, max)
        });
        Slice {
            start,
            end,
            min: self.range.map(|(min, _)| min),
            mean,
            max: self.range.map(|(_, max)| max),
            unknown: self.unknown,
            carried,
        }
    }
}

#[cfg(test)]
mod tests;
