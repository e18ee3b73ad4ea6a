//! `$config["key"] = literal;` in a list of tokens.

use elpis_run::Secret;

use super::token::{Kind, Token};
use super::{Assigned, Value};

/// Every assignment to an element of `$config`, in order.
pub(super) fn assignments(tokens: &[Token]) -> Vec<(Vec<u8>, Assigned)> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Kind::Variable(name) = &token.kind else {
            continue;
        };
        let Some(rest) = tokens.get(at + 1..).filter(|_| name == b"config") else {
            continue;
        };
        let [open, key, close, equals, value @ ..] = rest else {
            continue;
        };
        let signs = (&open.kind, &close.kind, &equals.kind);
        let (Kind::Sign(b'['), Kind::Sign(b']'), Kind::Sign(b'=')) = signs else {
            continue;
        };
        // `==` and `=>` assign nothing.
        let compares = matches!(
            value.first().map(|token| &token.kind),
            Some(Kind::Sign(b'=' | b'>'))
        );
        if let (Kind::Text(key), false) = (&key.kind, compares) {
            let line = token.line;
            let value = expression(value);
            found.push((key.to_vec(), Assigned { line, value }));
        }
    }
    found
}

/// The value of the expression that `tokens` begin with: literals, joined with `.`, up to a `;`.
fn expression(tokens: &[Token]) -> Value {
    let is_end = |token: &Token| token.kind == Kind::Sign(b';');
    let end = tokens.iter().position(is_end).unwrap_or(tokens.len());
    let tokens = &tokens[..end];
    match tokens {
        [
            Token {
                kind: Kind::Word(word),
                ..
            },
        ] => return word_alone(word),
        [
            Token {
                kind: Kind::Sign(b'-'),
                ..
            },
            Token {
                kind: Kind::Word(word),
                ..
            },
        ] if is_number(word) => {
            return Value::Literal(Secret::new([b"-", word.as_slice()].concat()));
        }
        _ => {}
    }
    let mut value = zeroize::Zeroizing::new(Vec::new());
    for (place, token) in tokens.iter().enumerate() {
        match (&token.kind, place % 2) {
            (Kind::Text(text), 0) => value.extend(text.iter()),
            (Kind::Sign(b'.'), 1) => {}
            (Kind::Computed(why), _) => return Value::Computed(why),
            _ => return Value::Computed(EXPRESSION),
        }
    }
    if tokens.len().is_multiple_of(2) {
        return Value::Computed(EXPRESSION);
    }
    Value::Literal(Secret::new(value.to_vec()))
}

const EXPRESSION: &str = "is an expression";

fn word_alone(word: &[u8]) -> Value {
    let literal = |text: &[u8]| Value::Literal(Secret::new(text.to_vec()));
    match word.to_ascii_lowercase().as_slice() {
        b"true" => literal(b"1"),
        b"false" => literal(b""),
        b"null" => Value::Null,
        _ if is_number(word) => literal(word),
        _ => Value::Computed("is a constant"),
    }
}

/// A whole number in decimal. A leading zero would make it octal.
fn is_number(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_digit) && (word.len() == 1 || word.first() != Some(&b'0'))
}
