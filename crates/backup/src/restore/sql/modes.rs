//! What a session's `sql_mode` says about quotes, followed through the `SET` statements of a text.

use std::collections::HashMap;

use super::tokens::{Token, tokens};

/// How quoted texts are read. The default is that of every server.
#[derive(Debug, Clone, Default)]
pub(in crate::restore) struct Modes {
    now: Quoting,
    /// What user variables have saved.
    saved: HashMap<Vec<u8>, Quoting>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Quoting {
    /// `NO_BACKSLASH_ESCAPES`
    no_escapes: bool,
    /// `ANSI_QUOTES`
    ansi: bool,
    /// `ORACLE`
    oracle: bool,
}

impl Modes {
    /// Whether a backslash means something between two of these quotes.
    pub(in crate::restore) fn escapes_in(&self, quote: u8) -> bool {
        match quote {
            b'`' => false,
            b'"' => !self.now.no_escapes && !self.now.ansi,
            _ => !self.now.no_escapes,
        }
    }

    /// Whether double quotes hold names.
    pub(in crate::restore) fn is_ansi(&self) -> bool {
        self.now.ansi
    }

    /// Whether bodies are written in the other dialect of MariaDB.
    pub(in crate::restore) fn is_oracle(&self) -> bool {
        self.now.oracle
    }

    /// Follows a `SET` statement: `sql_mode = '...'`, `@saved = @@sql_mode`, `sql_mode = @saved`,
    /// `sql_mode = IFNULL(@saved, '...')`. False if it cannot be told how quotes are read after it.
    pub(in crate::restore) fn follow(&mut self, set: &[u8]) -> bool {
        let words: Vec<Token> = tokens(set, self).collect();
        let mut is_known = true;
        for at in 0..words.len() {
            let is_assignment = matches!(words[at], Token::Sign(b'='));
            let (Some(target), true) = (at.checked_sub(1), is_assignment) else {
                continue;
            };
            // `:=` has a colon before it.
            let target = match words[target] {
                Token::Sign(b':') => target.checked_sub(1),
                _ => Some(target),
            };
            if let Some(target) = target.map(|at| &words[at]) {
                is_known &= self.assign(target, &words[at + 1..]);
            }
        }
        is_known
    }

    fn assign(&mut self, target: &Token, rest: &[Token]) -> bool {
        let value = self.value(rest);
        match target {
            Token::Variable(name) => {
                let name = name.to_ascii_lowercase();
                match value {
                    Some(value) => self.saved.insert(name, value),
                    None => self.saved.remove(&name),
                };
            }
            target if is_sql_mode(target) => {
                self.now = value.unwrap_or_default();
                return value.is_some();
            }
            _ => {}
        }
        true
    }

    /// What the value at the start of `rest` means as `sql_mode`, if that can be told.
    fn value(&self, rest: &[Token]) -> Option<Quoting> {
        let (value, behind) = rest.split_first()?;
        let saved = |name: &[u8]| self.saved.get(&name.to_ascii_lowercase()).copied();
        if value.is("IFNULL") {
            return match behind {
                [
                    Token::Sign(b'('),
                    Token::Variable(name),
                    Token::Sign(b','),
                    Token::Text(_),
                    Token::Sign(b')'),
                    ..,
                ] => saved(name),
                _ => None,
            };
        }
        if !matches!(behind.first(), None | Some(Token::Sign(b','))) {
            return None;
        }
        match value {
            Token::Text(modes) | Token::Word(modes) => Quoting::of(modes),
            Token::System(_) if is_sql_mode(value) => Some(self.now),
            Token::Variable(name) => saved(name),
            _ => None,
        }
    }
}

fn is_sql_mode(target: &Token) -> bool {
    let name = match target {
        Token::Word(name) | Token::System(name) => name,
        Token::Name(name) => name.as_slice(),
        _ => return false,
    };
    name.eq_ignore_ascii_case(b"sql_mode")
}

impl Quoting {
    /// `None` for what may be something else for a server.
    fn of(modes: &[u8]) -> Option<Quoting> {
        let mut quoting = Quoting::default();
        if modes == b"0" {
            return Some(quoting);
        }
        for mode in modes.to_ascii_uppercase().split(|byte| *byte == b',') {
            let mode = mode.trim_ascii();
            // Names of the modes of other databases stand for several.
            let ansi: [&[u8]; 7] = [
                b"ANSI_QUOTES",
                b"ANSI",
                b"DB2",
                b"MAXDB",
                b"MSSQL",
                b"ORACLE",
                b"POSTGRESQL",
            ];
            let is_plain = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'_';
            let is_number = |byte: &u8| byte.is_ascii_digit();
            let begins = mode.first().is_none_or(u8::is_ascii_uppercase);
            if mode == b"DEFAULT" || !begins || !mode.iter().all(|b| is_plain(b) || is_number(b)) {
                return None;
            }
            quoting.no_escapes |= mode == b"NO_BACKSLASH_ESCAPES";
            quoting.ansi |= ansi.contains(&mode);
            quoting.oracle |= mode == b"ORACLE";
        }
        Some(quoting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_followed_through_variables() {
        let mut modes = Modes::default();
        assert!(modes.escapes_in(b'\'') && modes.escapes_in(b'"') && !modes.escapes_in(b'`'));
        modes.follow(b"SET @saved_sql_mode = @@sql_mode, @x = 'sql_mode'");
        modes.follow(b"SET character_set_client = utf8mb4, sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES'");
        assert!(!modes.escapes_in(b'\'') && !modes.escapes_in(b'"'));
        modes.follow(b"/*!50003 SET sql_mode              = @saved_sql_mode */");
        assert!(modes.escapes_in(b'\''));
        modes.follow(b"/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='ANSI' */");
        assert!(modes.escapes_in(b'\'') && !modes.escapes_in(b'"'));
        modes.follow(b"SET @@session.sql_mode := @old_sql_mode");
        assert!(modes.escapes_in(b'"'));
        modes.follow(b"SET `sql_mode` = IFNULL(@x, ''), @y = 'ANSI '");
        assert!(!modes.is_ansi());
        assert!(modes.follow(b"SET sql_mode = @y") && modes.is_ansi());
    }

    #[test]
    fn what_cannot_be_followed_is_said() {
        for set in [
            "SET sql_mode = @never",
            "SET sql_mode = 4",
            "SET sql_mode = DEFAULT",
            "SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')",
            "SET sql_mode = 'ANSI_' 'QUOTES'",
            "SET sql_mode = 'ANSI\\_QUOTES'",
            "SET `sql_mode` = _utf8'ANSI'",
            "SET @@session.`sql_mode` = x'414e5349'",
            "SET @a = '', @b = @a := 'ANSI', sql_mode = @b",
            "SET @a = '', @a = CONCAT('ANSI'), sql_mode = @a",
        ] {
            assert!(!Modes::default().follow(set.as_bytes()), "{set}");
        }
    }
}
