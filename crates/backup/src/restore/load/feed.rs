//! The text on its way to the sessions: rows in chunks, everything else one by one, all numbered
//! alike whenever the same text is read.

use std::io::Read;

use tokio::sync::mpsc::Sender;

use super::conductor::Statement;
use super::event::{Quiet, silence};
use crate::restore::error::TextError;
use crate::restore::plan::RestorePlan;
use crate::restore::sql::{Kind, Object, Part, SqlReader, is_foreign};
use crate::restore::sum::Summing;

/// What comes next.
pub(super) enum Order {
    /// Rows of one table.
    Rows(Chunk),
    /// Anything else.
    Statement(Statement),
    /// The end, with the sum of the text.
    End { blake3: String },
}

/// Rows of one table, for one transaction.
#[derive(Default)]
pub(super) struct Chunk {
    pub(super) id: u64,
    pub(super) table: String,
    pub(super) inserts: Vec<Insert>,
    pub(super) bytes: u64,
}

/// A statement with rows, which begin at byte `values`.
pub(super) struct Insert {
    pub(super) sql: Vec<u8>,
    pub(super) values: usize,
}

/// Where orders go.
pub(super) type Orders = Sender<Result<Order, TextError>>;

/// Reads `text` to its end, or until nobody takes orders any more. What `plan` does not take is
/// passed over.
pub(super) fn feed(text: impl Read, plan: &RestorePlan, chunk_bytes: usize, orders: &Orders) {
    if let Err(error) = read(text, plan, chunk_bytes, orders) {
        // Nobody may want to know.
        let _ = orders.blocking_send(Err(error));
    }
}

fn read(
    text: impl Read,
    plan: &RestorePlan,
    chunk_bytes: usize,
    orders: &Orders,
) -> Result<(), TextError> {
    let mut summing = Summing::new(text);
    let reader = SqlReader::new(&mut summing);
    let mut reader = reader.into_database(&plan.side, &plan.policy.database);
    let mut next_id = 0;
    let mut id = || {
        next_id += 1;
        next_id
    };
    let mut chunk = Chunk::default();
    // Whoever gave the orders up has seen an error of his own.
    let send = |order| orders.blocking_send(Ok(order)).is_ok();
    while let Some(part) = reader.next()? {
        let Part::Statement { mut sql, kind } = part else {
            continue;
        };
        if !plan.takes(&kind) {
            continue;
        }
        let is_rows = matches!(&kind, Kind::Rows { table, .. } if *table == chunk.table);
        if !chunk.inserts.is_empty() && !is_rows {
            chunk.id = id();
            if !send(Order::Rows(std::mem::take(&mut chunk))) {
                return Ok(());
            }
        }
        if let Kind::Rows { table, values } = kind {
            chunk.table = table;
            chunk.bytes += sql.len() as u64;
            chunk.inserts.push(Insert { sql, values });
            if chunk.bytes >= chunk_bytes as u64 {
                chunk.id = id();
                if !send(Order::Rows(std::mem::take(&mut chunk))) {
                    return Ok(());
                }
            }
            continue;
        }
        if matches!(kind, Kind::Skip | Kind::Use { .. }) || kind.removes_routine() {
            continue;
        }
        let mut silenced = false;
        if let Kind::Object {
            object: Object::Event,
            name,
            is_made: true,
            ..
        } = &kind
        {
            match silence(&sql, reader.modes()) {
                Some(Quiet::Silenced(quiet)) => (sql, silenced) = (quiet, true),
                Some(Quiet::Already) => {}
                None => {
                    return Err(TextError::Event {
                        event: name.clone(),
                    });
                }
            }
        }
        let only_prepared = kind.is_body() && is_foreign(&sql, reader.modes());
        let statement = Statement {
            id: id(),
            sql,
            kind,
            silenced,
            only_prepared,
        };
        if !send(Order::Statement(statement)) {
            return Ok(());
        }
    }
    if !chunk.inserts.is_empty() {
        chunk.id = id();
        if !send(Order::Rows(chunk)) {
            return Ok(());
        }
    }
    drop(reader);
    let (_, blake3) = summing.finish();
    send(Order::End { blake3 });
    Ok(())
}
