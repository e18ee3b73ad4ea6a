//! Archives, files and stores, judged by GNU tar, gzip, zstd, sha256sum, sqlite3, age, restic, an S3
//! server and MariaDB's own programs, which must be installed: their absence fails the tests.
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
mod foreign;
mod hostile;
mod property;
mod prune;
mod restore_db;
mod restore_files;
mod reuse;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "demo")]
mod sqlite;
mod stores;
mod support;
