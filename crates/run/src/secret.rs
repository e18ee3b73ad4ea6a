//! Values that must not be seen.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use zeroize::Zeroize;

/// A value that prints as `***`, cannot be serialised, and is overwritten when dropped.
///
/// Only this copy is overwritten: what a parser or a driver copied is theirs to wipe.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes `value` in.
    pub fn new(value: T) -> Secret<T> {
        Secret(value)
    }

    /// The value itself. Every call is a place to check by eye.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T: Zeroize + Clone> Clone for Secret<T> {
    fn clone(&self) -> Secret<T> {
        Secret(self.0.clone())
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<'de> Deserialize<'de> for Secret<String> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Asked for a string, a format words the refusal itself.
        deserializer.deserialize_any(Text)
    }
}

/// serde's own "invalid type: integer `1234`, expected a string" would print a password of
/// digits that somebody forgot to quote.
struct Text;

impl Text {
    fn refuse<E: de::Error>() -> Result<Secret<String>, E> {
        Err(E::custom("a secret must be a string in quotes"))
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Secret<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Secret(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Self::Value, E> {
        Ok(Secret(value))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Text::refuse()
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Text::refuse()
    }

    fn visit_i128<E: de::Error>(self, _: i128) -> Result<Self::Value, E> {
        Text::refuse()
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Text::refuse()
    }

    fn visit_u128<E: de::Error>(self, _: u128) -> Result<Self::Value, E> {
        Text::refuse()
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Text::refuse()
    }

    fn visit_bytes<E: de::Error>(self, _: &[u8]) -> Result<Self::Value, E> {
        Text::refuse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn debug_shows_nothing_of_the_value_or_its_length() {
        let secret = Secret::new(String::from("swordfish"));
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret)),
            "*** Some(\n    ***,\n)"
        );
        assert_eq!(secret.clone().expose(), "swordfish");
    }

    #[test]
    fn the_value_is_overwritten_when_dropped() {
        struct Witness(Arc<AtomicBool>);
        impl Zeroize for Witness {
            fn zeroize(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let wiped = Arc::new(AtomicBool::new(false));
        let secret = Secret::new(Witness(Arc::clone(&wiped)));
        assert!(!wiped.load(Ordering::SeqCst));
        drop(secret);
        assert!(wiped.load(Ordering::SeqCst));
    }

    #[test]
    fn strings_are_read_and_anything_else_is_refused_without_being_repeated() {
        let read: Secret<String> = serde_json::from_str(r#""p\"w""#).unwrap();
        assert_eq!(read.expose(), "p\"w");
        for wrong in ["271828", "-271828", "2718.28", "true", "[271828]", "null"] {
            let error = serde_json::from_str::<Secret<String>>(wrong)
                .unwrap_err()
                .to_string();
            assert!(
                !error.contains("2718") && !error.contains("true"),
                "{error}"
            );
        }
    }
}
