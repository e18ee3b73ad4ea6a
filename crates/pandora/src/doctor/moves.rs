//! From what both databases remember of the moves to findings. Pure.

use elpis_maint_core::moves::PendingMove;
use jiff::Timestamp;

use super::{Check, LATE_S};

/// What is well and what is not, at `now`: `pending` are steps that no run is at work on.
/// `arguments`: what names the installation on a command line.
pub fn judge_moves(pending: &[PendingMove], now: Timestamp, arguments: &str) -> Vec<Check> {
    let name = "history.moves";
    if pending.is_empty() {
        return vec![Check::ok(
            name,
            "no step of a move to the history database was cut off",
        )];
    }
    let cut_off = pending.iter().map(|step| {
        let PendingMove { table, rows, .. } = step;
        let since = step.since.map_or_else(
            || "at an unknown time".to_owned(),
            |since| format!("at {since:.0}"),
        );
        let what = format!(
            "a step of the move of {table} to the history database was cut off {since}: {rows} rows \
             were copied, and those of them that are still here are in both databases"
        );
        let remedy = format!(
            "run the maintenance again (elpis-maint run {arguments}): before anything else it \
             deletes here what was copied, and moves on"
        );
        let age = step.since.map(|since| now.duration_since(since).as_secs());
        let check = match age {
            // Every hourly run since then should have finished it.
            Some(age) if age > LATE_S => Check::problem(name, what, remedy),
            _ => Check::warning(name, what, remedy),
        };
        Check {
            table: Some(table.clone()),
            since: step.since,
            ..check
        }
    });
    cut_off.collect()
}

#[cfg(test)]
mod tests {
    use elpis_maint_core::Scalar;
    use elpis_maint_core::store::Window;

    use super::super::State;
    use super::*;

    #[test]
    fn a_step_that_no_hourly_run_has_finished_is_a_problem() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let step = |age: Option<i64>| PendingMove {
            table: "tevento".to_owned(),
            rows: 7,
            window: Window {
                from: Scalar::Int(0),
                to: Scalar::Int(1),
                closed: true,
                below: None,
            },
            since: age.map(|age| Timestamp::from_second(1_800_000_000 - age).unwrap()),
        };
        let judged = |age| judge_moves(&[step(age)], now, "--pandora /c").remove(0);
        assert_eq!(judge_moves(&[], now, "--pandora /c")[0].state, State::Ok);
        assert_eq!(judged(None).state, State::Warning);
        assert_eq!(judged(Some(LATE_S)).state, State::Warning);
        let late = judged(Some(LATE_S + 1));
        assert_eq!(late.state, State::Problem);
        assert_eq!(late.table.as_deref(), Some("tevento"));
        assert!(late.since.is_some() && late.remedy.is_some());
        assert!(late.what.contains("tevento") && late.what.contains("7 rows"));
    }
}
