//! Which statement it is that words begin.

use super::Words;
use crate::restore::sql::kind::{Kind, Object, StatementError};
use crate::restore::sql::modes::Modes;
use crate::restore::sql::tokens::{Token, tokens};

/// What an assignment of more than the session begins with.
pub(in crate::restore::sql) const SCOPES: [&str; 6] = [
    "GLOBAL",
    "PERSIST",
    "PERSIST_ONLY",
    "PASSWORD",
    "ROLE",
    "RESOURCE",
];

impl Words<'_> {
    /// What the statement is.
    pub(in crate::restore) fn kind(&mut self) -> Result<Kind, StatementError> {
        let Some(Token::Word(first)) = self.peek() else {
            return match self.words.is_empty() {
                // Nothing but comments.
                true => Ok(Kind::Skip),
                false => Err(self.unknown()),
            };
        };
        let first = String::from_utf8_lossy(first).to_ascii_uppercase();
        self.at += 1;
        match first.as_str() {
            "INSERT" | "REPLACE" => self.rows(),
            "CREATE" => self.create(),
            "DROP" => self.drop_object(),
            "ALTER" => self.alter(),
            "SET" => self.set(),
            "USE" => Ok(Kind::Use {
                database: self.name()?,
            }),
            "DO" | "SELECT" if self.take("SETVAL") && self.take_sign(b'(') => {
                self.own_name()?;
                Ok(Kind::Schema)
            }
            "LOCK" | "UNLOCK" if self.take("TABLES") || self.take("TABLE") => Ok(Kind::Skip),
            "START" if self.take("TRANSACTION") => Ok(Kind::Skip),
            "BEGIN" | "COMMIT" => Ok(Kind::Skip),
            "FLUSH" if self.take("PRIVILEGES") => Ok(Kind::Skip),
            _ => Err(self.unknown()),
        }
    }

    fn rows(&mut self) -> Result<Kind, StatementError> {
        self.take_any(&["LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO"]);
        let table = self.name()?;
        let values = values(&self.statement[self.place()..]).map(|at| at + self.place());
        match values {
            Some(values) => Ok(Kind::Rows { table, values }),
            None => Err(StatementError::NoValues {
                start: self.start(),
            }),
        }
    }

    fn create(&mut self) -> Result<Kind, StatementError> {
        if self.take("OR") {
            self.take("REPLACE");
        }
        if self.take("DATABASE") || self.take("SCHEMA") {
            return self.database();
        }
        // What may stand before the kind of a view or a body.
        loop {
            if self.take("DEFINER") {
                self.definer();
            } else if self.take("ALGORITHM") {
                self.take_sign(b'=');
                self.at += 1;
            } else if self.take("SQL") {
                self.take("SECURITY");
                self.at += 1;
            } else if !self.take("AGGREGATE") {
                break;
            }
        }
        let Some(Token::Word(kind)) = self.peek() else {
            return Err(self.unknown());
        };
        let kind = String::from_utf8_lossy(kind).to_ascii_uppercase();
        self.at += 1;
        if kind == "PACKAGE" {
            self.take("BODY");
        }
        if self.take("IF") {
            self.take_any(&["NOT", "EXISTS"]);
        }
        let object = match kind.as_str() {
            "TABLE" => {
                let table = self.name()?;
                return Ok(Kind::Table { table });
            }
            "SEQUENCE" => {
                self.own_name()?;
                return Ok(Kind::Schema);
            }
            "UNIQUE" | "FULLTEXT" | "SPATIAL" if self.take("INDEX") => return self.index(),
            "INDEX" => return self.index(),
            "VIEW" => Object::View,
            "TRIGGER" => Object::Trigger,
            "PROCEDURE" | "FUNCTION" | "PACKAGE" => Object::Routine,
            "EVENT" => Object::Event,
            _ => return Err(self.unknown()),
        };
        let name = self.own_name()?;
        let table = match object {
            Object::Trigger => Some(self.table_of_trigger()?),
            _ => None,
        };
        // Without a list of parameters it would be code of the server's own plugins.
        if object == Object::Routine && kind != "PACKAGE" && !self.has_parameters() {
            return Err(self.unknown());
        }
        Ok(Kind::Object {
            object,
            name,
            table,
            is_made: true,
        })
    }

    /// Whether a list of parameters comes; a routine of another dialect may do without.
    fn has_parameters(&self) -> bool {
        let dialect = ["AS", "IS", "RETURN", "AUTHID"];
        let begins = |word: &Token| {
            *word == Token::Sign(b'(') || dialect.iter().any(|begins| word.is(begins))
        };
        self.peek().is_some_and(begins)
    }

    /// `BEFORE INSERT ON table`, behind the trigger's name.
    fn table_of_trigger(&mut self) -> Result<String, StatementError> {
        while self.peek().is_some() && !self.take("ON") {
            self.at += 1;
        }
        self.own_name()
    }

    /// What makes or removes the database tells its name.
    fn database(&mut self) -> Result<Kind, StatementError> {
        self.take_any(&["IF", "NOT", "EXISTS"]);
        let database = self.name()?;
        Ok(Kind::Use { database })
    }

    /// `= user@host` or `= role`.
    fn definer(&mut self) {
        self.take_sign(b'=');
        self.at += 1;
        match self.peek() {
            // `user`@`host`: the host looks like a variable.
            Some(Token::Variable(_)) => self.at += 1,
            // CURRENT_USER()
            Some(Token::Sign(b'(')) => self.at += 2,
            _ => {}
        }
    }

    fn drop_object(&mut self) -> Result<Kind, StatementError> {
        if self.take("DATABASE") || self.take("SCHEMA") {
            return self.database();
        }
        let kinds = [
            ("TABLE", None),
            ("SEQUENCE", None),
            ("VIEW", Some(Object::View)),
            ("TRIGGER", Some(Object::Trigger)),
            ("PROCEDURE", Some(Object::Routine)),
            ("FUNCTION", Some(Object::Routine)),
            ("PACKAGE", Some(Object::Routine)),
            ("EVENT", Some(Object::Event)),
        ];
        let found = kinds.into_iter().find(|(kind, _)| self.take(kind));
        let Some((kind, object)) = found else {
            return Err(self.unknown());
        };
        self.take("BODY");
        self.take_any(&["IF", "EXISTS"]);
        // Tables are never named with their database: what holds rows is made in one place only.
        if kind == "TABLE" {
            let tables = self.names(Words::name)?;
            return Ok(Kind::NoTable { tables });
        }
        let name = self.names(Words::own_name)?.swap_remove(0);
        Ok(match object {
            None => Kind::Schema,
            Some(object) => Kind::Object {
                object,
                name,
                table: None,
                is_made: false,
            },
        })
    }

    fn alter(&mut self) -> Result<Kind, StatementError> {
        if self.take("DATABASE") || self.take("SCHEMA") {
            // Without a name it is the session's own.
            let keywords = ["CHARACTER", "CHARSET", "COLLATE", "DEFAULT"];
            let is_option = |word: &Token| keywords.iter().any(|keyword| word.is(keyword));
            if !self.peek().is_some_and(is_option) {
                self.name()?;
            }
            let options = self.place();
            return match self.peek().is_some_and(is_option) {
                true => Ok(Kind::Collate { options }),
                false => Err(self.unknown()),
            };
        }
        if !self.take("TABLE") {
            return Err(self.unknown());
        }
        let table = self.name()?;
        let keys = self.take("DISABLE") || self.take("ENABLE");
        match keys && self.take("KEYS") {
            true => Ok(Kind::Skip),
            false => Ok(Kind::Alter { table }),
        }
    }

    /// `name ... ON table`, behind `CREATE INDEX`.
    fn index(&mut self) -> Result<Kind, StatementError> {
        while self.peek().is_some() && !self.take("ON") {
            self.at += 1;
        }
        let table = self.name()?;
        Ok(Kind::Alter { table })
    }

    /// Only the session's own variables.
    fn set(&mut self) -> Result<Kind, StatementError> {
        let text = self.statement.to_ascii_lowercase();
        let scoped = ["@@global", "@@persist"];
        let has = |what: &str| text.windows(what.len()).any(|at| at == what.as_bytes());
        // MySQL's dumps carry the transactions of the server they are from, for its replicas.
        let replication = ["gtid_purged", "sql_log_bin"].iter().any(|name| has(name));
        if replication {
            return Ok(Kind::Skip);
        }
        let mut beyond = SCOPES.iter().chain(&["STATEMENT", "DEFAULT"]);
        let is_global = beyond.any(|word| self.take(word));
        if is_global || scoped.iter().any(|scope| has(scope)) || has(" global ") {
            return Err(StatementError::Global {
                start: self.start(),
            });
        }
        match self.take("AUTOCOMMIT") {
            true => Ok(Kind::Skip),
            false => Ok(Kind::Set),
        }
    }
}

/// Where the values begin behind the name of a table: after a list of columns, if there is one.
fn values(rest: &[u8]) -> Option<usize> {
    let modes = Modes::default();
    let mut words = tokens(rest, &modes);
    let mut depth = 0_u32;
    while let Some(word) = words.next() {
        match word {
            Token::Sign(b'(') => depth += 1,
            Token::Sign(b')') => depth = depth.checked_sub(1)?,
            word if depth == 0 && (word.is("VALUES") || word.is("VALUE")) => {
                return Some(words.at());
            }
            _ if depth == 0 => return None,
            _ => {}
        }
    }
    None
}
