//! One way to talk to MySQL and MariaDB.
//!
//! A [`Session`] is one connection that never reconnects by itself: what hangs on it (a named
//! lock, a transaction, session settings) is there until an error says that it is gone. Every
//! call is bounded in time, on the server and on the client. A [`LoadProbe`] watches the load of
//! a server and the lag of its replicas over connections of its own.
//!
//! With the feature `server` there is also [`PrivateServer`], a throwaway `mariadbd`.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod backoff;
mod error;
mod ident;
mod info;
mod load;
mod lock;
mod option_file;
mod options;
#[cfg(feature = "server")]
mod private_server;
mod replica;
mod session;
mod settings;
mod tls;

pub use backoff::Backoff;
pub use error::Error;
pub use ident::{IdentError, quote};
pub use info::{Flavour, Role, ServerInfo, now, role};
pub use load::LoadProbe;
pub use option_file::{OptionFile, OptionFileError, read_option_file};
pub use options::ConnectOptions;
#[cfg(feature = "server")]
pub use private_server::{PrivateServer, PrivateServerBuilder, ServerError};
pub use session::{Executed, RowStream, Session};
pub use settings::{Isolation, SessionSettings};
pub use tls::Tls;

/// Values, rows and parameters of statements, as the driver defines them.
pub use mysql_async::{Params, Row, Value, params, prelude::FromRow};
