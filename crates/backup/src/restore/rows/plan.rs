//! What a restore of one owner's rows says of itself, and what forbids it.

use super::{RowsFacts, RowsOf};
use crate::restore::facts::RestoreFacts;
use crate::restore::plan::RestorePlan;
use crate::restore::survey::Survey;

impl RestorePlan {
    /// What rows of one owner cannot be restored for; of anything else nothing.
    pub(in crate::restore) fn rows_wrong(&self, survey: &Survey) -> Vec<String> {
        let Some(rows) = self.policy.scope.rows() else {
            return Vec::new();
        };
        let database = &self.policy.database;
        let Some(facts) = &self.facts.rows else {
            return vec![format!("there is no database {database} to put rows into")];
        };
        let mut wrong: Vec<String> = facts.unknown.iter().cloned().collect();
        if !has_windows(&self.facts) {
            let version = &self.facts.version_text;
            wrong.push(format!("the server, {version}, cannot count equal rows"));
        }
        let (owner, parts) = (&rows.tables.owners.word, &rows.tables.parts);
        match facts.owners.as_slice() {
            _ if facts.unknown.is_some() => {}
            [] => wrong.push(format!("{database} has no {owner} {}", rows.whose)),
            [_] if facts.parts.is_empty() => {
                wrong.push(format!("the {owner} {} has no {}", rows.whose, parts.word));
            }
            [_] => {}
            several => {
                let keys: Vec<String> = several.iter().map(|owner| owner.key.to_string()).collect();
                let keys = keys.join(", ");
                wrong.push(format!(
                    "{} is the {owner} {keys}: say which number",
                    rows.whose
                ));
            }
        }
        let in_text = |name: &str| survey.tables.iter().any(|table| table.name == name);
        if !in_text(&parts.table) {
            wrong.push(format!("the text has no table {}", parts.table));
        }
        let mut wanted = rows.tables.rows.iter().map(|rows| &rows.table);
        if !wanted.any(|table| in_text(table) && facts.tables.contains_key(table)) {
            wrong.push("the text has none of the tables, or the database has none".to_owned());
        }
        wrong.extend(self.tables_wrong(rows, facts));
        wrong
    }

    fn tables_wrong(&self, rows: &RowsOf, facts: &RowsFacts) -> Vec<String> {
        let mut wrong = Vec::new();
        for (table, found) in rows.tables.rows.iter().filter_map(|rows| {
            let found = facts.tables.get(&rows.table)?;
            Some((&rows.table, found))
        }) {
            if !found.transactional {
                wrong.push(format!("the engine of {table} knows no transactions"));
            }
            if found.unique.len() > 1 {
                wrong.push(format!("{table} has more than one unique index"));
            }
            let live = self.facts.live.iter();
            let triggers = live.clone().flat_map(|live| &live.triggers);
            for (trigger, _) in triggers.filter(|(_, of)| *of == table) {
                wrong.push(format!(
                    "{table} has the trigger {trigger}, which would fire"
                ));
            }
            let mut keys = live.flat_map(|live| &live.references);
            if keys.any(|(from, to)| from == table || to == table) {
                wrong.push(format!("a foreign key leads from or to {table}"));
            }
        }
        wrong
    }

    /// How it is said to people.
    pub(in crate::restore) fn rows_lines(&self, lines: &mut Vec<String>) {
        let (Some(rows), Some(facts)) = (self.policy.scope.rows(), &self.facts.rows) else {
            return;
        };
        for owner in &facts.owners {
            lines.push(format!(
                "{} {} ({}) has {} {}",
                rows.tables.owners.word,
                owner.key,
                owner.name,
                facts.parts.len(),
                rows.tables.parts.word
            ));
        }
        let tables: Vec<&str> = self.rows_tables().map(|rows| rows.table.as_str()).collect();
        lines.push(format!(
            "insert what is missing of their rows, the newest first, into {}",
            tables.join(", ")
        ));
        lines.push(format!("keep a copy of what was inserted in {}", self.old));
    }

    /// The tables that both the text and the live database have.
    pub(super) fn rows_tables(&self) -> impl Iterator<Item = &super::RowsTable> {
        let rows = self.policy.scope.rows();
        let rows = rows.into_iter().flat_map(|rows| &rows.tables.rows);
        rows.filter(|rows| {
            let in_text = self
                .tables
                .iter()
                .any(|table| table.text.name == rows.table);
            let facts = self.facts.rows.as_ref();
            in_text && facts.is_some_and(|facts| facts.tables.contains_key(&rows.table))
        })
    }
}

fn has_windows(facts: &RestoreFacts) -> bool {
    match facts.is_mariadb {
        true => facts.version >= (10, 2, 0),
        false => facts.version >= (8, 0, 0),
    }
}
