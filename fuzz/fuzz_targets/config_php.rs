//! Anybody's `config.php`: it is read or refused, and no error shows the password.
#![no_main]

#[path = "../checks/config_php.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::check(bytes));
