//! What must become of an installation, by another way than ours: a copy of the database in which
//! plain statements, written from the facts about the product and unbounded on purpose, do each
//! task's work. Then the two are compared, table by table and row by row.

mod belongings;
mod mentions;
mod rules;

use std::collections::BTreeMap;

use super::Installation;
use crate::database::Database;
use crate::server::MariaDb;

use belongings::{CHILDREN, OF_AGENT, OF_MODULE};
pub use mentions::{Mentioned, columns_that_mention, mentions};
pub use rules::RULES;

/// Columns that the rules quote as if they were tables.
const COLUMNS: [&str; 2] = ["timestamp", "date"];

/// One task as plain SQL.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The task's name, as in the manual's sample output but shorter.
    pub task: &'static str,
    /// What it deletes with all that belongs to it.
    pub marks: Marks,
    /// What is done after that, in parts that other tasks share.
    pub statements: &'static [Statements],
    /// What is done last.
    pub then: Statements,
}

/// Each statement changes one table: its name, and what is done.
pub type Statements = &'static [(&'static str, &'static str)];

/// What a task deletes together with all that belongs to it.
#[derive(Debug, Clone, Copy)]
pub enum Marks {
    /// Nothing.
    Nothing,
    /// The modules whose numbers this query returns.
    Modules(&'static str),
    /// The same; the console has to count the modules and alerts of their agents anew.
    Counted(&'static str),
    /// The agents whose numbers this query returns, and their modules.
    Agents(&'static str),
}

/// A copy of an installation, and what the rules did to it.
pub struct Oracle {
    live: MariaDb,
    copy: String,
    zone: String,
    tokens: BTreeMap<String, String>,
    now: i64,
}

impl Oracle {
    /// Copies every table of `live`, without foreign keys: each effect must be stated.
    pub fn new(installation: &Installation, live: &MariaDb) -> Oracle {
        let copy = format!("{}_expected", live.name());
        live.sql(&format!("CREATE DATABASE {copy};"));
        let tables = live.sql("SHOW TABLES;");
        let statements: String = tables
            .lines()
            .map(|table| {
                format!(
                    "CREATE TABLE {copy}.{table} LIKE {table}; \
                     INSERT INTO {copy}.{table} SELECT * FROM {table};\n"
                )
            })
            .collect();
        live.sql(&format!(
            "SET sql_log_bin = 0, sql_mode = '';\n{statements}\
             CREATE TABLE {copy}.gone_modules (id BIGINT PRIMARY KEY);\n\
             CREATE TABLE {copy}.gone_agents (id BIGINT PRIMARY KEY);\n"
        ));
        let mut tokens = BTreeMap::new();
        for (token, value) in &installation.tokens {
            tokens.entry(token.clone()).or_insert_with(|| value.clone());
        }
        Oracle {
            live: live.clone(),
            copy,
            zone: installation.zone.clone(),
            tokens,
            now: installation.now.as_second(),
        }
    }

    /// Does the work of every rule of `tasks`, in the order of [`RULES`]; all if it is empty.
    /// How many rows each task changed in each table; statements on tables that are missing do
    /// nothing, and neither do those with a token that is missing or 0.
    pub fn apply(&self, tasks: &[&str]) -> BTreeMap<(String, String), u64> {
        let tables = self.live.sql("SHOW TABLES;");
        let tables: Vec<&str> = tables.lines().collect();
        let mut script = format!(
            "USE {}; SET time_zone = '{}', sql_mode = '', sql_log_bin = 0;\n",
            self.copy, self.zone
        );
        for rule in RULES {
            if !tasks.is_empty() && !tasks.contains(&rule.task) {
                continue;
            }
            for (table, statement) in self.marked(rule.marks) {
                self.add(&mut script, rule.task, &table, &statement, &tables);
            }
            let parts = rule.statements.iter().chain([&rule.then]);
            for (table, statement) in parts.copied().flatten() {
                self.add(&mut script, rule.task, table, statement, &tables);
            }
        }
        let printed = self.live.sql(&script);
        let mut changed = BTreeMap::new();
        for line in printed.lines() {
            let cells: Vec<&str> = line.split('\t').collect();
            let [task, table, rows] = cells.as_slice() else {
                panic!("{line:?} is no count");
            };
            let key = ((*task).to_owned(), (*table).to_owned());
            *changed.entry(key).or_insert(0) += rows.parse::<u64>().expect("a count");
        }
        changed
    }

    /// Adds a statement and the count of what it changed, if it has its tokens and tables.
    fn add(&self, script: &mut String, task: &str, table: &str, statement: &str, there: &[&str]) {
        let Some(statement) = self.filled(statement) else {
            return;
        };
        let mut named = statement.split('`').skip(1).step_by(2);
        if named.all(|name| {
            there.contains(&name) || name.starts_with("gone_") || COLUMNS.contains(&name)
        }) {
            script.push_str(&format!(
                "{statement};\nSELECT '{task}', '{table}', ROW_COUNT();\n"
            ));
        }
    }

    /// The statements that delete what is marked, and all that belongs to it.
    fn marked(&self, marks: Marks) -> Vec<(String, String)> {
        let marking = match marks {
            Marks::Nothing => return Vec::new(),
            Marks::Modules(query) | Marks::Counted(query) => {
                vec![format!("INSERT IGNORE INTO `gone_modules` {query}")]
            }
            Marks::Agents(query) => vec![
                format!("INSERT IGNORE INTO `gone_agents` {query}"),
                "INSERT IGNORE INTO `gone_modules` SELECT id_agente_modulo FROM `tagente_modulo` \
                 WHERE id_agente IN (SELECT id FROM `gone_agents`)"
                    .to_owned(),
            ],
        };
        let delete = |table: &str, column: &str, gone: &str| {
            let marked = format!("(SELECT id FROM `{gone}`)");
            (
                table.to_owned(),
                format!("DELETE FROM `{table}` WHERE {column} IN {marked}"),
            )
        };
        let clear = ["gone_modules", "gone_agents"].map(|gone| format!("DELETE FROM `{gone}`"));
        let marking = clear.into_iter().chain(marking);
        let mut all: Vec<_> = marking.map(|sql| ("marks".to_owned(), sql)).collect();
        if let Marks::Counted(_) = marks {
            let tell = "UPDATE `tagente` SET update_module_count = 1, update_alert_count = 1 \
                        WHERE id_agente IN (SELECT id_agente FROM `tagente_modulo` \
                        WHERE id_agente_modulo IN (SELECT id FROM `gone_modules`))";
            all.push(("marks".to_owned(), tell.to_owned()));
        }
        all.push((
            "tipam_network".to_owned(),
            "UPDATE `tipam_network` SET vrf = NULL WHERE vrf IN (SELECT id FROM `gone_agents`)"
                .to_owned(),
        ));
        for (table, column) in OF_MODULE {
            all.push(delete(table, column, "gone_modules"));
        }
        for (table, column) in OF_AGENT {
            all.push(delete(table, column, "gone_agents"));
        }
        for (child, column, parent, key) in CHILDREN {
            let sql = format!(
                "DELETE FROM `{child}` WHERE {column} NOT IN (SELECT {key} FROM `{parent}`)"
            );
            all.push(((*child).to_owned(), sql));
        }
        all
    }

    /// Puts in now and the tokens; `None` if a token is off.
    fn filled(&self, statement: &str) -> Option<String> {
        let mut text = statement.replace("{now}", &self.now.to_string());
        while let Some(begin) = text.find('{') {
            let end = begin + text[begin..].find('}').expect("a closed placeholder");
            let value = self.tokens.get(&text[begin + 1..end])?;
            value.parse::<u32>().ok().filter(|n| *n > 0)?;
            text.replace_range(begin..=end, value);
        }
        Some(text)
    }

    /// Every table that is not as it should be, with some of the rows that are too many or too
    /// few. Empty: the database is exactly what the rules made of the copy.
    pub fn differences(&self) -> Vec<String> {
        let tables = self.unlike();
        tables
            .iter()
            .filter_map(|table| self.difference(table))
            .collect()
    }

    /// Takes the live rows for right where they differ, so that a test can go on and tell more.
    pub fn follow(&self) {
        let copy = &self.copy;
        let follow = |table: &String| {
            format!(
                "DELETE FROM {copy}.{table}; INSERT INTO {copy}.{table} SELECT * FROM {table};\n"
            )
        };
        let statements: String = self.unlike().iter().map(follow).collect();
        self.live
            .sql(&format!("SET sql_log_bin = 0;\n{statements}"));
    }

    /// Tables whose checksum is not that of the copy.
    fn unlike(&self) -> Vec<String> {
        let tables = self.live.sql("SHOW TABLES;");
        let tables: Vec<&str> = tables.lines().collect();
        let pairs: Vec<String> = tables
            .iter()
            .map(|table| format!("{table}, {}.{table}", self.copy))
            .collect();
        let sums = self
            .live
            .sql(&format!("CHECKSUM TABLE {};", pairs.join(", ")));
        let sums: Vec<&str> = sums
            .lines()
            .filter_map(|line| line.split('\t').nth(1))
            .collect();
        assert_eq!(sums.len(), 2 * tables.len(), "a sum for each table");
        let unlike = tables
            .iter()
            .zip(sums.chunks(2))
            .filter(|(_, pair)| pair[0] != pair[1]);
        unlike.map(|(table, _)| (*table).to_owned()).collect()
    }

    fn difference(&self, table: &str) -> Option<String> {
        let (live, copy) = (self.live.name(), &self.copy);
        // The numbers of rows that a task adds are the server's own choice.
        let columns = self.live.sql(&format!(
            "SELECT GROUP_CONCAT(CONCAT('`', column_name, '`') ORDER BY ordinal_position) \
             FROM information_schema.columns WHERE table_schema = DATABASE() \
             AND table_name = '{table}' AND column_name <> 'id_agente_estado';"
        ));
        let columns = columns.trim();
        let side = |more: &str, less: &str| {
            self.live.sql(&format!(
                "SELECT {columns} FROM {more}.{table} EXCEPT ALL \
                 SELECT {columns} FROM {less}.{table};"
            ))
        };
        let (many, few) = (side(live, copy), side(copy, live));
        if many.is_empty() && few.is_empty() {
            return None;
        }
        let show = |text: &str| {
            let some: Vec<&str> = text.lines().take(3).collect();
            format!(
                "{} rows, such as\n  {}",
                text.lines().count(),
                some.join("\n  ")
            )
        };
        Some(format!(
            "{table}: too many: {}\n{table}: too few: {}",
            show(&many),
            show(&few)
        ))
    }

    /// Rows that the copy has in a table.
    pub fn rows(&self, table: &str) -> u64 {
        self.live
            .number(&format!("SELECT COUNT(*) FROM {}.{table};", self.copy))
    }
}
