//! How a private server is to be.

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use elpis_run::FsError;

use super::guardian::Guardian;
use super::{PrivateServer, ServerError, template};

/// The system's limit for socket paths is 108 bytes, the server's own is lower.
const SOCKET_PATH: usize = 100;

/// Ports are given out by the system, but between asking and starting another may take one.
const PORT_TRIES: u32 = 5;

/// Describes a [`PrivateServer`].
#[derive(Clone, Debug, Default)]
pub struct PrivateServerBuilder {
    parent: Option<PathBuf>,
    args: Vec<OsString>,
    mariadbd: Option<PathBuf>,
}

impl PrivateServerBuilder {
    /// Where the server's own directory is made; the system's temporary directory without.
    #[must_use]
    pub fn dir(mut self, parent: impl Into<Option<PathBuf>>) -> Self {
        self.parent = parent.into();
        self
    }

    /// Adds an argument for `mariadbd`, such as `--log-bin=bin`; it overrides the default.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// The server program, if it is not the installed one.
    #[must_use]
    pub fn mariadbd(mut self, program: impl Into<PathBuf>) -> Self {
        self.mariadbd = Some(program.into());
        self
    }

    /// Starts the server and waits until it is ready. Blocks, usually for a fraction of a second.
    ///
    /// # Errors
    /// [`ServerError::Missing`] if MariaDB is not installed; [`ServerError::Start`] with the end
    /// of the error log if the server does not come up.
    pub fn start(self) -> Result<PrivateServer, ServerError> {
        let mariadbd = self.mariadbd.clone().unwrap_or_else(installed);
        let parent = self.parent.clone().unwrap_or_else(std::env::temp_dir);
        let own = own_directory(&parent)?;
        let result = self.start_in(&own, &mariadbd);
        if result.is_err() {
            // Its guardian may never have been there; if it was, it has done this already.
            std::fs::remove_dir_all(&own).ok();
        }
        result
    }

    fn start_in(&self, own: &Path, mariadbd: &Path) -> Result<PrivateServer, ServerError> {
        let uid = std::fs::metadata(own)
            .map_err(|source| FsError::new("use directory", own, source))?
            .uid();
        template::copy_to(&own.join("data"), mariadbd, uid)?;
        let tmp = own.join("tmp");
        new_directory(&tmp).map_err(|source| FsError::new("create directory", &tmp, source))?;
        let socket_dir = if own.as_os_str().as_bytes().len() + "/s.sock".len() < SOCKET_PATH {
            own.to_owned()
        } else {
            own_directory(Path::new("/tmp"))?
        };
        let socket = socket_dir.join("s.sock");
        let args = self.args(own, &socket, uid);
        let mut server = PrivateServer {
            guardian: Guardian::new(own, &socket_dir, mariadbd, args)?,
            dir: own.to_owned(),
            socket,
            port: 0,
            pid: 0,
        };
        let mut tries = PORT_TRIES;
        loop {
            tries -= 1;
            server.port = free_port()?;
            match server.run() {
                Ok(()) => return Ok(server),
                Err(ServerError::Start { log_tail, .. })
                    if tries > 0 && log_tail.contains("Bind on TCP/IP port") => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn args(&self, own: &Path, socket: &Path, uid: u32) -> Vec<OsString> {
        let with_path = |option: &str, path: &Path| {
            let mut argument = OsString::from(option);
            argument.push(path);
            argument
        };
        let mut args = vec![
            with_path("--datadir=", &own.join("data")),
            with_path("--tmpdir=", &own.join("tmp")),
            with_path("--pid-file=", &own.join("pid")),
            with_path("--socket=", socket),
            "--bind-address=127.0.0.1".into(),
            "--skip-name-resolve".into(),
            "--innodb-buffer-pool-size=128M".into(),
        ];
        if uid == 0 {
            args.push("--user=root".into());
        }
        args.extend(self.args.iter().cloned());
        args
    }
}

/// `/usr/sbin` is not in everybody's search path.
fn installed() -> PathBuf {
    [
        "/usr/sbin/mariadbd",
        "/usr/local/sbin/mariadbd",
        "/usr/bin/mariadbd",
    ]
    .into_iter()
    .map(PathBuf::from)
    .find(|path| path.exists())
    .unwrap_or_else(|| PathBuf::from("mariadbd"))
}

fn free_port() -> Result<u16, ServerError> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|source| ServerError::Program {
            program: "a server on 127.0.0.1".to_owned(),
            source,
        })
}

fn own_directory(parent: &Path) -> Result<PathBuf, FsError> {
    loop {
        let name: String = std::iter::repeat_with(fastrand::alphanumeric)
            .take(8)
            .collect();
        let dir = parent.join(format!("elpis-{name}"));
        match new_directory(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(FsError::new("create directory", &dir, source)),
        }
    }
}

fn new_directory(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().mode(0o700).create(path)
}
