//! The names in the text of a view: what it reads and calls, and of which database that is.

use std::ops::Range;

use super::modes::Modes;
use super::tokens::{Token, tokens};

/// What a name in a view is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::restore) enum Role {
    /// A table or a view.
    Read,
    /// A stored function.
    Called,
    /// A column of a table whose database is said.
    Column,
}

/// A name in the text of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::restore) struct Named {
    pub(in crate::restore) role: Role,
    /// The database that it is said to be of, and where that stands.
    pub(in crate::restore) database: Option<(String, Range<usize>)>,
    pub(in crate::restore) name: String,
}

/// What stands behind `AS`, as far as it names something that is not in the view itself.
pub(in crate::restore) fn names(sql: &[u8], modes: &Modes) -> Vec<Named> {
    let mut all = tokens(sql, modes);
    let mut words = Vec::new();
    while let Some(token) = all.next() {
        words.push((token, all.from()..all.at()));
    }
    let is = |at: usize, keyword: &str| words.get(at).is_some_and(|(word, _)| word.is(keyword));
    let sign = |at: usize| match words.get(at) {
        Some((Token::Sign(sign), _)) => *sign,
        _ => 0,
    };
    let name = |at: usize| words.get(at).and_then(|(word, _)| word.name());
    let mut found = Vec::new();
    // Whether each parenthesis that is open holds a SELECT: others hold arguments of functions, in
    // which FROM is a word of its own, and joined tables.
    let mut open: Vec<bool> = Vec::new();
    let mut expects_table = false;
    let begin = (0..words.len()).find(|at| is(*at, "VIEW")).unwrap_or(0);
    let mut at = (begin..words.len())
        .find(|at| is(*at, "AS"))
        .unwrap_or(begin);
    while let Some((word, place)) = words.get(at) {
        at += 1;
        if *word == Token::Sign(b'(') {
            let selects = is(at, "SELECT") || is(at, "WITH");
            open.push(selects);
            expects_table &= !selects;
            continue;
        }
        if word.is("FROM") {
            expects_table = open.last() != Some(&false);
            continue;
        }
        if word.is("JOIN") || word.is("STRAIGHT_JOIN") {
            expects_table = true;
            continue;
        }
        let was_expected = std::mem::take(&mut expects_table);
        if *word == Token::Sign(b')') {
            open.pop();
            continue;
        }
        let Some(first) = word.name() else { continue };
        let second = name(at + 1).filter(|_| sign(at) == b'.');
        let (database, name) = match second {
            Some(second) => {
                at += 2;
                (Some((first, place.clone())), second)
            }
            None => (None, first),
        };
        let role = match sign(at) {
            // Functions that are not in quotes are the server's own.
            b'(' if matches!(word, Token::Name(_)) || database.is_some() => Role::Called,
            b'(' => continue,
            b'.' if database.is_some() => Role::Column,
            _ if was_expected => Role::Read,
            _ => continue,
        };
        found.push(Named {
            role,
            database,
            name,
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the server writes them down itself.
    #[test]
    fn what_views_read_and_call() {
        for (sql, expected) in [
            ("CREATE VIEW `v` AS select 1 AS `a`", ""),
            (
                "/*!50001 CREATE ALGORITHM=UNDEFINED */ /*!50013 DEFINER=`a`@`b` SQL SECURITY DEFINER */ \
                 /*!50001 VIEW `v` AS select `o`.`t`.`a` AS `a` from `o`.`t` where `o`.`t`.`a` > 'from x.y' */",
                "o.t* o.t o.t*",
            ),
            (
                "CREATE VIEW `v` AS select `x`.`a` AS `a`,`f`(1) AS `f`,`o`.`g`(`y`.`b`) AS `g`,count(0) AS `n` \
                 from ((`p`.`x` join `y` on(`x`.`a` = `y`.`b`)) left join (select `z`.`c` AS `c` from `q`.`z`) `d` on(1))",
                "f() o.g() p.x y q.z",
            ),
            (
                "CREATE VIEW `v` (`a`,`b`) AS select extract(year from `t`.`at`) AS `a`,trim(both 'x' from `t`.`b`) AS `b` \
                 from `s` `t` where `t`.`a` in (select `u`.`a` from `u`) union select `w`.`a`,1 from `w`",
                "s u w",
            ),
            (
                "create view v as select j.a, o.f(1) from t, json_table(t.b, '$[*]' columns (a int path '$')) j",
                "o.f() t",
            ),
            (
                "CREATE VIEW `v` AS with c as (select `a`.`b` AS `b` from `a`)select `c`.`b` AS `b` from `c`",
                "a c",
            ),
        ] {
            let found = names(sql.as_bytes(), &Modes::default());
            let found: Vec<String> = found
                .iter()
                .map(|named| {
                    let database = named.database.as_ref();
                    let of = database.map_or(String::new(), |(name, at)| {
                        assert!(sql[at.clone()].contains(name.as_str()));
                        format!("{name}.")
                    });
                    let mark = match named.role {
                        Role::Read => "",
                        Role::Called => "()",
                        Role::Column => "*",
                    };
                    format!("{of}{}{mark}", named.name)
                })
                .collect();
            assert_eq!(found.join(" "), expected, "{sql}");
        }
    }
}
