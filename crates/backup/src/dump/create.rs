//! Small changes to `CREATE` statements as the server writes them: names in backticks, strings
//! in single quotes.

/// Leaves `database`, quoted as it is in the text, out of the names it qualifies. The server
/// puts it before the sequence of a column's default, even inside that database, and the table
/// would use the sequence of the database it came from.
pub(super) fn unqualify(create: &[u8], database: &str) -> Vec<u8> {
    let qualifier = [database.as_bytes(), b"."].concat();
    let mut out = Vec::with_capacity(create.len());
    let mut rest = create;
    while let Some(&byte) = rest.first() {
        if let Some(after) = rest.strip_prefix(qualifier.as_slice()) {
            rest = after;
            continue;
        }
        let length = match byte {
            b'`' | b'\'' => quoted_length(rest, byte),
            _ => 1,
        };
        let (token, after) = rest.split_at(length);
        out.extend_from_slice(token);
        rest = after;
    }
    out
}

/// The length of the name or string that `text` begins with.
fn quoted_length(text: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'\\' if quote == b'\'' => at += 1,
            _ if byte == quote && text.get(at) == Some(&quote) => at += 1,
            _ if byte == quote => break,
            _ => {}
        }
    }
    at.min(text.len())
}

/// Where the `DEFINER` clause the clause is, with the space after it, and whom it names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Definer {
    pub(super) from: usize,
    pub(super) to: usize,
    /// `user@host`, or the name of a role.
    pub(super) account: String,
}

const CLAUSE: &[u8] = b"DEFINER=";

/// Finds the clause. The server puts it before the kind of the object and after nothing but a
/// few keywords, so nothing inside a body or a name is ever taken for it.
pub(super) fn definer(create: &[u8]) -> Option<Definer> {
    let from = create
        .windows(CLAUSE.len())
        .position(|window| window == CLAUSE)?;
    let keyword = |byte: &u8| byte.is_ascii_uppercase() || matches!(byte, b' ' | b'_' | b'=');
    if !create[..from].iter().all(keyword) {
        return None;
    }
    let mut at = from + CLAUSE.len();
    let (user, after) = name(create, at)?;
    at = after;
    let mut account = user;
    if create.get(at) == Some(&b'@') {
        let (host, after) = name(create, at + 1)?;
        account = format!("{account}@{host}");
        at = after;
    }
    let to = at + usize::from(create.get(at) == Some(&b' '));
    Some(Definer { from, to, account })
}

/// The name in backticks at `at`, and where it ends.
fn name(text: &[u8], mut at: usize) -> Option<(String, usize)> {
    if text.get(at) != Some(&b'`') {
        return None;
    }
    at += 1;
    let mut name = Vec::new();
    loop {
        match (text.get(at)?, text.get(at + 1)) {
            (b'`', Some(b'`')) => {
                name.push(b'`');
                at += 2;
            }
            (b'`', _) => return Some((String::from_utf8_lossy(&name).into_owned(), at + 1)),
            (&byte, _) => {
                name.push(byte);
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(create: &str) -> (String, String) {
        let found = definer(create.as_bytes()).unwrap();
        let rest = format!("{}{}", &create[..found.from], &create[found.to..]);
        (found.account, rest)
    }

    #[test]
    fn qualified_names_lose_their_database() {
        for (create, expected) in [
            (
                "DEFAULT nextval(`d`.`s`), `d` INT",
                "DEFAULT nextval(`s`), `d` INT",
            ),
            ("'`d`.' DEFAULT '\\'`d`.'", "'`d`.' DEFAULT '\\'`d`.'"),
            ("`a``d`.`b`", "`a``d`.`b`"),
            ("`e`.`d`.`x`", "`e`.`x`"),
            ("'it''s `d`.'", "'it''s `d`.'"),
            ("`d", "`d"),
        ] {
            let got = unqualify(create.as_bytes(), "`d`");
            assert_eq!(String::from_utf8(got).unwrap(), expected);
        }
    }

    #[test]
    fn clauses_of_all_kinds() {
        assert_eq!(
            cut("CREATE ALGORITHM=UNDEFINED DEFINER=`a``b`@`%` SQL SECURITY DEFINER VIEW `v` AS"),
            (
                "a`b@%".to_owned(),
                "CREATE ALGORITHM=UNDEFINED SQL SECURITY DEFINER VIEW `v` AS".to_owned()
            )
        );
        assert_eq!(
            cut("CREATE DEFINER=`role` PROCEDURE `p`()"),
            ("role".to_owned(), "CREATE PROCEDURE `p`()".to_owned())
        );
    }

    #[test]
    fn nothing_inside_a_body_is_taken_for_one() {
        assert_eq!(
            definer(b"CREATE PROCEDURE `p`() SELECT 'DEFINER=`a`@`b` '"),
            None
        );
        assert_eq!(definer(b"CREATE TRIGGER `DEFINER=`"), None);
        assert_eq!(definer(b"CREATE DEFINER=`a"), None);
    }
}
