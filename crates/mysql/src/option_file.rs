//! Option files (`my.cnf`), read the way the MariaDB client reads them.

mod found;
mod line;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use elpis_run::{FsError, fsx};

use crate::ConnectOptions;

use found::Found;
use line::{Line, parse_line};

/// `!include` within `!include`: the client's limit.
const MAX_DEPTH: u32 = 10;

/// What an option file says.
#[derive(Clone, Debug)]
pub struct OptionFile {
    /// The options passed in, with the file's over them.
    pub options: ConnectOptions,
    /// What an operator should know, one sentence each.
    pub warnings: Vec<String>,
}

/// Why an option file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptionFileError {
    /// A file or an included directory cannot be read.
    #[error(transparent)]
    Read(#[from] FsError),
    /// Everybody may write to the file, so anybody could send us elsewhere.
    #[error("{} can be written by everyone: chmod o-w it", path.display())]
    WorldWritable {
        /// The file.
        path: PathBuf,
    },
    /// A line that is wrong.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from one.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads the named groups of an option file over `into`.
///
/// Known are `host`, `port`, `socket`, `user`, `password`, `database`, `ssl`, `ssl-ca`,
/// `ssl-verify-server-cert`, `connect-timeout` (seconds) and `protocol` (`tcp` or `socket`), with
/// `-` or `_`, with `loose-`, `skip-` and `disable-` where they make sense; other keys belong to
/// other programs and are ignored. As in the client the last word wins, and a host other than
/// `localhost` means TCP even if a socket is named. Unlike there, `ssl` insists on encryption.
///
/// # Errors
/// [`OptionFileError`], with file and line.
pub fn read_option_file(
    path: &Path,
    groups: &[&str],
    into: ConnectOptions,
) -> Result<OptionFile, OptionFileError> {
    let mut reader = Reader {
        groups,
        found: Found::default(),
        warnings: Vec::new(),
    };
    reader.read(path, 0)?;
    Ok(OptionFile {
        options: reader.found.over(into),
        warnings: reader.warnings,
    })
}

struct Reader<'a> {
    groups: &'a [&'a str],
    found: Found,
    warnings: Vec<String>,
}

impl Reader<'_> {
    fn read(&mut self, path: &Path, depth: u32) -> Result<(), OptionFileError> {
        let text = fsx::read_to_string(path)?;
        let mode = match std::fs::metadata(path) {
            Ok(file) => file.mode(),
            Err(source) => return Err(FsError::new("read", path, source).into()),
        };
        if mode & 0o002 != 0 {
            return Err(OptionFileError::WorldWritable {
                path: path.to_owned(),
            });
        }
        let mut group: Option<bool> = None;
        let mut has_password = false;
        for (number, text) in text.lines().enumerate() {
            let wrong = |reason: String| OptionFileError::Line {
                path: path.to_owned(),
                line: number + 1,
                reason,
            };
            match parse_line(text).map_err(|reason| wrong(reason.to_owned()))? {
                Line::Nothing => {}
                Line::Group(name) => group = Some(self.groups.contains(&name)),
                Line::Include(_) | Line::IncludeDir(_) if depth >= MAX_DEPTH => {
                    return Err(wrong(format!("more than {MAX_DEPTH} nested includes")));
                }
                Line::Include(file) => self.read(Path::new(file), depth + 1)?,
                Line::IncludeDir(dir) => {
                    for file in option_files_in(Path::new(dir))? {
                        self.read(&file, depth + 1)?;
                    }
                }
                Line::Option { key, value } => match group {
                    None => return Err(wrong("an option before the first [group]".to_owned())),
                    Some(false) => {}
                    Some(true) => {
                        has_password |= self.found.set(&key, value).map_err(wrong)?;
                    }
                },
            }
        }
        if has_password && mode & 0o077 != 0 {
            self.warnings.push(format!(
                "{} contains a password and has mode {:03o}: chmod 600 it",
                path.display(),
                mode & 0o777
            ));
        }
        Ok(())
    }
}

/// The `.cnf` files of a directory in the order of their names.
fn option_files_in(dir: &Path) -> Result<Vec<PathBuf>, FsError> {
    let failed = |source| FsError::new("read", dir, source);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "cnf") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests lay out broken files")]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::Tls;

    fn write(dir: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn read(text: &str) -> Result<ConnectOptions, OptionFileError> {
        let dir = tempfile::tempdir().unwrap();
        let path = write(&dir, "f.cnf", text);
        read_option_file(&path, &["client"], ConnectOptions::default()).map(|file| file.options)
    }

    /// What MariaDB's own reader makes of a file: the options of `[client]`, one a line.
    fn oracle(path: &Path) -> Option<Vec<u8>> {
        let output = std::process::Command::new("my_print_defaults")
            .arg(format!("--defaults-file={}", path.display()))
            .arg("client")
            .output()
            .expect("my_print_defaults of the package mariadb-client");
        output.status.success().then_some(output.stdout)
    }

    /// The same listing by our own reader of lines.
    fn listing(text: &str) -> Option<Vec<u8>> {
        let (mut group, mut listing) = (None, String::new());
        for line in text.lines() {
            match parse_line(line).ok()? {
                Line::Group(name) => group = Some(name == "client"),
                Line::Option { key, value } if group? => {
                    listing.push_str(&format!("--{key}"));
                    value
                        .iter()
                        .for_each(|value| listing.push_str(&format!("={value}")));
                    listing.push('\n');
                }
                _ => {}
            }
        }
        Some(listing.into_bytes())
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => "[a-z_-]{1,6} ?= ?[ -~]{0,20}",
            3 => "password=[\"'][ -~]{0,20}[\"'] {0,2}",
            2 => "(#|;|ssl|  user = )[ab='\"#\\\\ \t]{0,9}",
            1 => "\\[(client|mysqld|client )\\] ?",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn lines_mean_what_mariadb_says(lines in prop::collection::vec(line(), 0..8)) {
            let text = format!("[client]\n{}\n", lines.join("\n"));
            let dir = tempfile::tempdir().unwrap();
            let path = write(&dir, "f.cnf", &text);
            prop_assert_eq!(
                listing(&text).map(|text| String::from_utf8(text).unwrap()),
                oracle(&path).map(|text| String::from_utf8(text).unwrap()),
                "{}", text
            );
        }

        #[test]
        fn a_password_written_with_escapes_comes_back(password in "[ -~\n\t]{1,40}") {
            let escaped = password
                .replace('\\', "\\\\").replace('"', "\\\"")
                .replace('\n', "\\n").replace('\t', "\\t");
            let text = format!("[client]\npassword = \"{escaped}\" # why\n");
            let dir = tempfile::tempdir().unwrap();
            let path = write(&dir, "f.cnf", &text);
            let expected = format!("--password={password}\n");
            prop_assert_eq!(oracle(&path), Some(expected.into_bytes()));
            let options = read(&text).unwrap();
            prop_assert_eq!(options.password.unwrap().expose().clone(), password);
        }
    }

    #[test]
    fn every_key_is_taken_from_the_groups_asked_for() {
        let options = read(
            "[mysqld]\nport=1\n[client]\nhost=db\nport = 3310\nuser=u # me\npassword='a b'\n\
             database=d\nssl-ca=/ca.pem\nssl_verify_server_cert\nconnect-timeout=7\n\
             loose-unknown=1\ndefault-character-set=utf8mb4\nsocket=/s\n[mysql]\nport=2\n",
        )
        .unwrap();
        assert_eq!(options.target(), "db:3310/d");
        assert_eq!(options.user, "u");
        assert_eq!(options.connect_timeout, Duration::from_secs(7));
        assert_eq!(
            options.tls,
            Tls::Required {
                ca: Some("/ca.pem".into()),
                verify_host: true
            }
        );
    }

    #[test]
    fn socket_and_tcp_are_chosen_as_the_client_does() {
        let target = |text: &str| read(&format!("[client]\n{text}")).unwrap().target();
        assert_eq!(target("socket=/s"), "/s");
        assert_eq!(target("socket=/s\nhost=localhost"), "/s");
        assert_eq!(target("socket=/s\nhost=db"), "db:3306");
        assert_eq!(target("socket=/s\nprotocol=TCP"), "localhost:3306");
        assert_eq!(target("socket=/s\nhost=db\nprotocol=socket"), "/s");
        assert_eq!(target("port=0"), "localhost:3306");
    }

    #[test]
    fn errors_name_file_and_line_and_never_the_password() {
        for (text, line) in [
            ("user=u\n", 1),
            ("[client\n", 1),
            ("[client]\n\nport=70000\n", 3),
            ("[client]\npassword\n", 2),
            ("[client]\nhost\n", 2),
            ("[client]\npassword=s3cret\nssl=maybe\n", 3),
            ("[client]\nprotocol=pipe\n", 2),
        ] {
            let error = read(text).unwrap_err();
            let OptionFileError::Line { line: at, .. } = &error else {
                panic!("{error}");
            };
            assert_eq!(*at, line, "{error}");
            assert!(
                error.to_string().contains(&format!("f.cnf:{line}: ")),
                "{error}"
            );
            assert!(!format!("{error} {error:?}").contains("s3cret"));
        }
    }

    #[test]
    fn includes_are_followed_in_order_and_not_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let sub = dir.path().join("sub");
        std::fs::create_dir(&sub).unwrap();
        write(&dir, "sub/b.cnf", "[client]\nuser=b\n");
        write(&dir, "sub/a.cnf", "[client]\nuser=a\nport=4000\n");
        write(&dir, "sub/c.txt", "[client]\nuser=c\n");
        let main = write(
            &dir,
            "main.cnf",
            &format!(
                "[client]\nhost=h\n!includedir {}\ndatabase=d\n",
                sub.display()
            ),
        );
        let file = read_option_file(&main, &["client"], ConnectOptions::default()).unwrap();
        assert_eq!(file.options.target(), "h:4000/d");
        assert_eq!(file.options.user, "b");
        let oracle = String::from_utf8(oracle(&main).unwrap()).unwrap();
        assert_eq!(
            oracle,
            "--host=h\n--user=a\n--port=4000\n--user=b\n--database=d\n"
        );

        let own = dir.path().join("loop.cnf");
        write(&dir, "loop.cnf", &format!("!include {}\n", own.display()));
        let error = read_option_file(&own, &["client"], ConnectOptions::default()).unwrap_err();
        assert!(error.to_string().contains("nested"), "{error}");
    }

    #[test]
    fn loose_permissions_are_reported() {
        let dir = tempfile::tempdir().unwrap();
        let path = write(&dir, "f.cnf", "[client]\npassword=s3cret\n");
        let read = || read_option_file(&path, &["client"], ConnectOptions::default());
        assert!(read().unwrap().warnings.is_empty());
        let chmod = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        chmod(0o644);
        let file = read().unwrap();
        assert_eq!(file.warnings.len(), 1);
        assert!(!format!("{file:?}").contains("s3cret"));
        chmod(0o646);
        assert!(matches!(read(), Err(OptionFileError::WorldWritable { .. })));
    }
}
