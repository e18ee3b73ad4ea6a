//! Moves to a history database on standard output.

use elpis_maint_core::Ended;
use elpis_maint_core::moves::{MovePlan, MoveReport, MoveTablePlan, MovedTable};

use super::grid::{PLAIN, right, text, wrapped};
use super::{count, number, seconds};

/// What a run would move.
pub(crate) fn moves(plan: &MovePlan) -> String {
    let header = ["task", "table", "rows", "how"];
    let rows = plan.tables.iter().map(|one| {
        vec![
            text(one.id.clone()),
            text(one.table.clone()),
            right(count(one.due)),
            text(how(one)),
        ]
    });
    let due = plan.due();
    let mut sum = format!("{} rows to move to {}", count(due), plan.history);
    if !due.exact {
        sum.push_str("; ~ marks estimates, --exact counts");
    }
    format!("{}\n{sum}", wrapped(PLAIN, &header, rows.collect()))
}

fn how(plan: &MoveTablePlan) -> String {
    match &plan.task {
        None => format!("HELD BACK: {}", plan.held.as_deref().unwrap_or_default()),
        Some(task) => {
            let (days, index) = (plan.days, &task.index);
            let mut how = format!("older than {days} days, oldest first along index {index}");
            for (child, rows) in plan.children.iter().flatten().filter(|(_, rows)| *rows > 0) {
                how.push_str(&format!(", with {} of {child}", number(*rows)));
            }
            how
        }
    }
}

/// What a run moved.
pub(crate) fn moved(report: &MoveReport) -> String {
    let header = ["task", "table", "rows", "time", ""];
    let busy = |table: &&MovedTable| table.moved > 0 || table.held.is_some() || !table.complete;
    let rows = report.tables.iter().filter(busy).map(|one| {
        let took = one.working_s + one.paused_s + one.waited_s;
        vec![
            text(one.id.clone()),
            text(one.table.clone()),
            right(number(one.moved)),
            right(seconds(took)),
            text(notes(one)),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let took = report.finished.duration_since(report.started).as_secs_f64();
    let ended = match &report.ended {
        Ended::Done => "everything due was moved".to_owned(),
        Ended::Failed { error } => format!("failed: {error}"),
        other => format!("stopped: {other}"),
    };
    let ended = match report.concerns().is_empty() {
        true => ended,
        false => "not everything could be moved".to_owned(),
    };
    let (run, all, history) = (report.run, number(report.moved()), &report.history);
    let sum = format!(
        "run {run}: {all} rows moved to {history} in {}; {ended}",
        seconds(took)
    );
    match rows.is_empty() {
        true => sum,
        false => format!("{}\n{sum}", wrapped(PLAIN, &header, rows)),
    }
}

fn notes(table: &MovedTable) -> String {
    let mut notes = Vec::new();
    let children = table.children.iter().filter(|(_, rows)| *rows > 0);
    notes.extend(children.map(|(child, rows)| format!("{} of {child}", number(*rows))));
    if table.settled > 0 {
        notes.push(format!(
            "{} copied by a run that was cut off",
            number(table.settled)
        ));
    }
    if table.known > 0 {
        notes.push(format!("{} were there already", number(table.known)));
    }
    if let Some(why) = &table.held {
        notes.push(format!("HELD BACK: {why}"));
    }
    notes.join(", ")
}
