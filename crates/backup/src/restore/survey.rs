//! What a text holds, found by reading all of it before anything is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use elpis_run::{Observer, StopToken};
use serde::{Deserialize, Serialize};

use super::error::TextError;
use super::event::RestoreEvent;
use super::names::OWN_PREFIX;
use super::scope::trigger_table;
use super::sql::{Kind, Object, Part, RowSum, SqlReader, Token, Tuples, tokens};
use super::sum::Summing;
use crate::archive::{DatabaseRecord, Manifest, Product};
use crate::dump::DatabaseReport;

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
    /// Its triggers.
    pub triggers: BTreeSet<String>,
    /// The table of each trigger.
    #[serde(default)]
    pub trigger_tables: BTreeMap<String, String>,
    /// Its procedures, functions and packages.
    pub routines: BTreeSet<String>,
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

/// Engines whose tables show rows that lie elsewhere: what is written into them changes that.
const WINDOWS: [&str; 8] = [
    "connect",
    "federated",
    "federatedx",
    "merge",
    "mrg_isam",
    "mrg_myisam",
    "s3",
    "spider",
];

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
    drop(reader);
    let (bytes, blake3) = summing.finish();
    found.finish(bytes, blake3)
}

/// What has been found so far.
#[derive(Default)]
struct Found {
    tables: Vec<SurveyedTable>,
    /// Where each table stands in `tables`.
    places: BTreeMap<String, usize>,
    referenced: BTreeSet<String>,
    views: BTreeSet<String>,
    triggers: BTreeSet<String>,
    trigger_tables: BTreeMap<String, String>,
    /// Tables that hold no rows of their own.
    windows: BTreeSet<String>,
    routines: BTreeSet<String>,
    events: BTreeSet<String>,
    definers: BTreeSet<String>,
    collations: BTreeSet<String>,
    database: Option<String>,
    server_version: Option<String>,
    by_elpis: bool,
    is_complete: bool,
    longest: u64,
    seen: bool,
}

impl Found {
    fn remark(&mut self, remark: &[u8]) {
        let text = String::from_utf8_lossy(remark);
        if !self.seen {
            self.by_elpis |= text.starts_with("Elpis dump ");
            if let Some(version) = text.strip_prefix("Server version") {
                let version = version.trim_start_matches(':').trim();
                self.server_version = (!version.is_empty()).then(|| version.to_owned());
            }
        }
        if !text.is_empty() {
            self.is_complete = text.starts_with("Dump completed");
        }
    }

    fn statement<R: Read>(
        &mut self,
        sql: &[u8],
        kind: Kind,
        reader: &SqlReader<R>,
    ) -> Result<(), TextError> {
        self.seen = true;
        self.is_complete = false;
        self.longest = self.longest.max(sql.len() as u64);
        match kind {
            Kind::Rows { table, values } => {
                let Some(at) = self.places.get(&table).copied() else {
                    return Err(TextError::NoTable { table });
                };
                if self.trigger_tables.values().any(|fires| *fires == table) {
                    return Err(TextError::Fires { table });
                }
                if self.windows.contains(&table) {
                    return Err(TextError::Elsewhere { table });
                }
                let mut rows = Tuples::of_values();
                rows.push(&sql[values..], reader.modes().escapes_in(b'\''));
                let table = &mut self.tables[at];
                table.rows += rows.sum.rows;
                table.sum.join(rows.sum);
                table.bytes += sql.len() as u64;
            }
            Kind::Table { table } => self.table(table, sql, reader)?,
            Kind::NoTable { tables } => self.remove(&tables),
            Kind::Object {
                object,
                name,
                is_made: true,
            } => {
                self.definer(sql, reader);
                if object == Object::Trigger
                    && let Some(table) = trigger_table(sql, reader.modes())
                {
                    self.trigger_tables.insert(name.clone(), table);
                }
                let names = match object {
                    Object::View => &mut self.views,
                    Object::Trigger => &mut self.triggers,
                    Object::Routine => &mut self.routines,
                    Object::Event => &mut self.events,
                };
                names.insert(name);
            }
            Kind::Use { database } => match &self.database {
                Some(first) if *first != database => {
                    let (first, second) = (first.clone(), database);
                    return Err(TextError::Several { first, second });
                }
                _ => self.database = Some(database),
            },
            _ => {}
        }
        Ok(())
    }

    fn table<R: Read>(
        &mut self,
        name: String,
        sql: &[u8],
        reader: &SqlReader<R>,
    ) -> Result<(), TextError> {
        if name.starts_with(OWN_PREFIX) {
            return Err(TextError::Reserved { table: name });
        }
        let mut uses_sequence = false;
        let mut references = BTreeSet::new();
        let mut engine = None;
        let mut words = tokens(sql, reader.modes()).peekable();
        while let Some(word) = words.next() {
            if word.is("REFERENCES") {
                references.extend(words.peek().and_then(Token::name));
            } else if word.is("COLLATE") {
                words.next_if_eq(&Token::Sign(b'='));
                self.collations.extend(words.peek().and_then(Token::name));
            } else if word.is("ENGINE") {
                words.next_if_eq(&Token::Sign(b'='));
                let named = match words.peek() {
                    Some(Token::Text(text)) => String::from_utf8_lossy(text).into_owned(),
                    other => other.and_then(Token::name).unwrap_or_default(),
                };
                if WINDOWS.contains(&named.to_ascii_lowercase().as_str()) {
                    self.windows.insert(name.clone());
                }
                engine = Some(named);
            } else if word.is("NEXTVAL")
                || word.is("NEXT") && words.peek().is_some_and(|w| w.is("VALUE"))
            {
                uses_sequence = true;
            }
        }
        self.referenced.extend(references.iter().cloned());
        if !self.places.contains_key(&name) {
            self.places.insert(name.clone(), self.tables.len());
            self.tables.push(SurveyedTable {
                name,
                rows: 0,
                bytes: 0,
                sum: RowSum::default(),
                referenced: false,
                references,
                uses_sequence,
                engine,
            });
        }
        Ok(())
    }

    /// Old dumps make a table in the place of each view, and remove it when they make the view.
    fn remove(&mut self, names: &[String]) {
        self.tables.retain(|table| !names.contains(&table.name));
        let places = self.tables.iter().enumerate();
        self.places = places.map(|(at, table)| (table.name.clone(), at)).collect();
    }

    fn definer<R: Read>(&mut self, sql: &[u8], reader: &SqlReader<R>) {
        let mut words = tokens(sql, reader.modes()).take(30);
        if !words.any(|word| word.is("DEFINER")) {
            return;
        }
        words.next();
        let user = words.next().and_then(|word| word.name());
        let host = match words.next() {
            Some(Token::Variable(host)) => format!("@{}", String::from_utf8_lossy(host)),
            _ => String::new(),
        };
        let account = user.map(|user| format!("{user}{host}"));
        self.definers
            .extend(account.filter(|account| account != "CURRENT_USER"));
    }

    fn finish(mut self, bytes: u64, blake3: String) -> Result<Survey, TextError> {
        if !self.is_complete {
            return Err(TextError::Incomplete);
        }
        if self.tables.is_empty() {
            return Err(TextError::Empty);
        }
        for table in &mut self.tables {
            table.referenced = self.referenced.contains(&table.name);
        }
        Ok(Survey {
            by_elpis: self.by_elpis,
            server_version: self.server_version,
            database: self.database,
            charset: None,
            product: Product::default(),
            tables: self.tables,
            views: self.views,
            triggers: self.triggers,
            trigger_tables: self.trigger_tables,
            routines: self.routines,
            events: self.events,
            definers: self.definers,
            collations: self.collations,
            longest_statement: self.longest,
            bytes,
            blake3,
        })
    }
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
