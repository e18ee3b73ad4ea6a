//! Anybody's `config.php`: it is read or refused, and no error shows the password.

use elpis_pandora::console_database;

pub(crate) fn check(php: &[u8]) {
    match console_database("config.php".as_ref(), php) {
        Ok(database) => assert!(database.port > 0),
        Err(error) => {
            let mut said = format!("{error} {error:?}");
            let mut cause = std::error::Error::source(&error);
            while let Some(inner) = cause {
                said += &format!(" {inner}");
                cause = inner.source();
            }
            assert!(!said.contains("s3cr3t"), "{said}");
        }
    }
}
