//! What each of the product's readers sees in one line (its line end included): the places of
//! token and value.

use std::ops::Range;

type Seen = Option<(Range<usize>, Range<usize>)>;

/// Perl's `\s`, on bytes.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Perl's `\w`, on bytes.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// What the value of a line the server takes may begin with.
fn begins_value(byte: u8) -> bool {
    is_word(byte) || b"-./?&=)(!*@#%$~\"'".contains(&byte)
}

fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| is_blank(**byte)).count()
}

/// The part of `line` from `start` on without blanks at its ends.
fn trimmed(line: &[u8], start: usize) -> Range<usize> {
    let start = start + blanks(&line[start..]);
    let rest = &line[start..];
    let tail = rest.iter().rev().take_while(|byte| is_blank(**byte));
    start..line.len() - tail.count()
}

/// The maintenance tool: a token, blanks, a value, and at least one blank after it, which is
/// usually the line end.
pub(super) fn tool(line: &[u8]) -> Seen {
    let key = line.iter().take_while(|byte| !is_blank(**byte)).count();
    let value = trimmed(line, key);
    let before = value.start - key;
    let after = line.len() - value.end;
    // With nothing between them, the blanks must serve both as those before and those after.
    let seen = match value.is_empty() {
        true => key > 0 && before >= 2,
        false => key > 0 && before >= 1 && after >= 1,
    };
    seen.then_some((0..key, value))
}

/// The server: a line that begins with a letter and somewhere has a word character (or `-`, `.`),
/// exactly one blank, and what may begin a value; then a token, one blank, and the rest.
pub(super) fn server(line: &[u8]) -> Seen {
    if !line.first()?.is_ascii_alphabetic() {
        return None;
    }
    let ends_word = |byte: u8| is_word(byte) || byte == b'-' || byte == b'.';
    let taken = line
        .windows(3)
        .any(|three| ends_word(three[0]) && is_blank(three[1]) && begins_value(three[2]));
    let key = line.iter().take_while(|byte| !is_blank(**byte)).count();
    (taken && key < line.len()).then(|| (0..key, trimmed(line, key)))
}
