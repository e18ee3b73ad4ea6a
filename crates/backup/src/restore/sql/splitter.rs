//! A stream of SQL text cut into statements, as the stock client cuts it, but without doing what
//! that client does on request: no command of the client is ever carried out.

use std::io::{self, Read};

use super::comment::Comment;
use super::modes::Modes;

/// How much is read at once.
const READ: usize = 256 << 10;
/// The longest delimiter.
const DELIMITER: usize = 16;
/// What stands in the text.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::restore) enum Item {
    /// A statement without its delimiter, and without blanks and comments before it.
    Statement(Vec<u8>),
    /// A comment of one line between statements, without its mark.
    Remark(Vec<u8>),
}

/// Why a text cannot be cut into statements.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// The text cannot be read.
    #[error("the text cannot be read")]
    Read(#[source] io::Error),
    /// A quote or comment is never closed.
    #[error("the {what} that begins at byte {at} is never closed")]
    Unclosed {
        /// What it is.
        what: &'static str,
        /// Where it begins.
        at: u64,
    },
    /// The last statement has no end.
    #[error("the statement at byte {at} has no end: the text was cut off")]
    Unended {
        /// Where it begins.
        at: u64,
    },
    /// A statement is longer than any server takes.
    #[error("the statement at byte {at} is longer than {limit} bytes")]
    TooLong {
        /// Where it begins.
        at: u64,
        /// The most bytes.
        limit: usize,
    },
    /// A command of the interactive client.
    #[error("there is a command of the client at byte {at}: {what}; none is carried out")]
    ClientCommand {
        /// Where.
        at: u64,
        /// Its beginning.
        what: String,
    },
    /// Servers and clients would not agree about where something ends.
    #[error("it cannot be told where the {what} at byte {at} ends: servers differ about it")]
    Unclear {
        /// What it is.
        what: &'static str,
        /// Where it begins.
        at: u64,
    },
    /// A `DELIMITER` that is none.
    #[error("the DELIMITER at byte {at} names none, or one that cannot be used")]
    Delimiter {
        /// Where.
        at: u64,
    },
}

/// Cuts a text into [`Item`]s. Memory: the longest statement.
pub(in crate::restore) struct Splitter<R> {
    inner: R,
    /// What has been read; the present item begins at `start`.
    buffer: Vec<u8>,
    start: usize,
    is_over: bool,
    /// Bytes of the text before the present item.
    before: u64,
    delimiter: Vec<u8>,
    pub(super) limit: usize,
    /// How quotes are read from here on.
    pub(in crate::restore) modes: Modes,
    /// Whether the last statement has comments that some servers carry out and others do not.
    pub(in crate::restore) is_conditional: bool,
}

impl<R: Read> Splitter<R> {
    /// Takes no statement longer than `limit` bytes.
    pub(in crate::restore) fn new(inner: R, limit: usize) -> Self {
        Self {
            inner,
            buffer: Vec::new(),
            start: 0,
            is_over: false,
            before: 0,
            delimiter: b";".to_vec(),
            limit,
            modes: Modes::default(),
            is_conditional: false,
        }
    }

    /// Where in the text the next item begins, blanks before it included.
    pub(in crate::restore) fn position(&self) -> u64 {
        self.before
    }

    /// The next item; `None` at the end of the text.
    pub(in crate::restore) fn next(&mut self) -> Result<Option<Item>, SplitError> {
        loop {
            self.skip_blanks()?;
            if !self.has(0)? {
                return Ok(None);
            }
            if let Some(remark) = self.line_comment()? {
                return Ok(Some(Item::Remark(remark)));
            }
            if self.skip_block_comment()? {
                continue;
            }
            if self.starts_with(&self.delimiter.clone())? {
                // An empty statement.
                self.drop_front(self.delimiter.len());
                continue;
            }
            if self.takes_delimiter()? {
                continue;
            }
            return self.statement().map(Some);
        }
    }

    /// What has been read of the present item and behind it.
    pub(super) fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Reads until there is a byte at `at`; false at the end of the text.
    pub(super) fn has(&mut self, at: usize) -> Result<bool, SplitError> {
        while self.rest().len() <= at && !self.is_over {
            self.buffer.drain(..self.start);
            self.start = 0;
            let length = self.buffer.len();
            self.buffer.resize(length + READ, 0);
            let got = loop {
                match self.inner.read(&mut self.buffer[length..]) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    got => break got,
                }
            };
            self.buffer.truncate(length + *got.as_ref().unwrap_or(&0));
            self.is_over = got.map_err(SplitError::Read)? == 0;
        }
        Ok(self.rest().len() > at)
    }

    pub(super) fn byte(&mut self, at: usize) -> Result<Option<u8>, SplitError> {
        Ok(self.has(at)?.then(|| self.rest()[at]))
    }

    fn starts_with(&mut self, what: &[u8]) -> Result<bool, SplitError> {
        self.has(what.len())?;
        Ok(self.rest().starts_with(what))
    }

    pub(super) fn drop_front(&mut self, count: usize) {
        self.start += count;
        self.before += count as u64;
    }

    fn skip_blanks(&mut self) -> Result<(), SplitError> {
        loop {
            let blanks = self.rest().iter().take_while(|b| is_blank(**b)).count();
            let all = blanks == self.rest().len();
            self.drop_front(blanks);
            if !all || !self.has(0)? {
                return Ok(());
            }
        }
    }

    /// Behind the end of the quoted text or name at `at`.
    fn quote_end(&mut self, at: usize) -> Result<usize, SplitError> {
        let quote = self.rest()[at];
        let escapes = self.modes.escapes_in(quote);
        let mut next = at + 1;
        loop {
            let rest = self.rest().get(next..).unwrap_or_default();
            let special = |byte: &u8| *byte == quote || (*byte == b'\\' && escapes);
            match rest.iter().position(special) {
                // A doubled quote ends one text and begins the next: the same for us.
                Some(found) if rest[found] == quote => return Ok(next + found + 1),
                Some(found) => next += found + 2,
                None => next = self.rest().len().max(next),
            }
            if next > self.limit {
                return Err(self.too_long());
            }
            if !self.has(next)? {
                return Err(self.unclosed("quote", at));
            }
        }
    }

    /// `DELIMITER` is the one command of the client that a dump needs: it is for us.
    fn takes_delimiter(&mut self) -> Result<bool, SplitError> {
        const WORD: &[u8] = b"delimiter";
        self.has(WORD.len())?;
        let start = self.rest().get(..WORD.len()).unwrap_or_default();
        let after = self.rest().get(WORD.len()).copied();
        if !start.eq_ignore_ascii_case(WORD) || after.is_some_and(|b| !is_blank(b)) {
            return Ok(false);
        }
        let end = self.line_end(WORD.len())?;
        let line = &self.rest()[WORD.len()..end];
        let length = WORD.len() + line.len();
        let word = line.trim_ascii();
        let word = word.split(|b| is_blank(*b)).next().unwrap_or_default();
        let usable = |b: &u8| b.is_ascii_graphic() && !b"\\'\"`".contains(b);
        if word.is_empty() || word.len() > DELIMITER || !word.iter().all(usable) {
            return Err(SplitError::Delimiter { at: self.before });
        }
        self.delimiter = word.to_vec();
        self.drop_front(length);
        Ok(true)
    }

    /// The statement at the start of the buffer.
    fn statement(&mut self) -> Result<Item, SplitError> {
        self.is_conditional = false;
        let mut stops = [false; 256];
        for byte in b"'\"`-#/\\" {
            stops[usize::from(*byte)] = true;
        }
        stops[usize::from(self.delimiter[0])] = true;
        let mut at = 0;
        loop {
            let rest = self.rest().get(at..).unwrap_or_default();
            let Some(found) = rest.iter().position(|byte| stops[usize::from(*byte)]) else {
                at = self.rest().len();
                if at > self.limit {
                    return Err(self.too_long());
                }
                if !self.has(at)? {
                    return Err(SplitError::Unended { at: self.before });
                }
                continue;
            };
            at += found;
            if at > self.limit {
                return Err(self.too_long());
            }
            self.has(at + self.delimiter.len())?;
            if self.rest()[at..].starts_with(&self.delimiter) {
                let statement = self.rest()[..at].trim_ascii_end().to_vec();
                self.drop_front(at + self.delimiter.len());
                return Ok(Item::Statement(statement));
            }
            let byte = self.rest()[at];
            at = match byte {
                b'\'' | b'"' | b'`' => self.quote_end(at)?,
                b'#' => self.line_end(at)?,
                b'-' if self.byte(at + 1)? == Some(b'-')
                    && self.byte(at + 2)?.is_none_or(is_blank) =>
                {
                    self.line_end(at)?
                }
                b'-' if self.byte(at + 1)? == Some(b'-') => {
                    let after = self.byte(at + 2)?.unwrap_or_default();
                    self.expect_no_comment(at, after)?;
                    at + 1
                }
                b'/' => match self.block_comment(at)? {
                    Comment::None => at + 1,
                    Comment::Plain => self.comment_end(at)?,
                    Comment::Versioned { opener } => at + opener,
                    Comment::Conditional { opener } => {
                        self.expect_plain(at, opener)?;
                        self.is_conditional = true;
                        at + opener
                    }
                    Comment::Unclear => return Err(self.unclear("versioned comment", at)),
                },
                b'\\' => return Err(self.client_command(at)),
                _ => at + 1,
            };
        }
    }

    pub(super) fn line_end(&mut self, at: usize) -> Result<usize, SplitError> {
        let mut next = at;
        loop {
            match self.rest()[next..].iter().position(|byte| *byte == b'\n') {
                Some(found) => return Ok(next + found),
                None => next = self.rest().len(),
            }
            if next > self.limit {
                return Err(self.too_long());
            }
            if !self.has(next)? {
                return Ok(next);
            }
        }
    }

    pub(super) fn unclear(&self, what: &'static str, at: usize) -> SplitError {
        let at = self.before + at as u64;
        SplitError::Unclear { what, at }
    }

    pub(super) fn unclosed(&self, what: &'static str, at: usize) -> SplitError {
        let at = self.before + at as u64;
        SplitError::Unclosed { what, at }
    }

    pub(super) fn too_long(&self) -> SplitError {
        let (at, limit) = (self.before, self.limit);
        SplitError::TooLong { at, limit }
    }

    fn client_command(&self, at: usize) -> SplitError {
        let shown = &self.rest()[at..self.rest().len().min(at + 2)];
        SplitError::ClientCommand {
            at: self.before + at as u64,
            what: String::from_utf8_lossy(shown).into_owned(),
        }
    }
}

/// What the client takes for a blank between words.
pub(super) fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}
