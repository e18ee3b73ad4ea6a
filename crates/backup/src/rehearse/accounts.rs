//! The accounts that an archive names as definers, on a server of its own.

use std::collections::BTreeSet;

use elpis_mysql::{Error, Params, Session};

use super::held::{self, Blame};

/// Makes accounts for `definers`, which are as `user@host`, or the name of a role. They are the
/// application's and so not on a fresh server, which makes no view of a view of theirs. Nobody can log
/// in with them. One that the server does not take is left out: a restore tells what stands on it.
pub(super) async fn make_definers(
    session: &mut Session,
    definers: &BTreeSet<String>,
) -> Result<(), Error> {
    for definer in definers {
        let (kind, account, locked) = match definer.rsplit_once('@') {
            Some((user, host)) => {
                let account = format!("{}@{}", quoted(user), quoted(host));
                ("USER", account, " ACCOUNT LOCK")
            }
            None => ("ROLE", quoted(definer), ""),
        };
        for sql in [
            format!("CREATE {kind} IF NOT EXISTS {account}{locked}"),
            // What of these they have at home is not known, and is not what is rehearsed.
            format!("GRANT ALL PRIVILEGES ON *.* TO {account}"),
        ] {
            match session.execute(&sql, Params::Empty).await {
                Err(error) if held::of_server(&error) != Blame::Archive => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Account names are longer than identifiers may be, and quoted by their own rule.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
