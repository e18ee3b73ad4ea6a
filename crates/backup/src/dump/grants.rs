//! The accounts that work on a database, and what they may do there.

use elpis_mysql::{Params, Session, Value};
use elpis_run::Secret;

use super::error::DumpError;
use super::query::Query;
use super::text::comment;

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
            text += &format!("CREATE ROLE IF NOT EXISTS {account};\n");
        } else {
            let create: Option<String> = session
                .ask_first(&format!("SHOW CREATE USER {account}"), Params::Empty)
                .await?;
            let create = create.unwrap_or_default();
            let rest = create.strip_prefix("CREATE USER ").unwrap_or(&create);
            text += &format!("CREATE USER IF NOT EXISTS {rest};\n");
        }
        let lines: Vec<String> = session
            .ask(&format!("SHOW GRANTS FOR {account}"), Params::Empty)
            .await?;
        for line in lines.iter().filter(|line| !line.contains(" ON *.* TO ")) {
            text += &format!("{line};\n");
        }
    }
    Ok(Secret::new(text))
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
