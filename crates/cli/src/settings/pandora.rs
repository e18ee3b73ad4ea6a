//! An installation of Pandora FMS, as its own files describe it.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use elpis_mysql::Tls;
use elpis_pandora::{Disagreement, Origin, ServerConf, Setting, chosen_host_below, server_name};
use elpis_run::{FsError, fsx};
use jiff::tz::TimeZone;

use super::raw::Added;
use super::{ConfigError, Environment, Server};

/// The share of a table that is believed to be orphans where nobody says otherwise.
const MAX_ORPHAN_SHARE: f64 = 0.5;

/// What is known of an installation before its database is asked.
#[derive(Debug, Clone)]
pub(crate) struct Pandora {
    /// Its `pandora_server.conf`.
    pub(crate) conf: PathBuf,
    /// The name of this host's server.
    pub(crate) server_name: String,
    /// Whether passwords in its database may be encrypted.
    pub(crate) is_encrypted: bool,
    /// The zone of DATETIME columns.
    pub(crate) zone: TimeZone,
    /// Tokens that our own configuration sets.
    pub(crate) tokens: BTreeMap<String, String>,
    /// The same of the history database's own.
    pub(crate) history_tokens: BTreeMap<String, String>,
    /// The history database's password, where our own configuration names it.
    pub(crate) history_password_file: Option<PathBuf>,
    /// The largest share of a table that one run may delete, if there is a limit.
    pub(crate) max_share: Option<f64>,
    /// The largest share of a table that is believed to be orphans.
    pub(crate) max_orphan_share: f64,
    /// What the files say, as it takes effect.
    pub(crate) settings: Vec<Setting>,
    /// What the product's own readers would not read alike.
    pub(crate) disagreements: Vec<Disagreement>,
    /// What else an operator should know about the files.
    pub(crate) warnings: Vec<String>,
}

impl Pandora {
    /// Reads the product's files, and puts what our own configuration says of the server over
    /// what they say.
    pub(super) fn read(
        added: &Added,
        own: Server,
        environment: &Environment,
    ) -> Result<(Server, Pandora), ConfigError> {
        let path = environment.below(&added.conf);
        let bytes = fsx::read(&path).map_err(ConfigError::Missing)?;
        let conf = ServerConf::parse(&added.conf, bytes);
        let mut warnings = Vec::new();
        let found = std::fs::metadata(&path)
            .map_err(|source| ConfigError::Missing(FsError::new("read", &path, source)))?;
        if found.mode() & 0o004 != 0 {
            warnings.push(format!(
                "{} holds the database's password and everybody may read it (mode {:03o}): chmod \
                 o-r it",
                added.conf.display(),
                found.mode() & 0o777
            ));
        }
        let root = environment.below(Path::new("/"));
        let host = chosen_host_below(&root, &conf).map_err(ConfigError::Chosen)?;
        let theirs = server(&conf, host.as_deref())?;
        let name = server_name(&conf, this_host().trim()).map_err(ConfigError::Product)?;
        let zone = added.zone.clone().unwrap_or_else(TimeZone::system);
        let settings = listing(&conf, host.as_deref(), &own, (&name, &zone), added);
        let server = Server {
            name: own.name.or(theirs.name.clone()),
            under: Some(Box::new(theirs)),
            ..own
        };
        let server = server.below(environment);
        let pandora = Pandora {
            conf: added.conf.clone(),
            server_name: name,
            is_encrypted: conf
                .get("encryption_passphrase")
                .is_some_and(|t| !t.value.is_empty()),
            zone,
            tokens: added.tokens.clone(),
            history_tokens: added.history_tokens.clone(),
            history_password_file: added
                .history_password_file
                .as_deref()
                .map(|path| environment.below(path)),
            max_share: added.max_share,
            max_orphan_share: added.max_share.unwrap_or(MAX_ORPHAN_SHARE),
            settings,
            disagreements: conf.disagreements(),
            warnings,
        };
        Ok((server, pandora))
    }
}

/// What takes effect of the product's files and of ours.
fn listing(
    conf: &ServerConf,
    chosen: Option<&str>,
    own: &Server,
    (name, zone): (&str, &TimeZone),
    added: &Added,
) -> Vec<Setting> {
    let text = |token: &str| conf.text(token).ok().flatten().map(str::to_owned);
    let written = |token: &str| match conf.place_of(token) {
        Some(place) => Origin::File {
            place: place.to_string(),
        },
        None => Origin::Default,
    };
    let ours = |own: Option<String>, token: &str, theirs: Option<String>| match own {
        Some(own) => (Some(own), Origin::Override),
        None => (theirs, written(token)),
    };
    let socket = own.socket.as_ref().map(|path| path.display().to_string());
    let host = match (own.host.clone().or(socket), chosen) {
        (None, Some(chosen)) => {
            let place = conf.ha_hosts_file().map(|path| path.display().to_string());
            let place = place.unwrap_or_default();
            (Some(chosen.to_owned()), Origin::File { place })
        }
        (own, _) => ours(own, "dbhost", text("dbhost")),
    };
    let port = text("dbport").or_else(|| Some("3306".to_owned()));
    let port = ours(own.port.map(|port| port.to_string()), "dbport", port);
    let database = ours(own.name.clone(), "dbname", text("dbname"));
    let user = ours(own.user.clone(), "dbuser", text("dbuser"));
    let password = own.password_file.as_ref().map(|_| "***".to_owned());
    let theirs = text("dbpass").map(|_| "***".to_owned());
    let password = ours(password, "dbpass", theirs);
    let zone_name = zone.iana_name().unwrap_or("the system's").to_owned();
    let zone_origin = match &added.zone {
        Some(_) => Origin::Override,
        None => Origin::Default,
    };
    let name = (Some(name.to_owned()), written("servername"));
    [
        (
            "servername",
            name,
            "this host's server, as tserver names it",
        ),
        ("dbhost", host, "the database server, or its socket"),
        ("dbport", port, "its port"),
        ("dbname", database, "the database"),
        ("dbuser", user, "the account"),
        ("dbpass", password, "its password"),
        (
            "zone",
            (Some(zone_name), zone_origin),
            "the zone that DATETIME columns are written in",
        ),
    ]
    .into_iter()
    .map(|(token, (value, origin), meaning)| Setting {
        token: token.to_owned(),
        value,
        unit: "",
        origin,
        meaning,
    })
    .collect()
}

fn server(conf: &ServerConf, host: Option<&str>) -> Result<Server, ConfigError> {
    let database = conf.database(host).map_err(ConfigError::Product)?;
    let socket = database.socket_here();
    Ok(Server {
        name: Some(database.name),
        host: socket.is_none().then_some(database.host),
        port: Some(database.port),
        socket,
        user: Some(database.user),
        password: database.password,
        tls: database.tls.map(|tls| Tls::Required {
            ca: tls.ca,
            verify_host: tls.verify,
        }),
        ..Server::default()
    })
}

fn this_host() -> String {
    fsx::read_to_string(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use elpis_run::fsx;

    use super::super::{Database, Environment, Server, Settings};
    use super::*;

    const CONF: &str = "servername my server\ndbname pandora\ndbuser pandora\ndbpass hush\n\
                        dbhost db1\ndbport 3307\nha_hosts_file /nowhere/ha.conf\n";

    fn load(conf: &str, own: &str) -> Result<Settings, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("maint.toml");
        fsx::write_durable(&dir.path().join("p.conf"), conf.as_bytes(), 0o600).unwrap();
        let text = format!("{own}\n[state]\ndirectory = 's'\n");
        fsx::write_durable(&path, text.as_bytes(), 0o600).unwrap();
        Settings::load(Some(&path), None, &Environment::default())
    }

    fn server(settings: &Settings) -> &Server {
        match &settings.database {
            Database::MySql(server) => server,
            Database::Sqlite(path) => panic!("{}", path.display()),
        }
    }

    #[test]
    fn the_products_file_is_enough_and_ours_goes_over_it() {
        let plain = load(CONF, "[pandora]\nconf = 'p.conf'\nzone = 'Europe/Madrid'").unwrap();
        let options = server(&plain).connect_options(&mut Vec::new()).unwrap();
        assert_eq!(options.target(), "db1:3307");
        assert_eq!(options.password.unwrap().expose(), "hush");
        assert!(!format!("{:?}", server(&plain)).contains("hush"));
        let pandora = plain.pandora.unwrap();
        assert_eq!(pandora.server_name, "myserver");
        assert_eq!(pandora.zone.iana_name(), Some("Europe/Madrid"));
        assert_eq!((pandora.max_share, plain.policy.tables.len()), (None, 0));
        let over = "[pandora]\nconf = 'p.conf'\n[pandora.tokens]\nevent_purge = 9\n\
                    delete_notinit = true\n[database]\nhost = 'db2'\nuser = 'elpis'\n\
                    [policy]\nmax_share = 0.25\n";
        let over = load(CONF, over).unwrap();
        let options = server(&over).connect_options(&mut Vec::new()).unwrap();
        assert_eq!(
            (options.target().as_str(), options.user.as_str()),
            ("db2:3307", "elpis")
        );
        let pandora = over.pandora.unwrap();
        assert_eq!(pandora.tokens["event_purge"], "9");
        assert_eq!(pandora.tokens["delete_notinit"], "1");
        assert_eq!(pandora.max_share, Some(0.25));
    }

    #[test]
    fn what_is_wrong_has_its_place_and_no_secret() {
        let said = |own: &str| load(CONF, own).unwrap_err().to_string();
        let problem =
            said("[pandora]\nconf = 'p.conf'\n[pandora.tokens]\nhistory_db_pass = 'hush'\n");
        assert!(
            problem.contains("line 4") && problem.contains("history_password_file"),
            "{problem}"
        );
        assert!(!problem.contains("hush"), "{problem}");
        let problem = said("[pandora]\nconf = 'p.conf'\nzone = 'Mars'\n");
        assert!(
            problem.contains("line 3") && problem.contains("pandora.zone"),
            "{problem}"
        );
        let problem = said("[pandora]\nconf = 'p.conf'\n[database]\nkind = 'sqlite'\n");
        assert!(problem.contains("database.kind"), "{problem}");
        assert!(said("[pandora]\nzone = 'UTC'\n").contains("pandora.conf"));
        assert!(said("[policy]\n").contains("--pandora"));
        let error = load("dbname p\n", "[pandora]\nconf = 'p.conf'\n").unwrap_err();
        assert!(
            error.to_string().contains("p.conf: there is no dbhost"),
            "{error}"
        );
        assert!(error.hint().contains("the product's"), "{}", error.hint());
    }
}
