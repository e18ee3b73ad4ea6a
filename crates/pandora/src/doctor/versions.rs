//! Whether the versions of this tool, of the schema and of the product's servers fit. Pure.

use super::{Check, DatabaseFacts};

/// The version of the schema that the tasks are written for.
const SCHEMA: &str = "7.0NG";
/// This tool with its version, which is that of the whole workspace.
const TOOL: &str = concat!("elpis-maint ", env!("CARGO_PKG_VERSION"));

/// Versions of this tool, of the schema and of the product's servers.
pub(super) fn schema(facts: &DatabaseFacts, arguments: &str) -> Check {
    let look = format!(
        "look at `elpis-maint plan {arguments}` before the first run: tasks that do not fit are \
         skipped"
    );
    let servers = match &facts.server_versions[..] {
        [] => "no server runs".to_owned(),
        versions => versions.join(", "),
    };
    match &facts.schema_version {
        Some(version) if version.starts_with(SCHEMA) => Check::ok(
            "database.schema",
            format!("{TOOL}, schema {version}, servers: {servers}"),
        ),
        Some(version) => Check::warning(
            "database.schema",
            format!("the schema is {version}, and the tasks of {TOOL} are written for {SCHEMA}"),
            look,
        ),
        None => Check::warning(
            "database.schema",
            format!(
                "tconfig has no db_scheme_version, so it is not known whether the schema is the \
                 {SCHEMA} that the tasks of {TOOL} are written for"
            ),
            look,
        ),
    }
}

/// Servers of different versions, or of another one than the schema, which the update of one of
/// them changes for all.
pub(super) fn servers(facts: &DatabaseFacts) -> Option<Check> {
    let versions = &facts.server_versions;
    let listed = versions.join(", ");
    if versions
        .iter()
        .any(|version| release(version) != release(&versions[0]))
    {
        return Some(Check::warning(
            "database.servers",
            format!("servers of different versions run on one database: {listed}"),
            "update the older ones: all servers and the console have to be of one version",
        ));
    }
    let schema = facts.schema_version.as_deref()?;
    let other = versions
        .iter()
        .find(|version| series(version) != series(schema))?;
    Some(Check::warning(
        "database.servers",
        format!("the servers are {other}, and the console's schema is {schema}"),
        "update whichever is older: all servers and the console have to be of one version",
    ))
}

/// `7.0NG.776` of `7.0NG.776 Build 240328`.
fn release(version: &str) -> &str {
    version.split_whitespace().next().unwrap_or_default()
}

/// `7.0NG` of that: what the schema's version says as well.
fn series(version: &str) -> &str {
    let release = release(version);
    release.find("NG").map_or(release, |at| &release[..at + 2])
}
