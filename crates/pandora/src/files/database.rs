//! How the product reaches its database.

use std::path::{Path, PathBuf};

use elpis_run::Secret;

/// Where the product's database is, and who the product is there.
#[derive(Debug, Clone)]
pub struct Database {
    /// Host name or address. For `localhost` the product's clients use the server's Unix socket.
    pub host: String,
    /// TCP port, 3306 unless the file says otherwise.
    pub port: u16,
    /// A Unix socket, where the host is written as a path.
    pub socket: Option<PathBuf>,
    /// The database.
    pub name: String,
    /// The account.
    pub user: String,
    /// Its password; `None` if it is empty.
    pub password: Option<Secret<String>>,
    /// Encryption, where the file asks for it.
    pub tls: Option<Tls>,
}

/// Encryption of the product's connections (`dbssl`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate authorities' file (`dbsslcafile`).
    pub ca: Option<PathBuf>,
    /// Whether the server's certificate is verified (`verify_mysql_ssl_cert`).
    pub verify: bool,
}

/// Where servers of the usual packages listen for local clients: Debian's and Red Hat's path,
/// and MySQL's own.
const LOCAL_SOCKETS: [&str; 4] = [
    "/run/mysqld/mysqld.sock",
    "/var/run/mysqld/mysqld.sock",
    "/var/lib/mysql/mysql.sock",
    "/tmp/mysql.sock",
];

/// The Unix socket by which the product's own clients reach `localhost`: the first that a server's
/// package made below `root`. `None` for any other host.
pub(crate) fn local_socket(host: &str, root: &Path) -> Option<PathBuf> {
    let paths = LOCAL_SOCKETS.into_iter().filter(|_| host == "localhost");
    let mut paths = paths.map(|path| root.join(path.trim_start_matches('/')));
    paths.find(|path| path.symlink_metadata().is_ok())
}

impl Database {
    /// The Unix socket by which the product's own clients reach the server: the one that the file
    /// names, or, for `localhost` without encryption, the first that a server's package made.
    /// Looks at this host's files.
    pub fn socket_here(&self) -> Option<PathBuf> {
        let local = || local_socket(&self.host, "/".as_ref()).filter(|_| self.tls.is_none());
        self.socket.clone().or_else(local)
    }

    /// Takes a host as the files write it: a path means a socket.
    pub(super) fn at_host(mut self, host: &str) -> Database {
        self.socket = host.starts_with('/').then(|| PathBuf::from(host));
        self.host = match self.socket {
            Some(_) => "localhost".to_owned(),
            None => host.to_owned(),
        };
        self
    }
}
