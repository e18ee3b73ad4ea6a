//! The small files around `pandora_server.conf`.

use std::path::Path;

use super::{ConfigError, Place};

/// The database host that the product's HA daemon chose, from the bytes of
/// `pandora_ha_hosts.conf` (token `ha_hosts_file`): the first line, which goes before `dbhost`.
/// `None` if that line is empty.
///
/// # Errors
/// [`ConfigError::NotText`] if the line is not UTF-8, [`ConfigError::Value`] if it is no host.
pub fn ha_host(path: &Path, bytes: &[u8]) -> Result<Option<String>, ConfigError> {
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let key = || "the host chosen by the HA daemon".to_owned();
    let place = Place::new(path, 1);
    let Ok(line) = std::str::from_utf8(line) else {
        return Err(ConfigError::NotText { place, key: key() });
    };
    let host = line.trim();
    if host.chars().any(|c| c.is_whitespace() || c.is_control()) {
        let reason = "holds blanks, so it is no host: the file may be half written";
        let key = key();
        return Err(ConfigError::Value { place, key, reason });
    }
    Ok((!host.is_empty()).then(|| host.to_owned()))
}

/// Whether a file of `/etc/pandora/conf.d` is the configuration of one more server: its name ends
/// in `.conf` and does not begin with a dot (the product's init script takes `*.conf`).
pub fn is_conf_d_name(name: &str) -> bool {
    name.ends_with(".conf") && !name.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Option<String>, ConfigError> {
        ha_host("h.conf".as_ref(), bytes)
    }

    #[test]
    fn the_first_line_counts() {
        assert_eq!(read(b"db2\ndb1\n").unwrap().as_deref(), Some("db2"));
        assert_eq!(
            read(b" 10.0.0.7 \r\n").unwrap().as_deref(),
            Some("10.0.0.7")
        );
        assert_eq!(read(b"db2").unwrap().as_deref(), Some("db2"));
        for empty in [&b""[..], b"\n", b"  \r\ndb1\n"] {
            assert_eq!(read(empty).unwrap(), None, "{empty:?}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused_with_its_place() {
        for wrong in [&b"db1 db2\n"[..], b"\xffdb\n", b"a\0b\n"] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.starts_with("h.conf:1: "), "{error}");
        }
    }

    #[test]
    fn only_conf_files_name_further_servers() {
        assert!(is_conf_d_name("second.conf"));
        assert!(!is_conf_d_name(".second.conf") && !is_conf_d_name("second.conf.rpmsave"));
    }
}
