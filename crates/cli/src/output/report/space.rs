//! The file before and after: what is used, what can be used again, what was returned.

use elpis_maint_core::demo::Survey;

use super::super::bytes;
use super::Chapter;
use super::svg::{self, WIDTH};

const LABELS: f64 = 64.0;

pub(super) fn chart(chapter: &Chapter<'_>) -> String {
    let (before, after) = (chapter.before, chapter.after);
    let size = |survey: &Survey| survey.pages * survey.page_size;
    let free = |survey: &Survey| survey.free_pages * survey.page_size;
    let largest = size(before).max(size(after)).max(1) as f64;
    let scale = (WIDTH - LABELS) / largest;
    let mut body = String::new();
    for (i, (label, survey)) in [("before", before), ("after", after)]
        .into_iter()
        .enumerate()
    {
        let y = 6.0 + i as f64 * 44.0;
        let (free, used) = (free(survey), size(survey) - free(survey));
        let width = used as f64 * scale;
        body.push_str(&svg::text("axis", "end", LABELS - 10.0, y + 21.0, label));
        body.push_str(&svg::rect("kept", LABELS, y, width, 34.0));
        body.push_str(&svg::rect(
            "free",
            LABELS + width,
            y,
            free as f64 * scale,
            34.0,
        ));
        let said = format!("{} used", bytes(used));
        body.push_str(&svg::text("onbar", "start", LABELS + 10.0, y + 22.0, &said));
        if free as f64 * scale > 140.0 {
            let said = format!("{} reusable", bytes(free));
            body.push_str(&svg::text(
                "infree",
                "start",
                LABELS + width + 10.0,
                y + 22.0,
                &said,
            ));
        }
    }
    let returned = size(before).saturating_sub(size(after));
    let legend = svg::legend(&[
        ("kept", "used"),
        ("free", "empty pages, used again by new rows"),
    ]);
    let note = format!(
        "<p class=\"note\">{} can be used again inside the file; {} went back to the file system \
         (SQLite returns space only on VACUUM).</p>\n",
        bytes(free(after)),
        bytes(returned),
    );
    legend + &svg::chart(88.0, "Space used and reusable before and after", &body) + &note
}
