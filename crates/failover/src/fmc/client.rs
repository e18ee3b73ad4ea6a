//! Requests to the manager: TLS, tokens, pace.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use elpis_run::{Clock, RealClock, Secret, fsx};
use reqwest::header::HeaderMap;
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use tokio::sync::Mutex;

use super::error::FmcError;
use super::tls;

/// Where the manager is and how to get in.
#[derive(Clone)]
pub struct FmcOptions {
    /// Such as `https://fmc.example.org`. Without TLS only on loopback.
    pub address: String,
    /// An account for the interface: a second login of the same account ends the first.
    pub user: String,
    /// Its password.
    pub password: Secret<String>,
    /// A PEM file with the authority that signed the manager's certificate, or with that
    /// certificate itself. Nothing else is trusted.
    pub certificates: Option<PathBuf>,
    /// For one request, 30 seconds by default.
    pub timeout: Duration,
    /// The manager refuses more than about 120 requests a minute.
    pub requests_per_minute: u32,
    /// For the pace.
    pub clock: Arc<dyn Clock>,
}

impl FmcOptions {
    /// The defaults, without certificates.
    pub fn new(address: String, user: String, password: Secret<String>) -> FmcOptions {
        FmcOptions {
            address,
            user,
            password,
            certificates: None,
            timeout: Duration::from_secs(30),
            requests_per_minute: 100,
            clock: Arc::new(RealClock::new()),
        }
    }
}

/// How often a request is repeated that was refused for its token, its pace, or by a hiccup.
const ATTEMPTS: u32 = 4;
/// A token can be refreshed so often; then a new login is needed.
const REFRESHES: u8 = 3;
/// How long to wait when the manager asks for patience and does not say how much.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longer than this nobody has to wait between two requests.
const MOST_PATIENCE: u64 = 120;

const LOGIN: &str = "/api/fmc_platform/v1/auth/generatetoken";
const REFRESH: &str = "/api/fmc_platform/v1/auth/refreshtoken";
const ACCESS: &str = "X-auth-access-token";
const REFRESHER: &str = "X-auth-refresh-token";

struct Token {
    access: Secret<String>,
    refresher: Secret<String>,
    refreshes: u8,
    domain: String,
}

/// A session with the manager.
pub(super) struct Client {
    http: reqwest::Client,
    options: FmcOptions,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// On the clock's monotonic time: before this no request is sent.
    next: Duration,
}

impl Client {
    pub(super) fn new(options: FmcOptions) -> Result<Client, FmcError> {
        let builder = reqwest::Client::builder()
            .timeout(options.timeout)
            .no_proxy();
        let builder = match is_plain_loopback(&options.address) {
            // Handed over although nobody will use it: without one the library wants a global.
            true => builder.tls_backend_preconfigured(tls::nobody()?),
            false => builder
                .https_only(true)
                .tls_backend_preconfigured(trusted(&options)?),
        };
        let http = builder
            .build()
            .map_err(|error| FmcError::Options(error.to_string()))?;
        Ok(Client {
            http,
            options,
            state: Mutex::default(),
        })
    }

    /// Where the manager answers.
    pub(super) fn address(&self) -> &str {
        &self.options.address
    }

    /// The identifier of the account's domain.
    pub(super) async fn domain(&self) -> Result<String, FmcError> {
        let mut state = self.state.lock().await;
        self.with_token(&mut state)
            .await
            .map(|token| token.domain.clone())
    }

    /// Sends a request and returns the answer's JSON, `null` if it has none. Requests that change
    /// nothing are repeated after a hiccup; those that do are not, for they may have arrived.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, FmcError> {
        let request = format!("{method} {path}");
        let mut state = self.state.lock().await;
        let mut attempt = 1;
        loop {
            self.keep_pace(&mut state).await;
            let token = self.with_token(&mut state).await?;
            let mut draft = self
                .http
                .request(method.clone(), format!("{}{path}", self.options.address))
                .header(ACCESS, token.access.expose());
            if let Some(body) = &body {
                draft = draft.json(body);
            }
            let answer = draft.send().await.map_err(|source| FmcError::Unreachable {
                request: request.clone(),
                source,
            })?;
            let status = answer.status();
            let again = attempt < ATTEMPTS;
            attempt += 1;
            match status {
                StatusCode::UNAUTHORIZED if again => self.renew(&mut state).await?,
                StatusCode::TOO_MANY_REQUESTS if again => {
                    self.options.clock.sleep(patience(answer.headers())).await;
                }
                status if status.is_server_error() && method == Method::GET && again => {
                    self.options.clock.sleep(PATIENCE).await;
                }
                status if status.is_success() => return read(answer, request).await,
                _ => return Err(refused(answer, request).await),
            }
        }
    }

    async fn keep_pace(&self, state: &mut State) {
        let clock = &self.options.clock;
        let wait = state.next.saturating_sub(clock.monotonic());
        clock.sleep(wait).await;
        let gap = Duration::from_secs(60) / self.options.requests_per_minute.max(1);
        state.next = clock.monotonic() + gap;
    }

    async fn with_token<'a>(&self, state: &'a mut State) -> Result<&'a Token, FmcError> {
        let token = match state.token.take() {
            Some(token) => token,
            None => self.log_in().await?,
        };
        Ok(state.token.insert(token))
    }

    async fn log_in(&self) -> Result<Token, FmcError> {
        let draft = self
            .http
            .post(format!("{}{LOGIN}", self.options.address))
            .basic_auth(&self.options.user, Some(self.options.password.expose()));
        self.fetch_token(draft, LOGIN, 0).await
    }

    /// After a refusal: the token is refreshed, or given up for a new login.
    async fn renew(&self, state: &mut State) -> Result<(), FmcError> {
        let Some(old) = state
            .token
            .take()
            .filter(|token| token.refreshes < REFRESHES)
        else {
            return Ok(());
        };
        let draft = self
            .http
            .post(format!("{}{REFRESH}", self.options.address))
            .header(ACCESS, old.access.expose())
            .header(REFRESHER, old.refresher.expose());
        // A token that cannot be refreshed any more is no reason to give up before a new login.
        state.token = self
            .fetch_token(draft, REFRESH, old.refreshes + 1)
            .await
            .ok();
        Ok(())
    }

    async fn fetch_token(
        &self,
        draft: reqwest::RequestBuilder,
        path: &str,
        refreshes: u8,
    ) -> Result<Token, FmcError> {
        let request = format!("POST {path}");
        let answer = draft.send().await.map_err(|source| FmcError::Unreachable {
            request: request.clone(),
            source,
        })?;
        match answer.status() {
            StatusCode::UNAUTHORIZED => {
                return Err(FmcError::Denied {
                    user: self.options.user.clone(),
                });
            }
            status if !status.is_success() => return Err(refused(answer, request).await),
            _ => {}
        }
        let header = |name: &str| {
            let value = answer
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok());
            value.map(str::to_owned).ok_or_else(|| FmcError::Answer {
                request: request.clone(),
                missing: name.to_owned(),
            })
        };
        Ok(Token {
            access: Secret::new(header(ACCESS)?),
            refresher: Secret::new(header(REFRESHER)?),
            refreshes,
            domain: header("DOMAIN_UUID")?,
        })
    }
}

async fn read(answer: Response, request: String) -> Result<Value, FmcError> {
    let text = answer
        .text()
        .await
        .map_err(|source| FmcError::Unreachable {
            request: request.clone(),
            source,
        })?;
    match text.trim() {
        "" => Ok(Value::Null),
        text => serde_json::from_str(text).map_err(|_| FmcError::Answer {
            request,
            missing: String::from("JSON"),
        }),
    }
}

async fn refused(answer: Response, request: String) -> FmcError {
    let status = answer.status().as_u16();
    let body: Option<Value> = answer.json().await.ok();
    let message = body
        .as_ref()
        .and_then(|body| body.pointer("/error/messages/0/description"))
        .and_then(Value::as_str)
        .unwrap_or("no reason given");
    FmcError::Status {
        request,
        status,
        message: message.to_owned(),
    }
}

fn patience(headers: &HeaderMap) -> Duration {
    headers
        .get("Retry-After")
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map_or(PATIENCE, |seconds: u64| {
            Duration::from_secs(seconds.min(MOST_PATIENCE))
        })
}

fn is_plain_loopback(address: &str) -> bool {
    ["http://127.0.0.1:", "http://[::1]:", "http://localhost:"]
        .iter()
        .any(|start| address.starts_with(start))
}

fn trusted(options: &FmcOptions) -> Result<rustls::ClientConfig, FmcError> {
    let missing = || FmcError::Options(String::from("name a file with the certificates to trust"));
    let path = options.certificates.as_ref().ok_or_else(missing)?;
    tls::config(&fsx::read_to_string(path)?)
}
