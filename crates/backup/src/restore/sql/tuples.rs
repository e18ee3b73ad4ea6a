//! The rows of `INSERT` statements, counted and summed as text.

use serde::{Deserialize, Serialize};

/// What rows come to, in whatever order they come.
///
/// The sum tells an honest mistake from none; it is no protection against a forger, who could as
/// well write other rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::restore) struct RowSum {
    /// How many.
    pub(in crate::restore) rows: u64,
    /// The sum of their hashes, in two halves for JSON's sake.
    pub(in crate::restore) sum: [u64; 2],
}

impl RowSum {
    fn add(&mut self, row: &[u8]) {
        self.rows += 1;
        for (sum, seed) in self.sum.iter_mut().zip(SEEDS) {
            *sum = sum.wrapping_add(hash(row, seed));
        }
    }

    pub(in crate::restore) fn join(&mut self, other: RowSum) {
        self.rows += other.rows;
        for (sum, more) in self.sum.iter_mut().zip(other.sum) {
            *sum = sum.wrapping_add(more);
        }
    }
}

/// Odd, and with bits set all over.
const SEEDS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f];

/// Multiplies to twice the width and folds, eight bytes at a time.
fn hash(bytes: &[u8], seed: u64) -> u64 {
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        (product as u64) ^ ((product >> 64) as u64)
    };
    let mut state = seed ^ (bytes.len() as u64).wrapping_mul(SEEDS[1]);
    let mut chunks = bytes.chunks_exact(8);
    let mut place = seed;
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        place = place.wrapping_add(SEEDS[0]);
        state =
            fold(state ^ u64::from_le_bytes(word), place | 1).wrapping_add(state.rotate_left(23));
    }
    let mut word = [0; 8];
    let rest = chunks.remainder();
    word[..rest.len()].copy_from_slice(rest);
    fold(state ^ u64::from_le_bytes(word), seed | 1) ^ fold(state.wrapping_add(seed), SEEDS[1])
}

/// Finds the rows in what stands behind `VALUES`, in portions of any size.
#[derive(Debug, Default)]
pub(in crate::restore) struct Tuples {
    state: State,
    depth: u32,
    /// The beginning of a row that goes on in the next portion.
    carried: Vec<u8>,
    /// A backslash was the last byte of a portion.
    is_escaped: bool,
    pub(in crate::restore) sum: RowSum,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the values of a statement: its keywords, names in backticks, a list of columns.
    #[default]
    Head,
    /// Behind `VALUES`.
    Values,
    /// In quotes; and whether it was in the head.
    Quoted(u8, bool),
}

impl Tuples {
    /// For text that begins behind `VALUES`.
    pub(in crate::restore) fn of_values() -> Tuples {
        Tuples {
            state: State::Values,
            ..Tuples::default()
        }
    }

    /// The next portion. Backslashes escape only if `escapes`. In a head, the only word that
    /// begins with a `V` outside of quotes and brackets is `VALUES`, as our own dumps write it.
    pub(in crate::restore) fn push(&mut self, text: &[u8], escapes: bool) {
        let mut begin = 0;
        let mut at = usize::from(std::mem::take(&mut self.is_escaped));
        while let Some(&byte) = text.get(at) {
            at += 1;
            match (self.state, byte) {
                (State::Quoted(quote, in_head), _) => {
                    let special = |b: &u8| *b == quote || (escapes && *b == b'\\' && quote != b'`');
                    let rest = &text[at - 1..];
                    match rest.iter().position(special) {
                        None => at = text.len(),
                        Some(found) if rest[found] == quote => {
                            at += found;
                            self.state = match in_head {
                                true => State::Head,
                                false => State::Values,
                            };
                        }
                        Some(found) => {
                            at += found + 1;
                            self.is_escaped = at > text.len();
                            at = at.min(text.len());
                        }
                    }
                }
                (state, b'\'' | b'"' | b'`') => {
                    self.state = State::Quoted(byte, state == State::Head);
                }
                (_, b'(') => {
                    self.depth += 1;
                    if self.depth == 1 {
                        begin = at;
                        self.carried.clear();
                    }
                }
                (state, b')') => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 && state == State::Values {
                        self.end_row(&text[begin..at - 1]);
                    }
                    if self.depth == 0 {
                        begin = at;
                    }
                }
                (State::Head, b'V') if self.depth == 0 => self.state = State::Values,
                (State::Values, b';') if self.depth == 0 => self.state = State::Head,
                _ => {}
            }
        }
        if self.depth > 0 && self.carries() {
            self.carried.extend_from_slice(&text[begin..]);
        }
    }

    /// Whether what is open is a row and not a list of columns.
    fn carries(&self) -> bool {
        matches!(self.state, State::Values | State::Quoted(_, false))
    }

    fn end_row(&mut self, last: &[u8]) {
        if self.carried.is_empty() {
            self.sum.add(last);
        } else {
            self.carried.extend_from_slice(last);
            self.sum.add(&self.carried);
            self.carried.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "INSERT INTO `t` (`a`,`V(`) VALUES\n(1,'a\\'(),V'),\n(2,');'),\n(3,POINT(1,2));\n\
                        INSERT INTO `t` (`a`,`V(`) VALUES\n(NULL,''),\n(-1,'\\\\');\n";

    fn sum(text: &str, portion: usize) -> RowSum {
        let mut tuples = Tuples::default();
        for part in text.as_bytes().chunks(portion) {
            tuples.push(part, true);
        }
        tuples.sum
    }

    #[test]
    fn rows_are_counted_and_summed_however_they_arrive() {
        let whole = sum(TEXT, 1 << 20);
        assert_eq!(whole.rows, 5);
        for portion in 1..40 {
            assert_eq!(sum(TEXT, portion), whole, "{portion}");
        }
        let other = "INSERT INTO x VALUES (-1,'\\\\'),(3,POINT(1,2)),(NULL,'');INSERT INTO x VALUES (2,');'),(1,'a\\'(),V')";
        assert_eq!(sum(other, 7), whole);
        assert_ne!(sum(&TEXT.replace("(2", "(4"), 99).sum, whole.sum);
        // Two equal mistakes do not cancel each other out, as they would with exclusive or.
        let twice = |row: &str| sum(&format!("INSERT INTO t VALUES {row},{row}"), 99);
        assert_ne!(twice("(1)"), twice("(2)"));
    }

    #[test]
    fn values_alone_and_without_escapes() {
        let mut tuples = Tuples::of_values();
        tuples.push(b" ('c:\\'),('x')", false);
        assert_eq!(tuples.sum.rows, 2);
    }
}
