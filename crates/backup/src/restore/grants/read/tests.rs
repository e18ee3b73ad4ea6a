use super::*;
use elpis_mysql::Flavour;

/// What we would send for a list.
fn sent(list: &str) -> Vec<String> {
    let wishes = read(list).unwrap();
    let sent = wishes
        .iter()
        .map(|wish| wish.statement(Flavour::MariaDb).expose().clone());
    sent.filter(|sql| !sql.is_empty()).collect()
}

/// As MariaDB 10.11 wrote them.
#[test]
fn what_mariadb_shows_is_written_again() {
    let list = "-- Accounts of the application and their rights\n\n-- `v`@`localhost`\n\
        CREATE USER IF NOT EXISTS `v`@`localhost` IDENTIFIED VIA mysql_native_password USING '*B69' OR unix_socket;\n\
        GRANT `r` TO `v`@`localhost` WITH ADMIN OPTION;\n\
        GRANT `r``o';l\\e` TO `v`@`localhost`;\n\
        GRANT ALL PRIVILEGES ON `p`.* TO `v`@`localhost` WITH GRANT OPTION;\n\
        GRANT SELECT (`a b`, `id`, `c``,d`), INSERT (`id`), UPDATE ON `p`.`t a` TO `v`@`localhost`;\n\
        GRANT EXECUTE, ALTER ROUTINE ON PROCEDURE `p`.`x` TO `v`@`localhost` WITH GRANT OPTION;\n\
        GRANT PROXY ON ``@`%` TO `v`@`localhost` WITH GRANT OPTION;\n\
        SET DEFAULT ROLE `r` FOR `v`@`localhost`;\n\n-- `r`\nCREATE ROLE IF NOT EXISTS `r`;\n\
        CREATE USER IF NOT EXISTS `o'd\\``d\"\nn ; -- x`@`%` IDENTIFIED BY PASSWORD '*8E' REQUIRE SUBJECT '/CN=o''d\\\\' \
        WITH MAX_QUERIES_PER_HOUR 3 MAX_STATEMENT_TIME 1.500000 ACCOUNT LOCK PASSWORD EXPIRE INTERVAL 3 DAY;\n";
    let sent = sent(list);
    assert_eq!(sent.len(), 9);
    for (at, sql) in sent.iter().enumerate() {
        // The order of privileges and columns does not count.
        if at != 4 && at != 5 {
            assert!(list.contains(&format!("{sql};\n")), "{sql}");
        }
    }
    assert_eq!(
        sent[4],
        "GRANT INSERT (`id`), SELECT (`a b`, `c``,d`, `id`), UPDATE ON `p`.`t a` TO `v`@`localhost`"
    );
    assert_eq!(
        sent[5],
        "GRANT ALTER ROUTINE, EXECUTE ON PROCEDURE `p`.`x` TO `v`@`localhost` WITH GRANT OPTION"
    );
}

/// As the manual of MySQL 8.0 shows them.
#[test]
fn what_mysql_shows_is_understood() {
    let sent = sent(
        "CREATE USER IF NOT EXISTS `u`@`%` IDENTIFIED WITH 'caching_sha2_password' AS '$A$005$\\0\\n\\'x' \
         DEFAULT ROLE `a`@`%`,`b`@`%` REQUIRE NONE PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK PASSWORD HISTORY DEFAULT \
         PASSWORD REUSE INTERVAL DEFAULT PASSWORD REQUIRE CURRENT DEFAULT;\n\
         GRANT `a`@`%`,`b`@`%` TO `u`@`%`;\nREVOKE SELECT ON `mysql`.* FROM `u`@`%`;\n\
         GRANT SELECT ON 'p'.* TO 'u'@'%';\n"
            .replace("\\0", "")
            .replace("'p'", "`p`")
            .as_str(),
    );
    assert_eq!(
        sent,
        [
            "CREATE USER IF NOT EXISTS `u`@`%` IDENTIFIED WITH 'caching_sha2_password' AS '$A$005$\n''x' \
             REQUIRE NONE PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK PASSWORD HISTORY DEFAULT \
             PASSWORD REUSE INTERVAL DEFAULT PASSWORD REQUIRE CURRENT DEFAULT",
            "SET DEFAULT ROLE `a`@`%` FOR `u`@`%`",
            "SET DEFAULT ROLE `b`@`%` FOR `u`@`%`",
            "GRANT `a`@`%` TO `u`@`%`",
            "GRANT `b`@`%` TO `u`@`%`",
            "GRANT SELECT ON `p`.* TO `u`@`%`",
        ]
    );
}

#[test]
fn everything_else_is_refused() {
    for list in [
        "DROP DATABASE x;",
        "CREATE ROLE IF NOT EXISTS CURRENT_USER;",
        "CREATE ROLE IF NOT EXISTS `r`, `s`;",
        "CREATE ROLE IF NOT EXISTS `r` WITH ADMIN `root`@`localhost`;",
        "CREATE ROLE IF NOT EXISTS ``;",
        "CREATE ROLE `r`;",
        "CREATE OR REPLACE USER `r`@`%`;",
        "CREATE USER IF NOT EXISTS `a`@`%`, `b`@`%`;",
        "CREATE USER IF NOT EXISTS `a`@`%`/**/IDENTIFIED BY 'x';",
        "CREATE USER IF NOT EXISTS/*!99999 x*/ `a`@`%`;",
        "CREATE USER IF NOT EXISTS `a`@`%` -- x\n IDENTIFIED BY 'x';",
        "CREATE USER IF NOT EXISTS `a`@`%` IDENTIFIED BY PASSWORD('x');",
        "CREATE USER IF NOT EXISTS `a`@`%` IDENTIFIED BY @x;",
        "CREATE USER IF NOT EXISTS `a`@@version;",
        "CREATE USER IF NOT EXISTS `a`@`%` IDENTIFIED BY 'x",
        "CREATE USER IF NOT EXISTS `a`@`%` DELIMITER 'x';",
        "CREATE USER IF NOT EXISTS `a\0b`@`%`;",
        "CREATE USER IF NOT EXISTS `a`@`%` IDENTIFIED BY '\\0';",
        "GRANT ALL PRIVILEGES ON *.* TO `a`@`%`;",
        "GRANT SUPER ON *.* TO `a`@`%`;",
        "GRANT SUPER ON `p`.* TO `a`@`%`;",
        "GRANT ALL PRIVILEGES ON * TO `a`@`%`;",
        "GRANT ALL PRIVILEGES ON p.* TO `a`@`%`;",
        "GRANT ALL PRIVILEGES ON `p`.* TO CURRENT_USER();",
        "GRANT ALL PRIVILEGES ON `p`.* TO `a`@`%` IDENTIFIED BY 'x';",
        "GRANT ALL PRIVILEGES ON `p`.* TO `a`@`%` WITH GRANT OPTION MAX_USER_CONNECTIONS 1;",
        "GRANT ALL PRIVILEGES ON `p`.* TO `a`@`%`, `b`@`%`;",
        "GRANT ALL PRIVILEGES ON `p`.* TO `a`@`%`",
        "GRANT r TO `a`@`%`;",
        "SET DEFAULT ROLE NONE FOR `a`@`%`;",
        "SET PASSWORD FOR `a`@`%` = 'x';",
        "\\! touch x\n;",
        ";",
    ] {
        assert!(
            read(list).is_err() || read(list).unwrap().iter().any(is_global),
            "{list}"
        );
    }
    let found = read("CREATE ROLE IF NOT EXISTS `r`;\nDROP ROLE `r`;").unwrap_err();
    assert_eq!(found.at, 31);
}

/// Only servers say these; see `of_archive`.
fn is_global(wish: &Wish) -> bool {
    matches!(wish, Wish::Right(right) if right.on == Place::Everything)
}
