//! How `elpis-failover` shows things.

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use elpis_failover::{
    Cause, Concern, Ended, Facts, Hold, Observation, Progress, Report, Serving, Sight, StepReport,
    StepResult, Unit, UpgradeEvent,
};
use elpis_run::{Observer, Outcome};
use jiff::Zoned;

use crate::output::grid::{PLAIN, table, text};
use crate::output::{Printer, Spinner, seconds};

/// How often a step that takes long is mentioned where nobody watches.
const EVERY: Duration = Duration::from_secs(60);

/// Shows what a run tells, as it suits whoever reads: events as JSON, a checklist with a line
/// that changes on a terminal, and lines with the time of day for a log.
pub(super) struct Checklist {
    printer: Printer,
    spinner: Spinner,
    now: Mutex<Present>,
}

/// The step at work.
struct Present {
    what: String,
    estimate: Duration,
    begun: Instant,
    said: Instant,
}

impl Checklist {
    pub(super) fn new(printer: Printer) -> Checklist {
        let now = Instant::now();
        Checklist {
            printer,
            spinner: Spinner::new(printer.is_watched()),
            now: Mutex::new(Present {
                what: String::new(),
                estimate: Duration::ZERO,
                begun: now,
                said: now,
            }),
        }
    }

    /// A line that stays.
    fn line(&self, text: &str) {
        if self.printer.is_watched() {
            self.spinner.above(&|| self.printer.say(text));
        } else {
            let now = Zoned::now().strftime("%H:%M:%S");
            self.printer.say(&format!("{now} [FAILOVER] {text}"));
        }
    }

    /// Something about the step at work: on the terminal always, in a log now and then.
    fn passing(&self, detail: &str) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = seconds(now.begun.elapsed().as_secs_f64());
        let usual = match now.estimate.as_secs() {
            0 => String::new(),
            estimate => format!(", usually {}", seconds(estimate as f64)),
        };
        let text = format!("{}: {detail} ({elapsed}{usual})", now.what);
        if self.printer.is_watched() {
            self.spinner.show(text);
        } else if now.said.elapsed() >= EVERY {
            now.said = Instant::now();
            drop(now);
            self.line(&text);
        }
    }
}

impl Observer<UpgradeEvent> for Checklist {
    fn on(&self, event: &UpgradeEvent) {
        if self.printer.json {
            if let Ok(line) = serde_json::to_string(event) {
                // A full disk behind standard output is no reason to leave a pair half upgraded.
                let _ = self.printer.data(&line);
            }
            return;
        }
        match event {
            UpgradeEvent::Started {
                run,
                pair,
                steps,
                resumed,
            } => {
                let verb = if *resumed { "resumed" } else { "begun" };
                self.line(&format!("run {run} {verb}: {pair}, {steps} steps"));
            }
            UpgradeEvent::Pair { words, .. } => self.line(&format!("pair: {words}")),
            UpgradeEvent::StepStarted {
                what, estimate_s, ..
            } => {
                let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
                *now = Present {
                    what: what.clone(),
                    estimate: Duration::from_secs(*estimate_s),
                    begun: Instant::now(),
                    said: Instant::now(),
                };
                drop(now);
                self.passing("begun");
            }
            UpgradeEvent::Waiting { concern, .. } => self.passing(&format!("waiting, {concern}")),
            UpgradeEvent::Sending {
                act, unit, attempt, ..
            } => {
                self.line(&format!("order to unit {unit}: {act}, attempt {attempt}"));
            }
            UpgradeEvent::Acknowledged { .. } => {}
            UpgradeEvent::OutcomeUnknown { reason, .. } => {
                self.line(&format!("not known whether the order arrived: {reason}"));
            }
            UpgradeEvent::Progress { progress, .. } => self.passing(&progress_words(progress)),
            UpgradeEvent::StepDone {
                step,
                message,
                skipped,
                took_ms,
            } => {
                let mark = if *skipped { "-" } else { "x" };
                let took = seconds(*took_ms as f64 / 1000.0);
                self.line(&format!("[{mark}] {step}: {message} ({took})"));
            }
            UpgradeEvent::StepFailed { step, concern } => {
                self.line(&format!("[!] {step}: {concern}"));
            }
            UpgradeEvent::Undoing { step, concern } => {
                self.line(&format!("[!] undoing {step}: {concern}"));
            }
            UpgradeEvent::Alarm { text } => self.line(&format!("ALARM {text}")),
            UpgradeEvent::Warning { text } => self.line(&format!("warning: {text}")),
            _ => {}
        }
    }
}

fn progress_words(progress: &Progress) -> String {
    match progress {
        Progress::Running {
            percent: Some(percent),
            message,
            ..
        } => {
            format!("{percent} % {message}")
        }
        Progress::Running {
            percent: None,
            message,
            ..
        } => message.clone(),
        Progress::OutOfSight { reason } => format!("out of sight, {reason}"),
        Progress::Done { message } | Progress::Failed { message, .. } => message.clone(),
    }
}

/// Both units and what they add up to.
pub(super) fn facts(facts: &Facts) -> String {
    let sighting = &facts.sighting;
    let views: [fn(&elpis_failover::UnitReport) -> String; 9] = [
        |report| report.identity.clone(),
        |report| report.configured_as.clone().unwrap_or_default(),
        |report| report.platform.clone(),
        |report| report.version.clone(),
        |report| report.own_role.to_string(),
        |report| report.peer_role.to_string(),
        |report| report.sync.to_string(),
        |report| report.busy.clone().unwrap_or_else(|| "no".to_owned()),
        |report| report.faults.join(", "),
    ];
    let names = [
        "identity",
        "configured as",
        "platform",
        "version",
        "says of itself",
        "says of its peer",
        "configuration",
        "busy",
        "faults",
    ];
    let cell = |observation: &Observation, view: &fn(&elpis_failover::UnitReport) -> String| {
        text(
            observation
                .report()
                .map(view)
                .unwrap_or_else(|| "?".to_owned()),
        )
    };
    let rows = names
        .iter()
        .zip(&views)
        .map(|(name, view)| {
            vec![
                text(*name),
                cell(&sighting.a, view),
                cell(&sighting.b, view),
            ]
        })
        .collect();
    let mut out = table(PLAIN, &[&facts.pair, "unit a", "unit b"], rows);
    let _ = write!(out, "\n\npair: {}", sighting.state());
    for unit in Unit::BOTH {
        match &sighting.of(unit).sight {
            Sight::Seen(report) => {
                for note in &report.notes {
                    let _ = write!(out, "\nunit {unit}: {note}");
                }
            }
            Sight::Unreachable(reason) => {
                let _ = write!(out, "\nunit {unit} does not answer: {reason}");
            }
            Sight::Rejected(reason) => {
                let _ = write!(out, "\nunit {unit} cannot be used: {reason}");
            }
            Sight::Unreadable(reason) => {
                let _ = write!(out, "\nunit {unit} is not understood: {reason}");
            }
        }
        if let Ok(survey) = facts.survey(unit) {
            for finding in &survey.findings {
                let _ = write!(out, "\nunit {unit}: {} ({})", finding.text, finding.code);
            }
        }
    }
    out
}

/// Why a pair must not be touched now.
pub(super) fn refusals(concerns: &[Concern]) -> String {
    let lines = concerns
        .iter()
        .map(|concern| format!("- {concern} ({})", concern.cause));
    lines.collect::<Vec<_>>().join("\n")
}

/// The same with what to do about the first of them.
pub(super) fn refusals_and_next(concerns: &[Concern]) -> String {
    let next = concerns
        .first()
        .map_or("", |concern| concern.cause.before_planning());
    format!("{}\n  next: {next}", refusals(concerns))
}

/// Every step with its mark.
pub(super) fn steps(steps: &[StepReport]) -> String {
    let mut out = String::new();
    for step in steps {
        let mark = match step.result {
            StepResult::Pending => ' ',
            StepResult::Open => '>',
            StepResult::Done => 'x',
            StepResult::Already | StepResult::LeftOut => '-',
            StepResult::Failed => '!',
        };
        let message = step.message.as_deref().unwrap_or(&step.what);
        let _ = writeln!(out, "[{mark}] {:<26} {message}", step.step);
    }
    out
}

/// How a run stands, for people.
pub(super) fn report(report: &Report) -> String {
    let target = &report.target;
    let mut out = match &report.ended {
        Ended::Done => format!("done: both units run {target}, the pair is healthy"),
        Ended::NothingToDo => format!("nothing to do: both units run {target} already"),
        Ended::Warnings => format!("done with warnings: both units run {target}"),
        Ended::Refused { concerns } => {
            let why = refusals_and_next(concerns);
            format!("refused, nothing was touched:\n{why}")
        }
        Ended::Held { hold: at } => holding(at),
        Ended::Undone { hold: at } => hold("undone", at),
        Ended::Aborted { hold: at } => hold("given up", at),
        _ => "ended".to_owned(),
    };
    for warning in &report.warnings {
        let _ = write!(out, "\nwarning: {warning}");
    }
    out
}

/// Why a run stands still, what next, and what to type for it.
pub(super) fn holding(at: &Hold) -> String {
    let commands = commands(at.concern.cause);
    format!("{}\n  commands: {commands}", hold("holding", at))
}

fn hold(word: &str, hold: &Hold) -> String {
    let serving = match hold.serving {
        Serving::Yes => "serving",
        Serving::Unsure => "NOT KNOWN TO BE SERVING",
        Serving::AtRisk => "SERVICE AT RISK",
    };
    let mut out = format!(
        "{word} at {}: {}\n  pair: {}, {serving}",
        hold.step, hold.concern, hold.pair
    );
    if let Some(going_on) = &hold.going_on {
        let _ = write!(out, "\n  meanwhile: {going_on}");
    }
    let _ = write!(out, "\n  next: {}", hold.next);
    out
}

/// What to type where a run stands still.
fn commands(cause: Cause) -> &'static str {
    match cause {
        Cause::Approval => "`elpis-failover approve GATE --by NAME`, then `elpis-failover resume`",
        Cause::Rejected => {
            "`elpis-failover trust UNIT` shows its key; then `elpis-failover resume`"
        }
        Cause::Window => {
            "`elpis-failover resume`, if need be with --window-from, --window-to, --window-zone"
        }
        Cause::Busy => {
            "`elpis-failover resume`; with --adopt, if support has begun the target's installation \
             on this unit by hand"
        }
        Cause::WrongVersion | Cause::Stale | Cause::OtherUnits => {
            "`elpis-failover abort`, then `elpis-failover plan`"
        }
        _ => "`elpis-failover resume`, or `elpis-failover abort` to give the run up",
    }
}

/// How a run that is closed came to its end.
pub(super) fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done => "done".to_owned(),
        Outcome::Warnings { .. } => "done with warnings".to_owned(),
        Outcome::Partial { reason } => format!("done in part: {reason}"),
        Outcome::Stopped { reason } => format!("stopped: {reason}"),
        Outcome::Failed { error } => format!("refused, nothing was touched: {error}"),
        Outcome::Interrupted => "interrupted".to_owned(),
        _ => "ended".to_owned(),
    }
}
