//! Statements with what they are, one after the other.

use std::io::Read;
use std::ops::Range;

use super::guard::guard;
use super::kind::{Kind, StatementError};
use super::rename::Renamed;
use super::splitter::{Item, Splitter};
use super::tokens::{fewest, tokens};
use super::words::Words;
use crate::restore::error::TextError;

/// The longest statement that is read: the most that any server takes.
const LONGEST: usize = 1 << 30;

/// What a text consists of.
pub(in crate::restore) enum Part {
    /// A comment of one line between statements.
    Remark(Vec<u8>),
    /// A statement and what it is.
    Statement { sql: Vec<u8>, kind: Kind },
}

/// Reads a text statement by statement. The modes under which quotes are read follow its `SET`s.
///
/// A view, trigger, routine, event or sequence may have the name of its database in front of its
/// own, as `SHOW CREATE TRIGGER` shows a trigger that was made like that. Which database that is
/// the text says before its first statement, or in its `USE`.
pub(in crate::restore) struct SqlReader<R> {
    splitter: Splitter<R>,
    /// The database that the text is of, if it is known.
    own: Option<String>,
    /// What takes the place of its name in what is read.
    renamed: Option<Renamed>,
    /// Whether there was a statement.
    has_begun: bool,
}

impl<R: Read> SqlReader<R> {
    pub(in crate::restore) fn new(inner: R) -> Self {
        SqlReader {
            splitter: Splitter::new(inner, LONGEST),
            own: None,
            renamed: None,
            has_begun: false,
        }
    }

    /// The text is of database `own`, whatever it says.
    pub(in crate::restore) fn of_database(mut self, own: &str) -> Self {
        self.own = Some(own.to_owned());
        self.has_begun = true;
        self
    }

    /// Statements that name their own database name `to` instead: they never reach another one.
    /// `to` is the text's own database, `like`, with an end of ours or without; of any other it
    /// stands in quotes.
    pub(in crate::restore) fn into_database(mut self, to: &str, like: &str) -> Self {
        let (to, like) = (to.to_owned(), like.to_owned());
        self.renamed = Some(Renamed { to, like });
        self
    }

    /// The database that the text says it is of.
    fn learn(&mut self, remark: &[u8]) {
        let remark = String::from_utf8_lossy(remark);
        let said = match remark.strip_prefix("Host: ") {
            // As the stock tools have it.
            Some(rest) => rest.split_once("    Database: ").map(|(_, name)| name),
            None => remark.strip_prefix("Database: "),
        };
        let said = said.map(str::trim_end).filter(|name| !name.is_empty());
        if let (Some(name), false) = (said, self.has_begun) {
            self.own = Some(name.to_owned());
        }
    }

    /// The next part; `None` at the end.
    pub(in crate::restore) fn next(&mut self) -> Result<Option<Part>, TextError> {
        let sql = match self.splitter.next()? {
            None => return Ok(None),
            Some(Item::Remark(remark)) => {
                self.learn(&remark);
                return Ok(Some(Part::Remark(remark)));
            }
            Some(Item::Statement(sql)) => sql,
        };
        self.has_begun = true;
        let at = self.splitter.position().saturating_sub(sql.len() as u64);
        let (kind, qualifiers) = self
            .recognise(&sql)
            .map_err(|source| TextError::Statement { at, source })?;
        let sql = self
            .rename(sql, &qualifiers)
            .map_err(|source| TextError::Statement { at, source })?;
        if let Kind::Use { database } = &kind {
            self.own = Some(database.clone());
        }
        if kind == Kind::Set && !self.splitter.modes.follow(&sql) {
            let source = StatementError::Computed {
                start: Words::new(tokens(&sql, &self.splitter.modes), &sql).start(),
                what: "sql_mode".to_owned(),
            };
            return Err(TextError::Statement { at, source });
        }
        Ok(Some(Part::Statement { sql, kind }))
    }

    /// What a statement is, for every server, and that it is nothing besides; and where it names
    /// its own database.
    fn recognise(&self, sql: &[u8]) -> Result<(Kind, Vec<Range<usize>>), StatementError> {
        let modes = &self.splitter.modes;
        let own = self.own.as_deref();
        let mut words = Words::new(tokens(sql, modes), sql).of_database(own);
        let kind = words.kind()?;
        guard(sql, &kind, modes)?;
        if self.splitter.is_conditional {
            let mut fewest = Words::new(fewest(sql, modes), sql).of_database(own);
            let start = fewest.start();
            let fewest = fewest.kind()?;
            // What a body does is nowhere looked at: it must be one and the same.
            let is_body = kind.is_body();
            if fewest != Kind::Skip && (fewest != kind || is_body) {
                return Err(StatementError::Differs { start });
            }
        }
        let mut qualifiers = words.qualifiers();
        if let (Some(renamed), Some(own), true) = (&self.renamed, own, kind.makes_view()) {
            qualifiers.extend(renamed.in_view(sql, own, modes));
        }
        Ok((kind, qualifiers))
    }

    /// The statement with another database in the places of its own.
    fn rename(&self, sql: Vec<u8>, qualifiers: &[Range<usize>]) -> Result<Vec<u8>, StatementError> {
        let renamed = self.renamed.as_ref().filter(|_| !qualifiers.is_empty());
        let (Some(renamed), Some(own)) = (renamed, &self.own) else {
            return Ok(sql);
        };
        renamed
            .replace(&sql, own, qualifiers)
            .map_err(|_| StatementError::Qualified {
                start: Words::new(tokens(&sql, self.modes()), &sql).start(),
            })
    }

    /// The database that the text is of, as far as it has said.
    pub(in crate::restore) fn own(&self) -> Option<&str> {
        self.own.as_deref()
    }

    /// How quotes are read now.
    pub(in crate::restore) fn modes(&self) -> &super::modes::Modes {
        &self.splitter.modes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::sql::kind::Object;
    use proptest::prelude::*;

    /// Gives a text in small portions.
    struct Portions<'a>(&'a [u8], usize);

    impl Read for Portions<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let now = self.0.len().min(into.len()).min(self.1);
            let (first, rest) = self.0.split_at(now);
            into[..now].copy_from_slice(first);
            self.0 = rest;
            Ok(now)
        }
    }

    fn all(text: &[u8], portion: usize) -> Result<Vec<(String, Kind)>, TextError> {
        let mut reader = SqlReader::new(Portions(text, portion));
        let mut found = Vec::new();
        while let Some(part) = reader.next()? {
            if let Part::Statement { sql, kind } = part {
                found.push((String::from_utf8_lossy(&sql).into_owned(), kind));
            }
        }
        Ok(found)
    }

    const DUMP: &str = "/*M!999999\\- enable the sandbox mode */ \n\
        -- MariaDB dump 10.19 ; it's\n\
        # another ; `\n\
        /* plain ; ' */\n\
        /*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\n\
        DROP TABLE IF EXISTS `a;b`;\n\
        CREATE TABLE `a;b` (`c` text DEFAULT 'it''s; \\' -- no', `d``;` int) COMMENT=\"x;\\\"\"; ;\n\
        LOCK TABLES `a;b` WRITE;\n\
        INSERT INTO `a;b` (`c`,`d``;`) VALUES ('(;)\\\\',-1),('--',0); INSERT INTO x VALUES (1);\n\
        /*!50003 SET sql_mode = 'NO_BACKSLASH_ESCAPES' */ ;\n\
        DELIMITER ;;\n\
        /*!50003 CREATE*/ /*!50017 DEFINER=`ro``ot`@`%`*/ /*!50003 TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN SET @a = 'c:\\'; SET @b = 1; END */;;\n\
        DELIMITER ;\n\
        /*!50003 SET sql_mode = @OLD_SQL_MODE */ ;\n\
        CREATE ALGORITHM=UNDEFINED DEFINER=CURRENT_USER SQL SECURITY INVOKER VIEW v AS SELECT 1;\n\
        DO SETVAL(`s`, 3, 0, 0);\n\
        ALTER DATABASE `x` CHARACTER SET latin1 COLLATE latin1_bin ;\n\
        USE `pandora`;\n\
        -- Dump completed";

    #[test]
    fn a_dump_is_cut_where_the_server_would_cut_it() {
        let found = all(DUMP.as_bytes(), 1 << 20).unwrap();
        let kinds: Vec<&Kind> = found.iter().map(|(_, kind)| kind).collect();
        let rows = |table: &str, values| Kind::Rows {
            table: table.to_owned(),
            values,
        };
        let object = |object, name: &str| Kind::Object {
            object,
            name: name.to_owned(),
            table: (object == Object::Trigger).then(|| "x".to_owned()),
            is_made: true,
        };
        let expected = [
            Kind::Set,
            Kind::NoTable {
                tables: vec!["a;b".into()],
            },
            Kind::Table {
                table: "a;b".into(),
            },
            Kind::Skip,
            rows("a;b", 37),
            rows("x", 20),
            Kind::Set,
            object(Object::Trigger, "t"),
            Kind::Set,
            object(Object::View, "v"),
            Kind::Schema,
            Kind::Collate { options: 18 },
            Kind::Use {
                database: "pandora".into(),
            },
        ];
        assert_eq!(kinds, expected.iter().collect::<Vec<_>>());
        assert!(found[7].0.ends_with("END */"), "{}", found[7].0);
        // However it arrives.
        for portion in [1, 2, 3, 7, 64] {
            assert_eq!(all(DUMP.as_bytes(), portion).unwrap(), found);
        }
    }

    #[test]
    fn commands_of_the_client_and_other_peoples_statements_are_refused() {
        for text in [
            "\\! rm -rf /;",
            "SELECT 1 \\G;",
            "source /etc/passwd;",
            "system id;",
            "\\. x\n;",
            "tee /tmp/x\n;",
            "INSERT INTO t VALUES (1) \\! id\n;",
            "GRANT ALL ON *.* TO x;",
            "DELETE FROM t;",
            "UPDATE t SET a = 1;",
            "SELECT 1 INTO OUTFILE '/tmp/x';",
            "LOAD DATA INFILE 'x' INTO TABLE t;",
            "INSTALL PLUGIN x SONAME 'y';",
            "CREATE USER x;",
            "DROP USER x;",
            "SET GLOBAL general_log = 1;",
            "SET @@global.read_only = 1;",
            "SET PASSWORD = 'x';",
            "SET @a = 1, GLOBAL x = 2;",
            "INSERT INTO `live`.t VALUES (1);",
            "CREATE TABLE live.t (a int);",
            "DROP TABLE IF EXISTS a, live.t;",
            "ALTER TABLE live.t ADD b int;",
            "CREATE TRIGGER live.t BEFORE INSERT ON x FOR EACH ROW SET @a = 1;",
            "INSERT INTO t SELECT * FROM u;",
            "INSERT INTO t SET a = 1;",
            "CALL p();",
            "1;",
            "'x';",
            "KILL 5;",
            "SHUTDOWN;",
            "DELIMITER\n",
            "DELIMITER '\n",
        ] {
            assert!(all(text.as_bytes(), 5).is_err(), "{text}");
        }
        let error = all(b"INSERT INTO t (a) VALUES (1); DELETE FROM t;", 9).unwrap_err();
        let TextError::Statement {
            source: StatementError::Unknown { start },
            ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!(start, "DELETE FROM t");
    }

    #[test]
    fn names_are_read_in_the_quotes_of_their_mode() {
        let text = r#"SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES';
                      CREATE DEFINER="r"@"l" PROCEDURE "p""2"() SELECT 'a\' AS "b\";"#;
        let found = all(text.as_bytes(), 99).unwrap();
        let Kind::Object { name, .. } = &found[1].1 else {
            panic!("{found:?}");
        };
        assert_eq!(name, "p\"2");
    }

    #[test]
    fn what_is_cut_off_or_never_closed_is_refused() {
        for text in [
            "SET NAMES utf8",
            "SET @a = 'x;",
            "SET @a = `x;",
            "/* x ",
            "SET @a = 1 /* ;",
        ] {
            assert!(all(text.as_bytes(), 3).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_without_a_panic(text: Vec<u8>, portion in 1..40_usize) {
            let whole = all(&text, 1 << 20).map_err(|error| error.to_string());
            prop_assert_eq!(all(&text, portion).map_err(|error| error.to_string()), whole);
        }

        #[test]
        fn any_mixture_of_marks_is_cut_alike_however_it_arrives(
            words in proptest::collection::vec(
                proptest::sample::select(vec![
                    "'", "\"", "`", "\\", ";", "--", "-- ", "#", "\n", "/*", "*/", "/*!40000 ", "/*M!999999\\- ",
                    "SET ", "x", "=", "delimiter ", ";;", "INSERT INTO t VALUES (", ")", ",", "''",
                ]), 0..40),
            portion in 1..9_usize,
        ) {
            let text = words.concat();
            let whole = all(text.as_bytes(), 1 << 20).map_err(|error| error.to_string());
            let parts = all(text.as_bytes(), portion).map_err(|error| error.to_string());
            prop_assert_eq!(parts, whole);
        }
    }
}
