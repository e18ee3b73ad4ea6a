//! Private MariaDB servers, and databases on them that are filled and recounted by `mariadb`.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use elpis_maint_core::MySqlStore;
use elpis_mysql::{ConnectOptions, PrivateServer, PrivateServerBuilder};

use crate::database::{Database, client};
use crate::table::Dialect;

/// The one server that all tests of a binary share which do not change a server as a whole: with
/// a row-format binary log and every commit durable, as in production.
///
/// It ends with the process; see [`PrivateServer`].
pub fn server() -> &'static PrivateServer {
    static SERVER: OnceLock<PrivateServer> = OnceLock::new();
    SERVER.get_or_init(|| start(PrivateServer::builder()))
}

/// Starts a server with the same settings for one test alone.
pub(crate) fn start(builder: PrivateServerBuilder) -> PrivateServer {
    builder
        .arg("--log-bin=bin")
        .arg("--binlog-format=ROW")
        .arg("--innodb-flush-log-at-trx-commit=1")
        .start()
        .unwrap_or_else(|error| panic!("a private MariaDB server: {error}"))
}

/// Makes a database with a name of its own on `server`; how to connect to it.
pub fn fresh_database(server: &PrivateServer) -> ConnectOptions {
    MariaDb::on(server).options
}

/// A database on a private server.
#[derive(Debug, Clone)]
pub struct MariaDb {
    /// How to connect to it, through the socket.
    pub options: ConnectOptions,
    socket: PathBuf,
    name: String,
}

impl MariaDb {
    /// A new database on the shared server.
    pub fn new() -> MariaDb {
        MariaDb::on(server())
    }

    /// A new database on `server`.
    pub fn on(server: &PrivateServer) -> MariaDb {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("monitoring_{}", NUMBER.fetch_add(1, Ordering::SeqCst));
        let created = MariaDb::existing(server, "mysql");
        created.sql(&format!("CREATE DATABASE {name};"));
        MariaDb::existing(server, &name)
    }

    /// A database that is there already, such as a replicated one.
    pub fn existing(server: &PrivateServer, name: &str) -> MariaDb {
        MariaDb {
            options: ConnectOptions {
                database: Some(name.to_owned()),
                ..server.options()
            },
            socket: server.socket().to_owned(),
            name: name.to_owned(),
        }
    }

    /// A server of one test's own, with more arguments than [`server`]'s.
    pub fn own_server(args: &[&str]) -> PrivateServer {
        let builder = PrivateServer::builder();
        start(args.iter().fold(builder, |builder, arg| builder.arg(arg)))
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A store on it, in a session of its own.
    pub async fn store(&self) -> MySqlStore {
        let store = MySqlStore::connect(&self.options, Vec::new()).await;
        store.expect("a session on the private server")
    }

    /// The checksum of a table as the server computes it: independent of the rows' order.
    pub fn checksum(&self, table: &str) -> String {
        self.sql(&format!("CHECKSUM TABLE {table};"))
    }
}

impl Default for MariaDb {
    fn default() -> MariaDb {
        MariaDb::new()
    }
}

impl Database for MariaDb {
    fn dialect(&self) -> Dialect {
        Dialect::MySql
    }

    fn sql(&self, statements: &str) -> String {
        let mut socket = std::ffi::OsString::from("--socket=");
        socket.push(&self.socket);
        let mut command = Command::new("mariadb");
        command
            .arg("--no-defaults")
            .arg(socket)
            .args(["--user=root", "--batch", "--skip-column-names"])
            .arg("--default-character-set=utf8mb4")
            .arg("--init-command=SET time_zone = '+00:00'")
            .arg(&self.name);
        client(&mut command, statements)
    }
}
