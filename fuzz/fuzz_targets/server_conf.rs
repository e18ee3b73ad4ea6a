//! Anybody's `pandora_server.conf`: it is read or refused.
#![no_main]

#[path = "../checks/server_conf.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::check(bytes));
