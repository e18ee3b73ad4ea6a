//! What forbids a restore of some tables.

use std::collections::BTreeSet;

use super::RestorePlan;
use crate::restore::survey::Survey;

impl RestorePlan {
    /// What only some tables cannot be restored for; of all of them nothing.
    pub(super) fn parts_wrong(&self, survey: &Survey) -> Vec<String> {
        let Some(only) = self.policy.scope.only() else {
            return Vec::new();
        };
        let mut wrong = Vec::new();
        if only.is_empty() {
            wrong.push("no table is named".to_owned());
        }
        let there: BTreeSet<&String> = survey.tables.iter().map(|table| &table.name).collect();
        for name in only.iter().filter(|name| !there.contains(name)) {
            wrong.push(format!("the text has no table {name}"));
        }
        let live = self.facts.live.iter();
        let of_live = live.clone().flat_map(|live| &live.references);
        let of_live = of_live.map(|(from, to)| (from, to));
        let of_text = survey.tables.iter().flat_map(|table| {
            let to = table.references.iter();
            // What refers to a table of the text without being restored is judged as it is now.
            let is_restored = only.contains(&table.name);
            to.filter(move |_| is_restored).map(|to| (&table.name, to))
        });
        let crossing: BTreeSet<(&String, &String)> = of_live
            .chain(of_text)
            .filter(|(from, to)| only.contains(*from) != only.contains(*to))
            .collect();
        wrong.extend(crossing.into_iter().map(|(from, to)| {
            format!("a foreign key leads from {from} to {to}: restore both or neither")
        }));
        for (trigger, table) in &survey.trigger_tables {
            let taken = live.clone().find_map(|live| live.triggers.get(trigger));
            if let Some(other) =
                taken.filter(|other| only.contains(table) && !only.contains(*other))
            {
                wrong.push(format!(
                    "table {other}, which is not restored, has a trigger {trigger}, as {table} in the text"
                ));
            }
        }
        for view in live.flat_map(|live| live.views.intersection(only)) {
            wrong.push(format!("{view} is a view in {}", self.policy.database));
        }
        wrong
    }
}
