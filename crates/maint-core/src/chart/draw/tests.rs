use std::num::NonZeroU32;

use super::super::SliceLength;
use super::*;

fn rules(seconds: u32, gap_s: Option<u32>) -> ChartRules {
    ChartRules {
        slice: SliceLength::Seconds(NonZeroU32::new(seconds).unwrap()),
        gap_s,
        start_point_in_first_slice: true,
        ground: Some(0.0),
    }
}

/// `min mean max`, `~` if carried, `?` if unknown.
fn shown(stored: &[(i64, Option<f64>)], rules: &ChartRules, (start, end): (i64, i64)) -> String {
    let chart = draw(
        &Series::new(stored.iter().copied()),
        rules,
        Window { start, end },
    );
    let slices: Vec<String> = chart
        .slices
        .iter()
        .map(|slice| {
            let number = |n: Option<f64>| n.map_or("-".to_owned(), |n| n.to_string());
            let (min, mean, max) = (number(slice.min), number(slice.mean), number(slice.max));
            let carried = if slice.carried { "~" } else { "" };
            let unknown = if slice.unknown { "?" } else { "" };
            format!("{min} {mean} {max}{carried}{unknown}")
        })
        .collect();
    slices.join(" | ")
}

#[test]
fn a_slice_shows_its_points_and_an_empty_one_the_last_value() {
    let stored = [(0, Some(1.0)), (5, Some(3.0)), (25, Some(8.0))];
    // The first slice counts what is carried in; here nothing was ever stored before.
    assert_eq!(
        shown(&stored, &rules(10, None), (0, 40)),
        "0 1.3333333333333333 3 | 3 3 3~ | 8 8 8 | 8 8 8~"
    );
    assert_eq!(
        shown(&stored, &rules(10, None), (1, 31)),
        "1 2 3 | 3 3 3~ | 8 8 8"
    );
    let skipping = ChartRules {
        start_point_in_first_slice: false,
        ..rules(10, None)
    };
    assert_eq!(shown(&stored, &skipping, (1, 11)), "3 3 3");
}

#[test]
fn a_mean_counts_points_and_not_time() {
    let stored = [
        (-1, Some(0.0)),
        (10, Some(0.0)),
        (11, Some(3.0)),
        (12, Some(9.0)),
    ];
    assert_eq!(shown(&stored, &rules(10, None), (0, 20)), "0 0 0~ | 0 4 9");
}

#[test]
fn a_row_at_the_windows_end_is_drawn_if_the_last_slice_reaches_past_it() {
    let stored = [(0, Some(1.0)), (20, Some(7.0)), (21, Some(9.0))];
    assert_eq!(shown(&stored, &rules(15, None), (1, 20)), "1 1 1~ | 7 7 7");
    assert_eq!(shown(&stored, &rules(19, None), (1, 20)), "1 1 1~");
}

#[test]
fn silence_is_unknown_and_ends_with_the_next_row() {
    let stored = [(0, Some(5.0)), (47, Some(6.0))];
    let series = Series::new(stored);
    let window = Window { start: 5, end: 65 };
    assert_eq!(
        shown(&stored, &rules(10, Some(25)), (5, 65)),
        // The slice in which it ends counts the value from before once.
        "5 5 5~ | 5 5 5~ | 5 5 5~ | 5 5 5~? | 5 5.5 6? | 6 6 6~"
    );
    let unknown = draw(&series, &rules(10, Some(25)), window).unknown;
    assert_eq!(
        unknown,
        [Span {
            from: 35.0,
            to: 47.0
        }]
    );
    assert_eq!(draw(&series, &rules(10, None), window).unknown, []);
    let exactly = draw(&series, &rules(10, Some(35)), window).unknown;
    assert_eq!(
        exactly,
        [Span {
            from: 45.0,
            to: 47.0
        }],
        "35 s are not too long"
    );
}

#[test]
fn a_window_that_begins_unknown_shows_the_ground() {
    let stored = [(0, Some(5.0)), (47, Some(6.0))];
    assert_eq!(
        shown(&stored, &rules(10, Some(25)), (30, 60)),
        "0 0 0~? | 0 3 6? | 6 6 6~"
    );
    let nothing = ChartRules {
        ground: None,
        ..rules(10, Some(25))
    };
    assert_eq!(shown(&stored, &nothing, (30, 50)), "- - -~? | 6 6 6?");
}

#[test]
fn before_the_first_row_ever_nothing_is_unknown() {
    let stored = [(47, Some(6.0))];
    assert_eq!(
        shown(&stored, &rules(10, Some(25)), (0, 60)),
        "0 0 0~ | 0 0 0~ | 0 0 0~ | 0 0 0~ | 0 3 6 | 6 6 6~"
    );
    assert_eq!(shown(&[], &rules(10, Some(25)), (0, 10)), "0 0 0~");
}

#[test]
fn null_is_unknown_and_drawn_as_the_value_before() {
    let stored = [(0, Some(4.0)), (12, Some(8.0)), (15, None), (33, Some(2.0))];
    assert_eq!(
        shown(&stored, &rules(10, None), (5, 45)),
        "4 6 8 | 8 8 8? | 2 2 2 | 2 2 2~"
    );
    let window = Window { start: 5, end: 45 };
    let unknown = draw(&Series::new(stored), &rules(10, None), window).unknown;
    assert_eq!(
        unknown,
        [Span {
            from: 15.0,
            to: 33.0
        }]
    );
    let open = draw(
        &Series::new(stored),
        &rules(10, None),
        Window { start: 5, end: 25 },
    );
    assert_eq!(
        open.unknown,
        [Span {
            from: 15.0,
            to: 25.0
        }]
    );
}

#[test]
fn huge_values_have_a_mean() {
    let huge = f64::MAX;
    let stored = [
        (-1, Some(huge)),
        (1, Some(huge)),
        (2, Some(huge)),
        (11, Some(-huge)),
    ];
    let chart = draw(
        &Series::new(stored),
        &rules(10, None),
        Window { start: 0, end: 20 },
    );
    assert_eq!(chart.slices[0].mean, Some(huge));
    assert_eq!(chart.slices[1].mean, Some(-huge));
    let mixed = [(-1, Some(1e300)), (1, Some(-1e300)), (2, Some(1e-300))];
    let chart = draw(
        &Series::new(mixed),
        &rules(10, None),
        Window { start: 0, end: 10 },
    );
    assert!(chart.slices[0].mean.unwrap().abs() < 1e285);
}

#[test]
fn slices_follow_the_window() {
    let parts = SliceLength::Parts {
        parts: NonZeroU32::new(250).unwrap(),
        plus_s: 100,
    };
    let days = |days: i64| Window {
        start: 0,
        end: days * 86_400,
    };
    // Section 4.2 of the facts: 446, 2,519, 10,468 and 126,244 s.
    let seconds = |window: Window| parts.seconds(window).round();
    assert_eq!(seconds(days(1)), 446.0);
    assert_eq!(seconds(days(7)), 2519.0);
    assert_eq!(seconds(days(30)), 10_468.0);
    assert_eq!(seconds(days(365)), 126_244.0);
    let chart = draw(
        &Series::default(),
        &ChartRules {
            slice: parts,
            ..rules(1, None)
        },
        days(1),
    );
    assert_eq!(chart.slices.len(), 194);
    assert_eq!(
        draw(&Series::default(), &rules(1, None), days(-1)).slices,
        []
    );
}
