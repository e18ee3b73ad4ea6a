//! States are drawn row by row, texts as how many there were.

use serde::{Deserialize, Serialize};

use super::{Point, Series, SliceLength, Window};

/// Draws a state: every row inside the window, without slices. In front stands, at the window's
/// start, what was true there; behind, the first row from the window's end on if it comes within
/// `next_within_s` seconds, or else the last state, carried to the end.
pub fn draw_states(series: &Series, window: Window, next_within_s: u32) -> Vec<Point> {
    let carried = series.carried(|at| at <= window.start);
    let mut drawn: Vec<Point> = carried
        .map(|(_, value)| (window.start, value))
        .into_iter()
        .collect();
    drawn.extend(series.between(window.start.saturating_add(1), window.end));
    let horizon = window.end.saturating_add(i64::from(next_within_s) + 1);
    let next = series.between(window.end, horizon).first().copied();
    let last = drawn.last().map(|(_, value)| (window.end, *value));
    drawn.extend(next.or(last));
    drawn
}

/// How many texts fall together in a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// When the first of them was stored, in seconds since 1970; here the count is drawn.
    pub at: i64,
    /// How many there are.
    pub rows: u64,
}

/// Draws texts: how many rows there are near each multiple of the slice length, rounded half up.
/// Neither end of the window belongs to it.
pub fn count_rows(
    times: impl IntoIterator<Item = i64>,
    slice: SliceLength,
    window: Window,
) -> Vec<Count> {
    let length = slice.seconds(window);
    let inside = |at: &i64| window.start < *at && *at < window.end;
    let mut times: Vec<i64> = times.into_iter().filter(inside).collect();
    times.sort_unstable();
    times
        .chunk_by(|a, b| (*a as f64 / length).round() == (*b as f64 / length).round())
        .map(|group| Count {
            at: group[0],
            rows: group.len() as u64,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn states_are_drawn_row_by_row() {
        let series = Series::new([
            (0, Some(1.0)),
            (10, Some(0.0)),
            (10, Some(1.0)),
            (30, Some(0.0)),
        ]);
        let window = Window { start: 5, end: 25 };
        let inside = [(5, Some(1.0)), (10, Some(0.0)), (10, Some(1.0))];
        assert_eq!(draw_states(&series, window, 4)[..3], inside);
        assert_eq!(draw_states(&series, window, 4)[3..], [(25, Some(1.0))]);
        assert_eq!(draw_states(&series, window, 5)[3..], [(30, Some(0.0))]);
        assert_eq!(draw_states(&Series::default(), window, 5), []);
    }

    #[test]
    fn a_state_at_the_windows_start_is_drawn_once() {
        let series = Series::new([(5, Some(1.0))]);
        let drawn = draw_states(&series, Window { start: 5, end: 25 }, 0);
        assert_eq!(drawn, [(5, Some(1.0)), (25, Some(1.0))]);
    }

    #[test]
    fn texts_are_counted_around_multiples_of_the_slice() {
        let slice = SliceLength::Parts {
            parts: NonZeroU32::new(10).unwrap(),
            plus_s: 0,
        };
        let window = Window { start: 0, end: 100 };
        let times = [25, 0, 14, 15, 24, 24, 99, 100];
        let counts: Vec<(i64, u64)> = count_rows(times, slice, window)
            .iter()
            .map(|count| (count.at, count.rows))
            .collect();
        assert_eq!(counts, [(14, 1), (15, 3), (25, 1), (99, 1)]);
    }
}
