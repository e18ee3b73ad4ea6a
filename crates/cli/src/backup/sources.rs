//! Where the databases of a backup come from.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use elpis_backup::profile::DumpRules;
use elpis_backup::{DumpPolicy, DumpThrottle, MySqlSource, Profile, Source, SqliteSource};
use elpis_mysql::{ConnectOptions, LoadProbe};

use super::args::Gentleness;
use super::settings::connect_options;

/// The sources of a profile: SQLite files one by one, servers with all their databases at once.
pub(super) fn sources(
    profile: &Profile,
    warnings: &mut Vec<String>,
) -> Result<Vec<Box<dyn Source>>> {
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    let mut servers: Vec<(&Path, DumpPolicy)> = Vec::new();
    for database in &profile.databases {
        if let Some(path) = &database.sqlite {
            sources.push(Box::new(SqliteSource::new(&database.name, path)));
        }
        if let Some(path) = &database.option_file {
            let at = match servers.iter().position(|(file, _)| file == path) {
                Some(at) => at,
                None => {
                    servers.push((path, profile.dump.policy(Vec::new())));
                    servers.len() - 1
                }
            };
            servers[at].1.databases.push(database.name.clone());
            servers[at]
                .1
                .without_rows
                .extend(database.without_rows.iter().cloned());
        }
    }
    for (file, policy) in servers {
        let connect = connect_options(file, warnings)?;
        let throttle = throttle(&profile.dump, &connect, warnings)?;
        sources.push(Box::new(source(connect, policy, throttle)));
    }
    Ok(sources)
}

/// The databases of a server, read as gently as the rules say.
pub(super) fn source(
    connect: ConnectOptions,
    policy: DumpPolicy,
    throttle: Option<DumpThrottle>,
) -> MySqlSource {
    let source = MySqlSource::new(connect, policy);
    match throttle {
        Some(throttle) => source.throttled(throttle),
        None => source,
    }
}

/// The throttle of a server's dump, if the rules limit anything.
pub(super) fn throttle(
    rules: &DumpRules,
    connect: &ConnectOptions,
    warnings: &mut Vec<String>,
) -> Result<Option<DumpThrottle>> {
    let Some(limits) = rules.limits() else {
        return Ok(None);
    };
    let mut replicas = Vec::with_capacity(rules.replicas.len());
    for replica in &rules.replicas {
        let connect = connect_options(&replica.option_file, warnings)?;
        replicas.push((replica.name.clone(), connect));
    }
    Ok(Some(DumpThrottle {
        throttle: Box::new(limits),
        probe: LoadProbe::new(connect.clone(), replicas),
    }))
}

/// What the arguments say goes before what the configuration says.
pub(super) fn be_gentle(rules: &mut DumpRules, said: &Gentleness) {
    rules.bytes_per_second = said.max_rate.or(rules.bytes_per_second);
    // A second is the least that a profile can say.
    let seconds = |limit: Duration| limit.as_secs().max(1);
    rules.deadline_s = said.deadline.map(seconds).or(rules.deadline_s);
}
