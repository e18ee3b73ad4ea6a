//! The chart module against a second implementation in another language.
//!
//! Seeds are fixed; `ELPIS_SOAK=1` makes 10,000 series instead of 1,000.

use std::io::Write;
use std::num::NonZeroU32;
use std::process::{Command, Stdio};

use elpis_maint_core::chart::{
    Chart, ChartRules, Point, Series, Slice, SliceLength, Window, count_rows, draw, draw_states,
};
use elpis_testkit::{SeriesSpec, WINDOWS, console_rules, sliced_rules};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::reduction::seeds;

const DAY: i64 = 86_400;

/// One series with a window and rules of its own for the second implementation.
struct Case {
    spec: SeriesSpec,
    points: Vec<Point>,
    rules: ChartRules,
    window: Window,
}

impl Case {
    fn of(seed: u64) -> Case {
        let mut rng = Rng::with_seed(seed);
        let spec = SeriesSpec::of(seed);
        let mut points = spec.points();
        // The second implementation is slow on purpose; a part of a series is a series too.
        let most = 1500;
        if points.len() > most {
            let first = rng.usize(..points.len() - most);
            points = points[first..first + most].to_vec();
        }
        let end = match points.get(rng.usize(..points.len().max(1))) {
            Some((at, _)) if rng.bool() => *at,
            Some((at, _)) => at + rng.i64(-3600..3 * DAY),
            None => spec.end(),
        };
        let span = points
            .last()
            .map_or(0, |last| last.0 - points[0].0)
            .max(3600);
        let length = match rng.bool() {
            true => WINDOWS[rng.usize(..WINDOWS.len())],
            false => rng.i64(600..span + DAY),
        };
        let slice = match rng.u32(..3) {
            0 => sliced_rules(1, length as u32 / [250, 77, 24][rng.usize(..3)]).slice,
            1 => SliceLength::Parts {
                parts: NonZeroU32::new(rng.u32(50..400)).unwrap(),
                plus_s: rng.u32(..200),
            },
            _ => console_rules(spec.interval).slice,
        };
        let rules = ChartRules {
            slice,
            gap_s: rng
                .u32(..5)
                .checked_sub(1)
                .map(|_| 86_400 + 2 * spec.interval),
            start_point_in_first_slice: rng.u32(..4) > 0,
            ground: (rng.u32(..4) > 0).then_some(0.0),
        };
        Case {
            points,
            rules,
            window: Window {
                start: end - length,
                end,
            },
            spec,
        }
    }

    fn line(&self) -> String {
        let case = json!({
            "rows": self.points,
            "rules": self.rules,
            "window": self.window,
            "ahead": self.spec.interval,
        });
        format!("{case}\n")
    }
}

/// What the second implementation draws of the cases.
fn drawn_in_python(cases: &[Case]) -> Vec<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chart_oracle.py");
    let mut python = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 must be installed");
    let mut stdin = python.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            for case in cases {
                stdin.write_all(case.line().as_bytes()).unwrap();
            }
        });
        python.wait_with_output().unwrap()
    });
    assert!(output.status.success());
    let output = String::from_utf8(output.stdout).unwrap();
    let lines = output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

fn number(value: &Value) -> Option<f64> {
    value.as_str().map(|text| text.parse().unwrap())
}

/// The pairs of a JSON list.
fn pairs<A, B>(
    list: &Value,
    first: impl Fn(&Value) -> A,
    second: impl Fn(&Value) -> B,
) -> Vec<(A, B)> {
    let list = list.as_array().unwrap().iter();
    list.map(|pair| (first(&pair[0]), second(&pair[1])))
        .collect()
}

fn assert_slice(ours: &Slice, theirs: &Value, context: &str) {
    let context = format!("{context}, {ours:?} against {theirs}");
    assert_eq!(ours.min, number(&theirs["min"]), "{context}");
    assert_eq!(ours.max, number(&theirs["max"]), "{context}");
    assert_eq!(ours.unknown, theirs["unknown"], "{context}");
    assert_eq!(ours.carried, theirs["carried"], "{context}");
    let size = |value: Option<f64>| value.unwrap_or(0.0).abs();
    match (ours.mean, number(&theirs["mean"])) {
        (Some(a), Some(b)) => {
            // Sums round in another order. The last digit of the smallest numbers is coarse.
            let rounding = 1e-12 * size(ours.min).max(size(ours.max)) + 1e-315;
            assert!((a / 2.0 - b / 2.0).abs() <= rounding, "{context}");
        }
        (a, b) => assert_eq!(a, b, "{context}"),
    }
}

fn assert_drawn(case: &Case, theirs: &Value) -> Chart {
    let context = format!(
        "{:?} in {:?} under {:?}",
        case.spec, case.window, case.rules
    );
    let series = Series::new(case.points.iter().copied());
    let chart = draw(&series, &case.rules, case.window);
    let slices = theirs["slices"].as_array().unwrap();
    assert_eq!(chart.slices.len(), slices.len(), "{context}");
    for (slice, theirs) in chart.slices.iter().zip(slices) {
        assert_slice(slice, theirs, &context);
    }
    let unknown = chart.unknown.iter();
    let unknown: Vec<_> = unknown
        .map(|span| (Some(span.from), Some(span.to)))
        .collect();
    assert_eq!(
        unknown,
        pairs(&theirs["unknown"], number, number),
        "{context}"
    );
    let time = |value: &Value| value.as_i64().unwrap();
    let states = draw_states(&series, case.window, case.spec.interval);
    assert_eq!(states, pairs(&theirs["states"], time, number), "{context}");
    let times = case.points.iter().map(|(at, _)| *at);
    let counts = count_rows(times, case.rules.slice, case.window);
    let counts: Vec<(i64, u64)> = counts.iter().map(|count| (count.at, count.rows)).collect();
    let rows = |value: &Value| value.as_u64().unwrap();
    assert_eq!(counts, pairs(&theirs["counts"], time, rows), "{context}");
    chart
}

#[test]
fn a_second_implementation_draws_the_same() {
    let (mut slices, mut unknown, mut carried) = (0, 0, 0);
    for first in seeds().step_by(1000) {
        let cases: Vec<Case> = (first..first + 1000).map(Case::of).collect();
        let theirs = drawn_in_python(&cases);
        assert_eq!(theirs.len(), cases.len());
        for (case, theirs) in cases.iter().zip(&theirs) {
            let chart = assert_drawn(case, theirs);
            slices += chart.slices.len();
            unknown += chart.slices.iter().filter(|slice| slice.unknown).count();
            carried += chart.slices.iter().filter(|slice| slice.carried).count();
        }
    }
    println!("{slices} slices, {unknown} of them unknown, {carried} without rows");
    assert!(unknown > 1000 && carried > 1000 && slices - carried > 1000);
}
