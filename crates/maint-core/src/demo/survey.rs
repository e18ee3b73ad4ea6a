//! The independent recount.

use std::collections::BTreeMap;
use std::path::Path;

use diesel::RunQueryDsl;
use diesel::dsl::sql;
use diesel::sql_types::BigInt;

use super::{DemoError, connect};

/// What is in the demo database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Each table, in the order of the schema.
    pub tables: Vec<TableSurvey>,
    /// Rows of all tables by day (days since 1970-01-01 UTC), in order; days without rows are
    /// left out.
    pub days: Vec<(i64, u64)>,
    /// Bytes of a page of the file.
    pub page_size: u64,
    /// Pages of the file.
    pub pages: u64,
    /// Pages among them that are empty and will be used again.
    pub free_pages: u64,
}

/// What is in one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSurvey {
    /// Its name.
    pub table: String,
    /// Rows older than the cutoff, or that belong to such a row.
    pub expired: u64,
    /// All others, those without a time included.
    pub kept: u64,
    /// A sum over all columns of those others, which changes when one of them does.
    pub checksum: i64,
}

/// How large the table of numbers is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesSpace {
    /// Its rows.
    pub rows: u64,
    /// Bytes that it and its indexes fill of their pages.
    pub bytes: u64,
}

/// Measures the table of numbers of the demo database at `path`.
///
/// Blocks: reads the table and its indexes once.
///
/// # Errors
/// [`DemoError`] if this is no demo database.
pub fn series_space(path: &Path) -> Result<SeriesSpace, DemoError> {
    let mut connection = connect(path)?;
    let query = "SELECT (SELECT COUNT(*) FROM tagente_datos), \
                 (SELECT COALESCE(SUM(pgsize - unused), 0) FROM dbstat WHERE name IN \
                 ('tagente_datos', 'datos_module', 'datos_time'))";
    let (rows, bytes): (i64, i64) = sql::<(BigInt, BigInt)>(query)
        .get_result(&mut connection)
        .map_err(|source| DemoError::Statement {
            doing: "measure the table of numbers",
            source,
        })?;
    Ok(SeriesSpace {
        rows: rows.unsigned_abs(),
        bytes: bytes.unsigned_abs(),
    })
}

/// Each table, the one whose cutoff holds, when a row is expired, and the term of its checksum.
/// `:cutoff` stands for the cutoff.
const TABLES: [(&str, &str, &str, &str); 5] = [
    (
        "tagente_datos",
        "tagente_datos",
        "utimestamp < :cutoff",
        "id_agente_modulo * (COALESCE(utimestamp, 7) % 100003) \
         + CAST(ROUND(COALESCE(datos, 0) * 1000) AS INTEGER) * 31",
    ),
    (
        "tagente_datos_string",
        "tagente_datos_string",
        "utimestamp < :cutoff",
        "id_agente_modulo * (utimestamp % 100003) + LENGTH(datos) * 31 + UNICODE(datos)",
    ),
    (
        "tevento",
        "tevento",
        "utimestamp < :cutoff",
        "id_evento * (utimestamp % 100003) + id_agente * 31 + criticity * 17 + LENGTH(evento)",
    ),
    (
        "tevent_extended",
        "tevento",
        "id_evento IN (SELECT id_evento FROM tevento WHERE utimestamp < :cutoff) \
         OR id_evento NOT IN (SELECT id_evento FROM tevento)",
        "id * (utimestamp % 100003) + id_evento * 31 + LENGTH(description)",
    ),
    (
        "tsesion",
        "tsesion",
        "utimestamp < :cutoff",
        "id_sesion * (utimestamp % 100003) + LENGTH(id_usuario) * 31 + LENGTH(accion)",
    ),
];

/// Counts every row of the demo database at `path`. `cutoffs` holds, by table, the epoch second
/// below which its rows are expired; without one nothing is.
///
/// Blocks: about a second for two million rows. Nobody should write meanwhile.
///
/// # Errors
/// [`DemoError`] if this is no demo database.
pub fn survey(path: &Path, cutoffs: &BTreeMap<String, i64>) -> Result<Survey, DemoError> {
    let mut connection = connect(path)?;
    let failed = |source| DemoError::Statement {
        doing: "count rows",
        source,
    };
    let mut tables = Vec::with_capacity(TABLES.len());
    for (table, rule, expired, term) in TABLES {
        let cutoff = cutoffs
            .get(rule)
            .copied()
            .unwrap_or(i64::MIN + 1)
            .to_string();
        let expired = expired.replace(":cutoff", &cutoff);
        let query = format!(
            "SELECT COALESCE(SUM(e), 0), COUNT(*) - COALESCE(SUM(e), 0), \
             COALESCE(SUM(CASE WHEN e THEN 0 ELSE t END), 0) \
             FROM (SELECT ({expired}) IS TRUE AS e, {term} AS t FROM {table})"
        );
        let (expired, kept, checksum): (i64, i64, i64) = sql::<(BigInt, BigInt, BigInt)>(&query)
            .get_result(&mut connection)
            .map_err(failed)?;
        tables.push(TableSurvey {
            table: table.to_owned(),
            expired: expired.unsigned_abs(),
            kept: kept.unsigned_abs(),
            checksum,
        });
    }
    let each: Vec<String> = TABLES
        .iter()
        .map(|(table, ..)| {
            format!(
                "SELECT utimestamp / 86400 AS day, COUNT(*) AS n FROM {table} \
                 WHERE utimestamp IS NOT NULL GROUP BY 1"
            )
        })
        .collect();
    let query = format!(
        "SELECT day, SUM(n) FROM ({}) GROUP BY day ORDER BY day",
        each.join(" UNION ALL ")
    );
    let days: Vec<(i64, i64)> = sql::<(BigInt, BigInt)>(&query)
        .load(&mut connection)
        .map_err(failed)?;
    let mut pragma = |name: &str| -> Result<u64, DemoError> {
        let value: i64 = sql::<BigInt>(&format!("PRAGMA {name}"))
            .get_result(&mut connection)
            .map_err(failed)?;
        Ok(value.unsigned_abs())
    };
    Ok(Survey {
        tables,
        days: days
            .into_iter()
            .map(|(day, rows)| (day, rows.unsigned_abs()))
            .collect(),
        page_size: pragma("page_size")?,
        pages: pragma("page_count")?,
        free_pages: pragma("freelist_count")?,
    })
}
