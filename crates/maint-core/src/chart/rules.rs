//! What differs between one console's charts and another's.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// A stretch of time on the horizontal axis, in seconds since 1970; empty unless it ends after
/// it starts. Times beyond 2^53 s lose precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Its first second.
    pub start: i64,
    /// Its last second: a row at this very second still belongs to a slice that reaches past it.
    pub end: i64,
}

impl Window {
    /// How long it is, in seconds.
    pub fn seconds(self) -> i64 {
        self.end.saturating_sub(self.start).max(0)
    }
}

/// How long a slice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SliceLength {
    /// Always this many seconds.
    Seconds(NonZeroU32),
    /// So many parts of the window, each longer by so many seconds. The length is not rounded:
    /// slices begin between two seconds.
    Parts {
        /// The number of parts.
        parts: NonZeroU32,
        /// The seconds added to each.
        plus_s: u32,
    },
}

impl SliceLength {
    /// The length in seconds in a chart of `window`; above zero unless the window is empty.
    pub fn seconds(self, window: Window) -> f64 {
        match self {
            SliceLength::Seconds(seconds) => f64::from(seconds.get()),
            SliceLength::Parts { parts, plus_s } => {
                window.seconds() as f64 / f64::from(parts.get()) + f64::from(plus_s)
            }
        }
    }
}

/// How a numeric series is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChartRules {
    /// How the window is cut.
    pub slice: SliceLength,
    /// The longest silence in seconds after which the value is still taken to stand. A slice that
    /// begins later than that after the last row is unknown. `None` for event-like series, which
    /// are never unknown. Buckets must be shorter than this.
    pub gap_s: Option<u32>,
    /// Whether the value carried into the window counts as a point of the first slice when that
    /// has rows of its own. In the other slices it does not.
    pub start_point_in_first_slice: bool,
    /// What is drawn before the first row ever stored, and for *unknown* before the first known
    /// value of the window; `None` draws nothing.
    pub ground: Option<f64>,
}
