//! Events must not fire before the restore is done.

use crate::restore::sql::{Modes, Token, tokens};

/// What a `CREATE EVENT` says of its event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::restore) enum Quiet {
    /// It fires; here is the statement that makes it without firing.
    Silenced(Vec<u8>),
    /// It does not fire as it is.
    Already,
}

/// Where the words that matter stand: `ENABLE` or `DISABLE` if there is one, and the place before
/// `COMMENT` or `DO`.
struct Clause {
    word: Option<(usize, usize, bool)>,
    before: usize,
}

fn clause(create: &[u8], modes: &Modes) -> Option<Clause> {
    let mut words = tokens(create, modes);
    let mut depth = 0_i32;
    let mut word = None;
    while let Some(token) = words.next() {
        let length = match &token {
            Token::Word(word) => word.len(),
            _ => 0,
        };
        let from = words.at() - length;
        match token {
            Token::Sign(b'(') => depth += 1,
            Token::Sign(b')') => depth -= 1,
            _ if depth != 0 => {}
            ref token if token.is("ENABLE") => word = Some((from, words.at(), true)),
            ref token if token.is("DISABLE") => word = Some((from, words.at(), false)),
            ref token if token.is("COMMENT") || token.is("DO") => {
                return Some(Clause { word, before: from });
            }
            _ => {}
        }
    }
    None
}

/// Makes an event that would fire one that does not. `None` for what is no whole `CREATE EVENT`.
pub(in crate::restore) fn silence(create: &[u8], modes: &Modes) -> Option<Quiet> {
    let clause = clause(create, modes)?;
    Some(match clause.word {
        Some((.., false)) => Quiet::Already,
        Some((from, to, true)) => Quiet::Silenced(replaced(create, from, to, b"DISABLE")),
        None => Quiet::Silenced(replaced(create, clause.before, clause.before, b"DISABLE ")),
    })
}

/// The other way round.
pub(in crate::restore) fn enable(create: &[u8], modes: &Modes) -> Option<Vec<u8>> {
    match clause(create, modes)?.word {
        Some((from, to, false)) => Some(replaced(create, from, to, b"ENABLE")),
        _ => None,
    }
}

fn replaced(text: &[u8], from: usize, to: usize, with: &[u8]) -> Vec<u8> {
    [&text[..from], with, &text[to..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_silenced_and_enabled_again() {
        let modes = Modes::default();
        let silent = |create: &str| match silence(create.as_bytes(), &modes) {
            Some(Quiet::Silenced(text)) => String::from_utf8(text).unwrap(),
            other => format!("{other:?}"),
        };
        let create = "CREATE DEFINER=`r`@`l` EVENT `enable` ON SCHEDULE EVERY 1 DAY STARTS '2026-01-01 DO' \
                      ON COMPLETION PRESERVE ENABLE COMMENT 'DISABLE' DO BEGIN SELECT 'ENABLE'; END";
        let expected = create.replace("PRESERVE ENABLE", "PRESERVE DISABLE");
        assert_eq!(silent(create), expected);
        assert_eq!(
            enable(expected.as_bytes(), &modes).unwrap(),
            create.as_bytes()
        );
        assert_eq!(
            silent("CREATE EVENT e ON SCHEDULE AT NOW() + INTERVAL (1) DAY DO SELECT 1"),
            "CREATE EVENT e ON SCHEDULE AT NOW() + INTERVAL (1) DAY DISABLE DO SELECT 1"
        );
        assert_eq!(
            silent("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1"),
            "Some(Already)"
        );
        assert_eq!(silent("CREATE EVENT e ON SCHEDULE"), "None");
    }

    #[test]
    fn in_versioned_comments_as_the_stock_tool_writes_them() {
        let create = "/*!50106 CREATE*/ /*!50117 DEFINER=`root`@`localhost`*/ /*!50106 EVENT `e` ON SCHEDULE EVERY 1 YEAR \
                      STARTS '2026-11-21 19:00:00' ON COMPLETION NOT PRESERVE ENABLE DO DELETE FROM t */";
        let Some(Quiet::Silenced(text)) = silence(create.as_bytes(), &Modes::default()) else {
            panic!();
        };
        assert_eq!(
            String::from_utf8(text).unwrap(),
            create.replace(" ENABLE ", " DISABLE ")
        );
    }
}
