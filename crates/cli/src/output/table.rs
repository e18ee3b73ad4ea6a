//! Tables on standard output.

use comfy_table::Cell;
use elpis_maint_core::{Cutoff, Ended, Moment, Plan, PurgeReport, TablePlan, Walk};
use elpis_run::RunSummary;
use elpis_run::journal::{Event, History, Outcome};
use jiff::Timestamp;

use super::grid::{PLAIN, RULED, right, table, text};
use super::{bytes, compaction, count, number, seconds};
use crate::commands::{Plans, TargetStatus};

/// The plans of both jobs, of those that are meant.
pub(crate) fn plans(plans: &Plans) -> String {
    let purge = plans.jobs.purge.then(|| plan(&plans.purge));
    let compaction = plans.compaction.as_ref().map(|compact| {
        let mut text = compaction(compact);
        if plans.jobs.purge && compact.due() > 0 {
            text.push_str("; what the purge deletes first will not be due");
        }
        text
    });
    let parts: Vec<String> = purge.into_iter().chain(compaction).collect();
    let Plan {
        product,
        target,
        now,
        ..
    } = &plans.purge;
    format!("{product} at {target}, {now:.0}\n{}", parts.join("\n\n"))
}

/// A purge's plan: a table, what follows by cascade, and the sum.
fn plan(plan: &Plan) -> String {
    let header = [
        "table", "delete", "keep", "oldest", "cutoff", "method", "time",
    ];
    let rows = plan.tables.iter().map(|table| planned(plan.now, table));
    let mut lines = vec![table(RULED, &header, rows.collect())];
    for table in &plan.tables {
        let name = &table.task.table;
        for (child, rows) in table.cascaded.iter().flatten() {
            lines.push(format!(
                "{name}: {} rows of {child} go first",
                number(*rows)
            ));
        }
        if let (None, false) = (&table.cascaded, table.task.cascades.is_empty()) {
            let children = table.task.cascaded_tables().join(", ");
            lines.push(format!(
                "{name}: the rows of {children} that belong to it go first"
            ));
        }
        if let Some(untimed) = table.untimed.filter(|rows| *rows > 0) {
            lines.push(format!(
                "{name}: {} rows without a time stay",
                number(untimed)
            ));
        }
    }
    let time: f64 = plan.tables.iter().map(|t| t.duration_s).sum();
    let due = plan.due();
    let mut sum = format!("{} rows to delete in about {}", count(due), seconds(time));
    if !due.exact {
        sum.push_str("; ~ marks estimates, --exact counts");
    }
    if plan
        .tables
        .iter()
        .any(|t| !t.rate_measured && t.due.rows > 0)
    {
        sum.push_str("; times are guesses until a run has measured them");
    }
    lines.push(sum);
    lines.join("\n")
}

fn planned(now: Timestamp, plan: &TablePlan) -> Vec<Cell> {
    let all = plan.due.rows + plan.kept.rows;
    let share = plan.due.rows as f64 / all.max(1) as f64 * 100.0;
    let mut delete = format!("{}\n{share:.0} %", count(plan.due));
    if let Some(freed) = plan.bytes {
        delete.push_str(&format!("\n~{}", bytes(freed)));
    }
    let method = match &plan.task.walk {
        Walk::Time { index, .. } => format!("along index\n{index}"),
        Walk::Key { columns } => format!("along key\n{}", columns.join(", ")),
    };
    let time = seconds(plan.duration_s);
    vec![
        text(format!("{}\n{}", plan.task.table, plan.keep)),
        right(delete),
        right(count(plan.kept)),
        text(moment(now, plan.oldest.as_ref())),
        text(cutoff(plan.cutoff.as_ref())),
        text(method),
        right(format!("{time}\n{}", chunks(plan.chunks))),
    ]
}

fn chunks(chunks: u64) -> String {
    match chunks {
        1 => "1 chunk".to_owned(),
        chunks => format!("{} chunks", number(chunks)),
    }
}

fn moment(now: Timestamp, moment: Option<&Moment>) -> String {
    match moment {
        None => "-".to_owned(),
        Some(Moment {
            value,
            instant: None,
        }) => value.to_string(),
        Some(Moment {
            instant: Some(at), ..
        }) => {
            let days = now.duration_since(*at).as_hours() / 24;
            format!("{}\n{days} days ago", at.strftime("%F"))
        }
    }
}

fn cutoff(cutoff: Option<&Cutoff>) -> String {
    let Some(cutoff) = cutoff else {
        return "nothing is old enough".to_owned();
    };
    let Some(at) = cutoff.instant else {
        return cutoff.value.to_string();
    };
    let utc = at.strftime("%F %T UTC").to_string();
    let lines = utc.replacen(' ', "\n", 1);
    match &cutoff.local {
        Some(local) if *local != utc => format!("{lines}\n{local}"),
        _ => lines,
    }
}

/// What a run did.
pub(crate) fn result(report: &PurgeReport) -> String {
    let header = [
        "table", "deleted", "followed", "chunks", "rows/s", "at work", "paused", "waited", "",
    ];
    let rows = report.tables.iter().map(|table| {
        let followed: u64 = table.cascaded.iter().map(|(_, rows)| rows).sum();
        vec![
            text(table.table.clone()),
            right(number(table.deleted)),
            right(if table.cascaded.is_empty() {
                "-".to_owned()
            } else {
                number(followed)
            }),
            right(number(table.chunks)),
            right(
                table
                    .rate()
                    .map_or("-".to_owned(), |rate| number(rate as u64)),
            ),
            right(seconds(table.working_s)),
            right(seconds(table.paused_s)),
            right(seconds(table.waited_s)),
            text(if table.complete {
                "finished"
            } else {
                "stopped"
            }),
        ]
    });
    let took = report.finished.duration_since(report.started).as_secs_f64();
    format!(
        "{}\nrun {}: {} rows deleted in {}, {}",
        table(PLAIN, &header, rows.collect()),
        report.run,
        number(report.deleted()),
        seconds(took),
        ended(&report.ended)
    )
}

/// How a purge ended, in words.
fn ended(ended: &Ended) -> String {
    match ended {
        Ended::Done => "everything expired is gone".to_owned(),
        Ended::Failed { error } => format!("failed: {error}"),
        other => format!("stopped: {other}"),
    }
}

/// The newest run of every job on every target.
pub(crate) fn status(targets: &[TargetStatus]) -> String {
    let header = ["target", "job", "run", "started", "state"];
    let rows = targets.iter().map(|status| {
        let run = &status.last;
        let state = match (&run.finished, status.running) {
            (Some(finish), _) => format!("{} at {:.0}", outcome(&finish.outcome), finish.at),
            (None, Some(true)) => format!("at work: {}", run.holder),
            (None, Some(false)) => format!("died without a word: {}", run.holder),
            (None, None) => format!("at work or dead, on another host: {}", run.holder),
        };
        vec![
            text(run.target.clone()),
            text(run.job.clone()),
            right(run.id.to_string()),
            text(format!("{:.0}", run.started)),
            text(state),
        ]
    });
    table(PLAIN, &header, rows.collect())
}

/// Runs, newest first.
pub(crate) fn history(runs: &[RunSummary]) -> String {
    let header = ["run", "job", "started", "took", "target", "ended"];
    let rows = runs.iter().map(|run| {
        let (took, ended) = match &run.finished {
            None => ("-".to_owned(), "not finished".to_owned()),
            Some(finish) => (
                seconds(finish.at.duration_since(run.started).as_secs_f64()),
                outcome(&finish.outcome),
            ),
        };
        vec![
            right(run.id.to_string()),
            text(run.job.clone()),
            text(format!("{:.0}", run.started)),
            right(took),
            text(run.target.clone()),
            text(ended),
        ]
    });
    table(PLAIN, &header, rows.collect())
}

/// Everything that is known of one run.
pub(crate) fn record(history: &History) -> String {
    let run = &history.summary;
    let mut lines = vec![format!(
        "run {} ({}) on {} by {}",
        run.id, run.job, run.target, run.holder
    )];
    for record in &history.records {
        let (step, what) = match &record.event {
            Event::Intent { step, detail } => (step, format!("intended {detail}")),
            Event::Done { step, detail } => (step, format!("done {detail}")),
            Event::Failed {
                step,
                error,
                detail,
            } => (step, format!("ended early: {error} {detail}")),
            _ => continue,
        };
        lines.push(format!("{:.3} {step}: {what}", record.at));
    }
    lines.push(match &run.finished {
        None => "not finished".to_owned(),
        Some(finish) => format!("{:.3} {}", finish.at, outcome(&finish.outcome)),
    });
    lines.join("\n")
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done => "done".to_owned(),
        Outcome::Warnings { reason } => format!("done with warnings: {reason}"),
        Outcome::Partial { reason } => format!("partial: {reason}"),
        Outcome::Stopped { reason } => format!("stopped: {reason}"),
        Outcome::Failed { error } => format!("failed: {error}"),
        Outcome::Interrupted => "died without a word".to_owned(),
        other => format!("{other:?}"),
    }
}
