//! Names of members: relative, plain, and the only form in which a path enters or leaves an
//! archive.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest path the system takes, in bytes.
const MAX_PATH: usize = 4095;
/// The longest name of one file, in bytes.
const MAX_NAME: usize = 255;

/// A member's path: relative, without `.`, `..`, empty parts or NUL, at most 4095 bytes. Not
/// necessarily UTF-8.
///
/// In JSON it is a string, or `{"hex": "…"}` if it is not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberPath(Vec<u8>);

/// Why a path cannot name a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// It begins with `/`.
    #[error("is absolute")]
    Absolute,
    /// It has a part `..`.
    #[error("leads out of the archive by `..`")]
    Parent,
    /// Nothing is left of it.
    #[error("is empty")]
    Empty,
    /// It holds a NUL byte.
    #[error("holds a NUL byte")]
    Nul,
    /// It or one of its parts is longer than a file system takes.
    #[error("is longer than a file system takes")]
    TooLong,
}

impl MemberPath {
    /// Checks `raw`; parts `.` and repeated or trailing slashes are dropped.
    ///
    /// # Errors
    /// [`PathError`], when the path could mean a place outside the archive or none at all.
    pub fn new(raw: &[u8]) -> Result<MemberPath, PathError> {
        if raw.first() == Some(&b'/') {
            return Err(PathError::Absolute);
        }
        if raw.contains(&0) {
            return Err(PathError::Nul);
        }
        let mut clean = Vec::with_capacity(raw.len());
        for part in raw.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => continue,
                b".." => return Err(PathError::Parent),
                part if part.len() > MAX_NAME => return Err(PathError::TooLong),
                part => {
                    if !clean.is_empty() {
                        clean.push(b'/');
                    }
                    clean.extend_from_slice(part);
                }
            }
        }
        if clean.is_empty() {
            return Err(PathError::Empty);
        }
        if clean.len() > MAX_PATH {
            return Err(PathError::TooLong);
        }
        Ok(MemberPath(clean))
    }

    /// The member that a file of this system becomes: its absolute path without the leading `/`.
    ///
    /// # Errors
    /// [`PathError`], when `path` has parts `..` or is the root itself.
    pub fn of_file(path: &Path) -> Result<MemberPath, PathError> {
        let bytes = path.as_os_str().as_bytes();
        let start = bytes.iter().take_while(|byte| **byte == b'/').count();
        MemberPath::new(&bytes[start..])
    }

    /// The bytes of the path.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path as the system takes it, relative.
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// The names it is made of, at least one.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|byte| *byte == b'/')
    }

    /// The paths of the directories above it, from the root down.
    pub fn parents(&self) -> impl Iterator<Item = &[u8]> {
        let slashes = self.0.iter().enumerate();
        slashes
            .filter(|(_, byte)| **byte == b'/')
            .map(|(at, _)| &self.0[..at])
    }

    /// Whether it is `other` or lies below it.
    pub fn is_within(&self, other: &MemberPath) -> bool {
        match self.0.strip_prefix(other.0.as_slice()) {
            Some(rest) => rest.is_empty() || rest[0] == b'/',
            None => false,
        }
    }

    /// The member called `name` in this directory.
    ///
    /// # Errors
    /// As [`MemberPath::new`].
    pub fn join(&self, name: &OsStr) -> Result<MemberPath, PathError> {
        MemberPath::new(&[&self.0, b"/".as_slice(), name.as_bytes()].concat())
    }

    /// Where the file lies when the member is put back below `root`.
    pub fn below(&self, root: &Path) -> PathBuf {
        root.join(self.as_path())
    }
}

impl fmt::Display for MemberPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show_bytes(&self.0, f)
    }
}

/// Names of foreign origin reach logs and terminals: nothing but printable characters does.
fn show_bytes(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for character in String::from_utf8_lossy(bytes).chars() {
        if character.is_control() {
            write!(f, "{}", character.escape_default())?;
        } else {
            write!(f, "{character}")?;
        }
    }
    Ok(())
}

/// Foreign bytes as text that is safe to print.
pub(crate) fn shown(bytes: &[u8]) -> String {
    struct Shown<'a>(&'a [u8]);
    impl fmt::Display for Shown<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            show_bytes(self.0, f)
        }
    }
    Shown(bytes).to_string()
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Bytes { hex: String },
}

impl Serialize for MemberPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => Written::Bytes { hex: hex(&self.0) }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for MemberPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = match Written::deserialize(deserializer)? {
            Written::Text(text) => text.into_bytes(),
            Written::Bytes { hex } => unhex(&hex)
                .ok_or_else(|| D::Error::custom("hex of a path must be pairs of hex digits"))?,
        };
        MemberPath::new(&bytes).map_err(|why| D::Error::custom(format!("a member's path {why}")))
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(
        digits
            .chunks(2)
            .map(|pair| (pair[0] * 16 + pair[1]) as u8)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_paths_inside_are_taken() {
        let path = |raw: &str| MemberPath::new(raw.as_bytes()).map(|path| path.to_string());
        assert_eq!(path("./a//b/."), Ok("a/b".to_owned()));
        assert_eq!(path("a/..b/c.."), Ok("a/..b/c..".to_owned()));
        assert_eq!(path("/etc/passwd"), Err(PathError::Absolute));
        assert_eq!(path("a/../../b"), Err(PathError::Parent));
        assert_eq!(path(".."), Err(PathError::Parent));
        assert_eq!(path("./"), Err(PathError::Empty));
        assert_eq!(path("a\0b"), Err(PathError::Nul));
        assert_eq!(path(&"x".repeat(256)), Err(PathError::TooLong));
        assert_eq!(path(&"x/".repeat(3000)), Err(PathError::TooLong));
    }

    #[test]
    fn being_within_ends_at_names() {
        let path = |raw: &str| MemberPath::new(raw.as_bytes()).unwrap();
        assert!(path("a/b").is_within(&path("a")));
        assert!(path("a").is_within(&path("a")));
        assert!(!path("ab").is_within(&path("a")));
        assert_eq!(
            path("a/b/c").parents().collect::<Vec<_>>(),
            [b"a".as_slice(), b"a/b"]
        );
    }

    #[test]
    fn nothing_that_steers_a_terminal_is_shown() {
        let path = MemberPath::new(b"a\x1b[31m\n\xff").unwrap();
        assert!(!path.to_string().contains(['\x1b', '\n']));
    }

    proptest! {
        #[test]
        fn any_bytes_survive_json_or_are_refused(raw in prop::collection::vec(any::<u8>(), 0..40)) {
            let Ok(path) = MemberPath::new(&raw) else { return Ok(()) };
            let json = serde_json::to_string(&path).unwrap();
            prop_assert_eq!(serde_json::from_str::<MemberPath>(&json).unwrap(), path);
        }
    }
}
