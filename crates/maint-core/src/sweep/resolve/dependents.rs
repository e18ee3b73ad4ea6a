//! What hangs on rows: declared by the profile, or found in the live schema.

use super::{MAX_DEPTH, Resolver, SkipReason, is_key, leads_to, unfit};
use crate::store::{OnDelete, Reference, Shape};
use crate::sweep::{Dependent, Fate, Join};

impl Resolver<'_> {
    /// What hangs on the rows of `table`: what the profile declares, then what the foreign keys of
    /// the live schema add.
    pub(super) fn dependents(
        &mut self,
        shape: &Shape,
        table: &str,
        declared: &[Dependent],
        path: &[String],
    ) -> Result<Vec<Dependent>, SkipReason> {
        let mut all = self.declared(shape, declared, path)?;
        for reference in &shape.referenced_by {
            let found = self.by_reference(table, reference)?;
            let Some(found) = found else { continue };
            let known = |one: &Dependent| one.table == found.table && one.column == found.column;
            if all.iter().any(known) {
                continue;
            }
            let Some(child) = self.shapes.get(&found.table) else {
                let reason = format!("is referenced by {} of another database", found.table);
                return Err(unfit(table, &reason));
            };
            all.push(self.with_its_own(found, child, path)?);
        }
        on_one_key(shape, table, &all)?;
        Ok(all)
    }

    /// What the profile declares, as far as it is there.
    pub(super) fn declared(
        &mut self,
        shape: &Shape,
        declared: &[Dependent],
        path: &[String],
    ) -> Result<Vec<Dependent>, SkipReason> {
        let mut all = Vec::new();
        for dependent in declared {
            let Some(child) = self.shapes.get(&dependent.table) else {
                continue;
            };
            let has = |name: &str| child.columns.iter().any(|column| column.name == name);
            if !has(&dependent.column) || child.obstacle.is_some() {
                continue;
            }
            let (name, by) = (&dependent.table, &dependent.column);
            if !leads_to(child, by) && !references(shape, name, by) {
                self.notes.push(format!(
                    "{name} has no index on {by}: its rows are left to the search for orphans"
                ));
                continue;
            }
            all.push(self.with_its_own(dependent.clone(), child, path)?);
        }
        Ok(all)
    }

    /// A dependent with everything that hangs on it in turn.
    fn with_its_own(
        &mut self,
        dependent: Dependent,
        child: &Shape,
        path: &[String],
    ) -> Result<Dependent, SkipReason> {
        if dependent.fate == Fate::Detach {
            return Ok(dependent);
        }
        let name = dependent.table.clone();
        if path.contains(&name) || path.len() >= MAX_DEPTH {
            let reason = format!("hangs on itself through {}", path.join(" and "));
            return Err(unfit(&name, &reason));
        }
        let mut path = path.to_vec();
        path.push(name.clone());
        let below = self.dependents(child, &name, &dependent.dependents, &path)?;
        let below = Dependent {
            dependents: below,
            ..dependent
        };
        if let Some(held) = self.restricted(child, &below.dependents).first() {
            let (by, key) = (&held.child, &held.name);
            let reason = format!("is referenced by {by} ({key}), which forbids deletes");
            return Err(unfit(&name, &reason));
        }
        Ok(below)
    }

    /// The dependent that a foreign key makes; `None` if it forbids deletes.
    fn by_reference(
        &self,
        table: &str,
        reference: &Reference,
    ) -> Result<Option<Dependent>, SkipReason> {
        let fate = match reference.on_delete {
            OnDelete::Cascade => Fate::Delete,
            OnDelete::SetNull => Fate::Detach,
            OnDelete::Restrict => return Ok(None),
        };
        let ([column], [parent_column]) = (
            reference.columns.as_slice(),
            reference.parent_columns.as_slice(),
        ) else {
            let name = &reference.name;
            let reason = format!("has a foreign key over several columns pointing at it ({name})");
            return Err(unfit(table, &reason));
        };
        Ok(Some(Dependent {
            fate,
            ..Dependent::new(&reference.child, column, parent_column)
        }))
    }

    /// The foreign keys that forbid deletes and are not served by a dependent.
    fn restricted<'s>(&self, shape: &'s Shape, dependents: &[Dependent]) -> Vec<&'s Reference> {
        let served = |reference: &Reference| {
            dependents.iter().any(|one| {
                one.table == reference.child && [one.column.clone()] == *reference.columns
            })
        };
        shape
            .referenced_by
            .iter()
            .filter(|reference| reference.on_delete == OnDelete::Restrict && !served(reference))
            .collect()
    }

    /// Rows that others still point at, by a foreign key that forbids deletes, stay.
    pub(super) fn held_back(
        &mut self,
        shape: &Shape,
        dependents: &[Dependent],
    ) -> Result<Vec<Join>, SkipReason> {
        let mut joins = Vec::new();
        for reference in self.restricted(shape, dependents) {
            let (child, name) = (&reference.child, &reference.name);
            if !self.shapes.contains_key(child) {
                let reason = format!("is referenced by {child} ({name}) of another database");
                return Err(unfit(&self.rule.table, &reason));
            }
            self.notes.push(format!(
                "rows that {child} points at stay ({name} forbids deletes)"
            ));
            let pairs = reference.parent_columns.iter().zip(&reference.columns);
            joins.push(Join {
                table: child.clone(),
                on: pairs
                    .map(|(own, there)| (own.clone(), there.clone()))
                    .collect(),
                filters: Vec::new(),
            });
        }
        Ok(joins)
    }
}

/// Dependents are found through the keys of their parents, which are read once.
pub(super) fn on_one_key(
    shape: &Shape,
    table: &str,
    dependents: &[Dependent],
) -> Result<(), SkipReason> {
    let Some(first) = dependents.first() else {
        return Ok(());
    };
    let by = &first.parent_column;
    let other = dependents.iter().find(|one| one.parent_column != *by);
    let other = other.or_else(|| (!is_key(shape, by)).then_some(first));
    other.map_or(Ok(()), |other| {
        let (name, by) = (&other.table, &other.parent_column);
        let reason = format!("is pointed at by {name} through {by}, which is not its only key");
        Err(unfit(table, &reason))
    })
}

fn references(parent: &Shape, child: &str, column: &str) -> bool {
    parent
        .referenced_by
        .iter()
        .any(|reference| reference.child == child && reference.columns == [column])
}
