//! A profile on standard output: its plans, the report of its tasks, its settings.

use comfy_table::Cell;
use elpis_maint_core::Ended;
use elpis_maint_core::housekeeping::{
    HousekeepingPlan, HousekeepingReport, PartReport, TaskReport,
};
use elpis_pandora::{Check, Setting, State};

use super::grid::{PLAIN, RULED, right, table, text, wrapped};
use super::tasks::tasks;
use super::{bytes, compaction, number, seconds};
use crate::commands::{HistoryPlan, PandoraPlans};

/// The plans of both halves of a run.
pub(crate) fn pandora_plans(plans: &PandoraPlans) -> String {
    let HousekeepingPlan {
        product,
        target,
        now,
        ..
    } = &plans.housekeeping;
    let mut parts = vec![format!("{product} at {target}, {now:.0}")];
    parts.extend(plans.moves.as_ref().map(super::moves));
    parts.push(tasks(&plans.housekeeping));
    if let Some(compact) = &plans.compaction {
        parts.push(compaction(compact));
    }
    match &plans.history {
        Some(HistoryPlan::Known {
            housekeeping: plan,
            compaction: there,
        }) => {
            let (product, target) = (&plan.product, &plan.target);
            let title = format!("history database: {product} at {target}");
            parts.push(format!("{title}\n\n{}", tasks(plan)));
            parts.extend(there.as_deref().map(compaction));
        }
        Some(HistoryPlan::Unknown { error }) => {
            parts.push(format!("history database: left alone: {error}"));
        }
        None => {}
    }
    parts.join("\n\n")
}

/// What a run did: the tasks that changed something, and how many had nothing to do.
pub(crate) fn housekept(report: &HousekeepingReport) -> String {
    let header = ["task", "group", "rows", "time", ""];
    let busy = |task: &&TaskReport| task.changed() > 0 || task.parts.iter().any(is_notable);
    let rows: Vec<Vec<Cell>> = report.tasks.iter().filter(busy).map(done).collect();
    let idle = report.tasks.len() - rows.len();
    let took = report.finished.duration_since(report.started).as_secs_f64();
    let ended = match &report.ended {
        Ended::Done => "every task was done".to_owned(),
        Ended::Failed { error } => format!("failed: {error}"),
        other => format!("stopped: {other}"),
    };
    let sum = format!(
        "run {}: {} rows{} in {}; {idle} of {} tasks had nothing to do; {ended}",
        report.run,
        number(report.changed()),
        freed(report.tasks.iter().flat_map(|task| &task.parts)),
        seconds(took),
        report.tasks.len()
    );
    if rows.is_empty() {
        return sum;
    }
    format!("{}\n{sum}", wrapped(PLAIN, &header, rows))
}

/// About how much room old rows have left inside their tables, in brackets.
fn freed<'a>(parts: impl Iterator<Item = &'a PartReport>) -> String {
    let freed = parts.filter_map(|part| match part {
        PartReport::Purge(report) => report.bytes,
        _ => None,
    });
    match freed.sum() {
        0 => String::new(),
        freed => format!(" (old ones ~{})", bytes(freed)),
    }
}

/// Whether a part is worth a line although it changed nothing.
fn is_notable(part: &PartReport) -> bool {
    match part {
        PartReport::Purge(report) => !report.complete,
        PartReport::Sweep(report) => !report.complete,
        PartReport::Program { .. } | PartReport::Held { .. } => true,
        PartReport::Skipped { .. } => false,
    }
}

fn done(task: &TaskReport) -> Vec<Cell> {
    let mut notes = Vec::new();
    for part in &task.parts {
        match part {
            PartReport::Purge(report) if report.deleted > 0 => {
                let freed = report.bytes.map(|freed| format!(" (~{})", bytes(freed)));
                let (rows, freed) = (number(report.deleted), freed.unwrap_or_default());
                notes.push(format!("{rows} of {}{freed}", report.table))
            }
            PartReport::Sweep(report) if report.changed > 0 => {
                notes.push(format!("{} of {}", number(report.changed), report.table))
            }
            PartReport::Held { .. } => notes.push("held back".to_owned()),
            PartReport::Program {
                name,
                error: Some(error),
                ..
            } => notes.push(format!("{name} failed: {error}")),
            _ => {}
        }
        let children = match part {
            PartReport::Purge(report) => report.cascaded.as_slice(),
            PartReport::Sweep(report) => report.dependents.as_slice(),
            _ => &[],
        };
        let children = children.iter().filter(|(_, rows)| *rows > 0);
        notes.extend(children.map(|(child, rows)| format!("{} of {child}", number(*rows))));
    }
    vec![
        text(task.id.clone()),
        text(task.group.to_string()),
        right(number(task.changed())),
        right(seconds(task.seconds)),
        text(notes.join(", ")),
    ]
}

/// Settings with their values and where these come from.
pub(crate) fn settings(title: &str, settings: &[Setting]) -> String {
    let header = [title, "value", "from", "meaning"];
    let rows = settings.iter().map(|setting| {
        let value = match &setting.value {
            None => "-".to_owned(),
            Some(value) if setting.unit.is_empty() => value.clone(),
            Some(value) => format!("{value} {}", setting.unit),
        };
        vec![
            text(setting.token.clone()),
            text(value),
            text(setting.origin.to_string()),
            text(setting.meaning),
        ]
    });
    table(PLAIN, &header, rows.collect())
}

/// What a doctor found, the worst first.
pub(crate) fn checks(checks: &[Check]) -> String {
    let header = ["", "check", "found", "remedy"];
    let mut sorted: Vec<&Check> = checks.iter().collect();
    sorted.sort_by_key(|check| std::cmp::Reverse(check.state));
    let rows = sorted.into_iter().map(|check| {
        let state = match check.state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Problem => "PROBLEM",
        };
        vec![
            text(state),
            text(check.check),
            text(check.what.clone()),
            text(check.remedy.clone().unwrap_or_default()),
        ]
    });
    table(RULED, &header, rows.collect())
}
