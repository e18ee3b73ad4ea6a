//! Anybody's SQL text: it is read to its end or refused, without more memory than a statement may
#![no_main]

#[path = "../checks/sql.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::check(bytes));
