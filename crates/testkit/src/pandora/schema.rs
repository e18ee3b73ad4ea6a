//! The tables, as SQL.

/// Which tables an installation has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edition {
    /// Those of the open edition.
    Open,
    /// Also those of policies, services, network configurations, and of older versions.
    Enterprise,
}

const PARTS: [&str; 7] = [
    include_str!("schema/agents.sql"),
    include_str!("schema/series.sql"),
    include_str!("schema/alerts.sql"),
    include_str!("schema/events.sql"),
    include_str!("schema/maps.sql"),
    include_str!("schema/reports.sql"),
    include_str!("schema/system.sql"),
];
const ENTERPRISE: &str = include_str!("schema/enterprise.sql");

/// The statements that make the tables of an edition.
pub(super) fn ddl(edition: Edition) -> String {
    let more = if edition == Edition::Enterprise {
        ENTERPRISE
    } else {
        ""
    };
    let parts = PARTS.concat();
    format!(
        "SET foreign_key_checks = 0, sql_log_bin = 0, sql_mode = '';\n{parts}{more}\
         SET foreign_key_checks = 1, sql_log_bin = 1;\n"
    )
}

/// The statements that make these tables alone; those they point at may be missing.
pub fn tables(names: &[&str]) -> String {
    let all = PARTS.concat() + ENTERPRISE;
    let one = |name: &&str| {
        let head = format!("CREATE TABLE {name} (");
        let begin = all.find(&head).unwrap_or_else(|| panic!("no table {name}"));
        let end = all[begin..].find("\n);\n").expect("the statement's end");
        format!("{};\n", &all[begin..begin + end + 2])
    };
    let tables: String = names.iter().map(one).collect();
    format!("SET foreign_key_checks = 0, sql_mode = '';\n{tables}")
}
