//! The document for the change record, in Markdown and in HTML: the same sections from one list.

mod words;

use std::fmt::Write;

use elpis_failover::{Evidence, StepResult};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use words::{in_short, said};

/// A piece of the document.
enum Block {
    Heading(String),
    Text(String),
    Table(Vec<String>, Vec<Vec<String>>),
    /// Raw output, with its title.
    Raw(String, String),
}

/// The document as Markdown.
pub(super) fn markdown(evidence: &Evidence, zone: &TimeZone) -> String {
    let mut out = format!("# {}\n\n", title(evidence));
    for block in blocks(evidence, zone) {
        let _ = match block {
            Block::Heading(text) => writeln!(out, "## {text}\n"),
            Block::Text(text) => writeln!(out, "{text}\n"),
            Block::Table(header, rows) => writeln!(out, "{}", markdown_table(&header, &rows)),
            Block::Raw(title, text) => {
                // A fence that the text does not contain.
                let fence = "`".repeat(longest_run(&text, '`').max(2) + 1);
                writeln!(
                    out,
                    "### {title}\n\n{fence}\n{}\n{fence}\n",
                    text.trim_end()
                )
            }
        };
    }
    out
}

/// The document as one HTML page without anything from elsewhere.
pub(super) fn html(evidence: &Evidence, zone: &TimeZone) -> String {
    let mut body = format!("<h1>{}</h1>\n", escape(&title(evidence)));
    for block in blocks(evidence, zone) {
        let _ = match block {
            Block::Heading(text) => writeln!(body, "<h2>{}</h2>", escape(&text)),
            Block::Text(text) => writeln!(body, "<p>{}</p>", escape(&text)),
            Block::Table(header, rows) => writeln!(body, "{}", html_table(&header, &rows)),
            Block::Raw(title, text) => writeln!(
                body,
                "<details><summary>{}</summary><pre>{}</pre></details>",
                escape(&title),
                escape(text.trim_end())
            ),
        };
    }
    let title = escape(&title(evidence));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
         <style>{STYLE}</style></head>\n<body>\n{body}</body></html>\n"
    )
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;\
padding:0 1rem;color:#1b1f24}h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem;\
border-bottom:1px solid #d0d7de}table{border-collapse:collapse;width:100%}\
td,th{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;\
border-bottom:1px solid #eaeef2}pre{background:#f6f8fa;padding:.75rem;overflow:auto}\
summary{cursor:pointer;padding:.25rem 0}";

fn title(evidence: &Evidence) -> String {
    format!("Upgrade of {} to {}", evidence.pair, evidence.target)
}

fn blocks(evidence: &Evidence, zone: &TimeZone) -> Vec<Block> {
    let mut out = vec![
        Block::Text(in_short(evidence)),
        Block::Heading("Result".to_owned()),
    ];
    summary(evidence, zone, &mut out);
    out.push(Block::Heading("Units".to_owned()));
    units(evidence, &mut out);
    if !evidence.switchovers.is_empty() {
        out.push(Block::Heading("Switchovers".to_owned()));
        switchovers(evidence, zone, &mut out);
    }
    out.push(Block::Heading("Steps".to_owned()));
    steps(evidence, zone, &mut out);
    if !evidence.failures.is_empty() {
        out.push(Block::Heading("Failures".to_owned()));
        failures(evidence, zone, &mut out);
    }
    out.push(Block::Heading("Time line".to_owned()));
    let rows = evidence.timeline.iter().map(|moment| {
        vec![
            time(moment.at, zone),
            moment.about.clone(),
            moment.what.clone(),
        ]
    });
    out.push(rows_of(&["Time", "Step", "What"], rows.collect()));
    for (name, exhibits) in [("before", &evidence.before), ("after", &evidence.after)] {
        if !exhibits.is_empty() {
            out.push(Block::Heading(format!("Raw outputs {name}")));
            out.extend(exhibits.iter().map(|exhibit| {
                let title = format!("Unit {}: {} ({name})", exhibit.unit, exhibit.title);
                Block::Raw(title, exhibit.text.clone())
            }));
        }
    }
    out
}

fn summary(evidence: &Evidence, zone: &TimeZone, out: &mut Vec<Block>) {
    let ended = match (&evidence.finished, &evidence.hold) {
        (Some((_, outcome)), _) => super::output::outcome(outcome),
        (None, Some(hold)) => format!("holding at {}: {}", hold.step, hold.concern),
        (None, None) => "at work, or its process died".to_owned(),
    };
    let mut rows = vec![
        vec!["Result".to_owned(), ended],
        vec!["Begun".to_owned(), time(evidence.started, zone)],
    ];
    if let Some((at, _)) = &evidence.finished {
        rows.push(vec!["Ended".to_owned(), time(*at, zone)]);
    }
    rows.extend([
        vec!["Target".to_owned(), evidence.target.clone()],
        vec!["Package".to_owned(), evidence.package.clone()],
        vec!["Run".to_owned(), evidence.run.to_string()],
        vec![
            "Fingerprint of the plan's facts".to_owned(),
            evidence.fingerprint.clone(),
        ],
    ]);
    if let Some(hold) = &evidence.hold
        && evidence.finished.is_none()
    {
        rows.push(vec!["Next step".to_owned(), hold.next.clone()]);
    }
    if let Some(window) = &evidence.window {
        let text = format!("{} to {} {}", window.from, window.to, window.zone);
        rows.push(vec!["Maintenance window".to_owned(), text]);
    }
    for (at, gate, by) in &evidence.approvals {
        let text = format!("{gate} by {by}, at {}", time(*at, zone));
        rows.push(vec!["Approved".to_owned(), text]);
    }
    for process in &evidence.processes {
        rows.push(vec!["Carried out by".to_owned(), process.to_string()]);
    }
    for note in &evidence.notes {
        rows.push(vec!["Noted before".to_owned(), note.clone()]);
    }
    for warning in &evidence.warnings {
        rows.push(vec!["Warning".to_owned(), warning.clone()]);
    }
    out.push(rows_of(&["", ""], rows));
}

fn units(evidence: &Evidence, out: &mut Vec<Block>) {
    let unknown = || "not seen".to_owned();
    let rows = evidence.units.iter().map(|unit| {
        let part = unit.configured_as.clone().unwrap_or_default();
        let role = if unit.active_before {
            "active"
        } else {
            "standby"
        };
        vec![
            format!("{} {part}", unit.unit),
            format!("{}, {}", unit.identity, unit.platform),
            format!("{}, {role}", unit.version_before),
            format!(
                "{}, {}",
                unit.version_after.clone().unwrap_or_else(unknown),
                unit.role_after.clone().unwrap_or_else(unknown)
            ),
        ]
    });
    out.push(rows_of(
        &["Unit", "Identity", "Before", "After"],
        rows.collect(),
    ));
    for unit in &evidence.units {
        let rows = said(&unit.notes_before, &unit.notes_after);
        if !rows.is_empty() {
            let name = format!("Unit {} says", unit.unit);
            out.push(rows_of(&[&name, "Before", "After"], rows));
        }
    }
}

fn switchovers(evidence: &Evidence, zone: &TimeZone, out: &mut Vec<Block>) {
    let rows = evidence.switchovers.iter().map(|switch| {
        let seen = switch.seen.map_or_else(
            || "not seen".to_owned(),
            |seen| {
                let took = seen.duration_since(switch.ordered).as_secs_f64();
                format!("{} ({took:.1} s later)", time(seen, zone))
            },
        );
        vec![
            format!("to unit {}", switch.to),
            time(switch.ordered, zone),
            seen,
            match switch.measured_ms {
                Some(ms) => format!("{ms} ms"),
                None => "not measured".to_owned(),
            },
        ]
    });
    out.push(rows_of(
        &[
            "Switchover",
            "Ordered",
            "New roles seen",
            "Outage measured by the probe",
        ],
        rows.collect(),
    ));
    if evidence
        .switchovers
        .iter()
        .any(|switch| switch.measured_ms.is_none())
    {
        out.push(Block::Text(
            "Where no probe has measured the outage: traffic was interrupted for less than the \
             time between the order and the new roles; how much less, only a probe of the traffic \
             itself can tell."
                .to_owned(),
        ));
    }
}

fn steps(evidence: &Evidence, zone: &TimeZone, out: &mut Vec<Block>) {
    let rows = evidence.steps.iter().map(|step| {
        let result = match step.result {
            StepResult::Pending if evidence.finished.is_some() => "not reached",
            StepResult::Pending => "to come",
            StepResult::Open => "begun",
            StepResult::Done => "done",
            StepResult::Already => "so already",
            StepResult::LeftOut => "left out",
            StepResult::Failed => "failed",
        };
        let begun = step.begun.map(|at| time(at, zone)).unwrap_or_default();
        let took = match (step.begun, step.closed) {
            (Some(begun), Some(closed)) => {
                crate::output::seconds(closed.duration_since(begun).as_secs_f64())
            }
            _ => String::new(),
        };
        let message = step.message.clone().unwrap_or_default();
        vec![
            step.step.clone(),
            step.what.clone(),
            result.to_owned(),
            begun,
            took,
            message,
        ]
    });
    let header = ["Step", "What", "Result", "Begun", "Took", "Says"];
    out.push(rows_of(&header, rows.collect()));
}

fn failures(evidence: &Evidence, zone: &TimeZone, out: &mut Vec<Block>) {
    for failure in &evidence.failures {
        let text = format!(
            "{}, {}: {}",
            time(failure.at, zone),
            failure.step,
            failure.text
        );
        out.push(Block::Text(text));
        if !failure.details.is_empty() {
            let title = format!("Log of {}", failure.step);
            out.push(Block::Raw(title, failure.details.join("\n")));
        }
        if failure.step.contains("readiness") {
            // The guide's own advice for this case.
            let text = "A failed readiness check is for the vendor's support (Cisco TAC). Send \
                        them the log above; nothing was changed on the unit.";
            out.push(Block::Text(text.to_owned()));
        }
    }
}

fn time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone())
        .strftime("%Y-%m-%d %H:%M:%S %Z")
        .to_string()
}

fn rows_of(header: &[&str], rows: Vec<Vec<String>>) -> Block {
    Block::Table(header.iter().map(|&cell| cell.to_owned()).collect(), rows)
}

fn markdown_table(header: &[String], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| {
        let cells = cells
            .iter()
            .map(|cell| cell.replace('|', "\\|").replace('\n', " "));
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let rule = format!("|{}\n", " --- |".repeat(header.len()));
    rows.iter()
        .fold(line(header) + &rule, |out, row| out + &line(row))
}

fn html_table(header: &[String], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String], tag: &str| {
        let cells = cells
            .iter()
            .map(|cell| format!("<{tag}>{}</{tag}>", escape(cell)));
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let head = if header.iter().all(String::is_empty) {
        String::new()
    } else {
        line(header, "th")
    };
    let body: String = rows.iter().map(|row| line(row, "td")).collect();
    format!("<table>\n{head}{body}</table>")
}

fn longest_run(text: &str, wanted: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == wanted { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_unit_says_cannot_become_markup() {
        assert_eq!(escape("<script>&\""), "&lt;script&gt;&amp;&quot;");
        let table = markdown_table(&["a".into()], &[vec!["x|y\nz".into()]]);
        assert_eq!(table, "| a |\n| --- |\n| x\\|y z |\n");
        assert_eq!(longest_run("a ``` b ````", '`'), 4);
    }
}
