//! Sessions against a real MariaDB, which must be installed.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

mod guardian;
mod limits;
mod locks;
mod network;
mod quoting;
mod replication;
mod secrets;
mod sessions;
mod streams;
mod tls;

use std::sync::OnceLock;

use elpis_mysql::{ConnectOptions, Params, PrivateServer, Session, SessionSettings};

/// One server for all tests that do not change it as a whole.
fn server() -> &'static PrivateServer {
    static SERVER: OnceLock<PrivateServer> = OnceLock::new();
    SERVER.get_or_init(|| PrivateServer::start().unwrap())
}

async fn open(options: &ConnectOptions, settings: &SessionSettings) -> Session {
    Session::open(options, settings).await.unwrap()
}

async fn session() -> Session {
    open(&server().options(), &SessionSettings::default()).await
}

async fn run(session: &mut Session, sql: &str) {
    session
        .execute(sql, Params::Empty)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

async fn text(session: &mut Session, sql: &str) -> String {
    let sql = format!("SELECT CONCAT('', ({sql}))");
    session.first(&sql, Params::Empty).await.unwrap().unwrap()
}
