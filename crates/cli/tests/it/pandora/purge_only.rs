//! `-p`: purge and checks, no compaction.

use elpis_testkit::Database;

use super::Site;

#[test]
fn everything_but_compaction_is_done_and_the_console_is_told() {
    let site = Site::with(&[("days_compact", "10"), ("step_compact", "24")]);
    site.db.sql(
        "CREATE TABLE before_it AS SELECT d.* FROM tagente_datos AS d \
           JOIN tagente_modulo AS m USING (id_agente_modulo) WHERE m.id_tipo_modulo IN (1, 4, 7) \
           AND d.utimestamp BETWEEN UNIX_TIMESTAMP() - 25 * 86400 AND UNIX_TIMESTAMP() - 12 * 86400;",
    );
    let rows = |table: &str| {
        site.number(&format!(
            "SELECT COUNT(*) FROM {table} AS d JOIN tagente_modulo AS m USING (id_agente_modulo) \
             WHERE m.id_tipo_modulo IN (1, 4, 7) AND d.utimestamp BETWEEN \
               (SELECT MIN(utimestamp) FROM before_it) AND (SELECT MAX(utimestamp) FROM before_it);"
        ))
    };
    let pending = "SELECT COUNT(*) FROM tagente_modulo WHERE delete_pending = 1;";
    let aliases = "SELECT COUNT(*) FROM tagente WHERE alias = '';";
    assert!(site.number(pending) > 0 && site.number(aliases) > 0);

    let said = site.run(&["run", "-p", "--no-throttle"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!((site.number(pending), site.number(aliases)), (0, 0));
    let old = "SELECT COUNT(*) FROM tevento WHERE utimestamp < UNIX_TIMESTAMP() - 8 * 86400;";
    assert_eq!(site.number(old), 0);
    let all = rows("before_it");
    assert!(all > 1000, "{all}");
    assert_eq!(rows("tagente_datos"), all, "every value is still there");
    assert!(site.last_run()[0] > 1, "the console is told");

    let said = site.run(&["run", "--no-throttle"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        rows("tagente_datos") < all / 2,
        "and without -p it is compacted"
    );
}
