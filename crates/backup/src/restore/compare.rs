//! What was loaded, compared with what the text holds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use elpis_mysql::{ConnectOptions, Params, Session};
use elpis_run::StopToken;

use super::error::RestoreError;
use super::load::Marks;
use super::names::OWN_PREFIX;
use super::plan::RestorePlan;
use super::policy::Compare;
use super::session::{Ask, qualified};
use super::sql::{RowSum, Tuples};
use crate::dump::{
    Dump, DumpControl, DumpError, DumpPolicy, DumpSink, NonTransactional, Part, Piece, PieceId,
    PieceWriter, SinkError, SnapshotStep,
};

/// The most differences that are told.
const TOLD: usize = 20;

/// Compares every table of the side database.
///
/// Tables whose indexes were made after the rows must be as the server had made them, byte for
/// byte of `SHOW CREATE TABLE`.
pub(super) async fn compare(
    control: &mut Session,
    connect: &ConnectOptions,
    plan: &RestorePlan,
    stop: &StopToken,
) -> Result<(), RestoreError> {
    let mut differences = Vec::new();
    let marks = Marks::new(&plan.side)?;
    for made in marks.remembered(control).await? {
        if marks.show(control, &made.table).await? != made.create {
            differences.push(format!("table {} is not made as the text says", made.table));
        }
    }
    if plan.by_elpis && plan.policy.compare == Compare::Content {
        let found = sums(connect, plan, stop).await?;
        for table in &plan.tables {
            let found = found.get(&table.text.name).copied().unwrap_or_default();
            let told = table.text.sum;
            if found.rows != told.rows {
                differences.push(rows(&table.text.name, told.rows, found.rows));
            } else if found != told {
                differences.push(format!(
                    "the rows of {} are not those of the text",
                    table.text.name
                ));
            }
        }
    } else {
        let windows = windows(control, &plan.side).await?;
        for table in &plan.tables {
            let name = &table.text.name;
            if windows.contains(name) {
                continue;
            }
            let sql = format!("SELECT COUNT(*) FROM {}", qualified(&plan.side, name)?);
            let found: Option<u64> = control.ask_first(&sql, Params::Empty).await?;
            if found != Some(table.text.rows) {
                differences.push(rows(name, table.text.rows, found.unwrap_or_default()));
            }
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    let more = differences.len().saturating_sub(TOLD);
    differences.truncate(TOLD);
    if more > 0 {
        differences.push(format!("and {more} more"));
    }
    Err(RestoreError::Different { differences })
}

fn rows(table: &str, told: u64, found: u64) -> String {
    format!("{table} has {found} rows, and the text {told}")
}

/// Tables that only show rows which other tables hold.
async fn windows(control: &mut Session, side: &str) -> Result<Vec<String>, RestoreError> {
    control
        .ask(
            "SELECT TABLE_NAME FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = ? AND ENGINE IN ('MRG_MyISAM', 'MRG_MYISAM', 'FEDERATED', 'SPIDER')",
            super::session::of(&[side]),
        )
        .await
}

/// Reads every row of the side database as our own dump writes it.
async fn sums(
    connect: &ConnectOptions,
    plan: &RestorePlan,
    stop: &StopToken,
) -> Result<HashMap<String, RowSum>, RestoreError> {
    let policy = DumpPolicy {
        without_rows: vec![format!("{OWN_PREFIX}*")],
        readers: Some(plan.policy.sessions),
        // Nobody writes there: no lock is worth holding up those who write elsewhere.
        ladder: vec![
            SnapshotStep::LockFree,
            SnapshotStep::BackupStage,
            SnapshotStep::SingleReader,
        ],
        non_transactional: NonTransactional::Warn,
        accept_gaps: true,
        ..DumpPolicy::new(vec![plan.side.clone()])
    };
    let dump = Dump::new(connect.clone(), policy);
    let facts = dump.inspect().await?;
    let dump_plan = dump.plan(&facts, plan.policy.sessions)?;
    let sums = Arc::new(Sums::default());
    let control = DumpControl {
        stop: stop.clone(),
        ..DumpControl::default()
    };
    match dump
        .run(&dump_plan, Arc::clone(&sums) as Arc<dyn DumpSink>, control)
        .await
    {
        Ok(_) => {}
        Err(DumpError::Stopped) => return Err(RestoreError::Stopped),
        Err(error) => return Err(error.into()),
    }
    let mut sums = sums.0.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut sums))
}

/// Sums the rows of a dump and keeps nothing else of it.
#[derive(Default)]
struct Sums(Arc<Mutex<HashMap<String, RowSum>>>);

impl DumpSink for Sums {
    fn begin(&self, piece: &PieceId) -> Result<Box<dyn PieceWriter>, SinkError> {
        Ok(Box::new(Summing {
            sums: Arc::clone(&self.0),
            tuples: (piece.part == Part::Data).then(Tuples::default),
        }))
    }
}

struct Summing {
    sums: Arc<Mutex<HashMap<String, RowSum>>>,
    tuples: Option<Tuples>,
}

impl PieceWriter for Summing {
    fn write(&mut self, sql: &[u8]) -> Result<(), SinkError> {
        if let Some(tuples) = &mut self.tuples {
            tuples.push(sql, true);
        }
        Ok(())
    }

    fn finish(self: Box<Self>, piece: &Piece) -> Result<(), SinkError> {
        let Some(tuples) = self.tuples else {
            return Ok(());
        };
        if tuples.sum.rows != piece.rows {
            let (got, told) = (tuples.sum.rows, piece.rows);
            return Err(format!("{got} rows were read of a piece that has {told}").into());
        }
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        sums.entry(piece.id.table_name.clone())
            .or_default()
            .join(tuples.sum);
        Ok(())
    }
}
