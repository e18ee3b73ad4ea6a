//! A tar stream of anybody's: it is read to its end or refused, and asks for no more than it may.
#![no_main]

#[path = "../checks/tar.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::check(bytes));
