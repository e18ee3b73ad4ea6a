//! What the record says in sentences, and what the units said side by side.

use elpis_failover::{Evidence, Unit, UnitEvidence};

/// The whole run in a few sentences: what a change manager reads first.
pub(super) fn in_short(evidence: &Evidence) -> String {
    let mut said = versions(evidence);
    said.extend(roles(evidence));
    said.push(interruptions(evidence));
    if let Some((at, _)) = &evidence.finished {
        let took = at.duration_since(evidence.started).as_secs_f64();
        said.push(format!("It took {}.", crate::output::seconds(took)));
    } else {
        said.push("The run has not come to its end.".to_owned());
    }
    said.push(match (evidence.failures.len(), evidence.warnings.len()) {
        (0, 0) => "There were no failures and no warnings.".to_owned(),
        (failures, warnings) => format!("Failures: {failures}, warnings: {warnings}."),
    });
    said.join(" ")
}

fn versions(evidence: &Evidence) -> Vec<String> {
    let of = |unit: &UnitEvidence| (unit.version_before.clone(), unit.version_after.clone());
    let pairs: Vec<_> = evidence.units.iter().map(of).collect();
    let sentence = |who: &str, runs: &str, (before, after): &(String, Option<String>)| match after {
        Some(after) if after == before => format!("{who} ran {before} and still {runs} it."),
        Some(after) => format!("{who} ran {before} and {runs} {after} now."),
        None => format!("{who} ran {before} and was not seen since."),
    };
    match pairs.as_slice() {
        [a, b] if a == b => vec![sentence("Both units", "run", a)],
        _ => {
            let units = evidence.units.iter().zip(&pairs);
            units
                .map(|(unit, pair)| sentence(&format!("Unit {}", unit.unit), "runs", pair))
                .collect()
        }
    }
}

fn roles(evidence: &Evidence) -> Option<String> {
    let is_active = |unit: &&UnitEvidence| unit.role_after.as_deref() == Some("active");
    let before = evidence.units.iter().find(|unit| unit.active_before)?.unit;
    let active: Vec<Unit> = evidence
        .units
        .iter()
        .filter(is_active)
        .map(|unit| unit.unit)
        .collect();
    Some(match active.as_slice() {
        [now] if *now == before && evidence.switchovers.is_empty() => {
            format!("Unit {before} was active all the time.")
        }
        [now] if *now == before => format!("Unit {before} was active before and is so again."),
        [now] => format!("Unit {before} was active before, unit {now} is now."),
        _ => format!("Unit {before} was active before; which one is now was not seen."),
    })
}

fn interruptions(evidence: &Evidence) -> String {
    if evidence.switchovers.is_empty() {
        return "Traffic was not switched.".to_owned();
    }
    let times = match evidence.switchovers.len() {
        1 => "1 switchover".to_owned(),
        number => format!("{number} switchovers"),
    };
    let measured: Vec<String> = evidence
        .switchovers
        .iter()
        .filter_map(|switch| switch.measured_ms)
        .map(|ms| format!("{ms} ms"))
        .collect();
    match measured.as_slice() {
        [] => format!("{times}, during which no probe measured the traffic."),
        all => format!(
            "{times}; the probe measured an outage of {}.",
            all.join(" and ")
        ),
    }
}

/// What a unit said before and after, in rows of label, before and after.
pub(super) fn said(before: &[String], after: &[String]) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let sides = before
        .iter()
        .map(|note| (1, note))
        .chain(after.iter().map(|note| (2, note)));
    for (side, note) in sides {
        let (label, value) = split(note);
        let same = rows
            .iter_mut()
            .find(|row| row[0] == label && row[side].is_empty());
        match same {
            Some(row) => row[side] = value.to_owned(),
            None => {
                let mut row = vec![label.to_owned(), String::new(), String::new()];
                row[side] = value.to_owned();
                rows.push(row);
            }
        }
    }
    rows
}

/// `VDB 353`, `hold time 15 s`, `last failure: no link`: what it is about, and what is said of it.
/// A note without such a form is all label.
fn split(note: &str) -> (&str, &str) {
    let numbered = note
        .match_indices(' ')
        .find(|(at, _)| note[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    let numbered = numbered.map(|(at, _)| note.split_at(at));
    let named = note.split_once(": ").filter(|(label, _)| {
        // A colon behind the first number belongs to what is said.
        numbered.is_none_or(|(before, _)| label.len() <= before.len())
    });
    match (named, numbered) {
        (Some((label, value)), _) => (label, value),
        (None, Some((label, value))) => (label, value.trim_start()),
        (None, None) => match note.split_once(' ') {
            Some((label, value)) if !value.contains(' ') => (label, value),
            _ => (note, ""),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_laid_side_by_side_by_what_they_are_about() {
        let notes = |texts: &[&str]| {
            texts
                .iter()
                .map(|&text| text.to_owned())
                .collect::<Vec<_>>()
        };
        let before = notes(&[
            "VDB 353",
            "LSP lsp-rel-1",
            "last failover at 02:10:04 UTC",
            "calm",
        ]);
        let after = notes(&[
            "last failure of the peer: Comm Failure at 03:01:38",
            "last failover at 03:36:21 UTC",
            "last change 03:36:21 UTC: Ready -> Active",
            "VDB 360",
            "LSP lsp-rel-2",
        ]);
        let rows: Vec<String> = said(&before, &after)
            .iter()
            .map(|row| row.join(" | "))
            .collect();
        let expected = [
            "VDB | 353 | 360",
            "LSP | lsp-rel-1 | lsp-rel-2",
            "last failover at | 02:10:04 UTC | 03:36:21 UTC",
            "calm |  | ",
            "last failure of the peer |  | Comm Failure at 03:01:38",
            "last change |  | 03:36:21 UTC: Ready -> Active",
        ];
        assert_eq!(rows, expected);
    }
}
