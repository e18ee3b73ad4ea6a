//! PHP's strings.

use zeroize::Zeroizing;

/// A string and how many bytes it takes with its quotes.
pub(super) struct Quoted {
    pub(super) length: usize,
    /// Its value, or why only PHP could tell.
    pub(super) value: Result<Zeroizing<Vec<u8>>, &'static str>,
}

const HAS_VARIABLE: &str = "is a string in double quotes with a $ that stands for a variable";

/// What a name may begin with: PHP counts every byte above ASCII as a letter.
pub(super) fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

/// The name (or number) that `bytes` begin with.
pub(super) fn name(bytes: &[u8]) -> &[u8] {
    let is_part = |byte: &&u8| begins_name(**byte) || byte.is_ascii_digit();
    &bytes[..bytes.iter().take_while(is_part).count()]
}

/// The string that `bytes` begin with; `None` if it has no end.
pub(super) fn quoted(bytes: &[u8]) -> Option<Quoted> {
    let quote = *bytes.first()?;
    let mut value = Zeroizing::new(Vec::new());
    let mut computed = None;
    let mut at = 1;
    loop {
        let byte = *bytes.get(at)?;
        at += 1;
        match byte {
            _ if byte == quote => break,
            b'\\' if quote == b'\'' => match bytes.get(at)? {
                escaped @ (b'\\' | b'\'') => {
                    value.push(*escaped);
                    at += 1;
                }
                _ => value.push(b'\\'),
            },
            b'\\' => at += escape(bytes.get(at..)?, &mut value)?,
            b'$' if quote == b'"' => {
                let next = *bytes.get(at)?;
                if begins_name(next) || next == b'{' {
                    computed = Some(HAS_VARIABLE);
                }
                value.push(b'$');
            }
            b'{' if quote == b'"' && bytes.get(at) == Some(&b'$') => {
                let is_name = bytes.get(at + 1).is_some_and(|b| begins_name(*b));
                if is_name {
                    computed = Some(HAS_VARIABLE);
                }
                value.push(b'{');
            }
            other => value.push(other),
        }
    }
    Some(Quoted {
        length: at,
        value: computed.map_or(Ok(value), Err),
    })
}

/// What follows a backslash in double quotes: adds its meaning to `value` and returns its length.
/// What means nothing keeps its backslash.
fn escape(bytes: &[u8], value: &mut Vec<u8>) -> Option<usize> {
    let plain = match bytes.first()? {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'v' => 0x0b,
        b'e' => 0x1b,
        b'f' => 0x0c,
        same @ (b'\\' | b'$' | b'"') => *same,
        b'0'..=b'7' => return Some(octal(bytes, value)),
        b'x' if bytes.get(1).is_some_and(u8::is_ascii_hexdigit) => {
            let digits = digits(&bytes[1..], 2, 16);
            value.push(u8::try_from(digits.0).unwrap_or(0));
            return Some(1 + digits.1);
        }
        b'u' if bytes.get(1) == Some(&b'{') => return Some(code_point(bytes, value)),
        _ => {
            value.push(b'\\');
            return Some(0);
        }
    };
    value.push(plain);
    Some(1)
}

/// Up to three octal digits; what is above a byte is cut off, as PHP does.
fn octal(bytes: &[u8], value: &mut Vec<u8>) -> usize {
    let (number, length) = digits(bytes, 3, 8);
    value.push((number & 0xff) as u8);
    length
}

/// `u{…}`. What is no code point would not compile, and is kept as it stands.
fn code_point(bytes: &[u8], value: &mut Vec<u8>) -> usize {
    let (number, length) = digits(&bytes[2..], 8, 16);
    let closed = bytes.get(2 + length) == Some(&b'}');
    match char::from_u32(number).filter(|_| closed && length > 0) {
        Some(found) => {
            value.extend(found.to_string().bytes());
            2 + length + 1
        }
        None => {
            value.push(b'\\');
            0
        }
    }
}

/// The number that at most `most` digits at the beginning of `bytes` make, and how many.
fn digits(bytes: &[u8], most: usize, radix: u32) -> (u32, usize) {
    let mut number = 0;
    let mut length = 0;
    for byte in bytes.iter().take(most) {
        let Some(digit) = char::from(*byte).to_digit(radix) else {
            break;
        };
        number = number * radix + digit;
        length += 1;
    }
    (number, length)
}

/// The length of the heredoc or nowdoc that `bytes` begin with; `None` if it has no end.
pub(super) fn heredoc(bytes: &[u8]) -> Option<usize> {
    let after = 3 + bytes[3..]
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    let quote = usize::from(matches!(bytes.get(after), Some(b'\'' | b'"')));
    let label = name(bytes.get(after + quote..)?);
    if label.is_empty() {
        // A shift and a comparison, or nonsense: no string in any case.
        return Some(3);
    }
    let mut at = after + quote + label.len();
    // The label again, alone at the beginning of a line but for blanks.
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == b'\n')? + 1;
        let line = &bytes[at..];
        let blanks = line
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t'))
            .count();
        if name(&line[blanks..]) == label {
            return Some(at + blanks + label.len());
        }
    }
}
