//! Which parts of a run are meant.

use std::fmt;

use elpis_maint_core::housekeeping::{Group, Task};

use crate::args::maint::Parts;

/// The parts that `--only` and `-p` leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Names of groups and of tasks; all of them if it is empty.
    only: Vec<String>,
    /// Whether compaction is among them.
    pub(crate) compact: bool,
    /// Whether compaction in the history database is.
    pub(crate) compact_history: bool,
}

/// Names of the groups of tasks.
const GROUPS: [(&str, Group); 5] = [
    ("purge", Group::Purge),
    ("check", Group::CheckDb),
    ("integrity", Group::Integrity),
    ("history", Group::HistoryDb),
    ("enterprise", Group::Enterprise),
];
const COMPACT: &str = "compact";
/// The task that announces compaction in the history database.
const COMPACT_HISTORY: &str = "history_compact";

impl Selection {
    /// Everything.
    pub(crate) fn all() -> Selection {
        Selection {
            only: Vec::new(),
            compact: true,
            compact_history: true,
        }
    }

    pub(crate) fn new(parts: &Parts) -> Selection {
        let all = parts.only.is_empty();
        let mut selection = Selection {
            only: parts.only.clone(),
            compact: !parts.purge_only && (all || parts.only.iter().any(|part| part == COMPACT)),
            compact_history: false,
        };
        let named = selection.names(COMPACT_HISTORY, Group::HistoryDb);
        selection.compact_history = !parts.purge_only && named;
        selection
    }

    /// Whether everything that belongs to a run is meant. Compaction may be left out: the console
    /// does not count it either.
    pub(crate) fn is_whole(&self) -> bool {
        self.only.is_empty()
    }

    pub(crate) fn takes(&self, task: &Task) -> bool {
        match task.id.as_str() {
            COMPACT_HISTORY => self.compact_history,
            id => self.names(id, task.group),
        }
    }

    /// Whether what belongs to the task `id` of group `of` is meant.
    pub(crate) fn names(&self, id: &str, of: Group) -> bool {
        let named = |part: &String| *part == id || group(part) == Some(of);
        self.only.is_empty() || self.only.iter().any(named)
    }

    /// # Errors
    /// A name that is neither a group nor one of `tasks`.
    pub(crate) fn check<'a>(
        &self,
        tasks: impl IntoIterator<Item = &'a Task>,
    ) -> Result<(), WrongPart> {
        let ids: Vec<String> = tasks.into_iter().map(|task| task.id.clone()).collect();
        let known = |part: &String| part == COMPACT || group(part).is_some() || ids.contains(part);
        match self.only.iter().find(|part| !known(part)) {
            Some(part) => Err(WrongPart {
                part: part.clone(),
                known: ids,
            }),
            None => Ok(()),
        }
    }
}

fn group(name: &str) -> Option<Group> {
    let found = GROUPS.iter().find(|(known, _)| *known == name);
    found.map(|(_, group)| *group)
}

/// `--only` names something that does not exist.
#[derive(Debug)]
pub(crate) struct WrongPart {
    part: String,
    known: Vec<String>,
}

impl fmt::Display for WrongPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups = GROUPS.map(|(name, _)| name).join(", ");
        write!(
            f,
            "--only names {:?}, which is neither a part ({groups}, {COMPACT}) nor a task ({})",
            self.part,
            self.known.join(", ")
        )
    }
}

impl std::error::Error for WrongPart {}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str, group: Group) -> Task {
        Task {
            id: id.to_owned(),
            group,
            title: String::new(),
            work: Vec::new(),
        }
    }

    fn selection(only: &[&str], purge_only: bool) -> Selection {
        Selection::new(&Parts {
            only: only.iter().map(|part| (*part).to_owned()).collect(),
            purge_only,
        })
    }

    #[test]
    fn groups_and_single_tasks_are_chosen_by_name() {
        let events = task("events", Group::Purge);
        let aliases = task("aliases", Group::CheckDb);
        let all = selection(&[], false);
        assert!(all.takes(&events) && all.takes(&aliases) && all.compact && all.is_whole());
        let purge = selection(&["purge"], false);
        assert!(purge.takes(&events) && !purge.takes(&aliases) && !purge.compact);
        let some = selection(&["aliases", "compact"], false);
        assert!(!some.takes(&events) && some.takes(&aliases) && some.compact && !some.is_whole());
        // As with the tool that Elpis replaces: purge and checks, no compaction.
        let legacy = selection(&[], true);
        assert!(legacy.takes(&events) && legacy.takes(&aliases) && !legacy.compact);
        assert!(legacy.is_whole());
    }

    #[test]
    fn the_history_database_is_compacted_with_its_other_tasks() {
        let compact = task(COMPACT_HISTORY, Group::HistoryDb);
        for (only, purge_only, is_meant) in [
            (&[][..], false, true),
            (&["history"], false, true),
            (&[COMPACT_HISTORY], false, true),
            (&["compact"], false, false),
            (&["purge"], false, false),
            (&[], true, false),
        ] {
            let selection = selection(only, purge_only);
            assert_eq!(selection.takes(&compact), is_meant, "{only:?} {purge_only}");
            assert_eq!(selection.compact_history, is_meant);
        }
        assert!(Selection::all().takes(&compact));
    }

    #[test]
    fn an_unknown_name_is_refused_with_those_that_are_known() {
        let tasks = [task("events", Group::Purge)];
        assert!(
            selection(&["events", "compact", "check"], false)
                .check(&tasks)
                .is_ok()
        );
        let error = selection(&["event"], false)
            .check(&tasks)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("\"event\"") && error.contains("(events)"),
            "{error}"
        );
    }
}
