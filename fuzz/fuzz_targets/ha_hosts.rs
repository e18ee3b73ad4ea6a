//! Anybody's `pandora_ha_hosts.conf`: one host, nothing, or refused.
#![no_main]

#[path = "../checks/ha_hosts.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::check(bytes));
