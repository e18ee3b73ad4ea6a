//! Pax records, as foreign hands may have written them (POSIX.1-2001, pax interchange format).

use super::field::number;

/// What the records before a member say about it. Keys that mean nothing to us are left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::archive) struct Records {
    pub(in crate::archive) path: Option<Vec<u8>>,
    pub(in crate::archive) linkpath: Option<Vec<u8>>,
    pub(in crate::archive) size: Option<u64>,
    pub(in crate::archive) uid: Option<u64>,
    pub(in crate::archive) gid: Option<u64>,
    pub(in crate::archive) uname: Option<Vec<u8>>,
    pub(in crate::archive) gname: Option<Vec<u8>>,
    pub(in crate::archive) mtime: Option<(i64, u32)>,
    pub(in crate::archive) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub(in crate::archive) sparse_major: Option<u64>,
    pub(in crate::archive) sparse_name: Option<Vec<u8>>,
    pub(in crate::archive) sparse_size: Option<u64>,
    /// A sparse file in one of the formats before 1.0.
    pub(in crate::archive) is_old_sparse: bool,
}

const WRONG: &str = "an extended header is no list of records";

/// Reads the records of one extended header.
pub(in crate::archive) fn parse(mut body: &[u8]) -> Result<Records, &'static str> {
    let mut records = Records::default();
    while !body.is_empty() {
        let space = body.iter().position(|byte| *byte == b' ').ok_or(WRONG)?;
        let length = number(&body[..space])
            .and_then(|n| usize::try_from(n).ok())
            .ok_or(WRONG)?;
        if length <= space + 2 || length > body.len() || body[length - 1] != b'\n' {
            return Err(WRONG);
        }
        let record = &body[space + 1..length - 1];
        let equals = record.iter().position(|byte| *byte == b'=').ok_or(WRONG)?;
        records.set(&record[..equals], &record[equals + 1..])?;
        body = &body[length..];
    }
    Ok(records)
}

impl Records {
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        let num = || number(value).ok_or("a number of an extended header is none");
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.linkpath = Some(value.to_vec()),
            b"size" => self.size = Some(num()?),
            b"uid" => self.uid = Some(num()?),
            b"gid" => self.gid = Some(num()?),
            b"uname" => self.uname = Some(value.to_vec()),
            b"gname" => self.gname = Some(value.to_vec()),
            b"mtime" => {
                self.mtime = Some(time(value).ok_or("the time of an extended header is none")?)
            }
            b"GNU.sparse.major" => self.sparse_major = Some(num()?),
            b"GNU.sparse.minor" => {}
            b"GNU.sparse.name" => self.sparse_name = Some(value.to_vec()),
            b"GNU.sparse.realsize" => self.sparse_size = Some(num()?),
            _ if key.starts_with(b"GNU.sparse.") => self.is_old_sparse = true,
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.").filter(|n| !n.is_empty()) {
                    self.xattrs.push((name.to_vec(), value.to_vec()));
                }
            }
        }
        Ok(())
    }

    /// Records for all members may comment, but not rename or resize every one of them.
    pub(in crate::archive) fn expect_harmless(&self) -> Result<(), &'static str> {
        if *self == Records::default() {
            return Ok(());
        }
        Err("a header for all members says what only one member can say")
    }
}

/// Seconds with a fraction, counted from 1970, as seconds downwards and nanoseconds upwards.
fn time(value: &[u8]) -> Option<(i64, u32)> {
    let (negative, digits) = match value.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, value),
    };
    let mut halves = digits.splitn(2, |byte| *byte == b'.');
    let whole = i64::try_from(number(halves.next()?)?).ok()?;
    let mut nanos = 0;
    for place in 0..9 {
        let fraction = digits.iter().position(|byte| *byte == b'.');
        let digit = fraction
            .and_then(|dot| digits.get(dot + 1 + place))
            .unwrap_or(&b'0');
        nanos = nanos * 10 + u32::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    Some(match (negative, nanos) {
        (false, _) => (whole, nanos),
        (true, 0) => (-whole, 0),
        (true, _) => (-whole - 1, 1_000_000_000 - nanos),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_and_anything_else_is_refused() {
        let records = parse(b"9 path=a\n20 mtime=1.500000000\n".as_slice());
        assert!(records.is_err(), "the second record's length is wrong");
        let records = parse(b"9 path=a\n21 mtime=1.500000000\n").unwrap();
        assert_eq!(
            (records.path.as_deref(), records.mtime),
            (Some(b"a".as_slice()), Some((1, 500_000_000)))
        );
        for wrong in [
            "9 path=ab\n",
            "999 path=a\n",
            "x",
            "0 a=b\n",
            "3 \n",
            "9 path:a\n",
            "18446744073709551616 a=b\n",
        ] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
        assert!(parse(b"14 comment=abc\n").is_err());
        assert!(
            parse(b"15 comment=abc\n")
                .unwrap()
                .expect_harmless()
                .is_ok()
        );
        assert!(parse(b"9 path=a\n").unwrap().expect_harmless().is_err());
    }

    #[test]
    fn times_before_1970_count_backwards() {
        assert_eq!(time(b"-1.5"), Some((-2, 500_000_000)));
        assert_eq!(time(b"-0.25"), Some((-1, 750_000_000)));
        assert_eq!(time(b"-3"), Some((-3, 0)));
        assert_eq!(time(b"1.0000000019"), Some((1, 1)));
        assert_eq!(time(b"1.x"), None);
        assert_eq!(time(b""), None);
    }
}
