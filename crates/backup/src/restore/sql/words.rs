//! The words of one statement, read until it is clear what it is.

mod statement;

use std::ops::Range;

use super::kind::StatementError;
use super::tokens::{Token, Tokens};

pub(super) use statement::SCOPES;

/// A word and where it stands.
struct Word<'a> {
    token: Token<'a>,
    place: Range<usize>,
}

/// A reader of words with a place to go back to.
pub(in crate::restore) struct Words<'a> {
    statement: &'a [u8],
    words: Vec<Word<'a>>,
    at: usize,
    /// The database that the text is of, if that is known.
    own: Option<&'a str>,
    /// Where its name stands in front of others.
    qualifiers: Vec<Range<usize>>,
}

/// So many words tell what a statement is; a list of columns has more.
const ENOUGH: usize = 40;

impl<'a> Words<'a> {
    pub(super) fn new(mut all: Tokens<'a>, statement: &'a [u8]) -> Words<'a> {
        let mut words = Vec::new();
        while words.len() < ENOUGH {
            let Some(token) = all.next() else { break };
            let place = all.from()..all.at();
            words.push(Word { token, place });
        }
        Words {
            statement,
            words,
            at: 0,
            own: None,
            qualifiers: Vec::new(),
        }
    }

    /// The name of this database may stand in front of those of its objects.
    pub(super) fn of_database(mut self, own: Option<&'a str>) -> Words<'a> {
        self.own = own;
        self
    }

    /// Where the database's own name stands in front of names that were read.
    pub(super) fn qualifiers(self) -> Vec<Range<usize>> {
        self.qualifiers
    }

    fn peek(&self) -> Option<&Token<'a>> {
        self.words.get(self.at).map(|word| &word.token)
    }

    /// Behind the last word that was taken.
    fn place(&self) -> usize {
        let last = self.at.checked_sub(1).and_then(|at| self.words.get(at));
        last.map_or(0, |word| word.place.end)
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

    /// The name of something whose statement may name the database that it is in.
    fn own_name(&mut self) -> Result<String, StatementError> {
        let mut next = self.words.iter().skip(self.at);
        if let (Some(first), Some(dot), Some(own)) = (next.next(), next.next(), self.own)
            && dot.token == Token::Sign(b'.')
            && first.token.name().as_deref() == Some(own)
        {
            self.qualifiers.push(first.place.clone());
            self.at += 2;
        }
        self.name()
    }

    /// One name, or several with commas between them.
    fn names(
        &mut self,
        one: fn(&mut Self) -> Result<String, StatementError>,
    ) -> Result<Vec<String>, StatementError> {
        let mut names = vec![one(self)?];
        while self.take_sign(b',') {
            names.push(one(self)?);
        }
        Ok(names)
    }

    fn unknown(&self) -> StatementError {
        StatementError::Unknown {
            start: self.start(),
        }
    }

    /// Its first words, without anything that could be a value.
    pub(super) fn start(&self) -> String {
        let names = self.words.iter().map_while(|word| word.token.name());
        let start: Vec<String> = names.take(4).collect();
        if start.is_empty() {
            return format!("{} bytes", self.statement.len());
        }
        let start: String = start.join(" ").chars().take(60).collect();
        start.replace(|c: char| c.is_control(), "?")
    }
}
