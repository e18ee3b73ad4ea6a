//! An error with all that led to it, where a text is all there is room for.

use std::error::Error;

/// The error and its causes on one line, outermost first; a cause whose words stand there already
/// is not said twice.
///
/// For records and reports that hold text. What a caller may react to stays a typed error.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Said(&'static str, #[source] Option<Box<Said>>);

    #[test]
    fn every_cause_is_said_once() {
        let cause = Said("no route to host", None);
        let repeated = Said("connecting: no route to host", Some(Box::new(cause)));
        let error = Said("could not begin", Some(Box::new(repeated)));
        assert_eq!(
            with_causes(&error),
            "could not begin: connecting: no route to host"
        );
    }
}
