//! The accounts that work on a database, and what they may do there.

use elpis_mysql::{Params, Session, Value};
use elpis_run::Secret;

use super::error::DumpError;
use super::query::Query;
use super::text::comment;
use crate::restore::is_understood;

/// What the server answers about an account that it does not know.
const UNKNOWN: [u16; 4] = [1133, 1141, 1269, 1396];

/// The statements that make again the accounts with rights on one of `databases`, and give them
/// these rights. Rights on everything (`*.*`) are left out: an application needs none.
///
/// The text holds password hashes.
pub(super) async fn grants(
    session: &mut Session,
    databases: &[String],
) -> Result<Secret<String>, DumpError> {
    let mut text = String::from("-- Accounts of the application and their rights\n");
    for (user, host) in accounts(session, databases).await? {
        let is_role = host.is_empty();
        let account = if is_role {
            quoted(&user)
        } else {
            format!("{}@{}", quoted(&user), quoted(&host))
        };
        text += &format!("\n-- {}\n", comment(&account));
        if is_role {
            add(
                &mut text,
                &account,
                &format!("CREATE ROLE IF NOT EXISTS {account}"),
            );
        } else {
            let show = format!("SHOW CREATE USER {account}");
            let shown: Vec<String> = shown(session, &mut text, &account, &show).await?;
            let Some(create) = shown.first() else {
                continue;
            };
            let rest = create.strip_prefix("CREATE USER ").unwrap_or(create);
            add(
                &mut text,
                &account,
                &format!("CREATE USER IF NOT EXISTS {rest}"),
            );
        }
        let show = format!("SHOW GRANTS FOR {account}");
        let lines = shown(session, &mut text, &account, &show).await?;
        for line in lines.iter().filter(|line| !line.contains(" ON *.* TO ")) {
            add(&mut text, &account, line);
        }
    }
    Ok(Secret::new(text))
}

/// What the server shows of an account; nothing, and a remark in `text`, if it shows nothing: it may
/// just have been removed, and the other accounts are worth having all the same.
async fn shown(
    session: &mut Session,
    text: &mut String,
    account: &str,
    show: &str,
) -> Result<Vec<String>, DumpError> {
    match session.rows(show, Params::Empty).await {
        Ok(lines) => Ok(lines),
        Err(error) if error.code().is_some_and(|code| UNKNOWN.contains(&code)) => {
            let account = comment(account);
            *text += &format!("{LEFT_OUT}what the server does not show of {account}\n");
            Ok(Vec::new())
        }
        Err(source) => Err(DumpError::server(show, source)),
    }
}

/// How a line begins that stands in the place of one that was left out.
pub(crate) const LEFT_OUT: &str = "-- Left out: ";

/// Adds a statement. What a restore would not understand would refuse the whole archive.
fn add(text: &mut String, account: &str, statement: &str) {
    if is_understood(statement) {
        *text += &format!("{statement};\n");
        return;
    }
    let kind: Vec<&str> = statement.split(' ').take(2).collect();
    let (kind, account) = (comment(&kind.join(" ")), comment(account));
    *text += &format!("{LEFT_OUT}a statement {kind} of {account} that a restore does not know\n");
}

/// User and host, the latter empty for roles.
async fn accounts(
    session: &mut Session,
    databases: &[String],
) -> Result<Vec<(String, String)>, DumpError> {
    let mut all = Vec::new();
    for database in databases {
        let name = Value::from(database);
        let found: Vec<(String, String)> = session
            .ask(
                "SELECT User, Host FROM mysql.db WHERE ? LIKE Db \
                 UNION SELECT User, Host FROM mysql.tables_priv WHERE Db = ? \
                 ORDER BY 1, 2",
                Params::Positional(vec![name.clone(), name]),
            )
            .await?;
        all.extend(found);
        all.extend(of_routines(session, database).await?);
    }
    all.sort();
    all.dedup();
    // Anonymous accounts and PUBLIC are nobody's application.
    all.retain(|(user, _)| !user.is_empty() && user != "PUBLIC");
    Ok(all)
}

/// Accounts with rights on routines. MariaDB writes their names and that of the database into
/// `mysql.procs_priv` as if they were Latin-1 (10.11.19: `jürgen` becomes `jÃ¼rgen`), and the account
/// with such a name is not there: as they are written there, names are compared with both.
async fn of_routines(
    session: &mut Session,
    database: &str,
) -> Result<Vec<(String, String)>, DumpError> {
    let written = |name: &str| format!("IN (HEX({name}), {})", as_latin1(name));
    let wanted = "CONVERT(? USING utf8mb4)";
    let sql = format!(
        "SELECT DISTINCT known.User, known.Host FROM mysql.procs_priv AS held \
         JOIN mysql.user AS known ON HEX(held.User) {} AND held.Host = known.Host \
         WHERE HEX(held.Db) {}",
        written("known.User"),
        written(wanted),
    );
    let name = Value::from(database);
    let params = Params::Positional(vec![name.clone(), name]);
    session.ask(&sql, params).await
}

/// The bytes of an expression's text in UTF-8, each taken for a character of Latin-1, as
/// hexadecimal digits of UTF-8.
fn as_latin1(text: &str) -> String {
    format!(
        "HEX(CONVERT(CONVERT(CAST(CONVERT({text} USING utf8mb4) AS BINARY) USING latin1) USING utf8mb4))"
    )
}

/// Account names are longer than identifiers may be, and quoted by their own rule.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
