//! A fresh data directory, made once a machine, user and server version, then copied.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use elpis_run::{FsError, fsx};

use super::ServerError;
use super::readiness::tail;

/// Makes `data`, the data directory of a fresh server. `uid` is ours.
pub(super) fn copy_to(data: &Path, mariadbd: &Path, uid: u32) -> Result<(), ServerError> {
    let template = template(mariadbd, uid)?;
    let mut copy = Command::new("cp");
    copy.args(["-a", "--reflink=auto", "--sparse=always", "--"])
        .args([&template.join("data"), data]);
    run("cp", &mut copy)?;
    Ok(())
}

fn template(mariadbd: &Path, uid: u32) -> Result<PathBuf, ServerError> {
    let version = version(mariadbd)?;
    let dir = std::env::temp_dir().join(format!("elpis-template-{version}-{uid}"));
    // Refuses a directory that others may write to; that it is ours must be asked as well, since
    // the name can be foreseen and the place is everybody's.
    fsx::create_private_dir(&dir)?;
    let found = std::fs::symlink_metadata(&dir)
        .map_err(|source| FsError::new("use directory", &dir, source))?;
    if !found.is_dir() || found.uid() != uid {
        let source = std::io::Error::new(
            std::io::ErrorKind::PermissionDenied,
            "it belongs to somebody else",
        );
        return Err(FsError::new("use directory", &dir, source).into());
    }
    let lock_path = dir.join("lock");
    let lock = fsx::open_private(&lock_path)?;
    lock.lock()
        .map_err(|source| FsError::new("lock", &lock_path, source))?;
    // Written last, so that a build that was killed is built again.
    let complete = dir.join("complete");
    if !complete.exists() {
        build(&dir, mariadbd, uid)?;
        fsx::write_durable(&complete, b"", 0o600)?;
    }
    Ok(dir)
}

fn build(dir: &Path, mariadbd: &Path, uid: u32) -> Result<(), ServerError> {
    let data = dir.join("data");
    match std::fs::remove_dir_all(&data) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            return Err(FsError::new("remove", &data, source).into());
        }
        _ => {}
    }
    let mut install = Command::new("mariadb-install-db");
    install
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data.display()))
        .arg("--auth-root-authentication-method=normal")
        // Makes root@127.0.0.1 beside root@localhost: the servers resolve no names.
        .arg("--skip-name-resolve")
        .arg("--skip-test-db")
        // A small file to copy; the server enlarges it at its first start.
        .arg("--innodb-log-file-size=8M");
    if let Some(basedir) = mariadbd.parent().and_then(Path::parent) {
        install.arg(format!("--basedir={}", basedir.display()));
    }
    if uid == 0 {
        install.arg("--user=root");
    }
    run("mariadb-install-db", &mut install)?;
    Ok(())
}

/// The version as `mariadbd --version` gives it, also the proof that it is installed.
fn version(mariadbd: &Path) -> Result<String, ServerError> {
    let program = mariadbd.display().to_string();
    let output = run(
        &program,
        Command::new(mariadbd).args(["--no-defaults", "--version"]),
    )?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text
        .split_whitespace()
        .skip_while(|&word| word != "Ver")
        .nth(1);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '~');
    version
        .filter(|version| version.chars().all(plain))
        .map(str::to_owned)
        .ok_or_else(|| ServerError::Failed {
            program,
            output: text.into_owned(),
        })
}

fn run(program: &str, command: &mut Command) -> Result<Output, ServerError> {
    let program = program.to_owned();
    match command.output() {
        Ok(output) if output.status.success() => Ok(output),
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            Err(ServerError::Failed {
                program,
                output: tail(&String::from_utf8_lossy(&text)),
            })
        }
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
            Err(ServerError::Missing { program })
        }
        Err(source) => Err(ServerError::Program { program, source }),
    }
}
