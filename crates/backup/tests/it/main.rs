//! Archives, files and stores, judged by GNU tar, gzip, zstd, sha256sum, sqlite3, age, restic, an S3
//! server, OpenSSH and MariaDB's own programs, which must be installed: their absence fails the tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests"
)]

#[cfg(feature = "age")]
mod age;
mod archives;
mod backups;
#[cfg(feature = "remote")]
mod elsewhere;
mod foreign;
mod fuzzed;
mod hostile;
mod property;
#[cfg(feature = "remote")]
mod proxy;
mod prune;
#[cfg(feature = "rehearse")]
mod rehearsals;
mod restore_config_first;
mod restore_db;
mod restore_files;
mod restore_partial;
mod restore_retries;
mod reuse;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "sftp")]
mod sftp;
#[cfg(feature = "demo")]
mod sqlite;
mod stores;
mod support;
mod tars;
