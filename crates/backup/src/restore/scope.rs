//! How much of a database is restored.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::rows::RowsOf;
use super::sql::Kind;

/// How much of a database is restored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scope {
    /// All of it.
    #[default]
    Whole,
    /// These tables with their triggers; everything else of the live database stays as it is.
    Tables(BTreeSet<String>),
    /// The rows of one owner that its tables lack are put into them; nothing is exchanged.
    Rows(Box<RowsOf>),
}

impl Scope {
    /// Whether everything is restored.
    pub(super) fn is_whole(&self) -> bool {
        *self == Scope::Whole
    }

    /// The tables that are exchanged, if they are some.
    pub(super) fn only(&self) -> Option<&BTreeSet<String>> {
        match self {
            Scope::Tables(names) => Some(names),
            _ => None,
        }
    }

    /// Whose rows are put into live tables, if nothing is exchanged.
    pub(super) fn rows(&self) -> Option<&RowsOf> {
        match self {
            Scope::Rows(rows) => Some(rows),
            _ => None,
        }
    }

    /// Whether a table of the live database is exchanged.
    pub(super) fn concerns(&self, table: &str) -> bool {
        match self {
            Scope::Whole => true,
            Scope::Tables(names) => names.contains(table),
            Scope::Rows(_) => false,
        }
    }

    /// Whether a table of the text is loaded.
    pub(super) fn loads(&self, table: &str) -> bool {
        match self {
            Scope::Rows(rows) => rows.loads(table),
            other => other.concerns(table),
        }
    }

    /// Whether a statement of the text is carried out in the side database.
    pub(super) fn takes(&self, kind: &Kind) -> bool {
        if self.is_whole() {
            return true;
        }
        match kind {
            Kind::Rows { table, .. } | Kind::Table { table } => self.loads(table),
            Kind::Alter { table } => self.loads(table),
            // Old dumps make a table in the place of each view and remove it.
            Kind::NoTable { tables } => tables.iter().all(|table| self.loads(table)),
            Kind::Object {
                table: Some(table), ..
            } => self.concerns(table),
            Kind::Object { .. } | Kind::Schema => false,
            Kind::Set | Kind::Collate { .. } | Kind::Use { .. } | Kind::Skip => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::sql::{Part, SqlReader};

    const DUMP: &str = "SET NAMES utf8mb4;\nDROP TABLE IF EXISTS `a`;\nCREATE TABLE `a` (x int);\n\
        CREATE TABLE b (x int);\nCREATE SEQUENCE s;\nINSERT INTO a VALUES (1);\nINSERT INTO b VALUES (2);\n\
        ALTER TABLE b ADD KEY (x);\nCREATE UNIQUE INDEX u USING BTREE ON a (x);\nCREATE VIEW v AS SELECT 1;\n\
        DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`before`@`on`*/ /*!50003 TRIGGER `BEFORE` AFTER INSERT \
        ON `a` FOR EACH ROW INSERT INTO b VALUES (1) */;;\n\
        CREATE TRIGGER t2 BEFORE DELETE ON b FOR EACH ROW SET @a = 'ON a';;\nDELIMITER ;\n";

    #[test]
    fn only_what_belongs_to_the_tables_is_taken() {
        let scope = Scope::Tables(BTreeSet::from(["a".to_owned()]));
        let mut reader = SqlReader::new(DUMP.as_bytes());
        let mut taken = Vec::new();
        while let Some(part) = reader.next().unwrap() {
            if let Part::Statement { sql, kind } = part
                && scope.takes(&kind)
            {
                let sql = String::from_utf8(sql).unwrap();
                taken.push(sql.split_whitespace().take(3).collect::<Vec<_>>().join(" "));
            }
        }
        assert_eq!(
            taken,
            [
                "SET NAMES utf8mb4",
                "DROP TABLE IF",
                "CREATE TABLE `a`",
                "INSERT INTO a",
                "CREATE UNIQUE INDEX",
                "/*!50003 CREATE*/ /*!50017"
            ]
        );
    }
}
