//! Accounts and rights of an archive, compared with those of the server.

use elpis_mysql::{Params, Session};
use elpis_run::Secret;

use super::error::RestoreError;

/// What `wanted` has of `database` and the server has not, in words without any hash; made if
/// `apply`, and told all the same if that failed.
pub(super) async fn missing(
    session: &mut Session,
    wanted: &Secret<String>,
    database: &str,
    apply: bool,
) -> Result<Vec<String>, RestoreError> {
    let mut missing = Vec::new();
    for line in wanted.expose().lines() {
        let line = line.trim_end_matches(';');
        let (what, is_there) = if let Some(rest) = line.strip_prefix("CREATE USER IF NOT EXISTS ") {
            let account = account(rest);
            (
                format!("account {account}"),
                shows(session, &account, None).await?,
            )
        } else if let Some(role) = line.strip_prefix("CREATE ROLE IF NOT EXISTS ") {
            (format!("role {role}"), shows(session, role, None).await?)
        } else if let Some((right, to)) = right(line) {
            // Rights on other databases are not this restore's business.
            if !right.contains(&format!("`{}`.", escaped(database)))
                && !right.contains(&format!("`{}`.", database.replace('`', "``")))
                && right.contains(" ON ")
            {
                continue;
            }
            (
                format!("{right} TO {to}"),
                shows(session, to, Some(right)).await?,
            )
        } else {
            continue;
        };
        if is_there {
            continue;
        }
        let made = apply && session.execute(line, Params::Empty).await.is_ok();
        if !made {
            missing.push(what);
        }
    }
    Ok(missing)
}

/// A database as grants name it, where `_` and `%` stand for others.
fn escaped(database: &str) -> String {
    let name = database.replace('`', "``");
    name.replace('_', "\\_").replace('%', "\\%")
}

/// The account that a text begins with: everything up to a blank outside of quotes.
fn account(text: &str) -> String {
    let mut quoted = None;
    let ends = |c: char| {
        match quoted {
            Some(quote) if c == quote => quoted = None,
            None if matches!(c, '`' | '\'' | '"') => quoted = Some(c),
            None if c.is_whitespace() => return true,
            _ => {}
        }
        false
    };
    let end = text.find(ends).unwrap_or(text.len());
    text[..end].to_owned()
}

/// `GRANT right TO account ...`
fn right(line: &str) -> Option<(&str, &str)> {
    let (right, to) = line.strip_prefix("GRANT ")?.rsplit_once(" TO ")?;
    let account = account(to);
    Some((right, &to[..account.len()]))
}

/// Whether the server knows the account and, if one is named, the right.
async fn shows(
    session: &mut Session,
    account: &str,
    named: Option<&str>,
) -> Result<bool, RestoreError> {
    let sql = format!("SHOW GRANTS FOR {account}");
    let lines: Result<Vec<String>, _> = session.rows(&sql, Params::Empty).await;
    match lines {
        Ok(lines) => Ok(named.is_none_or(|named| {
            lines
                .iter()
                .any(|line| right(line).is_some_and(|(right, _)| right == named))
        })),
        Err(error) if matches!(error.code(), Some(1141 | 1269 | 1959)) => Ok(false),
        Err(source) => Err(RestoreError::server("asking for rights", source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_and_rights_are_read() {
        assert_eq!(
            account("`a b`@`%` IDENTIFIED BY PASSWORD '*1'"),
            "`a b`@`%`"
        );
        assert_eq!(account("`r`"), "`r`");
        assert_eq!(
            right("GRANT ALL PRIVILEGES ON `p`.* TO `a`@`%` WITH GRANT OPTION"),
            Some(("ALL PRIVILEGES ON `p`.*", "`a`@`%`"))
        );
        assert_eq!(escaped("a_b"), "a\\_b");
    }
}
