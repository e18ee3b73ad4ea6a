//! The words of one statement.

use super::comment::Comment;
use super::modes::Modes;
use super::splitter::is_blank;

/// A word of a statement. What versioned comments hold counts like the rest; plain comments do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::restore) enum Token<'a> {
    /// A keyword, an unquoted name or a number.
    Word(&'a [u8]),
    /// A name in quotes, without them.
    Name(Vec<u8>),
    /// A text in quotes: what stands between them.
    Text(&'a [u8]),
    /// A user variable, without its mark.
    Variable(&'a [u8]),
    /// A system variable, without its mark and its scope.
    System(&'a [u8]),
    /// Any other byte.
    Sign(u8),
}

impl Token<'_> {
    /// Whether it is this keyword.
    pub(in crate::restore) fn is(&self, keyword: &str) -> bool {
        matches!(self, Token::Word(word) if word.eq_ignore_ascii_case(keyword.as_bytes()))
    }

    /// The name of an object, quoted or not.
    pub(in crate::restore) fn name(&self) -> Option<String> {
        match self {
            Token::Word(word) => Some(String::from_utf8_lossy(word).into_owned()),
            Token::Name(name) => Some(String::from_utf8_lossy(name).into_owned()),
            _ => None,
        }
    }
}

/// The words of `statement`, with the place behind each in [`Tokens::at`].
pub(in crate::restore) fn tokens<'a>(statement: &'a [u8], modes: &Modes) -> Tokens<'a> {
    let escapes = [modes.escapes_in(b'\''), modes.escapes_in(b'"')];
    Tokens {
        text: statement,
        from: 0,
        at: 0,
        escapes,
        is_ansi: modes.is_ansi(),
        passes_over: false,
    }
}

/// The same as a server sees them that passes over every comment that not all carry out.
pub(super) fn fewest<'a>(statement: &'a [u8], modes: &Modes) -> Tokens<'a> {
    Tokens {
        passes_over: true,
        ..tokens(statement, modes)
    }
}

pub(in crate::restore) struct Tokens<'a> {
    text: &'a [u8],
    from: usize,
    at: usize,
    escapes: [bool; 2],
    /// Double quotes hold names.
    is_ansi: bool,
    /// Comments that not every server carries out do not count.
    passes_over: bool,
}

impl<'a> Tokens<'a> {
    /// Where the last token begins.
    pub(in crate::restore) fn from(&self) -> usize {
        self.from
    }

    /// Behind the last token.
    pub(in crate::restore) fn at(&self) -> usize {
        self.at
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    /// Blanks, comments, and the marks around versioned ones.
    fn skip(&mut self) {
        while let Some(byte) = self.peek(0) {
            match (byte, self.peek(1), self.peek(2)) {
                (byte, ..) if is_blank(byte) => self.at += 1,
                (b'#', ..) => self.skip_past(b"\n", 0),
                (b'-', Some(b'-'), after) if after.is_none_or(is_blank) => self.skip_past(b"\n", 0),
                (b'/', Some(b'*'), _) => {
                    match Comment::of(self.text.get(self.at..).unwrap_or_default()) {
                        Comment::Conditional { .. } if self.passes_over => {
                            self.skip_past(b"*/", 2);
                        }
                        Comment::Versioned { opener } | Comment::Conditional { opener } => {
                            self.at += opener;
                        }
                        _ => self.skip_past(b"*/", 2),
                    }
                }
                (b'*', Some(b'/'), _) => self.at += 2,
                _ => return,
            }
        }
    }

    fn skip_past(&mut self, end: &[u8], from: usize) {
        let rest = self.text.get(self.at + from..).unwrap_or_default();
        let found = rest.windows(end.len()).position(|window| window == end);
        self.at = match found {
            Some(found) => self.at + from + found + end.len(),
            None => self.text.len(),
        };
    }

    fn word(&mut self) -> &'a [u8] {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| is_of_word(**byte)).count();
        self.at += length;
        &rest[..length]
    }

    /// What stands in quotes, raw, and whether the quote is doubled somewhere in it.
    fn quoted(&mut self, quote: u8) -> &'a [u8] {
        let escapes = match quote {
            b'\'' => self.escapes[0],
            b'"' => self.escapes[1],
            _ => false,
        };
        let begin = self.at + 1;
        let mut at = begin;
        while let Some(&byte) = self.text.get(at) {
            match byte {
                b'\\' if escapes => at += 2,
                byte if byte == quote && self.text.get(at + 1) == Some(&quote) => at += 2,
                byte if byte == quote => break,
                _ => at += 1,
            }
        }
        let end = at.min(self.text.len());
        self.at = (end + 1).min(self.text.len());
        &self.text[begin.min(end)..end]
    }

    /// A name in quotes, which are doubled inside of it.
    fn name(&mut self, quote: u8) -> Token<'a> {
        let raw = self.quoted(quote);
        let mut name = Vec::with_capacity(raw.len());
        let mut bytes = raw.iter();
        while let Some(byte) = bytes.next() {
            name.push(*byte);
            if *byte == quote {
                bytes.next();
            }
        }
        Token::Name(name)
    }

    /// What stands behind `@`.
    fn variable(&mut self) -> Token<'a> {
        self.at += 1;
        if self.peek(0) != Some(b'@') {
            return Token::Variable(match self.peek(0) {
                Some(quote @ (b'`' | b'\'' | b'"')) => self.quoted(quote),
                _ => self.word(),
            });
        }
        self.at += 1;
        let mut name = self.word();
        while self.peek(0) == Some(b'.') {
            self.at += 1;
            name = self.word();
        }
        Token::System(name)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip();
        self.from = self.at;
        Some(match self.peek(0)? {
            b'`' => self.name(b'`'),
            b'"' if self.is_ansi => self.name(b'"'),
            quote @ (b'\'' | b'"') => Token::Text(self.quoted(quote)),
            b'@' => self.variable(),
            byte if is_of_word(byte) => Token::Word(self.word()),
            byte => {
                self.at += 1;
                Token::Sign(byte)
            }
        })
    }
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}
