//! The manager's guard against a stand-in that counts and refuses like the manager.

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use elpis_failover::{Fmc, FmcError, FmcNames, FmcOptions, FmcPair, TaskState};
use elpis_run::{Clock, Secret, VirtualClock};
use serde_json::{Value, json};

const DOMAIN: &str = "e276abec-e0f2-11e3-8169-6d9ed49b625f";

/// What the stand-in has seen and how it behaves.
#[derive(Default)]
struct Desk {
    logins: u32,
    refreshes: u32,
    /// Requests that the present token is still good for; `None`: any number.
    token_left: Option<u32>,
    /// Statuses to answer with before anything else.
    refusals: Vec<u16>,
    requests: Vec<(Method, String, Value)>,
    deployable: Value,
    polls: u32,
}

#[derive(Clone)]
struct StandIn {
    desk: Arc<Mutex<Desk>>,
    address: String,
    clock: Arc<VirtualClock>,
}

impl StandIn {
    async fn start(desk: Desk) -> StandIn {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap();
        let stand_in = StandIn {
            desk: Arc::new(Mutex::new(desk)),
            address: format!("http://{}", listener.local_addr().unwrap()),
            clock: Arc::new(VirtualClock::new(jiff::Timestamp::UNIX_EPOCH)),
        };
        let router = axum::Router::new()
            .fallback(answer)
            .with_state(stand_in.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        stand_in
    }

    fn fmc(&self, password: &str) -> Fmc {
        let password = Secret::new(password.to_owned());
        let options = FmcOptions {
            clock: Arc::<VirtualClock>::clone(&self.clock),
            ..FmcOptions::new(self.address.clone(), String::from("api"), password)
        };
        Fmc::new(options, names()).unwrap()
    }

    fn desk<T>(&self, look: impl FnOnce(&mut Desk) -> T) -> T {
        look(&mut self.desk.lock().unwrap())
    }
}

async fn answer(
    State(stand_in): State<StandIn>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    stand_in.desk(|desk| desk.answer(method, uri.path(), &headers, &body))
}

impl Desk {
    fn answer(&mut self, method: Method, path: &str, headers: &HeaderMap, body: &[u8]) -> Response {
        if path.ends_with("/auth/generatetoken") {
            self.logins += 1;
            // "api:right" in Base64.
            let is_right = headers
                .get("authorization")
                .is_some_and(|value| value == "Basic YXBpOnJpZ2h0");
            return match is_right {
                true => self.token(),
                false => StatusCode::UNAUTHORIZED.into_response(),
            };
        }
        if path.ends_with("/auth/refreshtoken") {
            self.refreshes += 1;
            return self.token();
        }
        if self.token_left == Some(0) {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        self.token_left = self.token_left.map(|left| left - 1);
        let body = serde_json::from_slice(body).unwrap_or(Value::Null);
        self.requests.push((method, path.to_owned(), body));
        if let Some(status) = self.refusals.pop() {
            let status = StatusCode::from_u16(status).unwrap();
            return (status, [("Retry-After", "45")], "{}").into_response();
        }
        axum::Json(self.page(path)).into_response()
    }

    fn token(&mut self) -> Response {
        if self.token_left.is_some() {
            self.token_left = Some(2);
        }
        let headers = [
            ("X-auth-access-token", "a token"),
            ("X-auth-refresh-token", "another"),
            ("DOMAIN_UUID", DOMAIN),
        ];
        (StatusCode::NO_CONTENT, headers).into_response()
    }

    fn page(&mut self, path: &str) -> Value {
        match path.strip_prefix(&format!("/api/fmc_config/v1/domain/{DOMAIN}/")) {
            Some("deployment/deployabledevices") => self.deployable.clone(),
            Some("devicehapairs/ftddevicehapairs") => json!({ "items": [
                { "id": "p1", "name": "FTD_HA", "primary": { "id": "d1" }, "secondary": { "id": "d2" } },
            ]}),
            Some("job/taskstatuses/t1") => {
                self.polls += 1;
                match self.polls {
                    1 => json!({ "status": "RUNNING", "message": "Copied : 0" }),
                    2 => json!({ "status": "COMPLETED" }),
                    _ => json!({ "status": "FAILED", "message": "no space" }),
                }
            }
            Some(_) => json!({}),
            None if path.ends_with("/info/serverversion") => {
                json!({ "items": [{ "serverVersion": "7.2.8 (build 25)" }] })
            }
            None if path.ends_with("/updates/upgradepackages") => {
                json!({ "items": [{ "id": "u1", "name": "Cisco_FTD_Upgrade-7.2.7-500.sh.REL.tar" }] })
            }
            None => json!({ "metadata": { "task": { "id": "t1" } } }),
        }
    }
}

fn names() -> FmcNames {
    FmcNames {
        pair: String::from("FTD_HA"),
        units: ["FTD Primary", "FTD Secondary"].map(String::from),
    }
}

fn device(name: &str, up_to_date: bool) -> Value {
    json!({ "name": name, "canBeDeployed": !up_to_date, "upToDate": up_to_date })
}

#[tokio::test]
async fn pending_changes_of_our_units_are_named_and_an_unclear_answer_is_an_error() {
    let stand_in = StandIn::start(Desk {
        deployable: json!({ "items": [
            device("FTD Primary", false), device("FTD Secondary", true), device("Branch", false),
        ]}),
        ..Desk::default()
    })
    .await;
    let fmc = stand_in.fmc("right");
    assert_eq!(
        fmc.pending_deployments().await.unwrap(),
        ["FTD Primary has changes that are not deployed"]
    );
    stand_in.desk(|desk| desk.deployable = json!({ "items": [{ "name": "FTD Primary" }] }));
    assert_eq!(fmc.pending_deployments().await.unwrap().len(), 1);
    stand_in.desk(|desk| desk.deployable = json!({ "paging": { "count": 0 } }));
    assert_eq!(
        fmc.pending_deployments().await.unwrap(),
        Vec::<String>::new()
    );
    stand_in.desk(|desk| desk.deployable = json!({}));
    assert!(matches!(
        fmc.pending_deployments().await,
        Err(FmcError::Answer { .. })
    ));
    assert_eq!(fmc.version().await.unwrap(), "7.2.8");
}

#[tokio::test]
async fn a_token_is_refreshed_three_times_and_then_replaced() {
    let stand_in = StandIn::start(Desk {
        token_left: Some(2),
        ..Desk::default()
    })
    .await;
    let fmc = stand_in.fmc("right");
    for _ in 0..10 {
        fmc.version().await.unwrap();
    }
    assert_eq!(stand_in.desk(|desk| (desk.logins, desk.refreshes)), (2, 3));
}

#[tokio::test]
async fn a_wrong_password_is_tried_once() {
    let stand_in = StandIn::start(Desk::default()).await;
    assert!(matches!(
        stand_in.fmc("wrong").version().await,
        Err(FmcError::Denied { .. })
    ));
    assert_eq!(stand_in.desk(|desk| desk.logins), 1);
}

#[tokio::test]
async fn the_pace_is_kept_and_a_refusal_for_it_is_waited_out() {
    let stand_in = StandIn::start(Desk {
        refusals: vec![429],
        ..Desk::default()
    })
    .await;
    let fmc = stand_in.fmc("right");
    fmc.version().await.unwrap();
    assert!(stand_in.clock.monotonic() >= Duration::from_secs(45));
    let before = stand_in.clock.monotonic();
    for _ in 0..50 {
        fmc.version().await.unwrap();
    }
    let took = stand_in.clock.monotonic() - before;
    assert!(took >= Duration::from_secs(29), "{took:?} for 50 requests");
}

#[tokio::test]
async fn reading_is_repeated_after_a_hiccup_and_changing_is_not() {
    let stand_in = StandIn::start(Desk {
        refusals: vec![503, 500],
        ..Desk::default()
    })
    .await;
    let fmc = stand_in.fmc("right");
    fmc.version().await.unwrap();
    let pair = FmcPair {
        id: String::from("p1"),
        primary: String::from("d1"),
        secondary: String::from("d2"),
    };
    stand_in.desk(|desk| {
        desk.refusals = vec![503];
        desk.requests.clear();
    });
    assert!(matches!(
        fmc.switch(&pair).await,
        Err(FmcError::Status { status: 503, .. })
    ));
    let path = format!("/api/fmc_config/v1/domain/{DOMAIN}/devicehapairs/ftddevicehapairs/p1");
    let body = json!({ "id": "p1", "action": "SWITCH" });
    assert_eq!(
        stand_in.desk(|desk| desk.requests.clone()),
        [(Method::PUT, path, body)]
    );
}

#[tokio::test]
async fn a_package_is_copied_to_both_units_and_nothing_else_is_asked_for() {
    let stand_in = StandIn::start(Desk::default()).await;
    let fmc = stand_in.fmc("right");
    let pair = fmc.pair().await.unwrap();
    let task = fmc
        .copy_package("Cisco_FTD_Upgrade-7.2.7-500.sh.REL.tar", &pair)
        .await
        .unwrap();
    let (method, path, body) = stand_in.desk(|desk| desk.requests.last().cloned()).unwrap();
    assert_eq!(
        (method, path.as_str()),
        (Method::POST, "/api/fmc_platform/v1/updates/upgrades")
    );
    let targets = json!([{ "id": "d1", "type": "Device" }, { "id": "d2", "type": "Device" }]);
    assert_eq!(
        body,
        json!({ "upgradePackage": { "id": "u1" }, "targets": targets, "pushUpgradeFileOnly": true })
    );
    assert_eq!(
        fmc.task(&task).await.unwrap(),
        TaskState::Running(String::from("Copied : 0"))
    );
    assert_eq!(fmc.task(&task).await.unwrap(), TaskState::Completed);
    assert_eq!(
        fmc.task(&task).await.unwrap(),
        TaskState::Failed(String::from("no space"))
    );
    let unknown = fmc.copy_package("other.tar", &pair).await;
    assert!(matches!(
        unknown,
        Err(FmcError::Unknown {
            what: "package",
            ..
        })
    ));
}

#[tokio::test]
async fn only_a_manager_whose_certificate_is_trusted_hears_the_password() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["one", "two"] {
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ])
            .args(["-subj", "/CN=fmc", "-addext", "subjectAltName=IP:127.0.0.1"])
            .args([
                "-keyout",
                &format!("{name}.key"),
                "-out",
                &format!("{name}.pem"),
            ])
            .current_dir(dir.path())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut server = Command::new("openssl")
        .args([
            "s_server",
            "-quiet",
            "-www",
            "-cert",
            "one.pem",
            "-key",
            "one.key",
            "-accept",
            &format!("127.0.0.1:{port}"),
        ])
        .current_dir(dir.path())
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "openssl does not listen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let ask = async |certificates: Option<&str>| {
        let options = FmcOptions {
            certificates: certificates.map(|name| dir.path().join(name)),
            timeout: Duration::from_secs(2),
            ..FmcOptions::new(
                format!("https://127.0.0.1:{port}"),
                String::from("api"),
                Secret::new(String::from("right")),
            )
        };
        match Fmc::new(options, names()) {
            Ok(fmc) => fmc.version().await.map(drop),
            Err(error) => Err(error),
        }
    };
    let trusted = ask(Some("one.pem")).await.unwrap_err();
    let stranger = ask(Some("two.pem")).await.unwrap_err();
    let nothing = ask(None).await.unwrap_err();
    server.kill().unwrap();
    server.wait().unwrap();
    // openssl listens to what is posted and never answers: no manager, but it was trusted.
    let heard = format!("{trusted:?}");
    assert!(
        heard.contains("TimedOut") && !heard.contains("Certificate"),
        "{heard}"
    );
    assert!(
        matches!(stranger, FmcError::Unreachable { .. }),
        "{stranger:?}"
    );
    assert!(
        format!("{stranger:?}").contains("Certificate"),
        "{stranger:?}"
    );
    assert!(matches!(nothing, FmcError::Options(_)), "{nothing:?}");
    let plain = FmcOptions::new(
        String::from("http://192.0.2.1"),
        String::from("api"),
        Secret::new(String::from("right")),
    );
    let plain = Fmc::new(
        FmcOptions {
            certificates: Some(dir.path().join("one.pem")),
            ..plain
        },
        names(),
    )
    .unwrap();
    assert!(matches!(
        plain.version().await,
        Err(FmcError::Unreachable { .. })
    ));
}
