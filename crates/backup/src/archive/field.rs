//! The fields of one header block, as foreign hands may have written them.

use super::entry::Extent;
use super::header::BLOCK;

/// A header block whose sum is right.
pub(in crate::archive) struct Header<'a>(&'a [u8; BLOCK]);

/// The pieces of a sparse map, and whether another block follows.
type Pieces = (Vec<Extent>, bool);

impl<'a> Header<'a> {
    pub(in crate::archive) fn check(block: &'a [u8; BLOCK]) -> Result<Header<'a>, &'static str> {
        let sum: u64 = block
            .iter()
            .enumerate()
            .map(|(at, byte)| {
                if (148..156).contains(&at) {
                    32
                } else {
                    u64::from(*byte)
                }
            })
            .sum();
        if octal(&block[148..156]) != Some(sum) {
            return Err("its sum is wrong");
        }
        Ok(Header(block))
    }

    pub(in crate::archive) fn flag(&self) -> u8 {
        self.0[156]
    }

    fn is_gnu(&self) -> bool {
        &self.0[257..265] == b"ustar  \0"
    }

    fn is_ustar(&self) -> bool {
        &self.0[257..263] == b"ustar\0"
    }

    /// Name with ustar's prefix before it.
    pub(in crate::archive) fn name(&self) -> Vec<u8> {
        let name = text(&self.0[0..100]);
        let prefix = if self.is_ustar() {
            text(&self.0[345..500])
        } else {
            &[]
        };
        if prefix.is_empty() {
            return name.to_vec();
        }
        [prefix, b"/", name].concat()
    }

    pub(in crate::archive) fn link(&self) -> Vec<u8> {
        text(&self.0[157..257]).to_vec()
    }

    pub(in crate::archive) fn mode(&self) -> Result<u32, &'static str> {
        let mode = unsigned(&self.0[100..108]).ok_or("its mode is no number")?;
        Ok((mode & 0o7777) as u32)
    }

    pub(in crate::archive) fn uid(&self) -> Result<u64, &'static str> {
        unsigned(&self.0[108..116]).ok_or("its owner is no number")
    }

    pub(in crate::archive) fn gid(&self) -> Result<u64, &'static str> {
        unsigned(&self.0[116..124]).ok_or("its group is no number")
    }

    pub(in crate::archive) fn size(&self) -> Result<u64, &'static str> {
        unsigned(&self.0[124..136]).ok_or("its size is no number")
    }

    pub(in crate::archive) fn mtime(&self) -> Result<i64, &'static str> {
        signed(&self.0[136..148]).ok_or("its time is no number")
    }

    pub(in crate::archive) fn uname(&self) -> Vec<u8> {
        self.owner_name(265)
    }

    pub(in crate::archive) fn gname(&self) -> Vec<u8> {
        self.owner_name(297)
    }

    fn owner_name(&self, at: usize) -> Vec<u8> {
        if self.is_gnu() || self.is_ustar() {
            text(&self.0[at..at + 32]).to_vec()
        } else {
            Vec::new()
        }
    }

    /// Of GNU's old sparse format: the first four pieces, whether more follow, the file's size.
    pub(in crate::archive) fn gnu_sparse(&self) -> Result<(Vec<Extent>, bool, u64), &'static str> {
        if !self.is_gnu() {
            return Err("it has holes in an unknown format");
        }
        let size = unsigned(&self.0[483..495]).ok_or("its size is no number")?;
        let extents = pieces(&self.0[386..386 + 4 * 24])?;
        Ok((extents, self.0[482] != 0, size))
    }

    /// A block that goes on with the pieces of GNU's old sparse format.
    pub(in crate::archive) fn gnu_sparse_block(
        block: &[u8; BLOCK],
    ) -> Result<Pieces, &'static str> {
        Ok((pieces(&block[..21 * 24])?, block[504] != 0))
    }
}

fn pieces(fields: &[u8]) -> Result<Vec<Extent>, &'static str> {
    fields
        .chunks_exact(24)
        .take_while(|field| field[0] != 0)
        .map(|field| {
            Some(Extent {
                offset: unsigned(&field[..12])?,
                length: unsigned(&field[12..])?,
            })
        })
        .collect::<Option<_>>()
        .ok_or("the map of holes is no list of numbers")
}

/// Up to the first NUL.
fn text(field: &[u8]) -> &[u8] {
    let end = field
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(field.len());
    &field[..end]
}

fn unsigned(field: &[u8]) -> Option<u64> {
    signed(field).and_then(|value| value.try_into().ok())
}

/// Octal text, or GNU's binary form, which the first bit marks.
fn signed(field: &[u8]) -> Option<i64> {
    if field[0] & 0x80 == 0 {
        return octal(field)?.try_into().ok();
    }
    // Two's complement in the bits after the mark.
    let mut value = if field[0] & 0x40 == 0 {
        i128::from(field[0] & 0x3f)
    } else {
        i128::from(field[0] | 0x80) - 256
    };
    for byte in &field[1..] {
        value = (value << 8) | i128::from(*byte);
    }
    value.try_into().ok()
}

/// Octal digits with spaces before and spaces or NULs behind; an empty field is 0.
fn octal(field: &[u8]) -> Option<u64> {
    let text = text(field).trim_ascii();
    text.iter().try_fold(0u64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

/// A decimal number and nothing else.
pub(in crate::archive) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |value, digit| match digit {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_both_forms() {
        assert_eq!(signed(b"0000644\0"), Some(0o644));
        assert_eq!(signed(b"   644 \0"), Some(0o644));
        assert_eq!(signed(b"\0\0\0\0\0\0\0\0"), Some(0));
        assert_eq!(signed(b"0000648\0"), None);
        assert_eq!(signed(b"\x80\0\0\0\0\0\x01\0"), Some(256));
        assert_eq!(signed(b"\xff\xff\xff\xff\xff\xff\xff\xfe"), Some(-2));
        assert_eq!(unsigned(b"\xff\xff\xff\xff\xff\xff\xff\xfe"), None);
        assert_eq!(
            signed(b"\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
            None
        );
        assert_eq!(number(b"18446744073709551616"), None);
        assert_eq!(number(b""), None);
    }
}
