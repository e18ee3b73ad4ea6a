//! What has been found so far of a text, statement by statement.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use super::{Survey, SurveyedTable};
use crate::archive::Product;
use crate::restore::error::TextError;
use crate::restore::names::OWN_PREFIX;
use crate::restore::sql::{Kind, Object, RowSum, SqlReader, Token, Tuples, tokens};
use crate::restore::views::{ViewNeeds, is_invokers};

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

/// What has been found so far.
#[derive(Default)]
pub(super) struct Found {
    tables: Vec<SurveyedTable>,
    /// Where each table stands in `tables`.
    places: BTreeMap<String, usize>,
    referenced: BTreeSet<String>,
    views: BTreeSet<String>,
    view_needs: BTreeMap<String, ViewNeeds>,
    routine_definers: BTreeMap<String, String>,
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
    pub(super) fn remark(&mut self, remark: &[u8]) {
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

    pub(super) fn statement<R: Read>(
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
                table,
                is_made: true,
            } => {
                let definer = self.definer(sql, reader);
                match (object, definer) {
                    // Of a placeholder and the view itself the last one counts.
                    (Object::View, definer) => {
                        let needs = ViewNeeds::of(sql, reader.modes(), definer);
                        self.view_needs.insert(name.clone(), needs);
                    }
                    (Object::Routine, Some(definer)) => {
                        let words: Vec<Token<'_>> = tokens(sql, reader.modes()).collect();
                        if !is_invokers(&words) {
                            self.routine_definers.insert(name.clone(), definer);
                        }
                    }
                    _ => {}
                }
                if let Some(table) = table {
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

    /// The account that a statement names as the definer, if it does; it is remembered.
    fn definer<R: Read>(&mut self, sql: &[u8], reader: &SqlReader<R>) -> Option<String> {
        let mut words = tokens(sql, reader.modes()).take(30);
        if !words.any(|word| word.is("DEFINER")) {
            return None;
        }
        words.next();
        let user = words.next().and_then(|word| word.name());
        let host = match words.next() {
            Some(Token::Variable(host)) => format!("@{}", String::from_utf8_lossy(host)),
            _ => String::new(),
        };
        let account = user.map(|user| format!("{user}{host}"))?;
        if account == "CURRENT_USER" {
            return None;
        }
        self.definers.insert(account.clone());
        Some(account)
    }

    pub(super) fn finish(
        mut self,
        own: Option<String>,
        bytes: u64,
        blake3: String,
    ) -> Result<Survey, TextError> {
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
            database: self.database.or(own),
            charset: None,
            product: Product::default(),
            tables: self.tables,
            views: self.views,
            view_needs: self.view_needs,
            routine_definers: self.routine_definers,
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
