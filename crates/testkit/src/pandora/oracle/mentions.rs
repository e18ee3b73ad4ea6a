//! Who still speaks of a module or an agent: every column of the live schema that can, not only
//! those we know of.

use crate::database::Database;
use crate::server::MariaDb;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mentioned {
    /// Modules.
    Module,
    /// Agents.
    Agent,
}

impl Mentioned {
    /// The table, its key, and what columns that speak of it are called.
    fn named(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Mentioned::Module => (
                "tagente_modulo",
                "id_agente_modulo",
                "agente?_?modul|^module_[ab]$|_module(_id)?$",
            ),
            Mentioned::Agent => (
                "tagente",
                "id_agente",
                "^(id_agente?|agent_id|vrf|.*_id_agente)$",
            ),
        }
    }
}

/// Every column of a whole number whose name or foreign key says that it holds such numbers. What a
/// prediction is made from may be a module, a service or the number of a method.
pub fn columns_that_mention(db: &MariaDb, what: Mentioned) -> Vec<(String, String)> {
    let (table, key, names) = what.named();
    let text = db.sql(&format!(
        "SELECT c.table_name, c.column_name FROM information_schema.columns AS c
         WHERE c.table_schema = DATABASE() AND c.data_type LIKE '%int'
           AND c.column_name NOT REGEXP
             'inventory|(policy|prediction|template|initialized|uncompressed)_module'
           AND (c.column_name REGEXP '{names}' OR EXISTS (
             SELECT 1 FROM information_schema.key_column_usage AS k
             WHERE k.table_schema = c.table_schema AND k.table_name = c.table_name
               AND k.column_name = c.column_name AND k.referenced_table_name = '{table}'
               AND k.referenced_column_name = '{key}'));"
    ));
    let pair = |line: &str| {
        let (table, column) = line.split_once('\t').expect("two columns");
        (table.to_owned(), column.to_owned())
    };
    text.lines().map(pair).collect()
}

/// How many rows of each table still hold one of these numbers in such a column.
pub fn mentions(db: &MariaDb, what: Mentioned, ids: &[u64]) -> Vec<(String, String, u64)> {
    assert!(!ids.is_empty(), "nothing to look for");
    let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
    let ids = ids.join(", ");
    let count = |(table, column): (String, String)| {
        let rows = db.number(&format!(
            "SELECT COUNT(*) FROM `{table}` WHERE `{column}` IN ({ids});"
        ));
        (table, column, rows)
    };
    let all = columns_that_mention(db, what).into_iter().map(count);
    all.filter(|(_, _, rows)| *rows > 0).collect()
}
