//! A plan for people.

use std::fmt;

use super::{Plan, Step, StepKind};
use crate::guard::{Phase, Stage};
use crate::observe::Unit;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = &self.policy.target;
        writeln!(f, "Upgrade {} to {}", self.pair, target.version)?;
        writeln!(f, "  package {}", target.package)?;
        for unit in Unit::BOTH {
            let PlannedRow {
                name,
                version,
                role,
            } = self.row(unit);
            writeln!(f, "  unit {unit}: {name}, {version}, {role}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "  warning: {warning}")?;
        }
        if self.steps.is_empty() {
            return writeln!(f, "Both units run it already; there is nothing to do.");
        }
        writeln!(
            f,
            "  {:<26} {:>6}  {:>6}  {:>6}  what",
            "step", "at", "usual", "limit"
        )?;
        let mut at = 0;
        for step in &self.steps {
            write_step(f, step, at)?;
            at += step.estimate_s;
        }
        writeln!(
            f,
            "  done after about {}; fingerprint {}",
            span(at),
            self.fingerprint.get(..16).unwrap_or(&self.fingerprint)
        )
    }
}

struct PlannedRow {
    name: String,
    version: String,
    role: &'static str,
}

impl Plan {
    fn row(&self, unit: Unit) -> PlannedRow {
        let planned = self.unit(unit);
        let part = planned.configured_as.as_deref();
        PlannedRow {
            name: match part {
                Some(part) => format!("{} ({part}, {})", planned.identity, planned.platform),
                None => format!("{} ({})", planned.identity, planned.platform),
            },
            version: planned.version.clone(),
            role: if self.active == unit {
                "active"
            } else {
                "standby"
            },
        }
    }
}

fn write_step(f: &mut fmt::Formatter<'_>, step: &Step, at: u64) -> fmt::Result {
    let marks = [
        (step.outage, "traffic may be interrupted"),
        (step.point_of_no_return, "point of no return"),
        (step.optional, "optional"),
    ];
    let marks: Vec<&str> = marks
        .into_iter()
        .filter_map(|(set, mark)| set.then_some(mark))
        .collect();
    let marks = if marks.is_empty() {
        String::new()
    } else {
        format!(" [{}]", marks.join(", "))
    };
    writeln!(
        f,
        "  {:<26} {:>6}  {:>6}  {:>6}  {step}{marks}",
        step.id,
        format!("+{}", span(at)),
        span(step.estimate_s),
        span(step.timeout_s),
    )
}

fn span(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) if minutes < 10 && seconds > 0 => format!("{minutes}m{seconds:02}"),
        (0, minutes, _) => format!("{minutes}m"),
        (hours, minutes, _) => format!("{hours}h{minutes:02}"),
    }
}

impl fmt::Display for Step {
    /// What it does, in a few words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            StepKind::Preflight => f.write_str("both units are as planned and ready"),
            StepKind::Packages { units } => {
                let units: Vec<String> = units.iter().map(Unit::to_string).collect();
                write!(f, "the package is complete on unit {}", units.join(" and "))
            }
            StepKind::SafetyCopy => f.write_str("a verified backup is young enough"),
            StepKind::Maintenance { begin: true } => f.write_str("tell the monitoring"),
            StepKind::Maintenance { begin: false } => f.write_str("tell the monitoring it is over"),
            StepKind::Approve { gate } => write!(f, "a person approves `{gate}`"),
            StepKind::Hook { name, probe: true } => write!(f, "does traffic flow? ask `{name}`"),
            StepKind::Hook { name, probe: false } => write!(f, "ask `{name}`"),
            StepKind::Act { act, unit } => match act {
                crate::Act::Switchover => write!(f, "switch over to unit {unit}"),
                crate::Act::Install => write!(f, "install on unit {unit}"),
                crate::Act::CheckReadiness => write!(f, "check the readiness of unit {unit}"),
            },
            StepKind::Adopt { unit } => {
                write!(f, "take over the installation that runs on unit {unit}")
            }
            StepKind::Await { what } => f.write_str(what),
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let upgrading = Unit::BOTH
            .into_iter()
            .find(|unit| self.of(*unit) == Stage::Upgrading);
        if let Some(unit) = upgrading {
            return write!(f, "unit {unit} is being upgraded");
        }
        match (self.a, self.b) {
            (Stage::Upgraded, Stage::Upgraded) => f.write_str("both units are upgraded"),
            (Stage::Upgraded, _) => f.write_str("only unit a is upgraded"),
            (_, Stage::Upgraded) => f.write_str("only unit b is upgraded"),
            _ => f.write_str("no unit is touched"),
        }
    }
}
