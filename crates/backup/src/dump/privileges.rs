//! What the account may do, from `SHOW GRANTS`.

use std::collections::BTreeSet;

/// The privileges of the session's account, roles included as far as they are active.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Privileges {
    grants: Vec<(Scope, BTreeSet<String>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Scope {
    Global,
    /// The pattern as it stands in the grant, unquoted.
    Database(String),
}

impl Privileges {
    /// Reads the lines of `SHOW GRANTS`. Grants on single tables, columns and routines do not
    /// count: nothing here needs as little as that.
    pub(crate) fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let grants = lines.into_iter().filter_map(parse_line).collect();
        Self { grants }
    }

    /// Whether `privilege` is held on everything.
    pub(crate) fn global(&self, privilege: &str) -> bool {
        self.held(privilege, |scope| *scope == Scope::Global)
    }

    /// Whether `privilege` is held on all of `database`.
    pub(crate) fn on(&self, privilege: &str, database: &str) -> bool {
        self.held(privilege, |scope| match scope {
            Scope::Global => true,
            Scope::Database(pattern) => is_like(database, pattern),
        })
    }

    fn held(&self, privilege: &str, covers: impl Fn(&Scope) -> bool) -> bool {
        self.grants.iter().any(|(scope, held)| {
            covers(scope) && (held.contains(privilege) || held.contains("ALL PRIVILEGES"))
        })
    }
}

/// `GRANT SELECT, LOCK TABLES ON `a\_b`.* TO ...`
fn parse_line(line: &str) -> Option<(Scope, BTreeSet<String>)> {
    let (privileges, rest) = line.strip_prefix("GRANT ")?.split_once(" ON ")?;
    let scope = if rest.starts_with("*.* ") {
        Scope::Global
    } else {
        let (name, rest) = unquote(rest)?;
        if !rest.starts_with(".* ") {
            return None;
        }
        Scope::Database(name)
    };
    // A list of columns has commas of its own, but only stands in grants on tables.
    let privileges = privileges.split(',').map(|name| name.trim().to_uppercase());
    Some((scope, privileges.collect()))
}

/// The identifier at the beginning and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text.strip_prefix('`')?;
    loop {
        let (part, after) = rest.split_once('`')?;
        name.push_str(part);
        match after.strip_prefix('`') {
            Some(more) => {
                name.push('`');
                rest = more;
            }
            None => return Some((name, after)),
        }
    }
}

/// `LIKE` as grants on databases have it.
pub(crate) fn is_like(name: &str, pattern: &str) -> bool {
    let mut pattern_chars = pattern.chars();
    match pattern_chars.next() {
        None => name.is_empty(),
        Some('%') => {
            let rest = pattern_chars.as_str();
            let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.into_iter().any(|at| is_like(&name[at..], rest))
        }
        Some(wanted) => {
            let mut name_chars = name.chars();
            let Some(found) = name_chars.next() else {
                return false;
            };
            let escaped = (wanted == '\\')
                .then(|| pattern_chars.clone().next())
                .flatten();
            let fits = match escaped {
                Some(literal) => {
                    pattern_chars.next();
                    literal == found
                }
                None => wanted == '_' || wanted == found,
            };
            fits && is_like(name_chars.as_str(), pattern_chars.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_of_an_application_account() {
        let held = Privileges::parse([
            "GRANT USAGE ON *.* TO `pandora`@`localhost` IDENTIFIED BY PASSWORD '*00'",
            "GRANT ALL PRIVILEGES ON `pandora`.* TO `pandora`@`localhost` WITH GRANT OPTION",
            "GRANT SELECT, SHOW VIEW ON `hist\\_%`.* TO `pandora`@`localhost`",
            "GRANT SELECT (`a`, `b`), TRIGGER (`a`) ON `x`.`t` TO `pandora`@`localhost`",
            "GRANT `role` TO `pandora`@`localhost`",
            "SET DEFAULT ROLE `role` FOR `pandora`@`localhost`",
        ]);
        assert!(held.on("TRIGGER", "pandora"));
        assert!(held.on("SELECT", "hist_2025"));
        assert!(!held.on("SELECT", "histo"));
        assert!(!held.on("TRIGGER", "hist_2025"));
        assert!(!held.on("SELECT", "x"));
        assert!(!held.global("RELOAD"));
        assert!(!held.on("SELECT", "pandora2"));
    }

    #[test]
    fn global_grants_cover_all() {
        let held = Privileges::parse(["GRANT SELECT, RELOAD ON *.* TO `b`@`%`"]);
        assert!(held.global("RELOAD") && held.on("SELECT", "any"));
        assert!(!held.on("TRIGGER", "any"));
        let all = Privileges::parse(["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost`"]);
        assert!(all.global("RELOAD") && all.on("EVENT", "any"));
    }

    #[test]
    fn quoted_names_with_backticks() {
        let held = Privileges::parse(["GRANT SELECT ON `a``b`.* TO `u`@`h`"]);
        assert!(held.on("SELECT", "a`b"));
    }
}
