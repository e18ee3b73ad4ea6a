//! The product's configuration files.

mod below;
mod database;
mod error;
mod ha_hosts;
mod php;
mod server_conf;

pub use below::below;
#[cfg(feature = "maint")]
pub(crate) use database::local_socket;
pub use database::{Database, Tls};
pub use error::{ConfigError, Place};
pub use ha_hosts::{ChosenHostError, chosen_host, chosen_host_below, ha_host, is_conf_d_name};
pub use php::{PhpConfig, console_database};
pub use server_conf::{Disagreement, ServerConf, Token};
