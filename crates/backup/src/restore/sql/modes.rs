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

    /// Follows a `SET` statement: `sql_mode = '...'`, `@saved = @@sql_mode`, `sql_mode = @saved`.
    pub(in crate::restore) fn follow(&mut self, set: &[u8]) {
        let words: Vec<Token> = tokens(set, self).collect();
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
            let (Some(target), Some(value)) = (target.map(|at| &words[at]), words.get(at + 1))
            else {
                continue;
            };
            self.assign(target, value);
        }
    }

    fn assign(&mut self, target: &Token, value: &Token) {
        let value = match value {
            Token::Text(modes) => Some(Quoting::of(modes)),
            Token::System(name) if is_sql_mode(name) => Some(self.now),
            Token::Variable(name) => self.saved.get(&name.to_ascii_lowercase()).copied(),
            _ => None,
        };
        match (target, value) {
            (Token::Word(name) | Token::System(name), value) if is_sql_mode(name) => {
                self.now = value.unwrap_or_default();
            }
            (Token::Variable(name), Some(value)) => {
                self.saved.insert(name.to_ascii_lowercase(), value);
            }
            _ => {}
        }
    }
}

fn is_sql_mode(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"sql_mode")
}

impl Quoting {
    fn of(modes: &[u8]) -> Quoting {
        let mut quoting = Quoting::default();
        for mode in modes.to_ascii_uppercase().split(|byte| *byte == b',') {
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
            quoting.no_escapes |= mode == b"NO_BACKSLASH_ESCAPES";
            quoting.ansi |= ansi.contains(&mode);
        }
        quoting
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
    }
}
