//! [`Transport`] on `russh`.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::{self, DisconnectReason, Handle};
use russh::keys::{Algorithm, HashAlg, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg, Disconnect, Preferred};
use tokio::time::timeout;

use super::known_hosts::{HostKey, HostKeyError, KnownHosts};
use super::login::{self, Sent};
use super::transport::{Auth, Boxed, ConnectError, Dropped, Host, Login, Terminal, Transport};

/// How connections are made.
#[derive(Debug, Clone)]
pub struct SshOptions {
    /// Which keys are trusted.
    pub known_hosts: KnownHosts,
    /// For the TCP connection together with the key exchange, and again for logging in and
    /// opening the terminal.
    pub connect_timeout: Duration,
    /// How long the device may be silent before it is asked for a sign of life.
    pub keepalive_interval: Duration,
    /// After how many unanswered questions the connection is given up.
    pub keepalive_max: usize,
}

impl SshOptions {
    /// 20 seconds to connect; a frozen device is noticed after about 4 seconds.
    pub fn new(known_hosts: KnownHosts) -> SshOptions {
        SshOptions {
            known_hosts,
            connect_timeout: Duration::from_secs(20),
            keepalive_interval: Duration::from_secs(1),
            keepalive_max: 3,
        }
    }
}

/// Terminals over SSH.
#[derive(Debug, Clone)]
pub struct SshTransport {
    options: SshOptions,
    /// The accounts whose password was accepted since this was made.
    accepted: Arc<Mutex<HashSet<(Host, String)>>>,
}

impl SshTransport {
    /// Connections made by `options`.
    pub fn new(options: SshOptions) -> SshTransport {
        SshTransport {
            options,
            accepted: Arc::default(),
        }
    }

    /// Asks `host` for its key and logs nobody in.
    ///
    /// # Errors
    /// [`ConnectError::Unreachable`], also when it shows a certificate, which cannot be recorded.
    pub async fn host_key(&self, host: &Host) -> Result<HostKey, ConnectError> {
        let seen = Arc::new(Mutex::new(None));
        let visitor = Guard {
            host: host.clone(),
            known_hosts: None,
            seen: Arc::clone(&seen),
            said: Arc::default(),
        };
        let refused = self.connect(host, visitor, Preferred::DEFAULT).await;
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        match seen {
            Some(Verdict::Shown(key)) => Ok(key),
            _ => Err(unreachable(
                host,
                match refused {
                    Ok(_) => String::from("it showed no host key"),
                    Err(reason) => reason,
                },
            )),
        }
    }

    async fn open_terminal(&self, host: &Host, login: &Login) -> Result<SshTerminal, ConnectError> {
        let (mut handle, said) = self.connect_trusted(host).await?;
        let sent = Sent::default();
        let opened = timeout(self.options.connect_timeout, async {
            login::authenticate(&mut handle, host, login, &sent).await?;
            self.remember(host, login);
            open_shell(&handle)
                .await
                .map_err(|error| unreachable(host, error.to_string()))
        })
        .await
        .unwrap_or_else(|_| {
            Err(unreachable(
                host,
                String::from("it did not finish the login in time"),
            ))
        });
        match opened {
            Ok(channel) => Ok(SshTerminal { channel, handle }),
            Err(error) => {
                // It is given up either way.
                let _ = handle.disconnect(Disconnect::ByApplication, "", "").await;
                let said = said.lock().unwrap_or_else(PoisonError::into_inner).take();
                Err(self.weigh(error, login, &sent, said))
            }
        }
    }

    fn remember(&self, host: &Host, login: &Login) {
        if let Auth::Password(_) = login.auth {
            let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
            accepted.insert((host.clone(), login.user.clone()));
        }
    }

    /// A login that ended without an answer to the password: with the device's last words it is a
    /// refusal; without any it may be one, unless the same password was good before.
    fn weigh(
        &self,
        error: ConnectError,
        login: &Login,
        sent: &Sent,
        said: Option<String>,
    ) -> ConnectError {
        let ConnectError::Unreachable { host, reason } = error else {
            return error;
        };
        let user = login.user.clone();
        let account = (host.clone(), user.clone());
        let accepted = self
            .accepted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&account);
        match (sent.is_noted(), said) {
            (true, Some(reason)) => ConnectError::Unanswered { host, user, reason },
            (true, None) if !accepted => ConnectError::Unanswered { host, user, reason },
            _ => ConnectError::Unreachable { host, reason },
        }
    }

    /// The connection, and where the device's last words will be found.
    async fn connect_trusted(
        &self,
        host: &Host,
    ) -> Result<(Handle<Guard>, LastWords), ConnectError> {
        let known_hosts = &self.options.known_hosts;
        let recorded = known_hosts
            .recorded(host)
            .map_err(|source| ConnectError::KnownHosts {
                host: host.clone(),
                source,
            })?;
        let seen = Arc::new(Mutex::new(None));
        let said = LastWords::default();
        let guard = Guard {
            host: host.clone(),
            known_hosts: Some(known_hosts.clone()),
            seen: Arc::clone(&seen),
            said: Arc::clone(&said),
        };
        let connected = self.connect(host, guard, preferring(recorded)).await;
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (connected, seen) {
            (_, Some(Verdict::Refused(source))) => Err(ConnectError::HostKey {
                host: host.clone(),
                source,
            }),
            (_, Some(Verdict::Undecided(source))) => Err(ConnectError::KnownHosts {
                host: host.clone(),
                source,
            }),
            (Ok(handle), _) => Ok((handle, said)),
            (Err(reason), _) => Err(unreachable(host, reason)),
        }
    }

    async fn connect(
        &self,
        host: &Host,
        guard: Guard,
        preferred: Preferred,
    ) -> Result<Handle<Guard>, String> {
        let config = client::Config {
            keepalive_interval: Some(self.options.keepalive_interval),
            keepalive_max: self.options.keepalive_max,
            // 43 ms a dialogue without it, 0.5 ms with it.
            nodelay: true,
            preferred,
            ..client::Config::default()
        };
        let address = (host.address.as_str(), host.port);
        timeout(
            self.options.connect_timeout,
            client::connect(Arc::new(config), address, guard),
        )
        .await
        .map_err(|_| format!("no connection within {:?}", self.options.connect_timeout))?
        .map_err(|error| error.to_string())
    }
}

impl Transport for SshTransport {
    fn open<'a>(
        &'a self,
        host: &'a Host,
        login: &'a Login,
    ) -> Boxed<'a, Result<Box<dyn Terminal>, ConnectError>> {
        Box::pin(async move {
            let terminal = self.open_terminal(host, login).await?;
            Ok(Box::new(terminal) as Box<dyn Terminal>)
        })
    }
}

pub(super) fn unreachable(host: &Host, reason: String) -> ConnectError {
    ConnectError::Unreachable {
        host: host.clone(),
        reason,
    }
}

/// Recorded algorithms first, so that the device shows the key that can be compared. Certificates
/// only where an authority for the host is on file.
fn preferring((recorded, has_authority): (Vec<Algorithm>, bool)) -> Preferred {
    let is_recorded = |algorithm: &Algorithm| {
        recorded.iter().any(|known| match (known, algorithm) {
            (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
            _ => known == algorithm,
        })
    };
    let (mut key, rest): (Vec<Algorithm>, Vec<Algorithm>) = Preferred::DEFAULT
        .key
        .iter()
        .cloned()
        .partition(is_recorded);
    key.extend(rest);
    Preferred {
        host_key_certificates: match has_authority {
            true => Cow::Owned(key.clone()),
            false => Cow::Borrowed(&[]),
        },
        key: Cow::Owned(key),
        ..Preferred::DEFAULT
    }
}

/// No line of a device is longer than this; a narrower terminal would cut or wrap them.
const COLUMNS: u32 = 1000;
/// Long enough that no pager stops where it can be had without one.
const ROWS: u32 = 10_000;

async fn open_shell(handle: &Handle<Guard>) -> Result<Channel<client::Msg>, russh::Error> {
    let channel = handle.channel_open_session().await?;
    channel
        .request_pty(false, "vt100", COLUMNS, ROWS, 0, 0, &[])
        .await?;
    channel.request_shell(false).await?;
    Ok(channel)
}

/// Decides about the host key, and remembers why not: the library only reports that it was not.
pub(super) struct Guard {
    host: Host,
    /// `None`: accept nothing, only look.
    known_hosts: Option<KnownHosts>,
    seen: Arc<Mutex<Option<Verdict>>>,
    said: LastWords,
}

/// Why the device says that it ends the connection, if it says so.
type LastWords = Arc<Mutex<Option<String>>>;

enum Verdict {
    Shown(HostKey),
    Refused(HostKeyError),
    Undecided(elpis_run::FsError),
}

impl client::Handler for Guard {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        let verdict = match (&self.known_hosts, shown) {
            (None, PublicKeyOrCertificate::PublicKey { key, .. }) => {
                Some(Verdict::Shown(HostKey::from(key.clone())))
            }
            (None, PublicKeyOrCertificate::Certificate(_)) => None,
            (Some(known_hosts), shown) => match known_hosts.check(&self.host, shown) {
                Ok(Ok(())) => return Ok(true),
                Ok(Err(refused)) => Some(Verdict::Refused(refused)),
                Err(error) => Some(Verdict::Undecided(error)),
            },
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = verdict;
        Ok(false)
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<russh::Error>,
    ) -> Result<(), russh::Error> {
        match reason {
            DisconnectReason::ReceivedDisconnect(last) => {
                let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
                *said = Some(last.message);
                Ok(())
            }
            DisconnectReason::Error(error) => Err(error),
        }
    }
}

/// The hash for signing with an RSA key, as far as the device says.
pub(super) async fn rsa_hash(handle: &Handle<Guard>) -> Option<HashAlg> {
    handle
        .best_supported_rsa_hash()
        .await
        .ok()
        .flatten()
        .flatten()
}

struct SshTerminal {
    channel: Channel<client::Msg>,
    /// The connection lives as long as this.
    handle: Handle<Guard>,
}

impl Terminal for SshTerminal {
    fn send<'a>(&'a mut self, bytes: &'a [u8]) -> Boxed<'a, Result<(), Dropped>> {
        Box::pin(async move {
            if self.handle.is_closed() {
                return Err(Dropped(String::from("closed by the device")));
            }
            self.channel
                .data_bytes(bytes.to_vec())
                .await
                .map_err(|error| Dropped(error.to_string()))
        })
    }

    fn receive(&mut self) -> Boxed<'_, Result<Vec<u8>, Dropped>> {
        Box::pin(async move {
            loop {
                match self.channel.wait().await {
                    Some(ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. }) => {
                        return Ok(data.to_vec());
                    }
                    Some(ChannelMsg::Close) => {
                        return Err(Dropped(String::from("closed by the device")));
                    }
                    Some(ChannelMsg::Failure) => {
                        return Err(Dropped(String::from("the device gives no terminal")));
                    }
                    Some(_) => {}
                    None => return Err(Dropped(String::from("it broke off"))),
                }
            }
        })
    }
}
