//! Proving who we are: once, by one means.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use elpis_run::Secret;
use russh::client::{Handle, KeyboardInteractiveAuthResponse};
use russh::keys::agent::client::AgentClient;
use russh::keys::{PrivateKeyWithHashAlg, load_secret_key};
use russh::{MethodKind, client::AuthResult};

use super::client::{Guard, rsa_hash, unreachable};
use super::transport::{Auth, ConnectError, Host, Login};

/// Devices close the connection after about six; none is left to guessing.
const MOST_AGENT_KEYS: usize = 5;

/// Whether the password has left; known also of a login that is given up half-way.
#[derive(Debug, Default)]
pub(super) struct Sent(AtomicBool);

impl Sent {
    fn note(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_noted(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Logs in, or says who refused.
pub(super) async fn authenticate(
    handle: &mut Handle<Guard>,
    host: &Host,
    login: &Login,
    sent: &Sent,
) -> Result<(), ConnectError> {
    let accepted = match &login.auth {
        Auth::Password(password) => by_password(handle, host, &login.user, password, sent).await?,
        Auth::Key { path, passphrase } => {
            let passphrase = passphrase.as_ref().map(|secret| secret.expose().as_str());
            let key = load_secret_key(path, passphrase)
                .map_err(|error| credentials(host, format!("{}: {error}", path.display())))?;
            let key = PrivateKeyWithHashAlg::new(Arc::new(key), rsa_hash(handle).await);
            let result = handle.authenticate_publickey(&login.user, key).await;
            is_accepted(host, result)?
        }
        Auth::Agent(socket) => {
            let connected = AgentClient::connect_uds(socket).await;
            let agent = connected
                .map_err(|error| credentials(host, format!("{}: {error}", socket.display())))?;
            by_agent(handle, host, &login.user, agent).await?
        }
    };
    match accepted {
        true => Ok(()),
        false => Err(ConnectError::Denied {
            host: host.clone(),
            user: login.user.clone(),
        }),
    }
}

/// Asks first which means the device offers: an attempt by one that it does not may count.
async fn by_password(
    handle: &mut Handle<Guard>,
    host: &Host,
    user: &str,
    password: &Secret<String>,
    sent: &Sent,
) -> Result<bool, ConnectError> {
    let offered = match handle.authenticate_none(user).await {
        Ok(AuthResult::Success) => return Ok(true),
        Ok(AuthResult::Failure {
            remaining_methods, ..
        }) => remaining_methods,
        Err(error) => return Err(unreachable(host, error.to_string())),
    };
    if handle.is_closed() {
        return Err(unreachable(
            host,
            String::from("it broke off before the login"),
        ));
    }
    if offered.contains(&MethodKind::Password) {
        sent.note();
        let result = handle.authenticate_password(user, password.expose()).await;
        return is_accepted(host, result);
    }
    if !offered.contains(&MethodKind::KeyboardInteractive) {
        return Err(credentials(
            host,
            String::from("it does not accept passwords"),
        ));
    }
    by_questions(handle, user, password, sent)
        .await
        .map_err(|error| unreachable(host, error.to_string()))
}

/// Keyboard-interactive: the password for one question that hides what is typed; any other
/// question (a second factor, a new password) ends it.
async fn by_questions(
    handle: &mut Handle<Guard>,
    user: &str,
    password: &Secret<String>,
    sent: &Sent,
) -> Result<bool, russh::Error> {
    use KeyboardInteractiveAuthResponse::{Failure, InfoRequest, Success};
    let mut answered = false;
    let mut response = handle
        .authenticate_keyboard_interactive_start(user, None::<String>)
        .await?;
    loop {
        let answers = match response {
            Success => return Ok(true),
            Failure { .. } => return Ok(false),
            InfoRequest { prompts, .. } => match prompts.as_slice() {
                [] => Vec::new(),
                [prompt] if !prompt.echo && !answered => {
                    answered = true;
                    sent.note();
                    vec![password.expose().clone()]
                }
                _ => return Ok(false),
            },
        };
        response = handle
            .authenticate_keyboard_interactive_respond(answers)
            .await?;
    }
}

async fn by_agent(
    handle: &mut Handle<Guard>,
    host: &Host,
    user: &str,
    mut agent: AgentClient<tokio::net::UnixStream>,
) -> Result<bool, ConnectError> {
    let identities = agent
        .request_identities()
        .await
        .map_err(|error| credentials(host, error.to_string()))?;
    let hash = rsa_hash(handle).await;
    for identity in identities.iter().take(MOST_AGENT_KEYS) {
        let key = identity.public_key().into_owned();
        let result = handle
            .authenticate_publickey_with(user, key, hash, &mut agent)
            .await;
        match result {
            Ok(AuthResult::Success) => return Ok(true),
            Ok(AuthResult::Failure { .. }) => {}
            Err(error) => return Err(credentials(host, error.to_string())),
        }
    }
    Ok(false)
}

fn is_accepted(
    host: &Host,
    result: Result<AuthResult, russh::Error>,
) -> Result<bool, ConnectError> {
    match result {
        Ok(AuthResult::Success) => Ok(true),
        // The library says "no methods left" when the connection ended instead of an answer.
        Ok(AuthResult::Failure {
            remaining_methods, ..
        }) if remaining_methods.is_empty() => Err(unreachable(
            host,
            String::from("it broke off during the login"),
        )),
        Ok(AuthResult::Failure { .. }) => Ok(false),
        Err(error) => Err(unreachable(host, error.to_string())),
    }
}

fn credentials(host: &Host, reason: String) -> ConnectError {
    ConnectError::Credentials {
        host: host.clone(),
        reason,
    }
}
