//! What a text holds, found by reading all of it before anything is changed.

mod found;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use elpis_run::{Observer, StopToken};
use serde::{Deserialize, Serialize};

use super::error::TextError;
use super::event::RestoreEvent;
use super::sql::{Part, RowSum, SqlReader};
use super::sum::Summing;
use super::views::ViewNeeds;
use crate::archive::{DatabaseRecord, Manifest, Product};
use crate::dump::DatabaseReport;
use found::Found;

/// What a surveyed text holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Survey {
    /// Whether our own dump wrote it, so that rows can be compared with it byte for byte.
    pub by_elpis: bool,
    /// `VERSION()` of the server it is from, if it says so.
    pub server_version: Option<String>,
    /// The database it is from, if it says so.
    pub database: Option<String>,
    /// That database's default character set and collation, if they are known.
    pub charset: Option<(String, String)>,
    /// The product it is from, if it says so.
    pub product: Product,
    /// Its tables, in its order.
    pub tables: Vec<SurveyedTable>,
    /// Its views.
    pub views: BTreeSet<String>,
    /// What each of them stands on.
    #[serde(default)]
    pub view_needs: BTreeMap<String, ViewNeeds>,
    /// Its triggers.
    pub triggers: BTreeSet<String>,
    /// The table of each trigger.
    #[serde(default)]
    pub trigger_tables: BTreeMap<String, String>,
    /// Its procedures, functions and packages.
    pub routines: BTreeSet<String>,
    /// The definers of those that work with their rights.
    #[serde(default)]
    pub routine_definers: BTreeMap<String, String>,
    /// Its events.
    pub events: BTreeSet<String>,
    /// The accounts that these name as definers, as `user@host`.
    pub definers: BTreeSet<String>,
    /// Collations that its tables name.
    pub collations: BTreeSet<String>,
    /// Bytes of the longest statement.
    pub longest_statement: u64,
    /// Bytes of text.
    pub bytes: u64,
    /// BLAKE3 of the text, in lower-case hexadecimal.
    pub blake3: String,
}

/// One table of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurveyedTable {
    /// Its name.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Bytes of the statements that hold them.
    pub bytes: u64,
    /// What the rows come to, whatever their order.
    pub(super) sum: RowSum,
    /// Whether a foreign key of another table refers to it.
    pub referenced: bool,
    /// The tables that its foreign keys refer to.
    #[serde(default)]
    pub references: BTreeSet<String>,
    /// Whether a column's default is the next value of a sequence.
    pub uses_sequence: bool,
    /// The engine that it names.
    #[serde(default)]
    pub engine: Option<String>,
}

impl Survey {
    /// What the archive says besides the text.
    pub(super) fn describe(
        &mut self,
        manifest: Option<&Manifest>,
        record: Option<&DatabaseRecord>,
    ) {
        if let Some(manifest) = manifest {
            self.product = manifest.product.clone();
        }
        let Some(record) = record else { return };
        self.database = Some(record.name.clone());
        let reports = record.report.get("databases").cloned();
        let reports: Vec<DatabaseReport> = reports
            .and_then(|value| serde_json::from_value(value).ok())
            .unwrap_or_default();
        self.charset = reports
            .into_iter()
            .find(|report| report.name == record.name)
            .map(|report| (report.charset, report.collation));
    }

    /// Rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }
}

/// After so many bytes the observer hears how far it is.
const STRIDE: u64 = 8 << 20;

/// Reads all of `text`.
pub(super) fn survey(
    text: impl Read,
    stop: &StopToken,
    observer: &dyn Observer<RestoreEvent>,
) -> Result<Survey, TextError> {
    let mut summing = Summing::new(text);
    let mut found = Found::default();
    let mut reader = SqlReader::new(&mut summing);
    let (mut bytes, mut told) = (0, 0);
    while let Some(part) = reader.next()? {
        match part {
            Part::Remark(remark) => found.remark(&remark),
            Part::Statement { sql, kind } => {
                bytes += sql.len() as u64;
                found.statement(&sql, kind, &reader)?;
            }
        }
        if bytes - told >= STRIDE {
            told = bytes;
            observer.on(&RestoreEvent::Surveying { bytes });
        }
        if stop.is_stopped() {
            return Err(TextError::Stopped);
        }
    }
    let own = reader.own().map(str::to_owned);
    drop(reader);
    let (bytes, blake3) = summing.finish();
    found.finish(own, bytes, blake3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Survey, TextError> {
        survey(text.as_bytes(), &StopToken::new(), &())
    }

    const STOCK: &str = "-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB\n\
        -- Server version\t10.11.19-MariaDB-0+deb12u1\n\
        CREATE DATABASE /*!32312 IF NOT EXISTS*/ `p` ;\nUSE `p`;\n\
        DROP TABLE IF EXISTS `v`;\n/*!50001 CREATE TABLE `v` (`a` tinyint) ENGINE=MyISAM */;\n\
        CREATE TABLE `a` (`x` int, KEY `x` (`x`)) COLLATE=utf8mb4_bin;\n\
        INSERT INTO `a` VALUES (1),(2);\nINSERT INTO `a` VALUES (3);\n\
        CREATE TABLE `b` (`x` int, CONSTRAINT `f` FOREIGN KEY (`x`) REFERENCES `a` (`x`));\n\
        /*!50001 DROP TABLE IF EXISTS `v`*/;\n\
        /*!50001 CREATE ALGORITHM=UNDEFINED */ /*!50013 DEFINER=`gone`@`10.%` SQL SECURITY DEFINER */ /*!50001 VIEW `v` AS SELECT 1 AS `a` */;\n\
        -- Dump completed on 2026-11-21\n";

    #[test]
    fn a_dump_of_the_stock_tool() {
        let found = of(STOCK).unwrap();
        assert!(!found.by_elpis);
        assert_eq!(
            found.server_version.as_deref(),
            Some("10.11.19-MariaDB-0+deb12u1")
        );
        assert_eq!(found.database.as_deref(), Some("p"));
        let tables: Vec<_> = found
            .tables
            .iter()
            .map(|t| (t.name.as_str(), t.rows, t.referenced))
            .collect();
        assert_eq!(tables, [("a", 3, true), ("b", 0, false)]);
        assert_eq!(found.views, BTreeSet::from(["v".to_owned()]));
        assert_eq!(found.definers, BTreeSet::from(["gone@10.%".to_owned()]));
        assert_eq!(found.collations, BTreeSet::from(["utf8mb4_bin".to_owned()]));
        assert_eq!(found.bytes, STOCK.len() as u64);
        assert_eq!(
            found.blake3,
            blake3::hash(STOCK.as_bytes()).to_hex().to_string()
        );
    }

    #[test]
    fn what_is_cut_off_anywhere_is_refused() {
        for end in 0..STOCK.len() - 30 {
            assert!(of(&STOCK[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn two_databases_rows_without_a_table_and_our_own_names_are_refused() {
        for (text, is) in [
            (
                "CREATE TABLE a (x int); USE b; USE c;\n-- Dump completed",
                "more than one",
            ),
            (
                "INSERT INTO a VALUES (1);\n-- Dump completed",
                "rows of table a",
            ),
            (
                "CREATE TABLE elpis_restore_x (x int);\n-- Dump completed",
                "needs for itself",
            ),
            ("SET NAMES utf8;\n-- Dump completed", "no table"),
        ] {
            let error = of(text).unwrap_err().to_string();
            assert!(error.contains(is), "{error}");
        }
    }
}
