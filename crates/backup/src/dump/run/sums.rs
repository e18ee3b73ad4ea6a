//! What each table came to.

use std::collections::HashMap;

use super::hold::TableLocks;
use super::place;
use crate::dump::facts::{Catalogue, TableFacts};
use crate::dump::objects::Objects;
use crate::dump::plan::{DumpPlan, has_rows};
use crate::dump::report::{DatabaseReport, TableReport};
use crate::dump::sink::{Part, Piece};

pub(super) fn reports(
    plan: &DumpPlan,
    databases: &[Catalogue],
    texts: &[Objects],
    pieces: &[Piece],
    locks: &TableLocks,
) -> Vec<DatabaseReport> {
    let mut sums: HashMap<(u32, u32), (u64, u64)> = HashMap::new();
    for piece in pieces.iter().filter(|piece| piece.id.part == Part::Data) {
        let (rows, bytes) = sums.entry((piece.id.database, piece.id.table)).or_default();
        *rows += piece.rows;
        *bytes += piece.bytes;
    }
    let database = |(index, (found, objects)): (usize, (&Catalogue, &Objects))| {
        let table = |(number, table): (usize, &TableFacts)| {
            let key = (place(index), place(number));
            let (rows, bytes) = sums.get(&key).copied().unwrap_or_default();
            TableReport {
                name: table.name.clone(),
                engine: table.engine.clone(),
                rows,
                bytes,
                has_rows: has_rows(&plan.policy, table),
                consistent: table.transactional || locks.hold(&found.name, &table.name),
            }
        };
        DatabaseReport {
            name: found.name.clone(),
            charset: found.charset.clone(),
            collation: found.collation.clone(),
            tables: found.tables.iter().enumerate().map(table).collect(),
            views: found.views.len() as u64,
            sequences: found.sequences.len() as u64,
            triggers: found.triggers.len() as u64,
            routines: found.routines.len() as u64,
            events: found.events.len() as u64,
            definers: objects.definers.iter().cloned().collect(),
        }
    };
    databases
        .iter()
        .zip(texts)
        .enumerate()
        .map(database)
        .collect()
}
