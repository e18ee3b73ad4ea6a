//! Another database in the places where a statement names its own.

use std::collections::BTreeSet;
use std::ops::Range;

use elpis_mysql::{IdentError, quote};

use super::modes::Modes;
use super::view::{Named, Role, names};

/// A database that takes another one's place in front of names.
pub(super) struct Renamed {
    pub(super) to: String,
    /// Of a text of this database a name without quotes keeps having none, and what its views read
    /// is renamed as well: they are of the database that they are loaded for.
    pub(super) like: String,
}

impl Renamed {
    /// Where a statement that makes a view of `own` names that as the database of what it reads.
    ///
    /// In a text for another database that stays what it says, with one exception: of a view whose
    /// definer lacks rights MariaDB writes ``select `own`.`t`.`a` from `t` ``, where the table is
    /// of the database that the view is made in, whatever its column says.
    pub(super) fn in_view(&self, sql: &[u8], own: &str, modes: &Modes) -> Vec<Range<usize>> {
        let named = names(sql, modes);
        let bare = named.iter().filter(|named| named.database.is_none());
        let bare = bare.filter(|named| named.role == Role::Read);
        let bare: BTreeSet<String> = bare.map(|named| named.name.clone()).collect();
        let is_meant = |named: &Named| {
            self.like == own || named.role == Role::Column && bare.contains(&named.name)
        };
        let named = named.into_iter().filter(is_meant);
        let named = named.filter_map(|named| named.database);
        let of_own = named.filter(|(database, _)| database == own);
        of_own.map(|(_, place)| place).collect()
    }

    /// The statement of `own` with the other name in these places.
    ///
    /// # Errors
    /// If the other name cannot be written.
    pub(super) fn replace(
        &self,
        sql: &[u8],
        own: &str,
        places: &[Range<usize>],
    ) -> Result<Vec<u8>, IdentError> {
        if self.to == own {
            return Ok(sql.to_vec());
        }
        let keeps_bare = self.like == own;
        let mut out = Vec::with_capacity(sql.len() + 64);
        let mut done = 0;
        for place in places {
            let is_quoted = matches!(sql.get(place.start), Some(b'`' | b'"'));
            let name = match keeps_bare && !is_quoted {
                true => self.to.clone(),
                // Backticks are quotes of names in every mode.
                false => quote(&self.to)?,
            };
            out.extend_from_slice(sql.get(done..place.start).unwrap_or_default());
            out.extend_from_slice(name.as_bytes());
            done = place.end;
        }
        out.extend_from_slice(sql.get(done..).unwrap_or_default());
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use crate::restore::error::TextError;
    use crate::restore::sql::{Part, SqlReader, StatementError};

    fn renamed(text: &str, to: &str, like: &str) -> Result<Vec<String>, TextError> {
        let mut reader = SqlReader::new(text.as_bytes()).into_database(to, like);
        let mut found = Vec::new();
        while let Some(part) = reader.next()? {
            if let Part::Statement { sql, .. } = part {
                found.push(String::from_utf8_lossy(&sql).into_owned());
            }
        }
        Ok(found)
    }

    #[test]
    fn a_text_may_name_its_own_database_and_never_reaches_it() {
        let objects = [
            (
                "CREATE TRIGGER own.t BEFORE INSERT ON own.x FOR EACH ROW SET @own.a = 1",
                "CREATE TRIGGER SIDE.t BEFORE INSERT ON SIDE.x FOR EACH ROW SET @own.a = 1",
            ),
            (
                "CREATE TRIGGER t BEFORE INSERT ON `own` . x FOR EACH ROW DELETE FROM own.y",
                "CREATE TRIGGER t BEFORE INSERT ON `side` . x FOR EACH ROW DELETE FROM own.y",
            ),
            (
                "/*!50003 CREATE*/ /*!50017 DEFINER=`own`@`h`*/ /*!50003 TRIGGER `own`.`o.wn` AFTER UPDATE ON `own`.`x` FOR EACH ROW SET @a = 1 */",
                "/*!50003 CREATE*/ /*!50017 DEFINER=`own`@`h`*/ /*!50003 TRIGGER `side`.`o.wn` AFTER UPDATE ON `side`.`x` FOR EACH ROW SET @a = 1 */",
            ),
            (
                "DROP TRIGGER IF EXISTS own.t",
                "DROP TRIGGER IF EXISTS SIDE.t",
            ),
            (
                "CREATE OR REPLACE VIEW own.v AS SELECT own.x.a, own.b FROM own.x own",
                "CREATE OR REPLACE VIEW SIDE.v AS SELECT READ.x.a, own.b FROM READ.x own",
            ),
            (
                "DROP VIEW IF EXISTS own.v, v2, own.v3",
                "DROP VIEW IF EXISTS SIDE.v, v2, SIDE.v3",
            ),
            (
                "CREATE PROCEDURE own.p() SELECT 1",
                "CREATE PROCEDURE SIDE.p() SELECT 1",
            ),
            (
                "CREATE FUNCTION IF NOT EXISTS `own`.f() RETURNS INT RETURN 1",
                "CREATE FUNCTION IF NOT EXISTS `side`.f() RETURNS INT RETURN 1",
            ),
            (
                "CREATE DEFINER=o@h EVENT own.e ON SCHEDULE EVERY 1 DAY DO SELECT 1",
                "CREATE DEFINER=o@h EVENT SIDE.e ON SCHEDULE EVERY 1 DAY DO SELECT 1",
            ),
            (
                "CREATE SEQUENCE own.s START WITH 3",
                "CREATE SEQUENCE SIDE.s START WITH 3",
            ),
            ("DO SETVAL(own.s, 3, 0, 0)", "DO SETVAL(SIDE.s, 3, 0, 0)"),
        ];
        let says = [
            "-- Host: localhost    Database: own\n",
            "-- Elpis dump 1\n--\n-- Database: own\n",
            "-- Host: db-1    Database: first\nUSE `own`;\n",
        ];
        for (sql, expected) in objects {
            for say in says {
                // What a view reads follows only into the place of the same database.
                for (like, bare, read) in [("own", "side", "side"), ("else", "`side`", "own")] {
                    let found = renamed(&format!("{say}{sql};\n"), "side", like).unwrap();
                    let expected = expected.replace("SIDE", bare).replace("READ", read);
                    assert_eq!(*found.last().unwrap(), expected);
                }
            }
            // Nobody says whose it is, or it is of another one, or it would be a part of a name.
            for say in [
                "",
                "-- Host: localhost    Database: owner\n",
                "SET @a = 1;\n-- Host: x    Database: own\n",
            ] {
                let found = renamed(&format!("{say}{sql};\n"), "side", "own").unwrap_err();
                let TextError::Statement { source, .. } = found else {
                    panic!("{found:?}");
                };
                let is = matches!(source, StatementError::Qualified { .. });
                assert!(is || sql.starts_with("DO"), "{sql}: {source}");
            }
            let three = sql.replacen("own", "own.own", 1);
            let three = renamed(&format!("{}{three};", says[0]), "side", "own");
            assert!(three.is_err() || sql.contains("DEFINER=`own`"), "{sql}");
        }
        // Rows and tables are in one place, whatever the text says.
        for sql in [
            "INSERT INTO own.x VALUES (1)",
            "CREATE TABLE own.x (a INT)",
            "DROP TABLE own.x",
            "ALTER TABLE own.x ADD b INT",
            "CREATE INDEX i ON own.x (a)",
            "CREATE TRIGGER own.t BEFORE INSERT ON other.x FOR EACH ROW SET @a = 1",
        ] {
            let found = renamed(&format!("{}{sql};", says[0]), "side", "own");
            assert!(found.is_err(), "{sql}");
        }
    }

    #[test]
    fn a_column_is_of_the_table_that_it_is_read_from() {
        let sql = "-- Elpis dump 1\n--\n-- Database: own\n\
                   CREATE VIEW `v` AS select `own`.`t`.`a` AS `a`,`own`.`x`.`a` AS `b` \
                   from (`t` join `own`.`x`);\n";
        for (like, read) in [("own", "side"), ("else", "own")] {
            let expected = format!(
                "CREATE VIEW `v` AS select `side`.`t`.`a` AS `a`,`{read}`.`x`.`a` AS `b` \
                 from (`t` join `{read}`.`x`)"
            );
            assert_eq!(
                *renamed(sql, "side", like).unwrap().last().unwrap(),
                expected
            );
        }
    }
}
