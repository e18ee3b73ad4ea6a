//! The reader of the list of accounts: it knows what `SHOW CREATE USER` and `SHOW GRANTS` of MariaDB
//! and MySQL write, which is what our dumps hold, and refuses everything else.

mod words;

use std::collections::{BTreeMap, BTreeSet};

use elpis_run::Secret;

use super::wish::{Place, Right, Wish, text};
use crate::restore::sql::{Modes, Token, tokens};
use words::{Reader, STRANGE};

/// Why a list is refused, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::restore) struct Strange {
    /// The byte at which the statement begins.
    pub(in crate::restore) at: u64,
    /// What is wrong with it.
    pub(in crate::restore) why: &'static str,
}

/// Privileges that databases, tables, columns and routines know.
const PRIVILEGES: [&str; 22] = [
    "ALL PRIVILEGES",
    "ALTER",
    "ALTER ROUTINE",
    "CREATE",
    "CREATE ROUTINE",
    "CREATE TEMPORARY TABLES",
    "CREATE VIEW",
    "DELETE",
    "DELETE HISTORY",
    "DELETE VERSIONING ROWS",
    "DROP",
    "EVENT",
    "EXECUTE",
    "INDEX",
    "INSERT",
    "LOCK TABLES",
    "REFERENCES",
    "SELECT",
    "SHOW CREATE ROUTINE",
    "SHOW VIEW",
    "TRIGGER",
    "UPDATE",
];

/// What stands behind the name of an account that is made, besides numbers and texts.
const OPTIONS: [&str; 40] = [
    "IDENTIFIED",
    "BY",
    "PASSWORD",
    "VIA",
    "WITH",
    "USING",
    "AS",
    "OR",
    "AND",
    "INITIAL",
    "AUTHENTICATION",
    "REQUIRE",
    "NONE",
    "SSL",
    "X509",
    "ISSUER",
    "SUBJECT",
    "CIPHER",
    "MAX_QUERIES_PER_HOUR",
    "MAX_UPDATES_PER_HOUR",
    "MAX_CONNECTIONS_PER_HOUR",
    "MAX_USER_CONNECTIONS",
    "MAX_STATEMENT_TIME",
    "EXPIRE",
    "DEFAULT",
    "NEVER",
    "INTERVAL",
    "DAY",
    "HISTORY",
    "REUSE",
    "CURRENT",
    "OPTIONAL",
    "PASSWORD_LOCK_TIME",
    "UNBOUNDED",
    "FAILED_LOGIN_ATTEMPTS",
    "ACCOUNT",
    "LOCK",
    "UNLOCK",
    "ATTRIBUTE",
    "COMMENT",
];

/// Reads all statements of a list.
pub(super) fn read(list: &str) -> Result<Vec<Wish>, Strange> {
    let mut wishes = Vec::new();
    let mut statement = Vec::new();
    let (mut from, mut end) = (0, 0);
    let modes = Modes::default();
    let mut words = tokens(list.as_bytes(), &modes);
    loop {
        let word = words.next();
        let place = match word {
            Some(_) => words.from()..words.at(),
            None => list.len()..list.len(),
        };
        let is_start = statement.is_empty();
        if is_start {
            from = place.start;
        }
        let strange = |why| Strange {
            at: from as u64,
            why,
        };
        let gap = list.get(end..place.start).unwrap_or_default();
        if !is_plain(gap, is_start) {
            return Err(strange("it has a comment that our dumps do not write"));
        }
        end = place.end;
        match word {
            None if is_start => return Ok(wishes),
            None => return Err(strange("it is cut off")),
            Some(Token::Sign(b';')) => {
                let reader = Reader::new(list, std::mem::take(&mut statement));
                wishes.extend(reader.statement().map_err(strange)?);
            }
            Some(word) => statement.push((word, place)),
        }
    }
}

/// One line of `SHOW GRANTS`; nothing if it is of another kind.
pub(super) fn shown(line: &str) -> Vec<Wish> {
    read(&format!("{line};")).unwrap_or_default()
}

/// Blanks; before a statement also lines of comment.
fn is_plain(gap: &str, is_start: bool) -> bool {
    let is_blank = |line: &str| line.chars().all(|c| c.is_ascii_whitespace());
    let is_plain = |line: &str| is_blank(line) || is_start && line.trim_start().starts_with("--");
    gap.split('\n').all(is_plain)
}

impl Reader<'_> {
    fn statement(mut self) -> Result<Vec<Wish>, &'static str> {
        let wishes = if self.take_all(&["CREATE", "USER", "IF", "NOT", "EXISTS"]) {
            self.user()?
        } else if self.take_all(&["CREATE", "ROLE", "IF", "NOT", "EXISTS"]) {
            vec![Wish::Role(self.account()?)]
        } else if self.take_all(&["SET", "DEFAULT", "ROLE"]) {
            let role = self.account()?;
            self.expect("FOR")?;
            let of = self.account()?;
            vec![Wish::Default { role, of }]
        } else if self.take_all(&["GRANT", "PROXY", "ON"]) {
            self.proxied()?;
            self.expect("TO")?;
            self.account()?;
            self.take_all(&["WITH", "GRANT", "OPTION"]);
            vec![Wish::Passed]
        } else if self.take("REVOKE") {
            self.privileges(false)?;
            self.place()?;
            self.expect("FROM")?;
            self.account()?;
            vec![Wish::Passed]
        } else {
            self.expect("GRANT")?;
            match self.peek() {
                Some(Token::Name(_) | Token::Text(_)) => self.members()?,
                _ => vec![Wish::Right(self.right()?)],
            }
        };
        match self.peek() {
            None => Ok(wishes),
            Some(_) => Err(STRANGE),
        }
    }

    /// An account with its options; the roles that MySQL names among them are wishes of their own.
    fn user(&mut self) -> Result<Vec<Wish>, &'static str> {
        let account = self.account()?;
        let (mut options, mut roles) = (Vec::<String>::new(), Vec::new());
        let mut names_plugin = false;
        while let Some(word) = self.peek().cloned() {
            if self.take_all(&["DEFAULT", "ROLE"]) {
                roles = self.accounts()?;
                continue;
            }
            let option = match word {
                Token::Text(_) => text(&self.text()?),
                Token::Word(word) => {
                    let word = String::from_utf8_lossy(word).into_owned();
                    let known = OPTIONS
                        .iter()
                        .find(|option| option.eq_ignore_ascii_case(&word));
                    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    let is_number = word.starts_with(|c: char| c.is_ascii_digit());
                    match known {
                        Some(option) => (*option).to_owned(),
                        None if (names_plugin || is_number) && word.chars().all(plain) => word,
                        None => return Err("it makes an account in a way that is not known"),
                    }
                }
                // The fraction of a number.
                Token::Sign(b'.') => {
                    self.at += 1;
                    let fraction = match self.peek() {
                        Some(Token::Word(word)) if word.iter().all(u8::is_ascii_digit) => {
                            String::from_utf8_lossy(word).into_owned()
                        }
                        _ => return Err(STRANGE),
                    };
                    let whole = options.pop().filter(|last| last.parse::<u64>().is_ok());
                    format!("{}.{fraction}", whole.ok_or(STRANGE)?)
                }
                _ => return Err(STRANGE),
            };
            if !matches!(word, Token::Text(_)) {
                self.at += 1;
            }
            names_plugin = ["VIA", "OR", "WITH"].contains(&option.as_str());
            options.push(option);
        }
        let mut wishes = vec![Wish::User(account.clone(), Secret::new(options.join(" ")))];
        let default = |role| Wish::Default {
            role,
            of: account.clone(),
        };
        wishes.extend(roles.into_iter().map(default));
        Ok(wishes)
    }

    fn members(&mut self) -> Result<Vec<Wish>, &'static str> {
        let roles = self.accounts()?;
        self.expect("TO")?;
        let of = self.account()?;
        let admin = self.take_all(&["WITH", "ADMIN", "OPTION"]);
        let member = |role| Wish::Member {
            role,
            of: of.clone(),
            admin,
        };
        Ok(roles.into_iter().map(member).collect())
    }

    fn right(&mut self) -> Result<Right, &'static str> {
        // On everything there are privileges that databases do not know.
        let is_global = self
            .words
            .windows(2)
            .any(|two| two[0].0.is("ON") && two[1].0 == Token::Sign(b'*'));
        let privileges = self.privileges(is_global)?;
        let on = self.place()?;
        self.expect("TO")?;
        let to = self.account()?;
        if on == Place::Everything {
            // Of these MariaDB tells how the account is known, which is not asked for here.
            let is_last = |back: usize, word| {
                let at = self.words.len().checked_sub(back);
                at.and_then(|at| self.words.get(at))
                    .is_some_and(|(token, _)| token.is(word))
            };
            let with_grant = is_last(3, "WITH") && is_last(2, "GRANT") && is_last(1, "OPTION");
            self.at = self.words.len();
            return Ok(Right {
                privileges,
                on,
                to,
                with_grant,
            });
        }
        let with_grant = self.take_all(&["WITH", "GRANT", "OPTION"]);
        Ok(Right {
            privileges,
            on,
            to,
            with_grant,
        })
    }

    fn privileges(
        &mut self,
        is_global: bool,
    ) -> Result<BTreeMap<String, BTreeSet<String>>, &'static str> {
        let mut all = BTreeMap::new();
        loop {
            let mut name = Vec::new();
            while let Some(Token::Word(word)) = self.peek()
                && !word.eq_ignore_ascii_case(b"ON")
            {
                name.push(String::from_utf8_lossy(word).to_ascii_uppercase());
                self.at += 1;
            }
            let name = name.join(" ");
            let is_known = PRIVILEGES.contains(&name.as_str()) || name == "USAGE";
            if name.is_empty() || !is_known && !is_global {
                return Err("it names a privilege that is not known");
            }
            let mut columns = BTreeSet::new();
            if self.sign(b'(') {
                columns.insert(self.name()?);
                while self.sign(b',') {
                    columns.insert(self.name()?);
                }
                if !self.sign(b')') {
                    return Err(STRANGE);
                }
            }
            all.insert(name, columns);
            if !self.sign(b',') {
                return Ok(all);
            }
        }
    }

    fn place(&mut self) -> Result<Place, &'static str> {
        self.expect("ON")?;
        if self.sign(b'*') {
            let is_all = self.sign(b'.') && self.sign(b'*');
            return if is_all {
                Ok(Place::Everything)
            } else {
                Err(STRANGE)
            };
        }
        let kind = if self.take("PROCEDURE") {
            "PROCEDURE "
        } else if self.take("FUNCTION") {
            "FUNCTION "
        } else if self.take_all(&["PACKAGE", "BODY"]) {
            "PACKAGE BODY "
        } else if self.take("PACKAGE") {
            "PACKAGE "
        } else {
            self.take("TABLE");
            ""
        };
        let database = self.name()?;
        if !self.sign(b'.') {
            return Err(STRANGE);
        }
        match kind.is_empty() && self.sign(b'*') {
            true => Ok(Place::Database(database)),
            false => Ok(Place::Object(kind, database, self.name()?)),
        }
    }
}

#[cfg(test)]
mod tests;
