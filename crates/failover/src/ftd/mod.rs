//! The driver for Cisco Secure Firewall Threat Defense (FTD) pairs, by the vendor's procedure for
//! an upgrade from the command line.
//!
//! From the bottom up: [`text`] makes of a terminal's bytes what a person would see, [`prompt`]
//! says what waits for input, [`session`] and [`modes`] hold a dialogue, [`parse`] reads answers,
//! and [`report`], [`survey`], [`job`], [`adopt`] and [`switchover`] are what [`driver`] can be asked;
//! a [`marker`] on the unit proves that an order was about to be carried out.

mod adopt;
mod driver;
mod installer;
mod job;
mod manager;
mod marker;
mod modes;
mod open;
mod options;
mod parse;
mod prompt;
mod report;
mod session;
mod standing;
mod survey;
mod switchover;
mod text;
mod transcript;

pub use driver::FtdDriver;
pub use manager::{Manager, ManagerStanding, SwitchError};
pub use options::{FtdOptions, FtdUnit};
