//! Comments: those that nobody carries out, and those that a server carries out or not, by its
//! version.

use std::io::Read;

use super::splitter::{SplitError, Splitter, is_blank};

/// The longest line comment that is handed out; what is longer is cut.
const REMARK: usize = 1 << 10;
/// Versioned comments from this version on are for clients, not for servers: MariaDB's own dumps
/// begin with one that a client takes as the order to refuse dangerous commands.
const NEVER: u64 = 999_999;
/// Below this version every server carries out what a comment holds. MariaDB passes over MySQL's
/// own from here on (its `sql/sql_lex.cc`: 50700 to 99999).
const NOT_ALL: u64 = 50_700;
/// So many bytes tell what a comment is.
const ENOUGH: usize = 12;

/// What begins with `/*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comment {
    /// None does.
    None,
    /// No server reads it.
    Plain,
    /// Every server carries out what is in it; so many bytes open it.
    Versioned { opener: usize },
    /// Some servers do and some do not.
    Conditional { opener: usize },
    /// Servers differ about what its number is.
    Unclear,
}

impl Comment {
    /// What begins at the start of `text`.
    pub(super) fn of(text: &[u8]) -> Comment {
        let Some(inner) = text.strip_prefix(b"/*") else {
            return Comment::None;
        };
        let of_mariadb = inner.starts_with(b"M!");
        let Some(rest) = inner.strip_prefix(if of_mariadb { b"M!" as &[u8] } else { b"!" }) else {
            return Comment::Plain;
        };
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = |version: u64, digit: &u8| version * 10 + u64::from(digit - b'0');
        let version = rest[..digits.min(6)].iter().fold(0, number);
        let opener = text.len() - rest.len() + digits;
        // A server reads five or six digits; what it makes of fewer or more, its version tells.
        match digits {
            0 if !of_mariadb => Comment::Versioned { opener },
            0 => Comment::Conditional { opener },
            _ if rest[0] == b'0' => Comment::Unclear,
            5 if !of_mariadb && version < NOT_ALL => Comment::Versioned { opener },
            6 if version >= NEVER => Comment::Plain,
            5 | 6 => Comment::Conditional { opener },
            _ => Comment::Unclear,
        }
    }
}

impl<R: Read> Splitter<R> {
    /// A comment up to the end of its line, at the start of the buffer.
    pub(super) fn line_comment(&mut self) -> Result<Option<Vec<u8>>, SplitError> {
        let mark = match (self.byte(0)?, self.byte(1)?, self.byte(2)?) {
            (Some(b'#'), ..) => 1,
            (Some(b'-'), Some(b'-'), None) => 2,
            (Some(b'-'), Some(b'-'), Some(after)) if is_blank(after) => 2,
            (Some(b'-'), Some(b'-'), Some(after)) => {
                self.expect_no_comment(0, after)?;
                return Ok(None);
            }
            _ => return Ok(None),
        };
        self.drop_front(mark);
        let mut remark = Vec::new();
        loop {
            let end = self.rest().iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(self.rest().len());
            let room = REMARK - remark.len();
            remark.extend_from_slice(&self.rest()[..taken.min(room)]);
            self.drop_front(taken);
            if end.is_some() || !self.has(0)? {
                return Ok(Some(remark.trim_ascii().to_vec()));
            }
        }
    }

    /// Drops a comment that no server carries out, at the start of the buffer.
    pub(super) fn skip_block_comment(&mut self) -> Result<bool, SplitError> {
        if self.block_comment(0)? != Comment::Plain {
            return Ok(false);
        }
        let end = self.comment_end(0)?;
        self.drop_front(end);
        Ok(true)
    }

    /// What kind of comment begins at `at`.
    pub(super) fn block_comment(&mut self, at: usize) -> Result<Comment, SplitError> {
        self.has(at + ENOUGH)?;
        let rest = self.rest().get(at..).unwrap_or_default();
        Ok(Comment::of(&rest[..rest.len().min(ENOUGH)]))
    }

    /// A comment that some servers carry out and others pass over must end for all of them at the
    /// same place: with nothing in it that could hide its end.
    pub(super) fn expect_plain(&mut self, at: usize, opener: usize) -> Result<(), SplitError> {
        let end = self.comment_end(at)?;
        let held = self.rest().get(at + opener..end - 2).unwrap_or_default();
        match hides_nothing(held) {
            true => Ok(()),
            false => Err(self.unclear("versioned comment", at)),
        }
    }

    /// Two dashes before a byte that only some take for a blank.
    pub(super) fn expect_no_comment(&self, at: usize, after: u8) -> Result<(), SplitError> {
        match after.is_ascii_control() || after >= 0x80 {
            true => Err(self.unclear("comment", at)),
            false => Ok(()),
        }
    }

    /// Behind the end of the plain comment at `at`.
    pub(super) fn comment_end(&mut self, at: usize) -> Result<usize, SplitError> {
        let mut next = at + 2;
        loop {
            if !self.has(next + 1)? {
                return Err(self.unclosed("comment", at));
            }
            match self.rest()[next..].windows(2).position(|two| two == b"*/") {
                Some(found) => return Ok(next + found + 2),
                None => next = self.rest().len() - 1,
            }
            if next - at > self.limit {
                return Err(self.too_long());
            }
        }
    }
}

/// Whether it has only whole quotes, and no comment of its own.
fn hides_nothing(held: &[u8]) -> bool {
    let mut rest = held;
    while let Some((first, behind)) = rest.split_first() {
        rest = match first {
            b'\'' | b'"' | b'`' => {
                let special = |byte: &u8| byte == first || *byte == b'\\';
                match behind.iter().position(special) {
                    Some(found) if behind[found] == *first => &behind[found + 1..],
                    _ => return false,
                }
            }
            b'#' => return false,
            b'-' | b'/' if behind.first().is_some_and(|next| b"-/*".contains(next)) => {
                return false;
            }
            _ => behind,
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_what_every_server_takes_it_for_or_not_clear() {
        let versioned = |opener| Comment::Versioned { opener };
        let conditional = |opener| Comment::Conditional { opener };
        for (text, expected) in [
            ("/x", Comment::None),
            ("/* x", Comment::Plain),
            ("/*+ hint", Comment::Plain),
            ("/*! x", versioned(3)),
            ("/*!40101 SET", versioned(8)),
            ("/*!50003 x", versioned(8)),
            ("/*!50700 x", conditional(8)),
            ("/*!80016 x", conditional(8)),
            ("/*!100301 x", conditional(9)),
            ("/*M!100301 x", conditional(10)),
            ("/*M! x", conditional(4)),
            ("/*M!999999\\- x", Comment::Plain),
            ("/*!323 x", Comment::Unclear),
            ("/*!00999999 x", Comment::Unclear),
            ("/*!9999999999999999999999 x", Comment::Unclear),
        ] {
            assert_eq!(Comment::of(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_could_hide_an_end_is_noticed() {
        assert!(hides_nothing(b" DEFAULT ENCRYPTION='N', `a` - 1 * 2 "));
        for held in ["'", " 'x\\", "`", " -- ", "#", " /* ", "'a' \""] {
            assert!(!hides_nothing(held.as_bytes()), "{held}");
        }
    }
}
