//! A plan in two: what the product needs to work, and what may follow.

use std::collections::BTreeSet;

use super::{BYTES_A_BYTE, PlannedTable, RestorePlan};
use crate::restore::names::beside;
use crate::restore::policy::LaterTable;
use crate::restore::scope::Scope;
use crate::restore::sql::{Kind, Object, RowSum};
use crate::restore::survey::Survey;

impl RestorePlan {
    /// Sets apart what may follow, if anything.
    pub(super) fn split(&mut self, survey: &Survey, tag: &str) {
        let triggers: BTreeSet<&String> = survey.trigger_tables.values().collect();
        let wanted = self.policy.later.iter().map(|later| &later.table);
        let wanted: BTreeSet<&String> = wanted.collect();
        let may_follow = |table: &&PlannedTable| {
            let text = &table.text;
            wanted.contains(&text.name)
                && !triggers.contains(&text.name)
                && !text.referenced
                && text.references.is_empty()
                // A transaction must take its mark and its rows together.
                && text.engine.as_deref() == Some("InnoDB")
        };
        let names: BTreeSet<String> = self
            .tables
            .iter()
            .filter(may_follow)
            .map(|table| table.text.name.clone())
            .collect();
        if !self.policy.scope.is_whole() || names.is_empty() {
            return;
        }
        let mut rest = self.clone();
        rest.tables.retain(|table| names.contains(&table.text.name));
        rest.text_bytes = rest.tables.iter().map(|table| table.text.bytes).sum();
        rest.side = beside(&self.policy.database, "rest", tag);
        rest.leaving.clear();
        rest.policy
            .later
            .retain(|later| names.contains(&later.table));
        rest.policy.scope = Scope::Tables(names.clone());
        for table in &mut self.tables {
            if names.contains(&table.text.name) {
                table.text.rows = 0;
                table.text.bytes = 0;
                table.text.sum = RowSum::default();
                table.deferred = false;
            }
        }
        self.text_bytes = self.text_bytes.saturating_sub(rest.text_bytes);
        // These are there twice for a while.
        let twice = rest.text_bytes.saturating_mul(BYTES_A_BYTE);
        self.needed = self.needed.saturating_add(twice);
        self.rest = Some(Box::new(rest));
    }

    /// Whether a statement of the text is carried out in the side database.
    pub(in crate::restore) fn takes(&self, kind: &Kind) -> bool {
        let follows = |table: &String| {
            let rest = self.rest.iter();
            rest.into_iter()
                .any(|rest| rest.policy.scope.concerns(table))
        };
        match kind {
            Kind::Rows { table, .. } if follows(table) => false,
            Kind::Object {
                object: Object::View,
                name,
                ..
            } if self.left_out.contains_key(name) => false,
            _ => self.policy.scope.takes(kind),
        }
    }

    /// The tables that follow, in the order in which they do.
    pub(in crate::restore) fn later(&self) -> &[LaterTable] {
        self.rest.as_ref().map_or(&[], |rest| &rest.policy.later)
    }

    /// How what follows is said to people.
    pub(super) fn rest_lines(&self, lines: &mut Vec<String>) {
        let Some(rest) = &self.rest else { return };
        let rows: u64 = rest.tables.iter().map(|table| table.text.rows).sum();
        let names: Vec<&str> = rest.policy.later.iter().map(|t| t.table.as_str()).collect();
        lines.push(format!(
            "while the product works: load {rows} rows of {} tables into {} and compare them, then \
             insert them, the newest first: {}",
            names.len(),
            rest.side,
            names.join(" ")
        ));
    }
}
