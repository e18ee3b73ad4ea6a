//! A stand-in for the pair's manager: an HTTP server on loopback over the same model and time.
//!
//! Paths and fields are those of the vendor's public Ansible collection [C]; limits of tokens and
//! pace are background knowledge [K].

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::fault::Fault;
use super::files::Content;
use super::pair::{Deed, Pair};
use super::server::Shared;
use crate::observe::Unit;

const DOMAIN: &str = "e276abec-e0f2-11e3-8169-6d9ed49b625f";
/// The account of the interface; its password is the units'.
pub(super) const USER: &str = "api";
/// The pair and its units, as the guide's manager calls them [S].
pub(super) const PAIR: &str = "FTD_HA";
pub(super) const UNITS: [&str; 2] = ["FTD Primary", "FTD Secondary"];

const TOKEN_LIVES: Duration = Duration::from_secs(30 * 60);
const REFRESHES: u8 = 3;
const REQUESTS_A_MINUTE: usize = 120;
const COPYING: u64 = 180;
const CHECKING: u64 = 60;

/// What the manager remembers.
#[derive(Default)]
pub(super) struct Desk {
    token: Option<Token>,
    tokens: u32,
    recent: VecDeque<Duration>,
    tasks: Vec<Task>,
    /// Method, path and body of everything that was asked.
    pub requests: Vec<(String, String, Value)>,
}

struct Token {
    issued: Duration,
    word: String,
    refreshes: u8,
}

#[derive(Clone)]
enum Task {
    Running(&'static str),
    Completed,
    Failed(String),
}

/// Answers for ever.
pub(super) async fn serve(shared: Shared, listener: TcpListener) {
    let router = axum::Router::new().fallback(answer).with_state(shared);
    // It ends with the process; until then there is nothing that could fail for good.
    let _ = axum::serve(listener, router).await;
}

async fn answer(
    State(shared): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    shared.lock().manage(&method, uri.path(), &headers, &body)
}

impl Pair {
    fn manage(
        &mut self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &Value,
    ) -> Response {
        if self.has(&Fault::ManagerDown) {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        let asked = (method.to_string(), path.to_owned(), body.clone());
        self.desk.requests.push(asked);
        if let Some(refused) = self.too_fast().or_else(|| self.refusal()) {
            return refused;
        }
        match path.rsplit('/').next() {
            Some("generatetoken") => return self.log_in(headers),
            Some("refreshtoken") => return self.refresh(headers),
            _ => {}
        }
        let shown = headers.get("X-auth-access-token");
        let is_good = self.desk.token.as_ref().is_some_and(|token| {
            shown.is_some_and(|shown| *shown == *token.word)
                && self.now.saturating_sub(token.issued) < TOKEN_LIVES
        });
        if !is_good {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        let scripted = self
            .setup
            .faults
            .iter()
            .rev()
            .find_map(|fault| match fault {
                Fault::ManagerSays(page, says) if path.ends_with(page) => Some(says.clone()),
                _ => None,
            });
        match scripted.or_else(|| self.page(method, path, body)) {
            Some(page) => axum::Json(page).into_response(),
            None => (StatusCode::NOT_FOUND, "{}").into_response(),
        }
    }

    fn too_fast(&mut self) -> Option<Response> {
        let minute = Duration::from_secs(60);
        let now = self.now;
        let recent = &mut self.desk.recent;
        while recent
            .front()
            .is_some_and(|at| now.saturating_sub(*at) >= minute)
        {
            recent.pop_front();
        }
        if recent.len() >= REQUESTS_A_MINUTE {
            let headers = [("Retry-After", "60")];
            return Some((StatusCode::TOO_MANY_REQUESTS, headers, "{}").into_response());
        }
        recent.push_back(now);
        None
    }

    /// The next refusal by script.
    fn refusal(&mut self) -> Option<Response> {
        let statuses = self.setup.faults.iter_mut().find_map(|fault| match fault {
            Fault::ManagerRefuses(statuses) if !statuses.is_empty() => Some(statuses),
            _ => None,
        })?;
        let status = StatusCode::from_u16(statuses.remove(0)).ok()?;
        Some((status, [("Retry-After", "45")], "{}").into_response())
    }

    fn log_in(&mut self, headers: &HeaderMap) -> Response {
        let account = format!("{USER}:{}", self.setup.password.expose());
        let right = format!("Basic {}", BASE64.encode(account.as_bytes()));
        let is_right = headers
            .get("authorization")
            .is_some_and(|shown| *shown == *right);
        match is_right {
            true => self.token(0),
            false => StatusCode::UNAUTHORIZED.into_response(),
        }
    }

    fn refresh(&mut self, headers: &HeaderMap) -> Response {
        let shown = headers.get("X-auth-refresh-token");
        let known = self.desk.token.as_ref().filter(|token| {
            token.refreshes < REFRESHES
                && shown.is_some_and(|shown| *shown == *format!("{}-again", token.word))
        });
        match known.map(|token| token.refreshes + 1) {
            Some(refreshes) => self.token(refreshes),
            None => StatusCode::UNAUTHORIZED.into_response(),
        }
    }

    fn token(&mut self, refreshes: u8) -> Response {
        self.desk.tokens += 1;
        let word = format!("token-{}", self.desk.tokens);
        let headers = [
            ("X-auth-access-token", word.clone()),
            ("X-auth-refresh-token", format!("{word}-again")),
            ("DOMAIN_UUID", DOMAIN.to_owned()),
        ];
        self.desk.token = Some(Token {
            issued: self.now,
            word,
            refreshes,
        });
        (StatusCode::NO_CONTENT, headers).into_response()
    }

    fn page(&mut self, method: &Method, path: &str, body: &Value) -> Option<Value> {
        let config = format!("/api/fmc_config/v1/domain/{DOMAIN}/");
        let platform = "/api/fmc_platform/v1/";
        if let Some(rest) = path.strip_prefix(&config) {
            return match (method, rest) {
                (&Method::GET, "deployment/deployabledevices") => Some(self.deployable()),
                (&Method::GET, "devices/devicerecords") => Some(self.device_records()),
                (&Method::GET, "devicehapairs/ftddevicehapairs") => Some(json!({ "items": [{
                    "id": "pair-1", "name": PAIR,
                    "primary": { "id": "device-1" }, "secondary": { "id": "device-2" },
                }]})),
                (&Method::PUT, "devicehapairs/ftddevicehapairs/pair-1") => self.exchange(body),
                (&Method::GET, task) => self.task(task.strip_prefix("job/taskstatuses/")?),
                _ => None,
            };
        }
        match (method, path.strip_prefix(platform)?) {
            (&Method::GET, "info/serverversion") => {
                let version = self.manager_version();
                Some(json!({ "items": [{ "serverVersion": format!("{version} (build 25)") }] }))
            }
            (&Method::GET, "updates/upgradepackages") => Some(json!({ "items": [
                { "id": "package-1", "name": self.setup.package() },
            ]})),
            (&Method::POST, "updates/upgrades") => self.upgrade(body),
            _ => None,
        }
    }

    fn manager_version(&self) -> String {
        let other = self.fault(|fault| match fault {
            Fault::ManagerRuns(version) => Some(version.clone()),
            _ => None,
        });
        other.unwrap_or_else(|| String::from("7.2.8"))
    }

    /// The units with changes that are not deployed; the others are not listed.
    fn deployable(&self) -> Value {
        let items: Vec<Value> = Unit::BOTH
            .into_iter()
            .zip(UNITS)
            .filter(|(unit, _)| {
                self.has(&Fault::ManagerPending(*unit))
                    || (self.has(&Fault::ManagerShowsOld)
                        && self.unit(*unit).release != self.setup.from)
            })
            .map(|(_, name)| {
                json!({ "name": name, "canBeDeployed": true, "upToDate": false,
                        "isDeploying": false })
            })
            .collect();
        match items.is_empty() {
            true => json!({ "paging": { "count": 0 } }),
            false => json!({ "items": items }),
        }
    }

    fn device_records(&self) -> Value {
        let items: Vec<Value> = Unit::BOTH
            .into_iter()
            .zip(UNITS)
            .map(|(unit, name)| {
                let release = match self.has(&Fault::ManagerShowsOld) {
                    true => &self.setup.from,
                    false => &self.unit(unit).release,
                };
                let number = release.split('-').next().unwrap_or_default();
                json!({ "name": name, "sw_version": number })
            })
            .collect();
        json!({ "items": items })
    }

    /// The standby becomes the active one, whichever it is.
    fn exchange(&mut self, body: &Value) -> Option<Value> {
        if body.get("action").and_then(Value::as_str) != Some("SWITCH") {
            return None;
        }
        let standby = Unit::BOTH
            .into_iter()
            .find(|unit| self.unit(*unit).state == "Standby Ready")?;
        self.deeds.push(Deed::Switchover(standby));
        self.later(1, move |pair| pair.take_over(standby));
        Some(json!({ "id": "pair-1" }))
    }

    fn upgrade(&mut self, body: &Value) -> Option<Value> {
        let flag = |key: &str| body.get(key).and_then(Value::as_bool) == Some(true);
        let number = self.desk.tasks.len();
        let failure = self.fault(|fault| match fault {
            Fault::ManagerTaskFails(words) => Some(words.clone()),
            _ => None,
        });
        let ended = match failure {
            Some(words) => Task::Failed(words),
            None => Task::Completed,
        };
        match (flag("pushUpgradeFileOnly"), flag("readinessCheckOnly")) {
            (true, false) => {
                self.desk.tasks.push(Task::Running("Copy files to devices"));
                self.later(COPYING, move |pair| {
                    if matches!(ended, Task::Completed) {
                        Unit::BOTH
                            .into_iter()
                            .for_each(|unit| pair.receive_package(unit));
                    }
                    pair.end_task(number, ended);
                });
            }
            (false, true) => {
                let fails = Unit::BOTH
                    .into_iter()
                    .any(|unit| self.has(&Fault::ReadinessFails(unit)));
                let ended = match fails {
                    true => Task::Failed(String::from("Readiness Check failed.")),
                    false => ended,
                };
                self.desk.tasks.push(Task::Running("Readiness check"));
                self.later(CHECKING, move |pair| pair.end_task(number, ended));
            }
            // An installation by the manager is not what this tool asks for.
            _ => return None,
        }
        Some(json!({ "metadata": { "task": { "id": number.to_string() } } }))
    }

    fn end_task(&mut self, number: usize, ended: Task) {
        if let Some(task) = self.desk.tasks.get_mut(number) {
            *task = ended;
        }
    }

    fn task(&self, id: &str) -> Option<Value> {
        let number: usize = id.parse().ok()?;
        Some(match self.desk.tasks.get(number)? {
            Task::Running(words) => json!({ "status": "RUNNING", "message": words }),
            Task::Completed => json!({ "status": "COMPLETED", "message": "done" }),
            Task::Failed(words) => json!({ "status": "FAILED", "message": words }),
        })
    }

    fn receive_package(&mut self, unit: Unit) {
        let path = format!("{}/{}", super::unit::UPDATES, self.setup.package());
        let package = Content::Package {
            size: self.setup.package_size,
            sha512: self.setup.package_sha512(),
        };
        let now = self.device_seconds(unit);
        let files = &mut self.unit_mut(unit).files;
        files.create(&path, package, now);
        let metadata = Content::Bytes(vec![b'm'; 854]);
        files.create(&format!("{path}.METADATA"), metadata, now);
    }
}
