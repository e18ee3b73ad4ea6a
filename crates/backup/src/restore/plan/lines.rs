//! A plan for people.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::RestorePlan;

impl RestorePlan {
    /// The plan for people, a line each.
    pub fn lines(&self) -> Vec<String> {
        let rows: u64 = self.tables.iter().map(|table| table.text.rows).sum();
        let mut lines = vec![format!(
            "load {} tables with {rows} rows into {}",
            self.tables.len(),
            self.side
        )];
        if self.policy.scope.is_whole() {
            lines.push(format!(
                "with {} views, {} triggers, {} routines, {} events",
                self.views, self.triggers, self.routines, self.events
            ));
        }
        let deferred = self.tables.iter().filter(|table| table.deferred).count();
        if deferred > 0 {
            lines.push(format!(
                "build the indexes of {deferred} large tables after their rows"
            ));
        }
        lines.push("compare what was loaded with the text".to_owned());
        if self.policy.scope.rows().is_some() {
            self.rows_lines(&mut lines);
            return lines;
        }
        if self.facts.stops_services {
            lines.push("stop the services".to_owned());
        }
        let database = &self.policy.database;
        self.parts_lines(&mut lines);
        let whole = self.facts.live.as_ref();
        match whole.filter(|_| self.policy.scope.is_whole()) {
            Some(live) => lines.push(format!(
                "exchange the tables of {database} in one RENAME; its {} tables go to {}",
                live.tables.len(),
                self.old
            )),
            None if self.facts.live.is_none() => lines.push(format!(
                "make {database}, which is not there, and move the tables to it"
            )),
            None => {}
        }
        if !self.leaving.is_empty() {
            let mut line = String::from("these go with them, since the text does not have them:");
            for name in &self.leaving {
                let _ = write!(line, " {name}");
            }
            lines.push(line);
        }
        if self.facts.stops_services {
            lines.push("start the services".to_owned());
        }
        self.rest_lines(&mut lines);
        lines
    }

    /// How the exchange of some tables is said to people.
    fn parts_lines(&self, lines: &mut Vec<String>) {
        let Some(only) = self.policy.scope.only() else {
            return;
        };
        let live = self.facts.live.iter();
        let (there, new): (BTreeSet<&String>, BTreeSet<&String>) = only
            .iter()
            .partition(|name| live.clone().any(|live| live.tables.contains(*name)));
        let words = |names: &BTreeSet<&String>| {
            let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
            names.join(" ")
        };
        let (database, old) = (&self.policy.database, &self.old);
        if !there.is_empty() {
            lines.push(format!(
                "exchange in one RENAME, with their triggers; what is there now goes to {old}: {}",
                words(&there)
            ));
        }
        if !new.is_empty() {
            let new = words(&new);
            lines.push(format!("make in {database}, where they are not: {new}"));
        }
        lines.push(format!("everything else of {database} stays as it is"));
    }
}
