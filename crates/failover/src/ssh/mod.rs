//! A terminal on a device, reached over SSH.
//!
//! [`Transport`] and [`Terminal`] are what the drivers use; [`SshTransport`] is the implementation
//! on `russh`. Whether a device is the one it should be is decided by [`KnownHosts`], our own
//! reading of OpenSSH's file, because the library's does not know revoked keys, wildcards, tabs or
//! a changed key type.

mod client;
mod known_hosts;
mod login;
mod pattern;
mod transport;

pub use client::{SshOptions, SshTransport};
pub use known_hosts::{HostKey, HostKeyError, KnownHosts};
#[cfg(feature = "fmc")]
pub(crate) use transport::Boxed;
pub use transport::{Auth, ConnectError, Dropped, Host, Login, Terminal, Transport};
