//! Names of tables and columns inside SQL text.

/// Why a name cannot be an identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentError {
    /// The name has no characters.
    #[error("a name of a database object must not be empty")]
    Empty,
    /// The name has more than 64 characters, the server's limit.
    #[error("the name {name:?} has {length} characters, the server allows 64")]
    TooLong {
        /// The name as given.
        name: String,
        /// Its characters.
        length: usize,
    },
    /// The name contains a NUL character or one outside the Basic Multilingual Plane.
    #[error("the name {name:?} contains {character:?}, which the server does not allow")]
    Character {
        /// The name as given.
        name: String,
        /// The first such character.
        character: char,
    },
    /// The name ends with a space, which the server would refuse or cut off.
    #[error("the name {name:?} ends with a space")]
    TrailingSpace {
        /// The name as given.
        name: String,
    },
}

/// Quotes a name for use as one identifier in SQL text: in backticks, backticks doubled.
///
/// This is the only place where identifiers are quoted. The result does not depend on
/// `sql_mode`.
///
/// # Errors
/// Names that the server cannot store as they are: empty ones, names of more than 64
/// characters, with NUL, with characters beyond U+FFFF, or with a space at the end.
pub fn quote(name: &str) -> Result<String, IdentError> {
    let owned = || name.to_owned();
    let length = name.chars().count();
    if name.is_empty() {
        return Err(IdentError::Empty);
    }
    if length > 64 {
        return Err(IdentError::TooLong {
            name: owned(),
            length,
        });
    }
    if let Some(character) = name.chars().find(|&c| c == '\0' || c > '\u{ffff}') {
        return Err(IdentError::Character {
            name: owned(),
            character,
        });
    }
    if name.ends_with(' ') {
        return Err(IdentError::TrailingSpace { name: owned() });
    }
    Ok(format!("`{}`", name.replace('`', "``")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_the_server_cannot_store() {
        assert_eq!(quote(""), Err(IdentError::Empty));
        assert!(quote(&"ä".repeat(64)).is_ok());
        assert!(matches!(
            quote(&"ä".repeat(65)),
            Err(IdentError::TooLong { length: 65, .. })
        ));
        assert!(matches!(quote("a\0b"), Err(IdentError::Character { .. })));
        assert!(matches!(quote("a😀"), Err(IdentError::Character { .. })));
        assert!(matches!(quote("a "), Err(IdentError::TrailingSpace { .. })));
        assert_eq!(quote("a`b").unwrap(), "`a``b`");
    }
}
