//! From bytes to the few tokens that an assignment is made of. What is no PHP (outside of
//! `<?php … ?>`) and what is a comment leaves nothing.

use super::string;

/// A piece of PHP.
#[derive(PartialEq)]
pub(super) enum Kind {
    /// `$name`, without the dollar.
    Variable(Vec<u8>),
    /// A string whose value stands there.
    Text(zeroize::Zeroizing<Vec<u8>>),
    /// A string with variables in it, or a heredoc.
    Computed(&'static str),
    /// A name, a keyword or a number.
    Word(Vec<u8>),
    /// Any other character.
    Sign(u8),
}

pub(super) struct Token {
    /// The line it begins on, from one.
    pub(super) line: usize,
    pub(super) kind: Kind,
}

/// A string or a comment without an end.
pub(super) struct Unended {
    pub(super) line: usize,
    pub(super) what: &'static str,
}

/// The tokens of a file. The end of a block ends a statement, as in PHP.
pub(super) fn tokens(bytes: &[u8]) -> Result<Vec<Token>, Unended> {
    let mut reader = Reader {
        bytes,
        at: 0,
        line: 1,
        tokens: Vec::new(),
    };
    while reader.enter_php() {
        while reader.token()? {}
    }
    Ok(reader.tokens)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    tokens: Vec<Token>,
}

impl Reader<'_> {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    fn next(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn skip(&mut self, count: usize) {
        let end = self.bytes.len().min(self.at + count);
        let passed = &self.bytes[self.at..end];
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.at = end;
    }

    /// Goes behind the next `<?php` or `<?=`; false if there is none.
    fn enter_php(&mut self) -> bool {
        let opens = |rest: &[u8]| match rest {
            [b'<', b'?', b'=', ..] => Some(3),
            [b'<', b'?', word @ ..] => {
                let is_php = word
                    .get(..3)
                    .is_some_and(|w| w.eq_ignore_ascii_case(b"php"));
                let alone = word.get(3).is_none_or(u8::is_ascii_whitespace);
                (is_php && alone).then_some(5)
            }
            _ => None,
        };
        while self.at < self.bytes.len() {
            if let Some(length) = opens(self.rest()) {
                self.skip(length);
                return true;
            }
            self.skip(1);
        }
        false
    }

    /// Reads one token, comment or blank; false at the end of the block.
    fn token(&mut self) -> Result<bool, Unended> {
        let Some(byte) = self.next(0) else {
            return Ok(false);
        };
        match (byte, self.next(1)) {
            (b'?', Some(b'>')) => {
                self.push(Kind::Sign(b';'), 2);
                return Ok(false);
            }
            (b'#', other) if other != Some(b'[') => self.line_comment(),
            (b'/', Some(b'/')) => self.line_comment(),
            (b'/', Some(b'*')) => {
                let end = self.rest()[2..].windows(2).position(|two| two == b"*/");
                let Some(end) = end else {
                    return Err(self.unended("a comment"));
                };
                self.skip(2 + end + 2);
            }
            (b'\'' | b'"', _) => {
                let Some(string) = string::quoted(self.rest()) else {
                    return Err(self.unended("a string"));
                };
                let kind = match string.value {
                    Ok(value) => Kind::Text(value),
                    Err(why) => Kind::Computed(why),
                };
                self.push(kind, string.length);
            }
            (b'<', Some(b'<')) if self.next(2) == Some(b'<') => {
                let Some(length) = string::heredoc(self.rest()) else {
                    return Err(self.unended("a heredoc"));
                };
                self.push(Kind::Computed("is a heredoc"), length);
            }
            (b'$', Some(first)) if string::begins_name(first) => {
                let name = string::name(&self.rest()[1..]);
                let length = 1 + name.len();
                let kind = Kind::Variable(name.to_vec());
                self.push(kind, length);
            }
            (byte, _) if byte.is_ascii_whitespace() => self.skip(1),
            (byte, _) if string::begins_name(byte) || byte.is_ascii_digit() => {
                let word = string::name(self.rest());
                let length = word.len();
                let kind = Kind::Word(word.to_vec());
                self.push(kind, length);
            }
            (byte, _) => self.push(Kind::Sign(byte), 1),
        }
        Ok(true)
    }

    /// Up to the end of the line or of the block.
    fn line_comment(&mut self) {
        while let Some(byte) = self.next(0) {
            if byte == b'\n' || (byte == b'?' && self.next(1) == Some(b'>')) {
                return;
            }
            self.skip(1);
        }
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let line = self.line;
        self.tokens.push(Token { line, kind });
        self.skip(length);
    }

    fn unended(&self, what: &'static str) -> Unended {
        Unended {
            line: self.line,
            what,
        }
    }
}
