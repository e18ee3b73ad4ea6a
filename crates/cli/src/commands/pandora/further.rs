//! Servers of the product beside this one: whether they work on another database, as far as their
//! files say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use elpis_pandora::{
    Check, ScheduledJob, ServerConf, below, chosen_host_below, is_conf_d_name, resolved,
};
use elpis_run::fsx;

use crate::settings::Pandora;

/// The port where nobody says otherwise.
const PORT: &str = "3306";

/// Servers beside this one that have another database, which none of the `jobs` maintains.
pub(super) fn further_servers(pandora: &Pandora, jobs: &[ScheduledJob], root: &Path) -> Vec<Check> {
    let mut checks = Vec::new();
    let ours = Place::taken(pandora, root);
    let directory = Path::new("/etc/pandora/conf.d");
    let Ok(entries) = std::fs::read_dir(below(root, directory)) else {
        return checks;
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    let names = names.filter(|name| is_conf_d_name(&name.to_string_lossy()));
    let mut paths: Vec<PathBuf> = names.map(|name| directory.join(name)).collect();
    let working = jobs
        .iter()
        .filter(|job| job.is_active() && job.lacks.is_empty());
    let maintained: BTreeSet<&PathBuf> = working.flat_map(|job| &job.confs).collect();
    paths.retain(|path| !maintained.contains(&resolved(root, path)));
    paths.sort();
    for path in paths {
        let other = fsx::read(&below(root, &path));
        let Ok(other) = other.map(|bytes| ServerConf::parse(&path, bytes)) else {
            continue;
        };
        if Place::of(&other, root).differs_from(&ours) {
            let path = path.display();
            checks.push(Check::warning(
                "config.further_server",
                format!(
                    "{path} is a server with another database, which this job does not maintain"
                ),
                format!(
                    "give it a job of its own, such as a file of another name in /etc/cron.hourly that \
                     starts: elpis-maint run --pandora {path}"
                ),
            ));
        }
    }
    checks
}

/// A database and all the hosts that it may be reached at.
#[derive(Debug, Default)]
struct Place {
    name: Option<String>,
    /// What the file says, and what the HA daemon chose instead.
    hosts: BTreeSet<String>,
    port: Option<String>,
}

impl Place {
    /// The one that takes effect.
    fn taken(pandora: &Pandora, root: &Path) -> Place {
        let conf = fsx::read(&below(root, &pandora.conf));
        let conf = conf.map(|bytes| ServerConf::parse(&pandora.conf, bytes));
        let mut place = conf.map(|conf| Place::of(&conf, root)).unwrap_or_default();
        let value = |token: &str| {
            let mut settings = pandora.settings.iter();
            let found = settings.find(|one| one.token == token)?;
            found.value.clone()
        };
        place.name = value("dbname");
        place.hosts.extend(value("dbhost"));
        place
    }

    /// The one that a file names.
    fn of(conf: &ServerConf, root: &Path) -> Place {
        let text = |token: &str| conf.text(token).ok().flatten().map(str::to_owned);
        let chosen = chosen_host_below(root, conf).ok().flatten();
        let hosts = text("dbhost").into_iter().chain(chosen);
        Place {
            name: text("dbname"),
            hosts: hosts.filter(|host| !host.is_empty()).collect(),
            port: text("dbport"),
        }
    }

    /// Whether it is certainly another database. What a file does not say is alike.
    fn differs_from(&self, other: &Place) -> bool {
        let both = self.name.as_ref().zip(other.name.as_ref());
        if both.is_some_and(|(one, other)| one != other) {
            return true;
        }
        let pairs = self.hosts.iter();
        let mut pairs = pairs.flat_map(|one| other.hosts.iter().map(move |other| (one, other)));
        !self.hosts.is_empty()
            && !other.hosts.is_empty()
            && !pairs.any(|(one, there)| self.is_alike(one, other, there))
    }

    fn is_alike(&self, one: &str, other: &Place, there: &str) -> bool {
        let is_path = |host: &str| host.starts_with('/');
        if is_path(one) && is_path(there) {
            return one == there;
        }
        // A socket has no port.
        let has_port = |host: &str| !is_path(host) && host != "localhost";
        let is_one_port = !has_port(one) || !has_port(there) || self.port() == other.port();
        let is_one_host = one.eq_ignore_ascii_case(there) || (is_local(one) && is_local(there));
        is_one_host && is_one_port
    }

    fn port(&self) -> &str {
        self.port.as_deref().unwrap_or(PORT)
    }
}

/// Whether a host as the files write it is this one.
fn is_local(host: &str) -> bool {
    ["localhost", "127.0.0.1", "::1"].contains(&host) || host.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        let text = format!("ha_hosts_file /nowhere/ha\n{text}\n");
        Place::of(
            &ServerConf::parse("c".as_ref(), text.into_bytes()),
            "/".as_ref(),
        )
    }

    #[test]
    fn one_database_has_many_names() {
        for (one, other, differs) in [
            ("dbname a", "dbname a", false),
            ("dbname a", "dbname b", true),
            ("dbname a", "servername x", false),
            ("dbhost localhost", "dbhost 127.0.0.1", false),
            ("dbhost ::1", "dbhost /run/mysqld/mysqld.sock", false),
            ("dbhost /a.sock", "dbhost /b.sock", true),
            ("dbhost db1", "dbhost DB1", false),
            ("dbhost db1", "dbhost db1\ndbport 3306", false),
            ("dbhost db1", "dbhost db1\ndbport 3307", true),
            ("dbhost 127.0.0.1\ndbport 3307", "dbhost ::1", true),
            ("dbhost db1", "dbhost db2", true),
            ("dbhost db1", "dbhost localhost", true),
        ] {
            let (one, other) = (place(one), place(other));
            assert_eq!(one.differs_from(&other), differs, "{one:?} {other:?}");
            assert_eq!(other.differs_from(&one), differs, "{one:?} {other:?}");
        }
        let chosen = Place {
            hosts: ["db1".to_owned(), "db2".to_owned()].into(),
            ..Place::default()
        };
        assert!(!place("dbhost db2").differs_from(&chosen));
    }
}
