//! The plan of tasks on standard output.

use comfy_table::Cell;
use elpis_maint_core::housekeeping::{HousekeepingPlan, PartPlan, TaskPlan};
use elpis_maint_core::sweep::{HeldBy, SweepPlan};
use elpis_maint_core::{Moment, TablePlan};

use super::grid::{PLAIN, right, text, wrapped};
use super::{bytes, count, number, seconds};

/// Stands before numbers that hold only as long as no earlier task does anything.
const SHARED: &str = "* ";

/// A line a part, then the sum, then what is to be known of several lines.
pub(super) fn tasks(plan: &HousekeepingPlan) -> String {
    let header = ["task", "group", "table", "rows", "how"];
    let notes = Notes::of(plan);
    let rows = plan.tasks.iter().flat_map(|task| planned(task, &notes));
    let mut lines = vec![wrapped(PLAIN, &header, rows.collect()), sum(plan)];
    if parts(plan).any(|part| !overlaps(part).is_empty()) {
        lines.push(
            "* counted as the database is now: earlier tasks of this run take, make or change some \
             of these rows"
                .to_owned(),
        );
    }
    lines.extend(notes.lines());
    lines.join("\n")
}

fn parts(plan: &HousekeepingPlan) -> impl Iterator<Item = &PartPlan> {
    plan.tasks.iter().flat_map(|task| &task.parts)
}

fn overlaps(part: &PartPlan) -> &[String] {
    match part {
        PartPlan::Purge(plan) => &plan.overlaps,
        PartPlan::Sweep(plan) => &plan.overlaps,
        PartPlan::Program(_) | PartPlan::Skipped { .. } | PartPlan::Held { .. } => &[],
    }
}

fn sum(plan: &HousekeepingPlan) -> String {
    let estimated = parts(plan).any(|part| match part {
        PartPlan::Purge(plan) => !plan.due.exact,
        PartPlan::Sweep(plan) => !plan.facts.due.exact,
        _ => false,
    });
    let uncounted = parts(plan).any(|part| match part {
        PartPlan::Purge(plan) => plan.cascaded.is_none() && !plan.task.cascades.is_empty(),
        PartPlan::Sweep(plan) => {
            plan.facts.dependents.is_none() && !plan.task.dependents().is_empty()
        }
        _ => false,
    });
    let mark = if estimated { "~" } else { "" };
    let mut sum = format!("{mark}{} rows to delete or change", number(plan.all_due()));
    let purges = || {
        parts(plan).filter_map(|part| match part {
            PartPlan::Purge(plan) if plan.due.rows > 0 => Some(plan),
            _ => None,
        })
    };
    let freed: u64 = purges().filter_map(|plan| plan.bytes).sum();
    let took: f64 = purges().map(|plan| plan.duration_s).sum();
    if purges().next().is_some() {
        let what = match freed {
            0 => "go".to_owned(),
            freed => format!("free ~{}", bytes(freed)),
        };
        sum.push_str(&format!("; the old ones {what} in about {}", seconds(took)));
    }
    if purges().any(|plan| !plan.rate_measured) {
        sum.push_str(", a guess until a run has measured it");
    }
    match (estimated, uncounted) {
        (true, true) => {
            sum.push_str("; ~ marks estimates, --exact counts, also what hangs on rows")
        }
        (true, false) => sum.push_str("; ~ marks estimates, --exact counts"),
        (false, true) => sum.push_str("; --exact also counts what hangs on them"),
        (false, false) => {}
    }
    sum
}

/// What is to be said of sweeps: once each, by number.
struct Notes<'a>(Vec<&'a str>);

impl<'a> Notes<'a> {
    fn of(plan: &'a HousekeepingPlan) -> Notes<'a> {
        let mut all: Vec<&str> = Vec::new();
        let sweeps = parts(plan).filter_map(|part| match part {
            PartPlan::Sweep(plan) => Some(plan),
            _ => None,
        });
        for note in sweeps.flat_map(|plan| &plan.notes) {
            if !all.contains(&note.as_str()) {
                all.push(note);
            }
        }
        Notes(all)
    }

    fn numbers(&self, notes: &[String]) -> Vec<String> {
        let known = self.0.iter().enumerate();
        let own = known.filter(|(_, note)| notes.iter().any(|own| own == *note));
        own.map(|(i, _)| format!("[{}]", i + 1)).collect()
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        let all = self.0.iter().enumerate();
        all.map(|(i, note)| format!("[{}] {note}", i + 1))
    }
}

/// A row a part; the task's name stands before its first.
fn planned(task: &TaskPlan, notes: &Notes<'_>) -> Vec<Vec<Cell>> {
    let mut rows = Vec::with_capacity(task.parts.len());
    for (i, part) in task.parts.iter().enumerate() {
        let first = |word: String| text(if i == 0 { word } else { String::new() });
        let none = || "-".to_owned();
        let (table, due, how) = match part {
            PartPlan::Purge(plan) => (plan.task.table.clone(), count(plan.due), purged(plan)),
            PartPlan::Sweep(plan) => (
                plan.task.table.clone(),
                count(plan.facts.due),
                swept(plan, notes),
            ),
            PartPlan::Program(program) => (none(), none(), program.program.display().to_string()),
            PartPlan::Skipped { why } => (none(), none(), format!("skipped: {why}")),
            PartPlan::Held { by, why } => (none(), none(), held(*by, why)),
        };
        let mark = if overlaps(part).is_empty() {
            ""
        } else {
            SHARED
        };
        rows.push(vec![
            first(task.id.clone()),
            first(task.group.to_string()),
            text(table),
            right(format!("{mark}{due}")),
            text(how),
        ]);
    }
    rows
}

fn purged(plan: &TablePlan) -> String {
    let mut how = format!("keeps {}, {}", plan.keep, plan.method);
    let day = |moment: &Option<Moment>| Some(moment.as_ref()?.instant?.strftime("%F").to_string());
    if let Some(oldest) = day(&plan.oldest) {
        let newest = day(&plan.newest).map(|newest| format!(" to {newest}"));
        how.push_str(&format!(", has {oldest}{}", newest.unwrap_or_default()));
    }
    if plan.due.rows > 0 {
        let freed = plan.bytes.map(|freed| format!("~{} ", bytes(freed)));
        let (freed, took) = (freed.unwrap_or_default(), seconds(plan.duration_s));
        how.push_str(&format!(", {freed}in about {took}"));
    }
    for (child, rows) in plan.cascaded.iter().flatten().filter(|(_, rows)| *rows > 0) {
        how.push_str(&format!(", {} of {child} first", number(*rows)));
    }
    how
}

fn swept(plan: &SweepPlan, notes: &Notes<'_>) -> String {
    let counted = plan.facts.dependents.iter().flatten();
    let counted = counted.filter(|(_, rows)| *rows > 0);
    let counted = counted.map(|(child, rows)| format!("{} of {child}", number(*rows)));
    let counted: Vec<String> = counted.collect();
    let mut how = notes.numbers(&plan.notes);
    if !counted.is_empty() {
        how.push(counted.join("; "));
    }
    how.join(" ")
}

fn held(by: HeldBy, why: &str) -> String {
    let more = match by {
        HeldBy::Share => " (--max-share)",
        HeldBy::EmptyParent => " (--max-share 1)",
        _ => "",
    };
    format!("HELD BACK: {why}{more}")
}
