//! What a part of a plan does to tables, and whether that can give a later sweep more to do. Pure.

use crate::sweep::{Dependent, Fate, Join, SweepAct, SweepTask, SweepWalk};
use crate::{Cascade, PurgeTask};

/// Something that may have happened to a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// Rows are gone.
    Gone {
        table: String,
        /// With the row of another table that they point at, if it is for that that they went.
        with: Option<Tie>,
        /// And before them all rows that pointed at them so.
        before: Vec<Tie>,
    },
    /// There are more rows.
    Added { table: String },
    /// Values of this column are others.
    Changed { table: String, column: String },
}

/// How rows of one table point at rows of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tie {
    child: String,
    column: String,
    parent: String,
    parent_column: String,
}

impl Effect {
    /// What a purge does: to its own table first.
    pub(super) fn of_purge(task: &PurgeTask) -> Vec<Effect> {
        let own = Effect::Gone {
            table: task.table.clone(),
            with: None,
            before: cascade_ties(&task.table, &task.cascades),
        };
        let mut effects = vec![own];
        cascaded(&task.table, &task.cascades, &mut effects);
        effects
    }

    /// What a sweep does to the rows that it finds, and to those that have to know of it.
    pub(super) fn of_rows(task: &SweepTask) -> Vec<Effect> {
        match &task.act {
            SweepAct::Delete { dependents, marks } => {
                let gone = Effect::Gone {
                    table: task.table.clone(),
                    with: None,
                    before: ties(&task.table, dependents),
                };
                let marked = marks.iter().flat_map(|mark| {
                    let columns = mark.values.iter().map(|(column, _)| column);
                    columns.map(|column| changed(&mark.table, column))
                });
                std::iter::once(gone).chain(marked).collect()
            }
            SweepAct::Clear { .. } => Vec::new(),
            SweepAct::Insert { into, .. } => vec![Effect::Added {
                table: into.clone(),
            }],
            SweepAct::Set { values } => {
                let columns = values.iter().map(|(column, _)| column);
                columns.map(|column| changed(&task.table, column)).collect()
            }
        }
    }

    /// What a sweep does to what hangs on the rows that it finds.
    pub(super) fn of_dependents(task: &SweepTask) -> Vec<Effect> {
        let goes = matches!(task.act, SweepAct::Delete { .. });
        let mut effects = Vec::new();
        hanging((&task.table, goes), task.dependents(), &mut effects);
        effects
    }

    pub(super) fn table(&self) -> &str {
        match self {
            Effect::Gone { table, .. }
            | Effect::Added { table }
            | Effect::Changed { table, .. } => table,
        }
    }

    /// Whether rows that did not meet the conditions of a sweep may meet them now.
    pub(super) fn gives_work_to(&self, task: &SweepTask) -> bool {
        let own = match self {
            Effect::Gone { .. } => false,
            Effect::Added { table } => *table == task.table,
            Effect::Changed { table, column } => *table == task.table && looks_at(task, column),
        };
        own || self.shows_through_joins_of(task)
    }

    /// The same for rows that it did not happen to. Rows that are gone give work only to those who
    /// miss them and stay; rows that came, to those who look for them; values, to those who look at
    /// them.
    pub(super) fn shows_through_joins_of(&self, task: &SweepTask) -> bool {
        let on = |join: &&Join| join.table == self.table();
        let mut missing = task.missing.iter().filter(on);
        let mut present = task.present.iter().filter(on);
        match self {
            Effect::Gone { with, before, .. } => missing.any(|join| {
                let with = with
                    .as_ref()
                    .is_some_and(|tie| tie.took_parents(task, join));
                !with && !before.iter().any(|tie| tie.took_children(task, join))
            }),
            Effect::Added { .. } => present.next().is_some(),
            Effect::Changed { column, .. } => missing.chain(present).any(|join| {
                let mut filtered = join.filters.iter().map(|filter| &filter.column);
                filtered.any(|one| one == column)
                    || join.on.iter().any(|(_, there)| there == column)
            }),
        }
    }
}

impl Tie {
    /// The children that are gone are what `join` of `task` looks for, and each went with the only
    /// row that could miss it.
    fn took_parents(&self, task: &SweepTask, join: &Join) -> bool {
        let named_by = |columns: &[String]| *columns == [self.parent_column.clone()];
        let is_unique = matches!(&task.walk, SweepWalk::Key { columns, .. } if named_by(columns));
        let joins =
            |(own, there): &(String, String)| *own == self.parent_column && *there == self.column;
        self.parent == task.table && is_unique && join.on.iter().any(joins)
    }

    /// The parents that are gone are what `join` of `task` looks for, and all rows that could miss
    /// them went before.
    fn took_children(&self, task: &SweepTask, join: &Join) -> bool {
        let joins =
            |(own, there): &(String, String)| *own == self.column && *there == self.parent_column;
        self.child == task.table && join.on.iter().any(joins)
    }
}

fn changed(table: &str, column: &str) -> Effect {
    Effect::Changed {
        table: table.to_owned(),
        column: column.to_owned(),
    }
}

/// Whether it depends on this column of its own table what `task` finds.
fn looks_at(task: &SweepTask, column: &str) -> bool {
    let filtered = task.filters.iter().map(|filter| &filter.column);
    let joins = task.missing.iter().chain(&task.present);
    let joined = joins.flat_map(|join| join.on.iter().map(|(own, _)| own));
    let mut own = filtered.chain(joined).chain(task.key());
    own.any(|one| one == column)
}

/// What becomes of `dependents` of a table whose rows go, or only lose them.
fn hanging((parent, goes): (&str, bool), dependents: &[Dependent], into: &mut Vec<Effect>) {
    for one in dependents {
        into.push(match one.fate {
            Fate::Delete => Effect::Gone {
                table: one.table.clone(),
                with: goes.then(|| tie(parent, one)),
                before: ties(&one.table, &one.dependents),
            },
            Fate::Detach => changed(&one.table, &one.column),
        });
        hanging(
            (&one.table, one.fate == Fate::Delete),
            &one.dependents,
            into,
        );
    }
}

fn tie(parent: &str, one: &Dependent) -> Tie {
    Tie {
        child: one.table.clone(),
        column: one.column.clone(),
        parent: parent.to_owned(),
        parent_column: one.parent_column.clone(),
    }
}

/// How those that go before rows of `parent` point at them.
fn ties(parent: &str, dependents: &[Dependent]) -> Vec<Tie> {
    let deleted = dependents.iter().filter(|one| one.fate == Fate::Delete);
    deleted.map(|one| tie(parent, one)).collect()
}

fn cascaded(parent: &str, cascades: &[Cascade], into: &mut Vec<Effect>) {
    for (one, tie) in cascades.iter().zip(cascade_ties(parent, cascades)) {
        into.push(Effect::Gone {
            table: one.table.clone(),
            with: Some(tie),
            before: cascade_ties(&one.table, &one.cascades),
        });
        cascaded(&one.table, &one.cascades, into);
    }
}

fn cascade_ties(parent: &str, cascades: &[Cascade]) -> Vec<Tie> {
    let tie = |one: &Cascade| Tie {
        child: one.table.clone(),
        column: one.column.clone(),
        parent: parent.to_owned(),
        parent_column: one.parent_column.clone(),
    };
    cascades.iter().map(tie).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::Mark;
    use crate::{Filter, Scalar, Test};

    /// A sweep of rows that miss another one: own column, other table, its column.
    fn sweep(table: &str, key: &str, missing: (&str, &str, &str), act: SweepAct) -> SweepTask {
        let (own, other, there) = missing;
        SweepTask {
            table: table.to_owned(),
            walk: SweepWalk::Key {
                columns: vec![key.to_owned()],
                index: None,
            },
            filters: Vec::new(),
            missing: vec![Join {
                table: other.to_owned(),
                on: vec![(own.to_owned(), there.to_owned())],
                filters: Vec::new(),
            }],
            present: Vec::new(),
            act,
        }
    }

    fn delete(dependents: Vec<Dependent>) -> SweepAct {
        SweepAct::Delete {
            dependents,
            marks: Vec::new(),
        }
    }

    /// Modules that go with their states, and the values of these with them.
    fn modules(act: fn(Vec<Dependent>) -> SweepAct) -> SweepTask {
        let values = Dependent::new("data", "state", "state_id");
        let states = Dependent::new("states", "module", "id").with(vec![values]);
        sweep(
            "modules",
            "id",
            ("agent", "agents", "id"),
            act(vec![states]),
        )
    }

    fn gives_work(from: &SweepTask, to: &SweepTask) -> bool {
        let mut effects = Effect::of_rows(from);
        effects.extend(Effect::of_dependents(from));
        effects.iter().any(|effect| effect.gives_work_to(to))
    }

    #[test]
    fn orphans_of_rows_that_took_their_children_along_are_no_more_than_before() {
        let orphans = |table, own, (other, there)| {
            sweep(table, "row", (own, other, there), delete(Vec::new()))
        };
        let gone = modules(delete);
        assert!(!gives_work(
            &gone,
            &orphans("states", "module", ("modules", "id"))
        ));
        assert!(!gives_work(
            &gone,
            &orphans("data", "state", ("states", "state_id"))
        ));
        // Others did not go along: another table, another column on either side.
        assert!(gives_work(
            &gone,
            &orphans("alerts", "module", ("modules", "id"))
        ));
        assert!(gives_work(
            &gone,
            &orphans("states", "old_module", ("modules", "id"))
        ));
        assert!(gives_work(
            &gone,
            &orphans("states", "module", ("modules", "old_id"))
        ));
        assert!(gives_work(
            &gone,
            &orphans("data", "module", ("modules", "id"))
        ));
        assert!(!gives_work(
            &gone,
            &orphans("states", "agent", ("agents", "id"))
        ));
    }

    #[test]
    fn whoever_misses_what_went_with_it_is_gone_too() {
        let without =
            |key, own, there| sweep("modules", key, (own, "states", there), delete(Vec::new()));
        let gone = modules(delete);
        assert!(!gives_work(&gone, &without("id", "id", "module")));
        // Of modules that are not told apart by that column, one may have stayed.
        assert!(gives_work(&gone, &without("name", "id", "module")));
        assert!(gives_work(&gone, &without("id", "id", "old_module")));
        assert!(gives_work(&gone, &without("id", "old_id", "module")));
        // Where modules stay, they miss their states.
        let cleared = modules(|dependents| SweepAct::Clear { dependents });
        assert!(gives_work(&cleared, &without("id", "id", "module")));
        // What hangs on the states went with them, whether those went with their module or alone.
        let data = ("state", "states", "state_id");
        assert!(!gives_work(
            &cleared,
            &sweep("data", "row", data, delete(Vec::new()))
        ));
    }

    #[test]
    fn values_concern_whoever_looks_at_their_column() {
        let mut marking = modules(delete);
        marking.act = SweepAct::Delete {
            dependents: Vec::new(),
            marks: vec![Mark {
                table: "agents".to_owned(),
                own: "agent".to_owned(),
                there: "id".to_owned(),
                values: vec![("count_is_old".to_owned(), Scalar::Int(1))],
            }],
        };
        let plain = || {
            sweep(
                "events",
                "id",
                ("agent", "agents", "id"),
                delete(Vec::new()),
            )
        };
        assert!(!gives_work(&marking, &plain()));
        let test = |column: &str| Filter {
            column: column.to_owned(),
            test: Test::IsNull,
        };
        let mut looking = plain();
        looking.missing[0].filters = vec![test("count_is_old")];
        assert!(gives_work(&marking, &looking));
        let mut own = sweep(
            "agents",
            "id",
            ("group", "groups", "id"),
            delete(Vec::new()),
        );
        assert!(!gives_work(&marking, &own));
        own.filters = vec![test("count_is_old")];
        assert!(gives_work(&marking, &own));
    }

    #[test]
    fn what_a_purge_takes_along_is_known_too() {
        let cascade = Cascade {
            table: "details".to_owned(),
            column: "event".to_owned(),
            parent_column: "id".to_owned(),
            own: None,
            cascades: Vec::new(),
        };
        let purge = PurgeTask {
            table: "events".to_owned(),
            due: crate::task::Due {
                time_column: "at".to_owned(),
                cutoff: Scalar::Int(1),
                filters: Vec::new(),
                where_sql: None,
            },
            walk: crate::Walk::Key {
                columns: vec!["id".to_owned()],
            },
            cascades: vec![cascade],
        };
        let effects = Effect::of_purge(&purge);
        let concerns = |table, own| {
            let orphans = sweep(table, "row", (own, "events", "id"), delete(Vec::new()));
            effects.iter().any(|effect| effect.gives_work_to(&orphans))
        };
        assert!(!concerns("details", "event"));
        assert!(concerns("comments", "event"));
        assert!(concerns("details", "other_event"));
    }
}
