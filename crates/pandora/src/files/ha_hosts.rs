//! The small files around `pandora_server.conf`.

use std::io::ErrorKind;
use std::path::Path;

use elpis_run::{FsError, fsx};

use super::{ConfigError, Place, ServerConf, below};

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

/// Why it cannot be told which host the product's HA daemon chose.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChosenHostError {
    /// What the files say cannot be meant.
    #[error(transparent)]
    Said(#[from] ConfigError),
    /// The daemon's file is there and cannot be read.
    #[error(transparent)]
    NotRead(#[from] FsError),
}

/// The database host that the product's HA daemon chose for the server of `conf`, by the file that
/// `conf` names; `None` if there is no such file, or nothing in it.
///
/// # Errors
/// [`ChosenHostError`].
pub fn chosen_host(conf: &ServerConf) -> Result<Option<String>, ChosenHostError> {
    chosen_host_below(Path::new("/"), conf)
}

/// The same on the system whose root is `root`.
///
/// # Errors
/// [`ChosenHostError`].
pub fn chosen_host_below(
    root: &Path,
    conf: &ServerConf,
) -> Result<Option<String>, ChosenHostError> {
    let path = conf.ha_hosts_file()?;
    match fsx::read(&below(root, path)) {
        Ok(bytes) => Ok(ha_host(path, &bytes)?),
        Err(error) if error.source.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether a file of `/etc/pandora/conf.d` is the configuration of one more server: its name ends
/// in `.conf` and does not begin with a dot (the product's init script takes `*.conf`).
pub fn is_conf_d_name(name: &str) -> bool {
    name.ends_with(".conf") && !name.starts_with('.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        /// Whoever is named on the first line is read, whatever follows, cut off or not.
        #[test]
        fn a_host_on_the_first_line_is_read(
            host in "[!-~]{1,60}",
            around in ("[ \\t]{0,3}", "[ \\t\\r]{0,3}"),
            rest in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            let line = format!("{}{host}{}", around.0, around.1).into_bytes();
            prop_assert_eq!(read(&line).unwrap(), Some(host.clone()));
            let whole = [&line[..], b"\n", &rest].concat();
            prop_assert_eq!(read(&whole).unwrap(), Some(host));
        }

        /// Anything at all: what comes out stands on the first line and has no blanks in it.
        #[test]
        fn what_is_read_is_one_word_of_the_first_line(
            bytes in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            let first = bytes.split(|byte| *byte == b'\n').next().unwrap();
            match read(&bytes) {
                Ok(Some(host)) => {
                    prop_assert!(!host.is_empty() && !host.contains(char::is_whitespace));
                    let word = String::from_utf8(first.to_vec()).unwrap();
                    prop_assert_eq!(word.split_whitespace().collect::<Vec<_>>(), [host]);
                }
                Ok(None) => prop_assert!(String::from_utf8(first.to_vec()).unwrap().trim().is_empty()),
                Err(error) => prop_assert!(error.to_string().starts_with("h.conf:1: ")),
            }
        }

        #[test]
        fn names_of_further_servers_end_as_the_shell_would_match_them(name in "[a-z.]{0,12}") {
            // `*.conf` of a shell does not match what begins with a dot.
            let shell = name.strip_suffix(".conf").is_some_and(|stem| !stem.is_empty() && !stem.starts_with('.'));
            prop_assert_eq!(is_conf_d_name(&name), shell);
        }
    }

    #[test]
    fn the_daemons_file_need_not_be_there_and_must_be_readable_if_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ha.conf");
        let chosen = |path: &Path| {
            let text = format!("ha_hosts_file {}\n", path.display());
            chosen_host(&ServerConf::parse("c".as_ref(), text.into_bytes()))
        };
        assert_eq!(chosen(&path).unwrap(), None);
        fsx::write_durable(&path, b"db2\n", 0o600).unwrap();
        assert_eq!(chosen(&path).unwrap().as_deref(), Some("db2"));
        fsx::write_durable(&path, b"a b\n", 0o600).unwrap();
        assert!(matches!(chosen(&path), Err(ChosenHostError::Said(_))));
        let no_file = chosen(dir.path());
        assert!(matches!(no_file, Err(ChosenHostError::NotRead(_))));
    }

    #[test]
    fn only_conf_files_name_further_servers() {
        assert!(is_conf_d_name("second.conf"));
        assert!(!is_conf_d_name(".second.conf") && !is_conf_d_name("second.conf.rpmsave"));
    }
}
