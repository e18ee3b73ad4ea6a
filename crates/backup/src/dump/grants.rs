//! The accounts that work on a database, and what they may do there.

use elpis_mysql::{Params, Session, Value};
use elpis_run::Secret;

use super::error::DumpError;
use super::query::Query;
use super::text::comment;
use crate::restore::is_understood;

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
            let create: Option<String> = session
                .ask_first(&format!("SHOW CREATE USER {account}"), Params::Empty)
                .await?;
            let create = create.unwrap_or_default();
            let rest = create.strip_prefix("CREATE USER ").unwrap_or(&create);
            add(
                &mut text,
                &account,
                &format!("CREATE USER IF NOT EXISTS {rest}"),
            );
        }
        let lines: Vec<String> = session
            .ask(&format!("SHOW GRANTS FOR {account}"), Params::Empty)
            .await?;
        for line in lines.iter().filter(|line| !line.contains(" ON *.* TO ")) {
            add(&mut text, &account, line);
        }
    }
    Ok(Secret::new(text))
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
                 UNION SELECT User, Host FROM mysql.procs_priv WHERE Db = ? \
                 ORDER BY 1, 2",
                Params::Positional(vec![name.clone(), name.clone(), name]),
            )
            .await?;
        all.extend(found);
    }
    all.sort();
    all.dedup();
    // Anonymous accounts and PUBLIC are nobody's application.
    all.retain(|(user, _)| !user.is_empty() && user != "PUBLIC");
    Ok(all)
}

/// Account names are longer than identifiers may be, and quoted by their own rule.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
