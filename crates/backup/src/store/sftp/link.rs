//! The way to the other host: the stock `ssh` program, which knows its keys and hosts, with the
//! SFTP subsystem at its other end.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh_sftp::client::error::Error;
use russh_sftp::client::{Config, SftpSession};
use tokio::io::{AsyncBufReadExt, BufReader, join};
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinHandle;

use super::address::SftpOptions;

/// How long the other host may take for one answer.
const ANSWER_S: u64 = 60;
/// How long `ssh` may take to say why it ended.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// The most lines of it that are kept.
const LINES: usize = 5;

/// What `ssh` is told, whatever its configuration says: nobody is there to answer questions, and a
/// host that has gone is noticed.
const MANNERS: [&str; 5] = [
    "-oBatchMode=yes",
    "-oConnectTimeout=15",
    "-oServerAliveInterval=15",
    "-oServerAliveCountMax=4",
    "-oClearAllForwardings=yes",
];

/// A session with the other host, until dropped.
pub(super) struct Link {
    pub(super) session: Arc<SftpSession>,
    words: Words,
    /// Killed when dropped.
    _ssh: Child,
}

/// What `ssh` has to say.
struct Words {
    said: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

/// Why there is no session, or none any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    /// The program cannot be started.
    #[error("cannot run {program}")]
    Program {
        program: String,
        source: std::io::Error,
    },
    /// It has ended, or the other host does not speak SFTP.
    #[error("{}", .said.join("; "))]
    Said { said: Vec<String>, source: Error },
    /// An answer of the other host.
    #[error(transparent)]
    Sftp(#[from] Error),
}

impl Link {
    pub(super) async fn open(options: &SftpOptions) -> Result<Link, LinkError> {
        let program = options.ssh.first().cloned().unwrap_or_default();
        let failed = |source| LinkError::Program {
            program: program.to_string_lossy().into_owned(),
            source,
        };
        let mut ssh = command(options).spawn().map_err(failed)?;
        let missing = || failed(std::io::ErrorKind::BrokenPipe.into());
        let input = ssh.stdin.take().ok_or_else(missing)?;
        let output = ssh.stdout.take().ok_or_else(missing)?;
        let words = Words::of(ssh.stderr.take().ok_or_else(missing)?);
        let config = Config {
            request_timeout_secs: ANSWER_S,
            ..Config::default()
        };
        match SftpSession::new_with_config(join(output, input), config).await {
            Ok(session) => Ok(Link {
                session: Arc::new(session),
                words,
                _ssh: ssh,
            }),
            Err(error) => {
                let _ = ssh.start_kill();
                Err(words.explain(error).await)
            }
        }
    }

    /// Why the session has ended, in the words of `ssh` if it has any.
    pub(super) async fn explain(self, error: Error) -> LinkError {
        drop(self._ssh);
        self.words.explain(error).await
    }
}

fn command(options: &SftpOptions) -> Command {
    let address = &options.address;
    let mut words = options.ssh.iter();
    let mut command = Command::new(words.next().cloned().unwrap_or_default());
    command.args(words).args(MANNERS);
    if let Some(port) = address.port {
        command.arg("-p").arg(port.to_string());
    }
    if let Some(user) = &address.user {
        command.arg("-l").arg(user);
    }
    command.args(["-s", "--", &address.host, "sftp"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

impl Words {
    fn of(stderr: ChildStderr) -> Words {
        let said = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&said);
        let reader = tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if !line.trim().is_empty() {
                    kept.push(line.trim().to_owned());
                }
                // The last words count; a banner before them does not.
                let over = kept.len().saturating_sub(LINES);
                kept.drain(..over);
            }
        });
        Words { said, reader }
    }

    async fn explain(self, source: Error) -> LinkError {
        let _ = tokio::time::timeout(LAST_WORDS, self.reader).await;
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        match said.is_empty() {
            true => LinkError::Sftp(source),
            false => LinkError::Said {
                said: said.clone(),
                source,
            },
        }
    }
}
