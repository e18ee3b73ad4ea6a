//! What a console draws of a stored series, as a pure function: the oracle that compaction is
//! checked with, and what the reports draw.
//!
//! Consoles store a value when it changes and draw it as standing until the next one. A chart of
//! a window is cut into slices; a slice shows the smallest, the largest and the arithmetic mean
//! of the **points** in it (not of the time they stood), or, without points, the value carried
//! forward. A series that was silent for too long is *unknown*. [`draw`] does exactly this under
//! [`ChartRules`], [`compare`] says what of it would look different with other rows.
//!
//! Left out, because no row of the series decides them: unknown ranges that come from events,
//! and a window that ends in the future. A profile says which rules its product's console has.
//!
//! ```
//! use elpis_maint_core::chart::{ChartRules, Series, SliceLength, Window, compare, draw};
//! use std::num::NonZeroU32;
//!
//! let rules = ChartRules {
//!     slice: SliceLength::Seconds(NonZeroU32::new(3600).unwrap()),
//!     gap_s: Some(86_400 + 2 * 300),
//!     start_point_in_first_slice: true,
//!     ground: Some(0.0),
//! };
//! let before = Series::new([(0, Some(1.0)), (300, Some(9.0)), (600, Some(2.0)), (900, Some(4.0))]);
//! let window = Window { start: 0, end: 7200 };
//! let chart = draw(&before, &rules, window);
//! assert_eq!(chart.slices[0].max, Some(9.0));
//! assert_eq!(chart.slices[1].mean, Some(4.0), "carried forward");
//!
//! let after = Series::new([(0, Some(1.0)), (300, Some(9.0)), (900, Some(4.0))]);
//! let difference = compare(&before, &after, &rules, window, NonZeroU32::new(3600).unwrap());
//! assert!(difference.is_within_promise());
//! assert!(difference.mean_shift.max > 0.0);
//! ```

mod compare;
mod draw;
mod rules;
mod series;
mod state;

pub use compare::{Difference, Extremes, MeanShift, Mismatch, compare};
pub use draw::{Chart, Slice, Span, draw};
pub use rules::{ChartRules, SliceLength, Window};
pub use series::{Point, Series};
pub use state::{Count, count_rows, draw_states};
