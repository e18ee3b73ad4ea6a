//! Anybody's `config.php`: it is read or refused, and no error shows the password.
#![no_main]

use elpis_pandora::console_database;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|php: &[u8]| {
    if let Ok(database) = console_database("config.php".as_ref(), php) {
        assert!(database.port > 0);
    }
});
