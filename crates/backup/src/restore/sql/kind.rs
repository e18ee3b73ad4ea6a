//! What a statement of a dump is. What is not recognised is not carried out.

use super::modes::Modes;
use super::tokens::{Token, Tokens, tokens};

/// A statement that a dump may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::restore) enum Kind {
    /// `INSERT` or `REPLACE` with values, which begin at byte `values`.
    Rows { table: String, values: usize },
    /// `CREATE TABLE`
    Table { table: String },
    /// `DROP TABLE`
    NoTable { tables: Vec<String> },
    /// Sequences, and what removes something before it is made.
    Schema,
    /// `ALTER TABLE` and `CREATE INDEX`, for rows that are there already.
    Alter { table: String },
    /// Something that is not rows and may need all of them; whether it is made or removed.
    Object {
        object: Object,
        name: String,
        is_made: bool,
    },
    /// A `SET` of the session.
    Set,
    /// `ALTER DATABASE`: what stands from byte `options` on.
    Collate { options: usize },
    /// `USE`, or what makes or removes the database that the text is of, with its name. A restore
    /// does that by itself.
    Use { database: String },
    /// What a restore does by itself: locks and transactions.
    Skip,
}

impl Kind {
    /// Whether it makes something that has statements of its own.
    pub(in crate::restore) fn is_body(&self) -> bool {
        let of = |object: &Object| *object != Object::View;
        matches!(self, Kind::Object { object, is_made: true, .. } if of(object))
    }
}

/// What is made after the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::restore) enum Object {
    View,
    Trigger,
    Routine,
    /// Its statement would make it fire.
    Event,
}

/// A statement that no dump of one database holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// It is of no known kind.
    #[error("`{start}` is not a statement of a dump; only what dumps hold is carried out")]
    Unknown {
        /// How it begins.
        start: String,
    },
    /// It names a database, and everything belongs into the one that is restored.
    #[error("`{start}` names a database; everything must belong into the one that is restored")]
    Qualified {
        /// How it begins.
        start: String,
    },
    /// It would change the server and not only the session.
    #[error("`{start}` would change the server, not only the session")]
    Global {
        /// How it begins.
        start: String,
    },
    /// It goes on behind its end.
    #[error("`{start}` is followed by another statement before the delimiter")]
    Several {
        /// How it begins.
        start: String,
    },
    /// It does not hold what it brings, but has the server copy it or work it out.
    #[error("`{start}` has the server work something out (`{what}`); a dump holds what it brings")]
    Computed {
        /// How it begins.
        start: String,
        /// The word or sign.
        what: String,
    },
    /// Its character set hides quotes.
    #[error("`{start}` chooses a character set whose letters may end in a quote or a backslash")]
    Charset {
        /// How it begins.
        start: String,
    },
    /// What it is depends on the version of the server.
    #[error("`{start}` is something else for servers that pass over its versioned comments")]
    Differs {
        /// How it begins then.
        start: String,
    },
    /// Rows that are not written out.
    #[error("`{start}` has no VALUES")]
    NoValues {
        /// How it begins.
        start: String,
    },
}

/// A reader of words with a place to go back to.
pub(in crate::restore) struct Words<'a> {
    statement: &'a [u8],
    words: Vec<(Token<'a>, usize)>,
    at: usize,
}

/// So many words tell what a statement is; a list of columns has more.
const ENOUGH: usize = 40;

impl<'a> Words<'a> {
    pub(super) fn new(mut all: Tokens<'a>, statement: &'a [u8]) -> Words<'a> {
        let mut words = Vec::new();
        while words.len() < ENOUGH {
            let Some(word) = all.next() else { break };
            words.push((word, all.at()));
        }
        Words {
            statement,
            words,
            at: 0,
        }
    }

    fn peek(&self) -> Option<&Token<'a>> {
        self.words.get(self.at).map(|(word, _)| word)
    }

    /// Behind the last word that was taken.
    fn place(&self) -> usize {
        let last = self.at.checked_sub(1).and_then(|at| self.words.get(at));
        last.map_or(0, |(_, place)| *place)
    }

    /// Takes the next word if it is this one.
    fn take(&mut self, keyword: &str) -> bool {
        let is = self.peek().is_some_and(|word| word.is(keyword));
        self.at += usize::from(is);
        is
    }

    /// Takes all of these that come.
    fn take_any(&mut self, keywords: &[&str]) {
        while keywords.iter().any(|keyword| self.take(keyword)) {}
    }

    fn take_sign(&mut self, sign: u8) -> bool {
        let is = self.peek() == Some(&Token::Sign(sign));
        self.at += usize::from(is);
        is
    }

    /// The name of an object in the database that is restored.
    fn name(&mut self) -> Result<String, StatementError> {
        let name = self.peek().and_then(Token::name);
        self.at += 1;
        let name = name.filter(|name| !name.is_empty() && !name.contains('\0'));
        let name = name.ok_or_else(|| self.unknown())?;
        match self.peek() {
            Some(Token::Sign(b'.')) => Err(StatementError::Qualified {
                start: self.start(),
            }),
            _ => Ok(name),
        }
    }

    fn unknown(&self) -> StatementError {
        StatementError::Unknown {
            start: self.start(),
        }
    }

    /// Its first words, without anything that could be a value.
    pub(super) fn start(&self) -> String {
        let names = self.words.iter().map_while(|(word, _)| word.name());
        let start: Vec<String> = names.take(4).collect();
        if start.is_empty() {
            return format!("{} bytes", self.statement.len());
        }
        let start: String = start.join(" ").chars().take(60).collect();
        start.replace(|c: char| c.is_control(), "?")
    }

    /// What the statement is.
    pub(in crate::restore) fn kind(mut self) -> Result<Kind, StatementError> {
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
                self.name()?;
                Ok(Kind::Schema)
            }
            "LOCK" | "UNLOCK" if self.take("TABLES") || self.take("TABLE") => Ok(Kind::Skip),
            "START" if self.take("TRANSACTION") => Ok(Kind::Skip),
            "BEGIN" | "COMMIT" => Ok(Kind::Skip),
            "FLUSH" if self.take("PRIVILEGES") => Ok(Kind::Skip),
            _ => Err(self.unknown()),
        }
    }

    fn rows(mut self) -> Result<Kind, StatementError> {
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

    fn create(mut self) -> Result<Kind, StatementError> {
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
                self.name()?;
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
        Ok(Kind::Object {
            object,
            name: self.name()?,
            is_made: true,
        })
    }

    /// What makes or removes the database tells its name.
    fn database(mut self) -> Result<Kind, StatementError> {
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

    fn drop_object(mut self) -> Result<Kind, StatementError> {
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
        let mut names = vec![self.name()?];
        while self.take_sign(b',') {
            names.push(self.name()?);
        }
        Ok(match (kind, object) {
            ("TABLE", _) => Kind::NoTable { tables: names },
            (_, None) => Kind::Schema,
            (_, Some(object)) => Kind::Object {
                object,
                name: names.swap_remove(0),
                is_made: false,
            },
        })
    }

    fn alter(mut self) -> Result<Kind, StatementError> {
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
    fn index(mut self) -> Result<Kind, StatementError> {
        while self.peek().is_some() && !self.take("ON") {
            self.at += 1;
        }
        let table = self.name()?;
        Ok(Kind::Alter { table })
    }

    /// Only the session's own variables.
    fn set(mut self) -> Result<Kind, StatementError> {
        let all = [
            "GLOBAL",
            "PERSIST",
            "PERSIST_ONLY",
            "PASSWORD",
            "ROLE",
            "RESOURCE",
            "STATEMENT",
        ];
        let text = self.statement.to_ascii_lowercase();
        let scoped = ["@@global", "@@persist"];
        let has = |what: &str| text.windows(what.len()).any(|at| at == what.as_bytes());
        // MySQL's dumps carry the transactions of the server they are from, for its replicas.
        let replication = ["gtid_purged", "sql_log_bin"].iter().any(|name| has(name));
        if replication {
            return Ok(Kind::Skip);
        }
        let is_global = all.iter().any(|word| self.take(word)) || self.take("DEFAULT");
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
