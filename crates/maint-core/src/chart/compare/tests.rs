use super::super::SliceLength;
use super::*;

const HOUR: u32 = 3600;

fn seconds(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn rules(slice: u32) -> ChartRules {
    ChartRules {
        slice: SliceLength::Seconds(seconds(slice)),
        gap_s: Some(2 * HOUR),
        start_point_in_first_slice: true,
        ground: Some(0.0),
    }
}

fn gauge() -> Vec<(i64, Option<f64>)> {
    let value = |i: i64| Some(f64::from(i32::try_from(i * 37 % 101).unwrap()));
    (0..48).map(|i| (i * 300 + 7, value(i))).collect()
}

fn compared(after: Vec<(i64, Option<f64>)>, slice: u32, start: i64) -> Difference {
    let (before, after) = (Series::new(gauge()), Series::new(after));
    let window = Window {
        start,
        end: 4 * 3600,
    };
    compare(&before, &after, &rules(slice), window, seconds(HOUR))
}

/// The gauge without the rows whose numbers are given.
fn without(gone: &[usize]) -> Vec<(i64, Option<f64>)> {
    let kept = gauge().into_iter().enumerate();
    kept.filter(|(i, _)| !gone.contains(i))
        .map(|(_, row)| row)
        .collect()
}

#[test]
fn the_same_rows_make_no_difference() {
    let difference = compared(gauge(), 500, 0);
    assert!(difference.is_within_promise());
    assert_eq!(difference.bucket_ends, 4);
    assert_eq!(difference.mean_shift, MeanShift::default());
    assert_eq!((difference.aligned.slices, difference.cut.slices), (0, 29));
    assert_eq!(compared(gauge(), 7200, 0).aligned.slices, 2);
}

#[test]
fn a_row_in_the_middle_moves_the_mean_only() {
    // Number 4 has 47, number 1 has 37: neither is an extreme of the first hour.
    let difference = compared(without(&[1, 4]), HOUR, 0);
    assert!(difference.is_within_promise(), "{difference:?}");
    assert_eq!(difference.aligned.slices, 4);
    assert!(difference.mean_shift.max > 0.0);
    assert!(difference.mean_shift.mean < difference.mean_shift.max);
    assert!(difference.mean_shift.max_relative < 0.1);
}

#[test]
fn a_lost_peak_is_found_in_whole_and_in_cut_slices() {
    let peak = (0..12).max_by_key(|i| i * 37 % 101).unwrap();
    let difference = compared(without(&[peak]), HOUR, 0);
    assert_eq!(
        difference.aligned.differ,
        Mismatch {
            count: 1,
            first_at: Some(0)
        }
    );
    assert!(!difference.is_within_promise());
    // Where a slice cuts the bucket, it is within the bucket's range.
    let difference = compared(without(&[peak]), 300, 150);
    assert_eq!(difference.cut.differ.count, 1);
    assert!(difference.cut.largest > 0.0);
    assert_eq!(difference.beyond_bucket.count, 0);
}

#[test]
fn an_invented_extreme_is_beyond_the_bucket() {
    let mut after = gauge();
    after[5].1 = Some(1e9);
    let difference = compared(after, 300, 150);
    assert_eq!(difference.beyond_bucket.count, 1);
}

#[test]
fn another_last_value_is_a_step() {
    let difference = compared(without(&[11]), HOUR, 0);
    assert_eq!(
        difference.steps,
        Mismatch {
            count: 1,
            first_at: Some(3600)
        }
    );
    let difference = compared(without(&[12]), HOUR, 0);
    assert_eq!(difference.steps.count, 0, "the first row is 7 s later");
}

#[test]
fn a_false_hole_is_found() {
    let gone: Vec<usize> = (12..40).collect();
    let difference = compared(without(&gone), HOUR, 0);
    assert!(difference.unknown.count > 0);
    assert_eq!(difference.unknown.first_at, Some(3 * 3600));
}

#[test]
fn figures_stay_finite() {
    let huge = [
        (0, Some(f64::MAX)),
        (1, Some(-f64::MAX)),
        (2, Some(f64::MAX)),
    ];
    let (before, after) = (Series::new(huge), Series::new([huge[1]]));
    let window = Window {
        start: 0,
        end: 7200,
    };
    let difference = compare(&before, &after, &rules(HOUR), window, seconds(HOUR));
    let text = serde_json::to_string(&difference).unwrap();
    let back: Difference = serde_json::from_str(&text).unwrap();
    assert_eq!(back, difference);
    assert!(!text.contains("null,\"mean"), "{text}");
    assert_eq!(difference.mean_shift.max, f64::MAX);
    let empty = compare(
        &after,
        &Series::default(),
        &rules(HOUR),
        window,
        seconds(HOUR),
    );
    assert!(!empty.is_within_promise());
}
