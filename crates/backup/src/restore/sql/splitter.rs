//! A stream of SQL text cut into statements, as the stock client cuts it, but without doing what
//! that client does on request: no command of the client is ever carried out.

use std::io::{self, Read};

use super::modes::Modes;

/// How much is read at once.
const READ: usize = 256 << 10;
/// The longest line comment that is handed out; what is longer is cut.
const REMARK: usize = 1 << 10;
/// The longest delimiter.
const DELIMITER: usize = 16;
/// Versioned comments from this version on are for clients, not for servers: MariaDB's own dumps
/// begin with one that a client takes as the order to refuse dangerous commands.
const NEVER: u64 = 999_999;

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
    limit: usize,
    /// How quotes are read from here on.
    pub(in crate::restore) modes: Modes,
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
    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Reads until there is a byte at `at`; false at the end of the text.
    fn has(&mut self, at: usize) -> Result<bool, SplitError> {
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

    fn byte(&mut self, at: usize) -> Result<Option<u8>, SplitError> {
        Ok(self.has(at)?.then(|| self.rest()[at]))
    }

    fn starts_with(&mut self, what: &[u8]) -> Result<bool, SplitError> {
        self.has(what.len())?;
        Ok(self.rest().starts_with(what))
    }

    fn drop_front(&mut self, count: usize) {
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

    /// A comment up to the end of its line, at the start of the buffer.
    fn line_comment(&mut self) -> Result<Option<Vec<u8>>, SplitError> {
        let mark = match (self.byte(0)?, self.byte(1)?, self.byte(2)?) {
            (Some(b'#'), ..) => 1,
            (Some(b'-'), Some(b'-'), None) => 2,
            (Some(b'-'), Some(b'-'), Some(after)) if is_blank(after) => 2,
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
    fn skip_block_comment(&mut self) -> Result<bool, SplitError> {
        if self.block_comment(0)? != Comment::Plain {
            return Ok(false);
        }
        let end = self.comment_end(0)?;
        self.drop_front(end);
        Ok(true)
    }

    /// What kind of comment begins at `at`.
    fn block_comment(&mut self, at: usize) -> Result<Comment, SplitError> {
        if self.byte(at)? != Some(b'/') || self.byte(at + 1)? != Some(b'*') {
            return Ok(Comment::None);
        }
        let mut next = at + 2;
        if self.byte(next)? == Some(b'M') && self.byte(next + 1)? == Some(b'!') {
            next += 1;
        }
        if self.byte(next)? != Some(b'!') {
            return Ok(Comment::Plain);
        }
        next += 1;
        let mut version = 0_u64;
        while let Some(digit) = self.byte(next)?.filter(u8::is_ascii_digit) {
            let digit = u64::from(digit - b'0');
            version = version.saturating_mul(10).saturating_add(digit);
            next += 1;
        }
        Ok(match version {
            NEVER.. => Comment::Plain,
            _ => Comment::Versioned { opener: next - at },
        })
    }

    /// Behind the end of the plain comment at `at`.
    fn comment_end(&mut self, at: usize) -> Result<usize, SplitError> {
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
                b'/' => match self.block_comment(at)? {
                    Comment::None => at + 1,
                    Comment::Plain => self.comment_end(at)?,
                    Comment::Versioned { opener } => at + opener,
                },
                b'\\' => return Err(self.client_command(at)),
                _ => at + 1,
            };
        }
    }

    fn line_end(&mut self, at: usize) -> Result<usize, SplitError> {
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

    fn unclosed(&self, what: &'static str, at: usize) -> SplitError {
        let at = self.before + at as u64;
        SplitError::Unclosed { what, at }
    }

    fn too_long(&self) -> SplitError {
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

#[derive(PartialEq, Eq)]
enum Comment {
    None,
    /// No server reads it.
    Plain,
    /// A server may carry out what is in it; so many bytes open it.
    Versioned {
        opener: usize,
    },
}

/// What the client takes for a blank between words.
pub(super) fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}
