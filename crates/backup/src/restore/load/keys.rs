//! Secondary indexes that are made after the rows, taken from the server's own words.

use elpis_mysql::quote;

use crate::restore::error::RestoreError;
use crate::restore::session::quoted;
use crate::restore::sql::{Modes, Token, tokens};

/// The indexes that a table can do without while it is loaded: the lines of `SHOW CREATE TABLE`
/// that make them, without the comma.
///
/// Only of InnoDB tables whose indexes are all of the common kind, and that have no foreign key.
/// What is unique stays, for the server may need it to find rows; so does everything up to the
/// index of an `AUTO_INCREMENT`: the server keeps indexes in the order in which they were made,
/// and the table must look afterwards as it did before.
pub(super) fn deferrable(create: &str) -> Vec<String> {
    let Some((_, body)) = create.split_once("(\n") else {
        return Vec::new();
    };
    let lines = || body.lines().map_while(|line| line.strip_prefix("  "));
    let mut counting = None;
    let mut keys = Vec::new();
    for line in lines() {
        let line = line.strip_suffix(',').unwrap_or(line);
        if line.starts_with('`') {
            if line.contains(" AUTO_INCREMENT") {
                counting = name_at(line);
            }
        } else if line.starts_with("KEY `") {
            // A name may have line ends in it, and what looks like an index be part of one.
            if !is_index(line) {
                return Vec::new();
            }
            keys.push(line);
        } else if !stays(line) {
            return Vec::new();
        }
    }
    let options = body.lines().find(|line| line.starts_with(')'));
    if !options.is_some_and(|options| options.starts_with(") ENGINE=InnoDB")) {
        return Vec::new();
    }
    let counts = |key: &&str| {
        let first = key.find('(').and_then(|at| name_at(&key[at + 1..]));
        first.is_some() && first == counting
    };
    let kept = keys.iter().rposition(counts).map_or(0, |at| at + 1);
    keys.split_off(kept)
        .into_iter()
        .map(str::to_owned)
        .collect()
}

/// What may stand behind the columns of an index, besides numbers and texts.
const OPTIONS: [&str; 8] = [
    "USING",
    "BTREE",
    "HASH",
    "COMMENT",
    "KEY_BLOCK_SIZE",
    "IGNORED",
    "INVISIBLE",
    "VISIBLE",
];

/// Whether a line is one index and nothing else, so that it may stand in a statement as it is.
fn is_index(line: &str) -> bool {
    let modes = Modes::default();
    let mut words = tokens(line.as_bytes(), &modes);
    let is_named = words.next().is_some_and(|word| word.is("KEY"))
        && matches!(words.next(), Some(Token::Name(_)))
        && words.next() == Some(Token::Sign(b'('));
    let mut depth = u32::from(is_named);
    let mut is_closed = false;
    for word in words {
        let fits = match &word {
            Token::Sign(b'(') if !is_closed => {
                depth += 1;
                true
            }
            Token::Sign(b')') if !is_closed => {
                depth -= 1;
                is_closed = depth == 0;
                true
            }
            Token::Sign(sign) if is_closed => *sign == b'=',
            Token::Sign(sign) => *sign != b';' && *sign != 0,
            Token::Text(_) => true,
            Token::Word(word) if is_closed => {
                word.iter().all(u8::is_ascii_digit)
                    || OPTIONS
                        .iter()
                        .any(|option| word.eq_ignore_ascii_case(option.as_bytes()))
            }
            Token::Word(_) | Token::Name(_) => !is_closed,
            _ => false,
        };
        if !is_named || !fits {
            return false;
        }
    }
    is_closed
}

/// Whether a line makes something that does not forbid to make other indexes later.
fn stays(line: &str) -> bool {
    line.starts_with("PRIMARY KEY (")
        || line.starts_with("UNIQUE KEY `")
        || line.starts_with("CHECK (")
        || (line.starts_with("CONSTRAINT `") && line.contains(" CHECK ("))
}

/// The name in backticks that `text` begins with, as it stands.
fn name_at(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('`')?;
    let bytes = inner.as_bytes();
    let mut at = 0;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b'`', Some(b'`')) => at += 2,
            (b'`', _) => return Some(&inner[..at]),
            _ => at += 1,
        }
    }
}

/// The statement that takes `keys` away from `table` of `side`.
pub(super) fn drop_keys(side: &str, table: &str, keys: &[String]) -> Result<String, RestoreError> {
    let drops = keys.iter().filter_map(|key| {
        let name = name_at(key.strip_prefix("KEY ")?)?.replace("``", "`");
        Some(quote(&name).map(|name| format!("DROP KEY {name}")))
    });
    let drops: Result<Vec<String>, _> = drops.collect();
    let drops = drops.map_err(|error| RestoreError::NeedsPerson {
        what: error.to_string(),
    })?;
    alter(side, table, &drops)
}

/// The statement that makes them again.
pub(super) fn add_keys(side: &str, table: &str, keys: &[String]) -> Result<String, RestoreError> {
    let adds: Vec<String> = keys.iter().map(|key| format!("ADD {key}")).collect();
    alter(side, table, &adds)
}

fn alter(side: &str, table: &str, changes: &[String]) -> Result<String, RestoreError> {
    let (side, table) = (quoted(side)?, quoted(table)?);
    Ok(format!("ALTER TABLE {side}.{table} {}", changes.join(", ")))
}

/// `SHOW CREATE TABLE` without the counter of `AUTO_INCREMENT`, which loading moves on.
pub(super) fn without_counter(create: &str) -> String {
    let Some((body, options)) = create.rsplit_once("\n)") else {
        return create.to_owned();
    };
    const COUNTER: &str = " AUTO_INCREMENT=";
    // A comment may hold anything, but stands behind the counter.
    let Some(at) = options.find(COUNTER) else {
        return create.to_owned();
    };
    let digits = options[at + COUNTER.len()..].trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{body}\n){}{digits}", &options[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_indexes_are_made_later_and_the_rest_is_not() {
        let create = "CREATE TABLE `t` (\n  `id` bigint(20) NOT NULL AUTO_INCREMENT,\n  `a``b` int(11) DEFAULT NULL COMMENT 'KEY `x`, (',\n  \
                      PRIMARY KEY (`id`),\n  UNIQUE KEY `u` (`a``b`),\n  KEY `k``1` (`a``b`),\n  KEY `k2` (`id`,`a``b`) USING BTREE,\n  \
                      CONSTRAINT `c` CHECK (`id` > 0)\n) ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT CHARSET=utf8mb4 COMMENT=' AUTO_INCREMENT=7'";
        // The counter's own column begins `k2`: it stays, and so does what stands before it.
        assert_eq!(deferrable(create), [""; 0]);
        let other = create.replace("KEY `k2` (`id`,`a``b`)", "KEY `k2` (`a``b`,`id`)");
        let keys = deferrable(&other);
        assert_eq!(
            keys,
            ["KEY `k``1` (`a``b`)", "KEY `k2` (`a``b`,`id`) USING BTREE"]
        );
        assert_eq!(
            drop_keys("s", "t", &keys).unwrap(),
            "ALTER TABLE `s`.`t` DROP KEY `k``1`, DROP KEY `k2`"
        );
        assert_eq!(
            add_keys("s", "t", &keys[1..]).unwrap(),
            "ALTER TABLE `s`.`t` ADD KEY `k2` (`a``b`,`id`) USING BTREE"
        );
        for (from, to) in [
            ("ENGINE=InnoDB", "ENGINE=MyISAM"),
            ("UNIQUE KEY `u`", "FULLTEXT KEY `u`"),
            (
                "CONSTRAINT `c` CHECK (`id` > 0)",
                "CONSTRAINT `c` FOREIGN KEY (`id`) REFERENCES `x` (`y`)",
            ),
        ] {
            assert_eq!(deferrable(&other.replace(from, to)), [""; 0], "{to}");
        }
    }

    /// The names are shown with line ends in them as they are, and with doubled quotes.
    #[test]
    fn names_that_look_like_indexes_are_never_sent() {
        for name in [
            "a\n  KEY ````; DROP DATABASE x; -- ",
            "a\n  KEY ```` (````), RENAME TO y.z",
            "a\n  KEY ```` (````) COMMENT 'x', ADD KEY k (a)",
            "a\n  KEY ```` (a",
            "a\n  KEY ```` (a; DROP DATABASE x)",
        ] {
            let create = format!(
                "CREATE TABLE `t` (\n  `{name}` int(11) DEFAULT NULL,\n  KEY `````` (`b`)\n) ENGINE=InnoDB"
            );
            assert_eq!(deferrable(&create), [""; 0], "{create}");
        }
        for line in [
            "KEY `k` (`a`(10),`b` DESC) USING BTREE COMMENT 'a;, b'",
            "KEY `k` ((lower(`a`))) KEY_BLOCK_SIZE=8 IGNORED",
        ] {
            assert!(is_index(line), "{line}");
        }
    }

    #[test]
    fn the_counter_is_left_out_and_nothing_else() {
        let create = "CREATE TABLE `t` (\n  `a` int DEFAULT ' AUTO_INCREMENT=1'\n) ENGINE=InnoDB AUTO_INCREMENT=512 COMMENT='x AUTO_INCREMENT=3'";
        let expected = create.replace(" AUTO_INCREMENT=512", "");
        assert_eq!(without_counter(create), expected);
        assert_eq!(without_counter("CREATE TABLE x"), "CREATE TABLE x");
    }
}
