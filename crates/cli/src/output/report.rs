//! The demo's report: one HTML file with inline SVG, no script, nothing fetched from anywhere.

mod days;
mod series;
mod space;
mod svg;
mod timeline;

use std::time::Duration;

use elpis_maint_core::compact::{CompactPlan, CompactReport};
use elpis_maint_core::demo::{ChartSurvey, Exhibit, SeriesSpace, Survey};
use elpis_maint_core::{Plan, PurgeEvent, PurgeReport};

use super::{bytes, number, seconds};
use svg::escape;

/// Everything the report tells.
pub(crate) struct Chapter<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) report: &'a PurgeReport,
    /// The recount before the run.
    pub(crate) before: &'a Survey,
    /// The recount after it.
    pub(crate) after: &'a Survey,
    /// What happened, each with the time since the run began.
    pub(crate) story: &'a [(Duration, PurgeEvent)],
    /// What came after the purge.
    pub(crate) compaction: &'a Compacted,
}

/// The second act.
pub(crate) struct Compacted {
    pub(crate) plan: CompactPlan,
    pub(crate) report: CompactReport,
    /// What the comparison of every chart found.
    pub(crate) charts: ChartSurvey,
    /// Series to look at.
    pub(crate) exhibits: Vec<Exhibit>,
    /// The table of numbers before and after.
    pub(crate) space: (SeriesSpace, SeriesSpace),
}

const STYLE: &str = include_str!("report/style.css");

/// The whole document.
pub(crate) fn html(chapter: &Chapter<'_>) -> String {
    let report = chapter.report;
    let target = escape(&report.target);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Elpis: housekeeping of {target}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<header>\n<h1>Retention purge and compaction</h1>\n\
         <p class=\"sub\">{} at {target} · {}</p>\n</header>\n",
        escape(&chapter.plan.product),
        report.started.strftime("%F %H:%M UTC"),
    );
    page.push_str(&cards(chapter));
    let section =
        |title: &str, body: String| format!("<section>\n<h2>{title}</h2>\n{body}</section>\n");
    page.push_str(&section("Rows per day", days::chart(chapter)));
    page.push_str(&section("The purge", timeline::chart(chapter)));
    page.push_str(&section("Space in the file", space::chart(chapter)));
    page.push_str(&section("Result and recount", results(chapter)));
    let compaction = chapter.compaction;
    page.push_str(&section(
        "Compaction: the charts before and after",
        series::figures(compaction),
    ));
    page.push_str(&section(
        "Compaction: rows, bytes and every chart compared",
        series::results(compaction),
    ));
    page.push_str(
        "<footer>Written by <code>elpis-maint demo</code>. The recount uses its own SQL and \
         shares no query with purge and compaction.</footer>\n</main>\n</body>\n</html>\n",
    );
    page
}

fn cards(chapter: &Chapter<'_>) -> String {
    let report = chapter.report;
    let deleted = report.deleted();
    let compaction = &chapter.compaction.report;
    let took = report.finished.duration_since(report.started).as_secs_f64()
        + compaction
            .finished
            .duration_since(compaction.started)
            .as_secs_f64();
    let kept: u64 = chapter.after.tables.iter().map(|table| table.kept).sum();
    let freed = chapter.after.free_pages * chapter.after.page_size;
    let cards = [
        (number(deleted), "expired rows deleted".to_owned()),
        (number(kept), "kept by the purge".to_owned()),
        (seconds(took), "for both jobs".to_owned()),
        (bytes(freed), "reusable in the file".to_owned()),
        (
            number(compaction.removed()),
            "left out by compaction".to_owned(),
        ),
    ];
    let cards: String = cards
        .iter()
        .map(|(value, label)| {
            format!("<div class=\"card\"><b>{value}</b><span>{label}</span></div>\n")
        })
        .collect();
    format!("<div class=\"cards\">\n{cards}</div>\n")
}

fn results(chapter: &Chapter<'_>) -> String {
    let mut rows = String::new();
    for (before, after) in chapter.before.tables.iter().zip(&chapter.after.tables) {
        let own = |t: &&elpis_maint_core::TableReport| t.table == before.table;
        let purged = chapter.report.tables.iter().find(own);
        let followed = || {
            let mut all = chapter
                .report
                .tables
                .iter()
                .flat_map(|table| &table.cascaded);
            all.find(|(table, _)| *table == before.table)
                .map(|(_, rows)| *rows)
        };
        let deleted = purged
            .map(|table| table.deleted)
            .or_else(followed)
            .unwrap_or(0);
        let cutoff = chapter
            .plan
            .tables
            .iter()
            .find(|table| table.task.table == before.table)
            .and_then(|table| table.cutoff.as_ref()?.instant)
            .map_or("with its event".to_owned(), |at| {
                at.strftime("%F %H:%M").to_string()
            });
        let cell = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
        let chunks = cell(purged.map(|table| number(table.chunks)));
        let rate = cell(
            purged
                .and_then(|t| t.rate())
                .map(|rate| number(rate as u64)),
        );
        let agrees = after.expired == 0
            && deleted == before.expired
            && (before.kept, before.checksum) == (after.kept, after.checksum);
        let verdict = if agrees {
            "<td class=\"good\">✓ agrees</td>"
        } else {
            "<td class=\"bad\">✗ differs</td>"
        };
        rows.push_str(&format!(
            "<tr><td><code>{}</code></td><td>{cutoff}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{chunks}</td><td class=\"n\">{rate}</td>{verdict}</tr>\n",
            escape(&before.table),
            number(before.expired),
            number(deleted),
            number(after.expired),
            number(after.kept),
        ));
    }
    format!(
        "<div class=\"scroll\"><table>\n<thead><tr><th>table</th><th>cutoff (UTC)</th>\
         <th class=\"n\">expired</th><th class=\"n\">deleted</th><th class=\"n\">left</th>\
         <th class=\"n\">kept</th><th class=\"n\">chunks</th><th class=\"n\">rows/s</th>\
         <th>recount</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n\
         <p class=\"note\">Counted before and after the run: no expired row is left, and number \
         and checksum of all others are what they were.</p>\n"
    )
}
