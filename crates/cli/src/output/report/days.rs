//! Rows per day, before and after, with the cutoffs.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Chapter;
use super::svg::{self, LEFT, WIDTH};

const DAY: i64 = 86_400;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 270.0;
const HEIGHT: f64 = 296.0;

pub(super) fn chart(chapter: &Chapter<'_>) -> String {
    let before: BTreeMap<i64, u64> = chapter.before.days.iter().copied().collect();
    let after: BTreeMap<i64, u64> = chapter.after.days.iter().copied().collect();
    let (Some(first), Some(last)) = (before.keys().next(), before.keys().last()) else {
        return String::new();
    };
    let days = (last - first + 1) as f64;
    let width = (WIDTH - LEFT) / days;
    let x = |day: f64| LEFT + (day - *first as f64) * width;
    let largest = before.values().max().copied().unwrap_or(1) as f64;
    let ticks = svg::ticks(largest);
    let scale = (BOTTOM - TOP) / ticks.last().copied().unwrap_or(1.0);
    let mut body = svg::grid(&ticks, TOP, BOTTOM);
    let gap = (width * 0.18).min(3.0);
    for (day, rows) in &before {
        let left = after.get(day).copied().unwrap_or(0);
        let (gone, stays) = ((rows - left.min(*rows)) as f64 * scale, left as f64 * scale);
        let at = x(*day as f64) + gap / 2.0;
        body.push_str(&svg::rect(
            "gone",
            at,
            BOTTOM - stays - gone,
            width - gap,
            gone,
        ));
        body.push_str(&svg::rect("kept", at, BOTTOM - stays, width - gap, stays));
    }
    let every = ((days / 8.0).ceil() as i64).max(1);
    for day in (*first..=*last).filter(|day| (day - first) % every == 0) {
        let date = Timestamp::from_second(day * DAY).map(|at| at.strftime("%b %-d").to_string());
        let middle = x(day as f64) + width / 2.0;
        let date = date.unwrap_or_default();
        body.push_str(&svg::text("axis", "middle", middle, BOTTOM + 18.0, &date));
    }
    body.push_str(&cutoffs(chapter, x));
    let legend = svg::legend(&[
        ("gone", "before only: deleted"),
        ("kept", "before and after: kept"),
    ]);
    legend + &svg::chart(HEIGHT, "Rows per day before and after the purge", &body)
}

/// A line a table, with its name; labels of neighbours stand at different heights.
fn cutoffs(chapter: &Chapter<'_>, x: impl Fn(f64) -> f64) -> String {
    let mut marks: Vec<(f64, &str)> = chapter
        .plan
        .tables
        .iter()
        .filter_map(|table| {
            let at = table.cutoff.as_ref()?.instant?;
            let at = x(at.as_second() as f64 / DAY as f64);
            Some((at, table.task.table.as_str()))
        })
        .filter(|(at, _)| (LEFT..=WIDTH).contains(at))
        .collect();
    marks.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut body = String::new();
    for (i, (at, table)) in marks.iter().enumerate() {
        let y = 14.0 + (i % 3) as f64 * 15.0;
        body.push_str(&svg::line("cutoff", *at, y - 9.0, *at, BOTTOM));
        let label = format!("{table} kept →");
        // About six units a letter.
        let room = 6.2 * label.chars().count() as f64;
        let (anchor, at) = if at + room > WIDTH {
            ("end", at - 5.0)
        } else {
            ("start", at + 5.0)
        };
        body.push_str(&svg::text("mark", anchor, at, y, &label));
    }
    body
}
