//! The manager of FTD pairs (FMC), asked over its REST interface: what it has not deployed yet,
//! and what it can do for an upgrade. Uploading a package to it stays the operator's.
//!
//! Addresses and fields are those of the vendor's public Ansible collection; what it leaves open
//! is read strictly, so that an unknown answer is an error and never "nothing is pending".

mod client;
mod errand;
mod error;
mod manager;
mod tls;

pub use client::FmcOptions;
pub use errand::{Errand, ErrandEnd, ErrandError, ErrandRun};
pub use error::FmcError;
pub use manager::{Fmc, FmcNames, FmcPair, TaskState};
