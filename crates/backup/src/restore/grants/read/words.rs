//! The words of one statement, taken one after the other, and the names among them.

use std::ops::Range;

use crate::restore::grants::wish::Account;
use crate::restore::sql::Token;

pub(super) const STRANGE: &str = "it is nothing that our dumps write";
const NAME: &str = "it has a name that none can be";

/// The words of one statement.
pub(super) struct Reader<'a> {
    list: &'a str,
    pub(super) words: Vec<(Token<'a>, Range<usize>)>,
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(list: &'a str, words: Vec<(Token<'a>, Range<usize>)>) -> Reader<'a> {
        Reader { list, words, at: 0 }
    }

    pub(super) fn accounts(&mut self) -> Result<Vec<Account>, &'static str> {
        let mut all = vec![self.account()?];
        while self.sign(b',') {
            all.push(self.account()?);
        }
        Ok(all)
    }

    /// An account that has a name.
    pub(super) fn account(&mut self) -> Result<Account, &'static str> {
        let account = self.proxied()?;
        match account.user.is_empty() {
            true => Err(NAME),
            false => Ok(account),
        }
    }

    /// An account, which may be that of nobody.
    pub(super) fn proxied(&mut self) -> Result<Account, &'static str> {
        let user = match self.peek() {
            Some(Token::Name(_) | Token::Text(_)) => self.text()?,
            _ => return Err(NAME),
        };
        let host = match self.peek() {
            Some(Token::Variable(_)) => Some(self.text()?),
            _ => None,
        };
        Ok(Account { user, host })
    }

    /// A name in back quotes.
    pub(super) fn name(&mut self) -> Result<String, &'static str> {
        match self.peek() {
            Some(Token::Name(_)) => self.text().and_then(|name| match name.is_empty() {
                true => Err(NAME),
                false => Ok(name),
            }),
            _ => Err(NAME),
        }
    }

    /// What stands between the quotes of the next word, whatever they are and whether it is a host.
    pub(super) fn text(&mut self) -> Result<String, &'static str> {
        let place = self.words.get(self.at).map(|(_, place)| place.clone());
        let raw = place
            .and_then(|place| self.list.get(place))
            .ok_or(STRANGE)?;
        let raw = raw.strip_prefix('@').unwrap_or(raw);
        self.at += 1;
        unquoted(raw).ok_or(NAME)
    }

    pub(super) fn peek(&self) -> Option<&Token<'a>> {
        self.words.get(self.at).map(|(token, _)| token)
    }

    pub(super) fn take(&mut self, keyword: &str) -> bool {
        self.take_all(&[keyword])
    }

    /// Takes these words if they come one after the other.
    pub(super) fn take_all(&mut self, keywords: &[&str]) -> bool {
        let rest = self.words.get(self.at..).unwrap_or_default();
        let mut pairs = keywords.iter().zip(rest);
        let are = rest.len() >= keywords.len() && pairs.all(|(key, (word, _))| word.is(key));
        self.at += if are { keywords.len() } else { 0 };
        are
    }

    pub(super) fn expect(&mut self, keyword: &str) -> Result<(), &'static str> {
        match self.take(keyword) {
            true => Ok(()),
            false => Err(STRANGE),
        }
    }

    pub(super) fn sign(&mut self, sign: u8) -> bool {
        let is = self.peek() == Some(&Token::Sign(sign));
        self.at += usize::from(is);
        is
    }
}

/// What a quoted word says, whole and without zero bytes. Back quotes know no backslash.
fn unquoted(raw: &str) -> Option<String> {
    let mut rest = raw.chars();
    let quote = rest.next().filter(|c| ['`', '\'', '"'].contains(c))?;
    let mut said = String::new();
    loop {
        let c = match rest.next()? {
            c if c == quote => match rest.next() {
                None => break,
                Some(again) if again == quote => quote,
                Some(_) => return None,
            },
            '\\' if quote != '`' => match rest.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\u{8}',
                'Z' => '\u{1a}',
                '0' => '\0',
                other => other,
            },
            c => c,
        };
        said.push(c);
    }
    (!said.contains('\0')).then_some(said)
}
