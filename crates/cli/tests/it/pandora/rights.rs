//! Accounts that may do less than all: what they may not do is told beforehand, and the rest is done.

use elpis_testkit::Database;

use super::Site;

/// Traps may not be deleted, and agents not be changed. What foreign keys do, the server shows to who
/// has a grant on the whole database only.
fn limited() -> Site {
    let site = Site::with(&[]);
    let name = site.db.name();
    let tables = site.db.sql("SHOW TABLES;");
    let mut grants = format!(
        "REVOKE ALL ON {name}.* FROM '{name}'@'localhost'; \
         GRANT SELECT, INSERT ON {name}.* TO '{name}'@'localhost';"
    );
    for table in tables.lines() {
        let may = match table {
            "ttrap" => "UPDATE",
            "tagente" => "DELETE",
            _ => "UPDATE, DELETE",
        };
        grants += &format!("GRANT {may} ON {name}.{table} TO '{name}'@'localhost';");
    }
    site.db.sql(&grants);
    site
}

/// Compaction makes a table for its progress, once. A grant that is the closest one counts alone,
/// whatever another one for the same name adds.
#[test]
fn without_create_nothing_is_compacted_and_the_rest_is_done() {
    let site = Site::with(&[("days_compact", "20")]);
    let name = site.db.name();
    let account = format!("'{name}'@'localhost'");
    let escaped = name.replace('_', "\\_");
    site.db.sql(&format!(
        "REVOKE ALL ON {name}.* FROM {account}; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON `{escaped}`.* TO {account};"
    ));
    let said = site.run(&["run", "--no-throttle"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.err.contains("lacks CREATE"), "{}", said.err);
    assert!(!said.err.contains("lacks DELETE"), "{}", said.err);
    let pending = "SELECT COUNT(*) FROM tagente_modulo WHERE delete_pending = 1;";
    assert_eq!((site.number(pending), site.last_run().len()), (0, 1));
}

/// It deletes values that no chart shows, and replaces rows of the table of its progress.
#[test]
fn without_delete_nothing_is_compacted() {
    let site = Site::with(&[("days_compact", "20")]);
    let name = site.db.name();
    let account = format!("'{name}'@'localhost'");
    site.db.sql(&format!(
        "REVOKE ALL ON {name}.* FROM {account}; \
         GRANT SELECT, INSERT, CREATE ON {name}.* TO {account};"
    ));
    let data = "tagente_datos";
    let needs = [data, "elpis_compaction"];
    // A table that is yet to come can have a grant that lets it be made.
    let all = needs.map(|table| format!("CREATE, DELETE ON {name}.{table}"));
    for one in &all {
        site.db.sql(&format!("GRANT {one} TO {account};"));
    }
    let before = site.db.checksum(data);
    for (table, one) in needs.iter().zip(&all) {
        site.db.sql(&format!("REVOKE {one} FROM {account};"));
        let said = site.run(&["run", "--only", "compact", "--no-throttle"]);
        assert_eq!(said.code, 7, "{said:?}");
        let told = format!("lacks DELETE on {table}: nothing is compacted");
        assert!(said.err.contains(&told), "{told}: {}", said.err);
        assert_eq!(site.db.checksum(data), before);
        site.db.sql(&format!("GRANT {one} TO {account};"));
    }
    let said = site.run(&["run", "--only", "compact", "--no-throttle"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_ne!(site.db.checksum(data), before);
}

#[test]
fn what_the_account_may_not_do_is_told_and_the_rest_is_done() {
    let site = limited();
    let count = |table: &str| site.number(&format!("SELECT COUNT(*) FROM {table};"));
    let (traps, alias) = (count("ttrap"), "tagente WHERE alias = ''");
    let (events, empty) = (count("tevento"), count(alias));
    let lacking = ["lacks DELETE on ttrap", "lacks UPDATE on tagente"];

    let planned = site.run(&["plan"]);
    assert_eq!(planned.code, 0, "{planned:?}");
    let told = planned.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for lack in lacking {
        assert!(told.contains(lack), "{lack}: {told}");
    }

    let doctor = site.run(&["doctor"]);
    assert!(doctor.out.contains(lacking[0]), "{}", doctor.out);
    assert!(doctor.out.contains(lacking[1]), "{}", doctor.out);

    let said = site.run(&["run", "-p", "--no-throttle"]);
    assert_eq!(said.code, 7, "{said:?}");
    for lack in lacking {
        assert!(said.err.contains(lack), "{lack}: {}", said.err);
    }
    assert_eq!((count("ttrap"), count(alias)), (traps, empty));
    assert!(empty > 0);
    assert!(count("tevento") < events, "{said:?}");
    // A module's going is told to its agent's row: these stay, too.
    let pending = "tagente_modulo WHERE delete_pending = 1";
    assert_eq!(
        count(pending),
        0,
        "nothing is told of modules that were to be deleted"
    );
    let again = site.run(&["run", "-p", "-q"]);
    assert_eq!(again.code, 7, "{again:?}");
    assert_eq!(again.out, "");
}
