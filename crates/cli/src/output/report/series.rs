//! A few series as a console draws them: before and after the compaction, and beside it what one
//! average a bucket would have left; then the numbers.

use std::num::NonZeroU32;

use elpis_maint_core::chart::{Chart, Series, Slice, Window, compare, draw};
use elpis_maint_core::demo::Exhibit;
use jiff::Timestamp;

use super::super::{bytes, hours, number, seconds};
use super::Compacted;
use super::svg::{self, LEFT, WIDTH, escape};

const TOP: f64 = 22.0;
const BOTTOM: f64 = 150.0;
const HEIGHT: f64 = 172.0;
/// The width of one of two charts beside each other, and where the right one begins.
const PANEL: f64 = 404.0;
const RIGHT: f64 = WIDTH - PANEL;

/// Where one chart lies, and what its axes mean.
struct Panel {
    left: f64,
    window: Window,
    low: f64,
    high: f64,
}

/// The figures, one under the other.
pub(super) fn figures(compacted: &Compacted) -> String {
    let mut page = svg::legend(&[
        (
            "was",
            "before: lowest to highest value of a slice, and the mean",
        ),
        ("nowkey", "after: the same, drawn over it"),
        ("averagekey", "instead: one average a bucket"),
        ("unknown", "unknown: silent for more than a day"),
    ]);
    let figures = compacted.exhibits.iter();
    page.extend(figures.map(|exhibit| figure(exhibit, compacted)));
    page.push_str(
        "<p class=\"note\">Both sides show the same rows before, in grey. The envelope keeps the first, \
         the lowest, the highest and the last real row of a bucket, so extremes, steps at bucket \
         ends and gaps stay. A console's mean counts rows, so it may move: by how much is said \
         under each chart. Whoever looks closer than a bucket is long sees each of its rows stand \
         until the next one.</p>\n",
    );
    page
}

fn figure(exhibit: &Exhibit, compacted: &Compacted) -> String {
    let drawn = |series: &Series| draw(series, &exhibit.rules, exhibit.window);
    let (before, after) = (drawn(&exhibit.before), drawn(&exhibit.after));
    let average = drawn(&exhibit.average);
    let (low, high) = range(&before);
    let panel = |left| Panel {
        left,
        window: exhibit.window,
        low,
        high,
    };
    let (left, right) = (panel(LEFT), panel(RIGHT));
    let mut body = String::new();
    for (panel, chart, class) in [(&left, &after, "now"), (&right, &average, "average")] {
        body.push_str(&panel.axes());
        body.push_str(&panel.tiers(compacted));
        body.push_str(&panel.unknown(chart));
        body.push_str(&panel.band("was", &before));
        body.push_str(&panel.line("wasmean", &before, |slice| slice.mean));
        for edge in [|slice: &Slice| slice.min, |slice: &Slice| slice.max] {
            body.push_str(&panel.line(class, chart, edge));
        }
        body.push_str(&panel.line(&format!("{class}mean"), chart, |slice| slice.mean));
    }
    let label = format!("{}: {}", exhibit.name, exhibit.about);
    format!(
        "<h3>{}<span> {}</span></h3>\n{}{}",
        escape(&exhibit.name),
        escape(exhibit.about),
        svg::chart(HEIGHT, &label, &body),
        caption(exhibit, longest(compacted), (&before, &average)),
    )
}

/// The longest bucket, whose ends are ends of all others too.
fn longest(compacted: &Compacted) -> NonZeroU32 {
    let lengths = compacted.plan.tiers.iter().map(|tier| tier.bucket_s).max();
    lengths
        .and_then(|length| NonZeroU32::new(u32::try_from(length).ok()?))
        .unwrap_or(NonZeroU32::MIN)
}

/// What the eye may miss.
fn caption(exhibit: &Exhibit, bucket: NonZeroU32, (before, average): (&Chart, &Chart)) -> String {
    let window = exhibit.window;
    let rows = |series: &Series| number(series.between(window.start, window.end).len() as u64);
    let differs = &exhibit.difference;
    let cut = differs.cut;
    let extremes = if cut.differ.count == 0 {
        "every slice has its extremes".to_owned()
    } else {
        format!(
            "{} of {} slices whose edge cuts a bucket show an extreme of that bucket one slice \
             on, by at most {}",
            cut.differ.count,
            cut.slices,
            percent(cut.largest_relative)
        )
    };
    let mean = differs.mean_shift;
    let lost = compare(
        &exhibit.before,
        &exhibit.average,
        &exhibit.rules,
        window,
        bucket,
    );
    let highest = |chart: &Chart| {
        let values = chart.slices.iter().filter_map(|slice| slice.max);
        values.reduce(f64::max).unwrap_or(0.0)
    };
    format!(
        "<div class=\"pair\"><p class=\"note\">{} rows, then {}. All {} bucket ends keep their \
         step and all gaps their edges; {extremes}. The drawn mean moves by {} of the range on \
         average, {} at most.</p>\n<p class=\"note\">{} rows. The highest value falls from {:.1} \
         to {:.1}; {} of {} bucket ends show another value.</p></div>\n",
        rows(&exhibit.before),
        rows(&exhibit.after),
        number(differs.bucket_ends - differs.steps.count),
        percent(mean.mean_relative),
        percent(mean.max_relative),
        rows(&exhibit.average),
        highest(before),
        highest(average),
        number(lost.steps.count),
        number(lost.bucket_ends),
    )
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// The lowest and highest value, with a little room.
fn range(chart: &Chart) -> (f64, f64) {
    let low = chart.slices.iter().filter_map(|slice| slice.min);
    let high = chart.slices.iter().filter_map(|slice| slice.max);
    let (low, high) = (
        low.reduce(f64::min).unwrap_or(0.0),
        high.reduce(f64::max).unwrap_or(1.0),
    );
    let room = ((high - low) * 0.04).max(1e-9);
    (low - room, high + room)
}

impl Panel {
    fn x(&self, at: f64) -> f64 {
        let share = (at - self.window.start as f64) / self.window.seconds().max(1) as f64;
        self.left + PANEL * share.clamp(0.0, 1.0)
    }

    fn y(&self, value: f64) -> f64 {
        BOTTOM - (BOTTOM - TOP) * ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    fn axes(&self) -> String {
        let mut body = String::new();
        for share in [0.0, 0.5, 1.0] {
            let value = self.low + (self.high - self.low) * share;
            let y = self.y(value);
            body.push_str(&svg::line("grid", self.left, y, self.left + PANEL, y));
            let label = format!("{value:.0}");
            body.push_str(&svg::text("axis", "end", self.left - 6.0, y + 4.0, &label));
        }
        for (share, anchor) in [(0.0, "start"), (0.5, "middle"), (1.0, "end")] {
            let at = self.window.start as f64 + self.window.seconds() as f64 * share;
            let format = if self.window.seconds() > 4 * 86_400 {
                "%b %-d"
            } else {
                "%b %-d %H:%M"
            };
            let date = Timestamp::from_second(at as i64).map(|at| at.strftime(format).to_string());
            let date = date.unwrap_or_default();
            body.push_str(&svg::text("axis", anchor, self.x(at), BOTTOM + 16.0, &date));
        }
        body
    }

    /// Where one tier ends and the next begins.
    fn tiers(&self, compacted: &Compacted) -> String {
        let mut body = String::new();
        for tier in &compacted.plan.tiers {
            let Some(at) = tier.cutoff.instant else {
                continue;
            };
            let at = at.as_second();
            if (self.window.start..self.window.end).contains(&at) {
                let x = self.x(at as f64);
                body.push_str(&svg::line("cutoff", x, TOP, x, BOTTOM));
                let label = format!("← buckets of {}", hours(tier.bucket_s));
                body.push_str(&svg::text("mark", "end", x, TOP - 7.0, &label));
            }
        }
        body
    }

    fn unknown(&self, chart: &Chart) -> String {
        chart
            .unknown
            .iter()
            .map(|span| {
                let (from, to) = (self.x(span.from), self.x(span.to));
                svg::rect("unknown", from, TOP, to - from, BOTTOM - TOP)
            })
            .collect()
    }

    /// The slices of which something is known, with where they begin and end.
    fn known<'c>(&self, chart: &'c Chart) -> impl Iterator<Item = (f64, f64, &'c Slice)> {
        let known = chart.slices.iter().filter(|s| !(s.unknown && s.carried));
        let edges: Vec<_> = known
            .map(|slice| (self.x(slice.start), self.x(slice.end), slice))
            .collect();
        edges.into_iter()
    }

    /// From the lowest to the highest value, slice by slice.
    fn band(&self, class: &str, chart: &Chart) -> String {
        let mut path = String::new();
        for (from, to, slice) in self.known(chart) {
            if let (Some(min), Some(max)) = (slice.min, slice.max) {
                let (bottom, top) = (self.y(min) + 0.4, self.y(max) - 0.4);
                path.push_str(&format!(
                    "M{from:.1},{bottom:.1}H{to:.1}V{top:.1}H{from:.1}Z"
                ));
            }
        }
        format!("<path class=\"{class}\" d=\"{path}\"/>\n")
    }

    /// One value a slice, as steps; broken where nothing is known.
    fn line(&self, class: &str, chart: &Chart, value: impl Fn(&Slice) -> Option<f64>) -> String {
        let (mut path, mut last) = (String::new(), f64::NAN);
        for (from, to, slice) in self.known(chart) {
            let Some(value) = value(slice) else { continue };
            let y = self.y(value);
            // A slice that does not follow on the one before begins a new line.
            let verb = if (from - last).abs() < 0.05 { 'L' } else { 'M' };
            path.push_str(&format!("{verb}{from:.1},{y:.1}H{to:.1}"));
            last = to;
        }
        format!("<path class=\"{class}\" d=\"{path}\"/>\n")
    }
}

/// Rows and bytes before and after, and what the comparison of all charts found.
pub(super) fn results(compacted: &Compacted) -> String {
    let mut rows = String::new();
    let (before, after) = compacted.space;
    for (plan, tier) in compacted.plan.tiers.iter().zip(&compacted.report.tiers) {
        let (was, gone) = (plan.due, tier.removed());
        let estimate = plan.estimate.as_ref().map_or("–".to_owned(), |estimate| {
            let error = estimate
                .error
                .map_or(String::new(), |error| format!(" ± {}", percent(error)));
            format!("{}{error}", percent(estimate.kept_share))
        });
        let left = was.saturating_sub(gone);
        rows.push_str(&row(&[
            &format!(
                "older than {} days, into {}",
                plan.older_than_days,
                hours(tier.bucket_s)
            ),
            &number(was),
            &number(left),
            &percent(left as f64 / was.max(1) as f64),
            &estimate,
            &tier
                .rate()
                .map_or("–".to_owned(), |rate| number(rate as u64)),
            &seconds(tier.working_s + tier.paused_s + tier.waited_s),
        ]));
    }
    let share = |after: u64, before: u64| percent(after as f64 / before.max(1) as f64);
    rows.push_str(&row(&[
        "all rows of the table, young ones and states included",
        &number(before.rows),
        &number(after.rows),
        &share(after.rows, before.rows),
        "–",
        "–",
        "–",
    ]));
    rows.push_str(&row(&[
        "bytes of the table and its indexes",
        &bytes(before.bytes),
        &bytes(after.bytes),
        &share(after.bytes, before.bytes),
        "–",
        "–",
        "–",
    ]));
    format!(
        "<div class=\"scroll\"><table>\n<thead><tr><th>tagente_datos</th><th class=\"n\">before</th>\
         <th class=\"n\">after</th><th class=\"n\">left</th><th class=\"n\">planned</th>\
         <th class=\"n\">rows/s</th><th class=\"n\">took</th></tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table></div>\n{}",
        verdict(compacted)
    )
}

fn row(cells: &[&str]) -> String {
    let mut row = String::from("<tr>");
    for (i, cell) in cells.iter().enumerate() {
        let class = if i > 0 { " class=\"n\"" } else { "" };
        row.push_str(&format!("<td{class}>{}</td>", escape(cell)));
    }
    row + "</tr>\n"
}

fn verdict(compacted: &Compacted) -> String {
    let charts = &compacted.charts;
    let mut lines = String::new();
    let mut line = |holds: bool, text: String| {
        let (class, mark) = if holds {
            ("good", '✓')
        } else {
            ("bad", '✗')
        };
        lines.push_str(&format!(
            "<li><span class=\"{class}\">{mark}</span> {}</li>\n",
            escape(&text)
        ));
    };
    line(
        charts.broken == 0,
        format!(
            "{} of {} charts lost a step, an extreme or a gap ({} series; a day, a week, 30 days \
             and a year; cut as the console does and along bucket edges)",
            number(charts.broken),
            number(charts.charts),
            number(charts.compacted)
        ),
    );
    line(
        charts.invented == 0,
        format!(
            "{} rows are there that were not before",
            number(charts.invented)
        ),
    );
    line(
        charts.wronged == 0,
        format!(
            "{} rows are gone that are young or belong to a state",
            number(charts.wronged)
        ),
    );
    line(
        charts.removed == compacted.report.removed(),
        format!(
            "{} rows are gone, {} were reported",
            number(charts.removed),
            number(compacted.report.removed())
        ),
    );
    format!(
        "<ul class=\"checks\">\n{lines}</ul>\n<p class=\"note\">Not promised, but measured: drawn \
         means moved by {} of their chart's range on average.</p>\n",
        percent(charts.mean_shift)
    )
}
