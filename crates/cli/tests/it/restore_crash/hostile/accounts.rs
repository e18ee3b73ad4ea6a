//! Archives whose list of accounts wants more than to be compared. Nothing of it reaches a server:
//! not when it is only looked at, not with `--grants`, and not in a rehearsal.

use tar::EntryType;

use super::Ward;
use super::tars::put;
use crate::backup_server::sql;

/// What would be done by whom sends it as it is: something that `recount` sees.
const LISTS: [&str; 14] = [
    "CREATE ROLE IF NOT EXISTS CURRENT_USER; DROP DATABASE pandora;\n",
    "CREATE ROLE IF NOT EXISTS `r`; DROP DATABASE pandora;\n",
    "CREATE ROLE IF NOT EXISTS `r` WITH ADMIN CURRENT_USER;\n",
    "CREATE USER IF NOT EXISTS CURRENT_USER;DROP/**/DATABASE/**/pandora;\n",
    "CREATE USER IF NOT EXISTS `e`@`%`;CREATE/**/DATABASE/**/owned IDENTIFIED BY 'x';\n",
    "CREATE USER IF NOT EXISTS `e`@`%`/*!, `f`@`%` */;\n",
    "CREATE USER IF NOT EXISTS `e`@`%` IDENTIFIED BY 'x\\'; DROP DATABASE pandora; -- ';\nx",
    "CREATE USER IF NOT EXISTS `e``@`%`; DROP DATABASE pandora;\n",
    "GRANT ALL PRIVILEGES ON `pandora`.* TO CURRENT_USER; DROP DATABASE pandora;\n",
    "GRANT ALL PRIVILEGES ON `pandora`.* TO `e`@`%` IDENTIFIED BY 'x';\n",
    "GRANT ALL PRIVILEGES ON *.* TO `e`@`%` WITH GRANT OPTION;\n",
    "GRANT SUPER, SELECT ON `pandora`.* TO `e`@`%`;\n",
    "GRANT `r` TO `e`@`%`, `f`@`%`;\n",
    "SET DEFAULT ROLE `r` FOR `e`@`%`; SET GLOBAL read_only = 1;\n",
];

const ATTEMPT: &str = "attempt_backup_2026-01-01-00-00-00.tar.gz";

/// An archive with such a list.
fn write(ward: &Ward, list: &str) {
    let name = ".elpis-backup/grants/pandora.sql";
    let bytes = ward.archive(|tar| put(tar, EntryType::Regular, name, list.as_bytes()));
    std::fs::write(ward.world.site.path(ATTEMPT), bytes).unwrap();
}

pub(super) fn tries(ward: &Ward) {
    let path = ward.world.site.path(ATTEMPT);
    let archive = path.to_str().unwrap();
    for (at, list) in LISTS.iter().enumerate() {
        write(ward, list);
        let args: &[&str] = match at % 2 {
            0 => &["restore", archive, "-f", "--grants"],
            _ => &["restore", archive, "-f"],
        };
        let said = ward.restore(args);
        assert_eq!(said.code, 3, "{list}: {said:?}");
        assert!(said.err.contains("list of accounts"), "{list}: {said:?}");
        super::same(&ward.recount(), &ward.before, list);
    }
    write(ward, LISTS[3]);
    let said = ward.restore(&["restore", archive, "--grants", "--dry-run"]);
    assert_eq!(said.code, 3, "{said:?}");

    // A rehearsal on the installation's own server does the same with lists.
    let site = &ward.world.site;
    for list in &LISTS[..2] {
        write(ward, list);
        let there = site.path("dest").join(ATTEMPT);
        std::fs::copy(&path, &there).unwrap();
        let said = site.run(&[
            "rehearse",
            ATTEMPT,
            "--target",
            "dest",
            "--mariadbd",
            "/no/such/mariadbd",
            "--side-database",
            "-c",
            "pandora_console",
            "--option-file",
            "backup.cnf",
        ]);
        assert_eq!(said.code, 7, "{list}: {said:?}");
        assert!(said.out.contains("list of accounts"), "{list}: {said:?}");
        std::fs::remove_file(&there).unwrap();
        super::same(&ward.recount(), &ward.before, list);
    }
}

/// Two that our dumps may well write, and that still must not do what they say: one that gives a role
/// which may do more than this restore is about, and one that gives rights to an account that could
/// not be made.
pub(super) fn gives_no_more_than_it_may(ward: &Ward) {
    let path = ward.world.site.path(ATTEMPT);
    let archive = path.to_str().unwrap();
    sql(
        &ward.world.server,
        "CREATE ROLE mighty; GRANT ALL ON *.* TO mighty WITH GRANT OPTION; CREATE USER low@localhost IDENTIFIED BY 'x'",
    );
    write(
        ward,
        "CREATE ROLE IF NOT EXISTS `mighty`;\nGRANT `mighty` TO `low`@`localhost` WITH ADMIN OPTION;\n\
         CREATE USER IF NOT EXISTS `nobody`@`%` IDENTIFIED VIA no_such_plugin USING 'x';\n\
         GRANT ALL PRIVILEGES ON `pandora`.* TO `nobody`@`%`;\n",
    );
    let said = ward.restore(&["restore", archive, "--grants"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(
        said.out.contains("role `mighty` TO `low`@`localhost`"),
        "{said:?}"
    );
    let accounts = "SELECT COUNT(*) FROM mysql.roles_mapping WHERE User = 'low'; \
                    SELECT COUNT(*) FROM mysql.global_priv WHERE User = 'nobody'";
    assert_eq!(sql(&ward.world.server, accounts).trim(), "0\n0");
    assert_eq!(ward.world.run("undo").code, 0);
    sql(
        &ward.world.server,
        "DROP ROLE mighty; DROP USER low@localhost",
    );
    ward.world.is(&ward.world.old, "and taken back");
    ward.world.forget_all("after the accounts");
}
