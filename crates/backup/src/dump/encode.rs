//! Rows into `INSERT` statements.

use std::sync::Arc;

use elpis_mysql::{Row, Value};

/// How the bytes of a value become a literal. Numbers and times that arrive typed need no hint
/// but for the difference between a date and a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Digits, unquoted.
    Number,
    /// A quoted string.
    Text,
    /// Hexadecimal.
    Binary,
    /// A date without a time of day.
    Date,
    /// A date with a time of day.
    Moment,
}

/// Builds the statements of one chunk.
pub(super) struct Encoder {
    /// `INSERT INTO ... VALUES\n`
    prefix: Vec<u8>,
    forms: Arc<[Form]>,
    /// The length from which a statement gets no further row.
    limit: usize,
    out: Vec<u8>,
    /// Bytes of the open statement, those already taken included; 0: none is open.
    open: usize,
    rows: u64,
    longest: usize,
}

impl Encoder {
    pub(super) fn new(prefix: Vec<u8>, forms: Arc<[Form]>, limit: usize) -> Self {
        Self {
            prefix,
            forms,
            limit,
            out: Vec::new(),
            open: 0,
            rows: 0,
            longest: 0,
        }
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// The length of the longest statement so far.
    pub(super) fn longest(&self) -> usize {
        self.longest.max(self.open)
    }

    /// Bytes waiting to be taken.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// Hands out the text so far and goes on in `empty`.
    pub(super) fn take(&mut self, empty: Vec<u8>) -> Vec<u8> {
        std::mem::replace(&mut self.out, empty)
    }

    pub(super) fn push(&mut self, row: &Row) {
        self.rows += 1;
        let begin = self.out.len();
        if self.open == 0 {
            self.out.extend_from_slice(&self.prefix);
        } else {
            self.out.extend_from_slice(SEPARATOR);
        }
        self.values(row);
        let grown = self.out.len() - begin;
        if self.open > 0 && self.open + grown > self.limit {
            self.move_to_new_statement(begin);
        } else {
            self.open += grown;
        }
    }

    /// Closes the open statement, if there is one.
    pub(super) fn close(&mut self) {
        if self.open > 0 {
            self.out.extend_from_slice(END);
            self.longest = self.longest.max(self.open + END.len());
            self.open = 0;
        }
    }

    /// The row that begins at `begin` with a separator made the statement too long.
    fn move_to_new_statement(&mut self, begin: usize) {
        let row = self.out.split_off(begin);
        self.close();
        let begin = self.out.len();
        self.out.extend_from_slice(&self.prefix);
        self.out.extend_from_slice(&row[SEPARATOR.len()..]);
        self.open = self.out.len() - begin;
    }

    fn values(&mut self, row: &Row) {
        self.out.push(b'(');
        for (index, &form) in self.forms.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            value(
                &mut self.out,
                row.as_ref(index).unwrap_or(&Value::NULL),
                form,
            );
        }
        self.out.push(b')');
    }
}

const SEPARATOR: &[u8] = b",\n";
const END: &[u8] = b";\n";

fn value(out: &mut Vec<u8>, value: &Value, form: Form) {
    match value {
        Value::NULL => out.extend_from_slice(b"NULL"),
        Value::Bytes(bytes) => match form {
            Form::Number => out.extend_from_slice(bytes),
            Form::Binary => hex(out, bytes),
            Form::Text | Form::Date | Form::Moment => quoted(out, bytes),
        },
        Value::Int(number) => integer(out, *number),
        Value::UInt(number) => integer(out, *number),
        // Exact: every f32 is an f64, and what is loaded is rounded to the nearest f32 again.
        Value::Float(number) => float(out, f64::from(*number)),
        Value::Double(number) => float(out, *number),
        Value::Date(year, month, day, hour, minute, second, micros) => {
            let (year, [month, day, hour, minute, second]) = (
                *year,
                [month, day, hour, minute, second].map(|&part| u32::from(part)),
            );
            out.push(b'\'');
            digits(out, u32::from(year), 4);
            separated(out, b'-', month);
            separated(out, b'-', day);
            if form == Form::Moment {
                separated(out, b' ', hour);
                separated(out, b':', minute);
                separated(out, b':', second);
                fraction(out, *micros);
            }
            out.push(b'\'');
        }
        Value::Time(negative, days, hours, minutes, seconds, micros) => {
            out.push(b'\'');
            if *negative {
                out.push(b'-');
            }
            digits(
                out,
                days.saturating_mul(24).saturating_add(u32::from(*hours)),
                2,
            );
            separated(out, b':', u32::from(*minutes));
            separated(out, b':', u32::from(*seconds));
            fraction(out, *micros);
            out.push(b'\'');
        }
    }
}

fn integer(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// The shortest text that reads back as the same number.
fn float(out: &mut Vec<u8>, number: f64) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format(number);
    match text.strip_suffix(".0") {
        // As an integer or a decimal it would lose its sign.
        Some("-0") => out.extend_from_slice(b"-0e0"),
        Some(whole) => out.extend_from_slice(whole.as_bytes()),
        None => out.extend_from_slice(text.as_bytes()),
    }
}

fn separated(out: &mut Vec<u8>, separator: u8, number: u32) {
    out.push(separator);
    digits(out, number, 2);
}

fn fraction(out: &mut Vec<u8>, micros: u32) {
    if micros > 0 {
        out.push(b'.');
        digits(out, micros, 6);
    }
}

fn digits(out: &mut Vec<u8>, number: u32, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(number).as_bytes();
    out.extend(std::iter::repeat_n(b'0', width.saturating_sub(text.len())));
    out.extend_from_slice(text);
}

/// `0x...`; an empty value has no such form.
fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if bytes.is_empty() {
        out.extend_from_slice(b"''");
        return;
    }
    out.reserve(2 + 2 * bytes.len());
    out.extend_from_slice(b"0x");
    for &byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// In single quotes, with backslash escapes: the dump's own `sql_mode` has them. The bytes are
/// UTF-8, in which none of the escaped ones is part of another character.
pub(super) fn quoted(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'\'');
    let mut done = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        let escape = ESCAPES[usize::from(byte)];
        if escape != 0 {
            out.extend_from_slice(&bytes[done..index]);
            out.extend_from_slice(&[b'\\', escape]);
            done = index + 1;
        }
    }
    out.extend_from_slice(&bytes[done..]);
    out.push(b'\'');
}

/// What follows the backslash; 0 for bytes that stay.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    table[0] = b'0';
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table[0x1a] = b'Z';
    table[b'\'' as usize] = b'\'';
    table[b'\\' as usize] = b'\\';
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(given: Value, form: Form) -> String {
        let mut out = Vec::new();
        value(&mut out, &given, form);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn literals() {
        let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
        for (value, form, expected) in [
            (Value::NULL, Form::Text, "NULL"),
            (bytes(b"a'b\\c\n\r\0\x1a"), Form::Text, r"'a\'b\\c\n\r\0\Z'"),
            (bytes(b""), Form::Text, "''"),
            (bytes(b""), Form::Binary, "''"),
            (bytes(&[0, 0x5f]), Form::Binary, "0x005F"),
            (bytes(b"-12.50"), Form::Number, "-12.50"),
            (Value::Int(i64::MIN), Form::Number, "-9223372036854775808"),
            (Value::UInt(u64::MAX), Form::Number, "18446744073709551615"),
            (Value::Float(1.1), Form::Number, "1.100000023841858"),
            (Value::Float(16_777_218.0), Form::Number, "16777218"),
            (
                Value::Double(0.1 + 0.2),
                Form::Number,
                "0.30000000000000004",
            ),
            (Value::Double(-0.0), Form::Number, "-0e0"),
            (Value::Date(0, 0, 0, 0, 0, 0, 0), Form::Date, "'0000-00-00'"),
            (
                Value::Date(2026, 3, 29, 2, 30, 0, 0),
                Form::Moment,
                "'2026-03-29 02:30:00'",
            ),
            (
                Value::Date(1, 2, 3, 4, 5, 6, 70),
                Form::Moment,
                "'0001-02-03 04:05:06.000070'",
            ),
            (
                Value::Time(true, 34, 22, 59, 59, 0),
                Form::Text,
                "'-838:59:59'",
            ),
            (
                Value::Time(false, 0, 0, 0, 1, 500_000),
                Form::Text,
                "'00:00:01.500000'",
            ),
        ] {
            assert_eq!(literal(value, form), expected);
        }
    }

    #[test]
    fn numbers_read_back_as_themselves() {
        fastrand::seed(1);
        for _ in 0..20_000 {
            let number = f64::from_bits(fastrand::u64(..));
            if number.is_finite() {
                let text = literal(Value::Double(number), Form::Number);
                assert_eq!(
                    text.parse::<f64>().unwrap().to_bits(),
                    number.to_bits(),
                    "{text}"
                );
            }
            let number = f32::from_bits(fastrand::u32(..));
            if number.is_finite() {
                let text = literal(Value::Float(number), Form::Number);
                let back = text.parse::<f64>().unwrap() as f32;
                assert_eq!(back.to_bits(), number.to_bits(), "{text}");
            }
        }
    }
}
