//! A throwaway `mariadbd`, for tests and rehearsals.

mod builder;
mod guardian;
mod readiness;
mod template;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use elpis_run::{FsError, ReplicaState, Secret};
use mysql_async::Params;
use tokio::time::sleep;

pub use builder::PrivateServerBuilder;
use guardian::Guardian;

use crate::{ConnectOptions, Error, Session, SessionSettings, replica};

/// The longest a server may take to start (crash recovery included) or to stop.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why a private server does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A program of the server is not installed.
    #[error("{program} is not installed; on Debian the package mariadb-server has it")]
    Missing {
        /// The program.
        program: String,
    },
    /// A program could not be run.
    #[error("cannot run {program}")]
    Program {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program ended with an error.
    #[error("{program} failed: {output}")]
    Failed {
        /// The program.
        program: String,
        /// The end of what it wrote.
        output: String,
    },
    /// A file or directory.
    #[error(transparent)]
    File(#[from] FsError),
    /// The server did not become ready.
    #[error("the private server {what}; the end of its log:\n{log_tail}")]
    Start {
        /// What happened.
        what: &'static str,
        /// The last lines of its error log.
        log_tail: String,
    },
    /// The server did not stop.
    #[error("the private server did not stop within {within:?}")]
    Stop {
        /// How long it had.
        within: Duration,
    },
    /// The process that watches over the server is gone, and so is the server.
    #[error("the guardian of the private server is gone")]
    Guardian(#[source] io::Error),
    /// Replication could not be set up.
    #[error("cannot set up replication")]
    Replication(#[source] Error),
    /// The replica does not run.
    #[error("the replica does not replicate: {reason}")]
    NotReplicating {
        /// What its status says.
        reason: String,
    },
}

/// A `mariadbd` of our own: own data directory, socket and TCP port on 127.0.0.1, account `root`
/// without a password.
///
/// It ends when this value is dropped, and also when the process that owns it ends in any other
/// way, be it by SIGKILL: a guardian process then kills the server and removes its files.
///
/// The methods that start and stop it block for up to two minutes, usually a fraction of a
/// second.
#[derive(Debug)]
pub struct PrivateServer {
    guardian: Guardian,
    dir: PathBuf,
    socket: PathBuf,
    port: u16,
    pid: u32,
}

impl PrivateServer {
    /// A server that is still to be described.
    #[must_use]
    pub fn builder() -> PrivateServerBuilder {
        PrivateServerBuilder::default()
    }

    /// A server with default settings.
    ///
    /// # Errors
    /// See [`PrivateServerBuilder::start`].
    pub fn start() -> Result<Self, ServerError> {
        Self::builder().start()
    }

    /// Connects as `root` through the socket.
    #[must_use]
    pub fn options(&self) -> ConnectOptions {
        ConnectOptions {
            socket: Some(self.socket.clone()),
            user: "root".to_owned(),
            ..ConnectOptions::default()
        }
    }

    /// Connects as `root` through TCP.
    #[must_use]
    pub fn tcp_options(&self) -> ConnectOptions {
        ConnectOptions {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            user: "root".to_owned(),
            ..ConnectOptions::default()
        }
    }

    /// The Unix socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The TCP port on 127.0.0.1; a restart keeps it.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process number of `mariadbd`; a restart changes it. 0 after [`kill`](Self::kill).
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The data directory.
    #[must_use]
    pub fn datadir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// The end of the server's error log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        readiness::log_tail(&self.dir)
    }

    /// Kills `mariadbd` with SIGKILL; its data stays for [`restart`](Self::restart).
    ///
    /// # Errors
    /// [`ServerError::Guardian`] if the guardian is gone.
    pub fn kill(&mut self) -> Result<(), ServerError> {
        self.guardian.ask("kill")?;
        self.pid = 0;
        Ok(())
    }

    /// Stops `mariadbd` in good order; its data stays for [`restart`](Self::restart).
    ///
    /// # Errors
    /// [`ServerError::Stop`] if it takes longer than two minutes.
    pub fn stop(&mut self) -> Result<(), ServerError> {
        self.guardian.ask("term")?;
        let deadline = Instant::now() + PATIENCE;
        while readiness::is_alive(self.pid) {
            if Instant::now() > deadline {
                return Err(ServerError::Stop { within: PATIENCE });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Starts the server again over the same data, socket and port, stopping it first if it
    /// runs.
    ///
    /// # Errors
    /// As [`PrivateServerBuilder::start`] and [`stop`](Self::stop).
    pub fn restart(&mut self) -> Result<(), ServerError> {
        if readiness::is_alive(self.pid) {
            self.stop()?;
        }
        self.run()
    }

    fn run(&mut self) -> Result<(), ServerError> {
        let answer = self.guardian.ask(&format!("start {}", self.port))?;
        self.pid = answer.parse().map_err(|_| {
            let message = format!("it answered {answer:?} instead of a process number");
            ServerError::Guardian(io::Error::new(io::ErrorKind::InvalidData, message))
        })?;
        readiness::wait(&self.socket, self.pid, &self.dir, PATIENCE)
    }

    /// Makes this server a replica of `primary`, by GTID, from the primary's first transaction
    /// on, and waits until it replicates.
    ///
    /// The primary needs `--log-bin`, both need different `--server-id`s (the defaults are).
    ///
    /// # Errors
    /// [`ServerError::Replication`] if a server refuses a statement,
    /// [`ServerError::NotReplicating`] if the replica does not run within ten seconds.
    pub async fn replicate_from(&self, primary: &Self) -> Result<(), ServerError> {
        let password = Secret::new(
            std::iter::repeat_with(fastrand::alphanumeric)
                .take(24)
                .collect(),
        );
        primary
            .create_replication_account(&password)
            .await
            .map_err(ServerError::Replication)?;
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut session = self.session().await.map_err(ServerError::Replication)?;
        follow(&mut session, primary.port, &password)
            .await
            .map_err(ServerError::Replication)?;
        loop {
            let channels = replica::status(&mut session)
                .await
                .map_err(ServerError::Replication)?;
            let reason = match channels.into_iter().next().map(|channel| channel.state) {
                Some(ReplicaState::Behind(_)) => return Ok(()),
                Some(ReplicaState::NotReplicating { reason }) => reason,
                _ => "it is not configured as a replica".to_owned(),
            };
            if Instant::now() > deadline {
                return Err(ServerError::NotReplicating { reason });
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn create_replication_account(&self, password: &Secret<String>) -> Result<(), Error> {
        let mut session = self.session().await?;
        let account = "'elpis_replication'@'127.0.0.1'";
        let create = format!(
            "CREATE OR REPLACE USER {account} IDENTIFIED BY '{}'",
            password.expose()
        );
        session.execute(&create, Params::Empty).await?;
        let grant = format!("GRANT REPLICATION SLAVE ON *.* TO {account}");
        session.execute(&grant, Params::Empty).await?;
        session.close().await
    }

    async fn session(&self) -> Result<Session, Error> {
        Session::open(&self.options(), &SessionSettings::default()).await
    }
}

async fn follow(session: &mut Session, port: u16, password: &Secret<String>) -> Result<(), Error> {
    let change = format!(
        "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {port}, \
         MASTER_USER = 'elpis_replication', MASTER_PASSWORD = '{}', \
         MASTER_CONNECT_RETRY = 1, MASTER_USE_GTID = slave_pos",
        password.expose()
    );
    for sql in ["STOP SLAVE", &change, "START SLAVE"] {
        session.execute(sql, Params::Empty).await?;
    }
    Ok(())
}
