//! What a statement of a dump must not have in it, whatever it is: a second statement, another
//! database, anything that the server would work out or copy instead of storing what is written.
//!
//! The driver lets a server carry out several statements at once, and a function or a trigger may do
//! anything: what is not plain is not sent.

use super::body::goes_on;
use super::kind::{Kind, StatementError};
use super::modes::Modes;
use super::tokens::{Token, tokens};
use super::words::{SCOPES, Words};

/// Functions that the settings of dumps use.
const IN_SETTINGS: [&str; 4] = ["IFNULL", "COALESCE", "CONCAT", "REPLACE"];
/// Behind these a list of changes reaches beyond its table.
const BEYOND: [&str; 6] = [
    "EXCHANGE",
    "DISCARD",
    "IMPORT",
    "UNION",
    "ENGINE",
    "CONNECTION",
];
/// Character sets in which the second byte of a letter may be a quote or a backslash.
const AMBIGUOUS: [&str; 5] = ["big5", "cp932", "gbk", "gb18030", "sjis"];

/// Looks at a statement of which `kind` is known.
pub(super) fn guard(sql: &[u8], kind: &Kind, modes: &Modes) -> Result<(), StatementError> {
    let start = || Words::new(tokens(sql, modes), sql).start();
    if let Kind::Rows { values, .. } = kind {
        let rest = sql.get(*values..).unwrap_or_default();
        return match strange(rest, modes) {
            None => Ok(()),
            Some(b';') => Err(StatementError::Several { start: start() }),
            Some(byte) => Err(StatementError::Computed {
                start: start(),
                what: char::from(byte).escape_default().to_string(),
            }),
        };
    }
    if let Kind::Object {
        object,
        is_made: true,
        ..
    } = kind
        && kind.is_body()
    {
        // Its parts end like statements. What this does not see, the server does, which is asked to
        // prepare it.
        return match goes_on(sql, *object, modes) {
            true => Err(StatementError::Several { start: start() }),
            false => Ok(()),
        };
    }
    let words: Vec<Token> = tokens(sql, modes).collect();
    if words.contains(&Token::Sign(b';')) {
        return Err(StatementError::Several { start: start() });
    }
    if words.contains(&Token::Sign(0)) {
        let what = "\\0".to_owned();
        return Err(StatementError::Computed {
            start: start(),
            what,
        });
    }
    let found = match kind {
        Kind::Table { .. } => of_table(&words),
        Kind::Alter { .. } => of_alter(&words),
        Kind::Set => of_set(&words),
        Kind::Schema => of_sequence(&words),
        _ => None,
    };
    match found {
        None => Ok(()),
        Some(Found::Qualified) => Err(StatementError::Qualified { start: start() }),
        Some(Found::Global) => Err(StatementError::Global { start: start() }),
        Some(Found::Charset) => Err(StatementError::Charset { start: start() }),
        Some(Found::Computed(what)) => Err(StatementError::Computed {
            start: start(),
            what,
        }),
    }
}

/// Whether letters of this character set may end in a quote or a backslash.
pub(in crate::restore) fn is_ambiguous(charset: &str) -> bool {
    AMBIGUOUS.contains(&charset)
}

enum Found {
    Qualified,
    Global,
    Charset,
    Computed(String),
}

fn computed(word: &Token) -> Option<Found> {
    Some(Found::Computed(match word {
        Token::Sign(sign) => char::from(*sign).escape_default().to_string(),
        word => word.name().unwrap_or_else(|| "a value".to_owned()),
    }))
}

/// The first byte of rows that is part of no list of literals.
fn strange(rows: &[u8], modes: &Modes) -> Option<u8> {
    let mut is_open = false;
    // The last byte that was no blank, and whether blanks came after it.
    let (mut last, mut apart) = (b',', false);
    let mut at = 0;
    while let Some(&byte) = rows.get(at) {
        at += 1;
        let is_word = byte.is_ascii_alphanumeric() || byte == b'_';
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => {
                apart = true;
                continue;
            }
            b'(' if !is_open => is_open = true,
            b')' if is_open => is_open = false,
            b',' => {}
            _ if !is_open => return Some(byte),
            b'"' if modes.is_ansi() => return Some(byte),
            b'\'' | b'"' => at = past_quote(rows, at, modes),
            _ if is_word && apart && (last.is_ascii_alphanumeric() || last == b'_') => {
                return Some(b' ');
            }
            // `sequence.NEXTVAL`
            b'.' if last.is_ascii_alphabetic() || last == b'_' => return Some(byte),
            _ if last == b'.' && (byte.is_ascii_alphabetic() || byte == b'_') => return Some(b'.'),
            b'-' if last == b'-' => return Some(byte),
            b'-' | b'+' | b'.' => {}
            _ if is_word => {}
            _ => return Some(byte),
        }
        (last, apart) = (byte, false);
    }
    None
}

/// Behind the quote that closes what the one before `at` opens.
fn past_quote(rows: &[u8], mut at: usize, modes: &Modes) -> usize {
    let quote = rows[at - 1];
    let escapes = modes.escapes_in(quote);
    loop {
        let rest = rows.get(at..).unwrap_or_default();
        let special = |byte: &u8| *byte == quote || (*byte == b'\\' && escapes);
        match rest.iter().position(special) {
            Some(found) if rest[found] == quote => return at + found + 1,
            Some(found) => at += found + 2,
            None => return rows.len(),
        }
    }
}

/// `database.name`, unless it is the sequence of a default: a plan tells what becomes of those.
fn qualified(words: &[Token]) -> bool {
    let is_name = |word: &Token| match word {
        Token::Name(_) => true,
        Token::Word(word) => !word.first().is_some_and(u8::is_ascii_digit),
        _ => false,
    };
    let of_sequence = |at: usize| {
        let before = words[..at].iter().rev().take(2);
        let names = ["NEXTVAL", "LASTVAL", "FOR"];
        before
            .into_iter()
            .any(|word| names.iter().any(|name| word.is(name)))
    };
    words.windows(3).enumerate().any(|(at, three)| {
        let dot = three[1] == Token::Sign(b'.');
        dot && is_name(&three[0]) && is_name(&three[2]) && !of_sequence(at)
    })
}

fn of_table(words: &[Token]) -> Option<Found> {
    if qualified(words) {
        return Some(Found::Qualified);
    }
    let mut depth = 0_i32;
    let mut before = &Token::Sign(b' ');
    for (at, word) in words.iter().enumerate() {
        match word {
            Token::Sign(b'(') => depth += 1,
            Token::Sign(b')') => depth -= 1,
            _ => {}
        }
        let leads = depth == 0 || *before == Token::Sign(b'(');
        let copies = ["VALUES", "AS", "LIKE", "TABLE"];
        // `CREATE TABLE` itself is the first of them.
        let copies = at > 2 && leads && copies.iter().any(|copies| word.is(copies));
        if copies || word.is("SELECT") {
            return computed(word);
        }
        before = word;
    }
    None
}

fn of_alter(words: &[Token]) -> Option<Found> {
    if qualified(words) {
        return Some(Found::Qualified);
    }
    let parts = ["COLUMN", "INDEX", "KEY"];
    let is_beyond = |at: usize, word: &&Token| {
        let next = words.get(at + 1);
        let next = |any: &[&str]| next.is_some_and(|next| any.iter().any(|any| next.is(any)));
        BEYOND.iter().any(|beyond| word.is(beyond))
            || word.is("RENAME") && !next(&parts)
            || word.is("CONVERT") && next(&["TABLE", "PARTITION"])
            || word.is("SELECT")
    };
    let mut all = words.iter().enumerate();
    let (_, word) = all.find(|(at, word)| is_beyond(*at, word))?;
    computed(word)
}

fn of_set(words: &[Token]) -> Option<Found> {
    for (at, word) in words.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| &words[at]);
        let begins = before.is_some_and(|before| before.is("SET") || *before == Token::Sign(b','));
        if begins && SCOPES.iter().any(|scope| word.is(scope)) {
            return Some(Found::Global);
        }
        let is_call = *word == Token::Sign(b'(');
        let known = before.is_some_and(|before| IN_SETTINGS.iter().any(|name| before.is(name)));
        if is_call && !known {
            return computed(before.unwrap_or(word));
        }
        if AMBIGUOUS.iter().any(|name| is_text(word, name)) {
            return Some(Found::Charset);
        }
        if word.is("SELECT") {
            return computed(word);
        }
        // Two texts side by side are one for a server.
        if matches!((before, word), (Some(Token::Text(_)), Token::Text(_))) {
            return computed(word);
        }
    }
    None
}

/// Whether it is this word, or a text that begins with it.
fn is_text(word: &Token, name: &str) -> bool {
    match word {
        Token::Word(text) | Token::Text(text) => text
            .get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes())),
        _ => false,
    }
}

/// `SETVAL(name, numbers)`; everything else of a sequence has no brackets.
fn of_sequence(words: &[Token]) -> Option<Found> {
    let open = words.iter().position(|word| *word == Token::Sign(b'('))?;
    let plain = |word: &Token| match word {
        Token::Word(word) => word.iter().all(u8::is_ascii_digit),
        Token::Sign(sign) => b",-".contains(sign),
        _ => false,
    };
    // The name may have that of the database in front.
    let dots = words.iter().skip(open).filter(|w| **w == Token::Sign(b'.'));
    let mut rest = words.iter().skip(open + 2 + 2 * dots.count().min(1));
    let odd = rest.find(|word| !plain(word))?;
    match (odd, rest.next()) {
        (Token::Sign(b')'), None) => None,
        (odd, next) => computed(next.unwrap_or(odd)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Option<char> {
        strange(text.as_bytes(), &Modes::default()).map(char::from)
    }

    #[test]
    fn rows_are_lists_of_literals() {
        for text in [
            "(1,-2,+3.5e-7,.5,NULL,DEFAULT),\n(x'00',0x1f,b'101',_binary 'a\\'(;',N'x',\"q\"\"(\"),()",
            " ( 1 , 'a;b' , TRUE )",
        ] {
            assert_eq!(rows(text), None, "{text}");
        }
        for (text, what) in [
            ("((SELECT 1))", '('),
            ("(f())", '('),
            ("(1); DROP DATABASE x", ';'),
            ("(1) ON DUPLICATE KEY UPDATE a = 1", 'O'),
            ("(NEXT VALUE FOR s)", ' '),
            ("(s.NEXTVAL)", '.'),
            ("(`a`)", '`'),
            ("(@a)", '@'),
            ("(1/*!99999 ,' */),(2/* ' */)", '/'),
            ("(1 -- x\n)", '-'),
            ("(1) RETURNING a", 'R'),
        ] {
            assert_eq!(rows(text), Some(what), "{text}");
        }
    }
}
