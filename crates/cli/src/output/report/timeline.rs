//! The run over time: how fast, which table, and when it paused or waited and why.

use elpis_maint_core::PurgeEvent;

use super::super::{number, seconds};
use super::Chapter;
use super::svg::{self, LEFT, WIDTH, escape};

const TOP: f64 = 34.0;
const BOTTOM: f64 = 204.0;
/// Where the strip of work and pauses lies.
const STRIP: (f64, f64) = (236.0, 266.0);
const HEIGHT: f64 = 292.0;
const BINS: usize = 200;

/// What happened in a short stretch of time.
#[derive(Default, Clone, Copy)]
struct Bin {
    rows: f64,
    work: f64,
    pause: f64,
}

/// A chunk, in seconds since the run began.
struct Chunk {
    end: f64,
    took: f64,
    pause: f64,
    rows: f64,
}

pub(super) fn chart(chapter: &Chapter<'_>) -> String {
    let chunks = chunks(chapter);
    let Some(total) = chapter
        .story
        .last()
        .map(|(at, _)| at.as_secs_f64().max(0.001))
    else {
        return String::new();
    };
    let width = total / BINS as f64;
    let bins = bins(&chunks, width);
    let x = |at: f64| LEFT + (WIDTH - LEFT) * (at / total).clamp(0.0, 1.0);
    let largest = bins.iter().map(|bin| bin.rows / width).fold(1.0, f64::max);
    let ticks = svg::ticks(largest);
    let scale = (BOTTOM - TOP) / ticks.last().copied().unwrap_or(1.0);

    let mut body = tables(chapter, total, x);
    body.push_str(&svg::grid(&ticks, TOP, BOTTOM));
    let mut path = format!("M{LEFT:.2},{BOTTOM:.2}");
    for (i, bin) in bins.iter().enumerate() {
        let y = BOTTOM - bin.rows / width * scale;
        let (from, to) = (x(i as f64 * width), x((i + 1) as f64 * width));
        path.push_str(&format!("L{from:.2},{y:.2}L{to:.2},{y:.2}"));
    }
    path.push_str(&format!("L{WIDTH:.2},{BOTTOM:.2}Z"));
    body.push_str(&format!("<path class=\"rate\" d=\"{path}\"/>\n"));
    body.push_str(&strip(&bins, width, x));
    body.push_str(&waits(chapter, total, x));
    for second in svg::ticks(total)
        .into_iter()
        .filter(|second| *second <= total)
    {
        let label = format!("{second} s");
        let anchor = if second == 0.0 { "start" } else { "middle" };
        body.push_str(&svg::text("axis", anchor, x(second), HEIGHT - 8.0, &label));
    }
    let legend = svg::legend(&[
        ("ratekey", "rows deleted a second"),
        ("kept", "at work"),
        ("pause", "the throttle's pauses"),
        ("wait", "waiting for the server or a replica"),
    ]);
    let label = "Rows deleted a second over the run, with its pauses";
    legend + &svg::chart(HEIGHT, label, &body) + &summary(chapter, &chunks)
}

/// The chunks with the pauses as they were: a timer wakes later than it was asked to, and the
/// report's own figures are what was asked for.
fn chunks(chapter: &Chapter<'_>) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut since: Option<f64> = None;
    for (at, event) in chapter.story {
        let end = at.as_secs_f64();
        since = match event {
            PurgeEvent::Chunk {
                deleted,
                cascaded,
                took_ms,
                pause_ms,
                ..
            } => {
                let took = took_ms / 1000.0;
                let pause = since.map_or(0.0, |since| (end - took - since).max(0.0));
                chunks.push(Chunk {
                    end,
                    took,
                    pause: if *pause_ms > 0.0 { pause } else { 0.0 },
                    rows: (deleted + cascaded) as f64,
                });
                Some(end)
            }
            // What lies before is no pause: drawn as waiting, or another table's.
            PurgeEvent::Resumed { .. } | PurgeEvent::TableStarted { .. } => None,
            _ => since,
        };
    }
    chunks
}

/// Spreads each chunk and the pause before it over the bins they lie in.
fn bins(chunks: &[Chunk], width: f64) -> Vec<Bin> {
    let mut bins = vec![Bin::default(); BINS];
    let mut spread = |from: f64, to: f64, add: &dyn Fn(&mut Bin, f64)| {
        let first = ((from / width).max(0.0) as usize).min(BINS - 1);
        let last = ((to / width).max(0.0) as usize).min(BINS - 1);
        for (i, bin) in bins.iter_mut().enumerate().take(last + 1).skip(first) {
            let (begin, end) = (i as f64 * width, (i + 1) as f64 * width);
            add(bin, (to.min(end) - from.max(begin)).max(0.0));
        }
    };
    for chunk in chunks {
        let begin = chunk.end - chunk.took;
        let rate = chunk.rows / chunk.took.max(1e-9);
        spread(begin, chunk.end, &|bin, time| {
            bin.work += time;
            bin.rows += rate * time;
        });
        spread(begin - chunk.pause, begin, &|bin, time| bin.pause += time);
    }
    bins
}

/// Which table had its turn when: bands from top to bottom, each with its name above.
fn tables(chapter: &Chapter<'_>, total: f64, x: impl Fn(f64) -> f64) -> String {
    let mut begun = 0.0;
    let mut turns: Vec<(f64, f64, &str)> = Vec::new();
    for (at, event) in chapter.story {
        let at = at.as_secs_f64();
        match event {
            PurgeEvent::TableStarted { .. } => begun = at,
            PurgeEvent::TableFinished(report) => {
                turns.push((x(begun), x(at.min(total)), &report.table));
            }
            _ => {}
        }
    }
    let mut body = String::new();
    for (from, to, _) in turns.iter().step_by(2) {
        body.push_str(&svg::rect("turn", *from, 12.0, to - from, STRIP.1 - 12.0));
    }
    let mut taken = f64::MIN;
    for (from, to, table) in &turns {
        // About seven units a letter; a name that has no room of its own is left out.
        let room = 7.0 * table.chars().count() as f64;
        let (anchor, at, left) = if from + room > WIDTH {
            ("end", to - 4.0, to - 4.0 - room)
        } else {
            ("start", from + 4.0, *from)
        };
        if left > taken {
            body.push_str(&svg::text("mark", anchor, at, 25.0, table));
            taken = from + room;
        }
    }
    body
}

/// How the time was spent: work from below, the throttle's pauses above.
fn strip(bins: &[Bin], width: f64, x: impl Fn(f64) -> f64) -> String {
    let (top, bottom) = STRIP;
    let mut body = svg::text(
        "axis",
        "end",
        LEFT - 8.0,
        (top + bottom) / 2.0 + 4.0,
        "time",
    );
    for (i, bin) in bins.iter().enumerate() {
        let (from, to) = (x(i as f64 * width), x((i + 1) as f64 * width));
        let share = |time: f64| (bottom - top) * (time / width).min(1.0);
        let (work, pause) = (share(bin.work), share(bin.pause));
        let pause = pause.min(bottom - top - work);
        body.push_str(&svg::rect(
            "kept",
            from,
            bottom - work,
            to - from + 0.3,
            work,
        ));
        body.push_str(&svg::rect(
            "pause",
            from,
            bottom - work - pause,
            to - from + 0.3,
            pause,
        ));
    }
    body
}

/// Where the run stood still, with the reason to read when pointed at.
fn waits(chapter: &Chapter<'_>, total: f64, x: impl Fn(f64) -> f64) -> String {
    let mut since: Option<(f64, &str)> = None;
    let mut body = String::new();
    for (at, event) in chapter.story {
        match event {
            PurgeEvent::Waiting { why, .. } => {
                since = since.or(Some((at.as_secs_f64(), why)));
            }
            PurgeEvent::Resumed { .. } | PurgeEvent::Finished(_) => {
                if let Some((from, why)) = since.take() {
                    let (from, to) = (x(from), x(at.as_secs_f64().min(total)));
                    body.push_str(&format!(
                        "<g><title>{}</title>{}</g>\n",
                        escape(why),
                        svg::rect("wait", from, TOP, (to - from).max(1.0), STRIP.1 - TOP)
                    ));
                }
            }
            _ => {}
        }
    }
    body
}

fn summary(chapter: &Chapter<'_>, chunks: &[Chunk]) -> String {
    let mut took: Vec<f64> = chunks.iter().map(|chunk| chunk.took).collect();
    took.sort_by(f64::total_cmp);
    let at = |share: f64| {
        took.get((took.len() as f64 * share) as usize)
            .or(took.last())
    };
    let ms = |share: f64| at(share).map_or(0.0, |seconds| seconds * 1000.0);
    let sum = |part: fn(&elpis_maint_core::TableReport) -> f64| -> f64 {
        chapter.report.tables.iter().map(part).sum()
    };
    format!(
        "<p class=\"note\">{} chunks, each a short transaction: half of them took under {:.1} ms, \
         99 % under {:.1} ms. {} at work, {} of pauses, {} of waiting.</p>\n",
        number(chunks.len() as u64),
        ms(0.5),
        ms(0.99),
        seconds(sum(|table| table.working_s)),
        seconds(sum(|table| table.paused_s)),
        seconds(sum(|table| table.waited_s)),
    )
}
