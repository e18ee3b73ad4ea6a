//! Accounts with names that somebody has made to break a quote: they come to another host as they
//! were, which is what that host's own tables say of them.

use elpis_backup::archive::Container;
use elpis_backup::restore::Grants;
use elpis_backup::{Dump, DumpPolicy};
use elpis_mysql::PrivateServer;

use super::{Bench, backup, create, mariadb, of_archive, policy};

const NAMES: [&str; 10] = [
    "jürgen",
    "зоя 漢字",
    "a`b",
    "o'd\"",
    "back\\slash\\",
    "end`; DROP DATABASE odd; -- x",
    "new\nline\t",
    "/*! x */",
    "x TO y IDENTIFIED BY 'z'",
    "-- x",
];

fn text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// What a server knows of all accounts that have something of the database or of the roles.
fn known(server: &PrivateServer) -> String {
    mariadb(
        server.socket(),
        "mysql",
        "SELECT HEX(User), HEX(Host), JSON_REMOVE(Priv, '$.password_last_changed', '$.version_id', '$.access') FROM global_priv \
             WHERE User NOT IN ('root', 'mariadb.sys', 'PUBLIC', 'mysql') AND User <> '' ORDER BY User, Host;
         SELECT HEX(User), HEX(Host), Db, Select_priv, Insert_priv, Grant_priv, Show_view_priv FROM db WHERE Db LIKE 'odd' ORDER BY User, Host;
         SELECT HEX(User), Table_name, Table_priv, Column_priv FROM tables_priv WHERE Db = 'odd' ORDER BY User, Table_name;
         SELECT HEX(User), Table_name, Column_name, Column_priv FROM columns_priv ORDER BY User, Column_name;
         SELECT HEX(User), Routine_name, Routine_type, Proc_priv FROM procs_priv WHERE Db = 'odd' ORDER BY User;
         SELECT HEX(User), HEX(Host), HEX(Role), Admin_option FROM roles_mapping WHERE User <> 'root' ORDER BY User, Role",
    )
}

#[test]
fn odd_accounts_come_to_another_host_as_they_were() {
    let there = PrivateServer::start().unwrap();
    create(there.socket(), "odd");
    for (at, name) in NAMES.iter().enumerate() {
        let (user, role) = (text(name), text(&format!("r {name}.")));
        let account = format!("{user}@'10.%'");
        let how = match at % 3 {
            0 => "IDENTIFIED BY 'pw;''\\\\'",
            1 => {
                "IDENTIFIED VIA mysql_native_password USING PASSWORD('x') OR unix_socket REQUIRE SUBJECT '/CN=o''d\\\\' ACCOUNT LOCK"
            }
            _ => {
                "IDENTIFIED BY 'x' REQUIRE X509 WITH MAX_USER_CONNECTIONS 3 MAX_STATEMENT_TIME 1.5 PASSWORD EXPIRE INTERVAL 3 DAY"
            }
        };
        mariadb(
            there.socket(),
            "odd",
            &format!(
                "CREATE USER {account} {how};
                 CREATE ROLE {role};
                 GRANT SELECT, CREATE TEMPORARY TABLES, SHOW VIEW ON odd.* TO {role};
                 GRANT SELECT ON odd.* TO {account} WITH GRANT OPTION;
                 GRANT SELECT (`a b`, `c``d`), INSERT (`a b`), UPDATE ON `we``ird; -- näme` TO {account};
                 GRANT EXECUTE ON PROCEDURE p1 TO {account};
                 GRANT {role} TO {account} WITH ADMIN OPTION;
                 SET DEFAULT ROLE {role} FOR {account}"
            ),
        );
    }
    let (_world, path) = backup(&there.options(), &["odd"], Container::TarZst);
    let here = PrivateServer::builder()
        .arg("--sql-mode=ANSI_QUOTES,NO_BACKSLASH_ESCAPES")
        .start()
        .unwrap();
    let bench = Bench::new(here.options());
    let text = of_archive(&path);
    let report = bench.run(&policy("odd"), &text).unwrap();
    assert_eq!(report.warnings, [""; 0]);
    // Account, role, four rights, a membership and a default each.
    assert_eq!(report.missing_grants.len(), NAMES.len() * 8);
    let policy = elpis_backup::restore::RestorePolicy {
        grants: Grants::Apply,
        ..policy("odd")
    };
    let report = bench.run(&policy, &text).unwrap();
    assert_eq!(report.missing_grants, [""; 0]);
    let (found, expected) = (known(&here), known(&there));
    assert!(expected.lines().count() > NAMES.len() * 6);
    super::same(&found, &expected);
}

/// MariaDB writes these names down as if they were Latin-1 where it keeps rights on routines.
#[test]
fn an_account_that_may_only_call_is_an_account_in_any_script() {
    let server = super::server();
    mariadb(
        server.socket(),
        "",
        "CREATE DATABASE größe; CREATE FUNCTION größe.f() RETURNS INT DETERMINISTIC RETURN 1;
         CREATE USER jürgen@localhost, plain@localhost, зоя@localhost;
         GRANT EXECUTE ON FUNCTION größe.f TO jürgen@localhost, plain@localhost",
    );
    let dump = Dump::new(server.options(), DumpPolicy::new(vec!["größe".to_owned()]));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let list = runtime.block_on(dump.grants()).unwrap();
    let list = list.expose();
    for (user, times) in [("jürgen", 3), ("plain", 3), ("зоя", 0)] {
        let account = format!("`{user}`@`localhost`");
        assert_eq!(list.matches(&account).count(), times, "{user}: {list}");
    }
    assert!(!list.contains("Left out"), "{list}");
    mariadb(
        server.socket(),
        "",
        "DROP DATABASE größe; DROP USER jürgen@localhost, plain@localhost, зоя@localhost",
    );
}
