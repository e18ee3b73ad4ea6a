//! The rows of one series.

/// A stored row: seconds since 1970, and the value.
pub type Point = (i64, Option<f64>);

/// The rows of one series in the order in which they are drawn: by time, and at one time as they
/// were stored.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    points: Vec<Point>,
}

impl Series {
    /// A series from its rows in storage order. NULL is a row whose value is not known; a value
    /// that is not finite, which no console can draw, is taken for NULL.
    pub fn new(stored: impl IntoIterator<Item = Point>) -> Series {
        let finite = |(at, value): Point| (at, value.filter(|v| v.is_finite()));
        let mut points: Vec<Point> = stored.into_iter().map(finite).collect();
        points.sort_by_key(|(at, _)| *at);
        Series { points }
    }

    /// All rows, in drawing order.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// The value that stands at the second `t`: that of the last row at or before it, and of
    /// several at one time the last stored. `None` if there is no such row or its value is NULL.
    pub fn step_value_at(&self, t: i64) -> Option<f64> {
        let until = self.points.partition_point(|(at, _)| *at <= t);
        self.points[..until].last().and_then(|(_, value)| *value)
    }

    /// The rows at or after `from` and before `to`.
    pub fn between(&self, from: i64, to: i64) -> &[Point] {
        let first = self.points.partition_point(|(at, _)| *at < from);
        let past = self.points.partition_point(|(at, _)| *at < to);
        self.points.get(first..past).unwrap_or_default()
    }

    /// The row whose value is carried past `t`, from the latest time that `earlier` accepts. A
    /// console first looks up that time and then takes the first row it finds there.
    pub(super) fn carried(&self, earlier: impl Fn(i64) -> bool) -> Option<Point> {
        let until = self.points.partition_point(|(at, _)| earlier(*at));
        let (latest, _) = *self.points[..until].last()?;
        let first = self.points.partition_point(|(at, _)| *at < latest);
        self.points.get(first).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::Series;

    #[test]
    fn a_late_row_takes_its_place_and_rows_of_one_time_keep_theirs() {
        let series = Series::new([
            (20, Some(2.0)),
            (10, Some(1.0)),
            (20, Some(3.0)),
            (30, None),
        ]);
        assert_eq!(
            series.points(),
            [
                (10, Some(1.0)),
                (20, Some(2.0)),
                (20, Some(3.0)),
                (30, None)
            ]
        );
        assert_eq!(series.step_value_at(9), None);
        assert_eq!(series.step_value_at(19), Some(1.0));
        assert_eq!(series.step_value_at(29), Some(3.0));
        assert_eq!(series.step_value_at(30), None, "NULL is no value");
        assert_eq!(series.carried(|at| at < 30), Some((20, Some(2.0))));
        assert_eq!(series.carried(|at| at < 10), None);
    }

    #[test]
    fn ranges_are_half_open() {
        let series = Series::new((0..10).map(|at| (at, Some(1.0))));
        assert_eq!(series.between(3, 5).len(), 2);
        assert_eq!(series.between(5, 3), []);
    }

    #[test]
    fn what_is_not_finite_is_null() {
        let series = Series::new([(0, Some(f64::NAN)), (1, Some(f64::INFINITY))]);
        assert_eq!(series.points(), [(0, None), (1, None)]);
    }
}
