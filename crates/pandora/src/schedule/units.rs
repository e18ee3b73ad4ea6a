//! Timers of systemd.

use std::path::{Path, PathBuf};

use super::files::Search;

/// An earlier directory goes before a later one.
const UNITS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// A timer and what it starts.
pub(super) struct Timer {
    pub(super) path: PathBuf,
    /// The service's file.
    pub(super) service: PathBuf,
    /// Whether something that is started with the system wants it.
    pub(super) is_enabled: bool,
}

/// Every timer that is not masked and whose service is there.
pub(super) fn timers(search: &mut Search<'_>) -> Vec<Timer> {
    let mut units: Vec<PathBuf> = Vec::new();
    let mut wanted: Vec<String> = Vec::new();
    for directory in UNITS {
        for path in search.entries_of(directory) {
            let name = name(&path);
            if name.ends_with(".wants") || name.ends_with(".requires") {
                let links = search.entries_of(&path.to_string_lossy());
                wanted.extend(links.iter().map(|link| self::name(link)));
            } else if !units.iter().any(|known| self::name(known) == name) {
                units.push(path);
            }
        }
    }
    units.retain(|path| !search.is_masked(path));
    let mut timers = Vec::new();
    for path in units.iter().filter(|path| name(path).ends_with(".timer")) {
        let Some(file) = search.read(path) else {
            continue;
        };
        let usual = name(&path.with_extension("service"));
        let service = values(&file.text, "Unit").pop().unwrap_or(usual);
        if let Some(service) = units.iter().find(|unit| name(unit) == service) {
            timers.push(Timer {
                path: path.clone(),
                service: service.clone(),
                is_enabled: wanted.contains(&name(path)),
            });
        }
    }
    timers
}

/// What a service runs, as a shell would read it.
pub(super) fn commands(service: &str) -> String {
    let mut commands: Vec<String> = Vec::new();
    for value in values(service, "ExecStart") {
        if value.is_empty() {
            // Takes back the ones before it.
            commands.clear();
        }
        let command = value.trim_start_matches(['-', '@', ':', '+', '!', '|']);
        commands.push(command.replace("$$", "$").replace("%%", "%"));
    }
    commands.join("\n")
}

/// The values of a key, in their order.
fn values(unit: &str, key: &str) -> Vec<String> {
    let joined = unit.replace("\\\r\n", " ").replace("\\\n", " ");
    let lines = joined.lines().map(str::trim);
    let lines = lines.filter(|line| !line.starts_with(['#', ';']));
    let pairs = lines.filter_map(|line| line.split_once('='));
    let values = pairs.filter(|(name, _)| name.trim() == key);
    values.map(|(_, value)| value.trim().to_owned()).collect()
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_list_of_commands_counts() {
        let unit = "[Service]\nExecStart=/bin/a\nExecStart=\n# ExecStart=/bin/no\n\
                    ExecStart=-/bin/b \\\n  \"50%%\" $$x\n";
        assert_eq!(commands(unit).trim(), "/bin/b    \"50%\" $x");
    }
}
