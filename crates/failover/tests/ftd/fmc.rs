//! The manager's client against the simulated pair's manager, which counts and refuses like the
//! real one.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use elpis_failover::rehearse::{Fault, Setup, SimulatedPair};
use elpis_failover::{Fmc, FmcError, FmcNames, FmcOptions, TaskState};
use elpis_run::{Clock, Secret, VirtualClock};
use serde_json::{Value, json};

const PACKAGE: &str = "Cisco_FTD_Upgrade-7.2.7-500.sh.REL.tar";
const RIGHT: &str = "rehearsal-only";

/// A manager in virtual time.
struct Desk {
    pair: SimulatedPair,
    clock: Arc<VirtualClock>,
}

impl Desk {
    async fn open() -> Desk {
        let clock = Arc::new(VirtualClock::new(jiff::Timestamp::UNIX_EPOCH));
        let time: Arc<dyn Clock> = Arc::<VirtualClock>::clone(&clock);
        let pair = SimulatedPair::start(Setup::new(), time).await.unwrap();
        Desk { pair, clock }
    }

    fn fmc(&self, password: &str) -> Fmc {
        let password = Secret::new(password.to_owned());
        let address = self.pair.manager_address().to_owned();
        let options = FmcOptions {
            clock: Arc::<VirtualClock>::clone(&self.clock),
            ..FmcOptions::new(address, String::from("api"), password)
        };
        Fmc::new(options, names()).unwrap()
    }

    /// From now on the page says this.
    fn says(&self, page: &str, words: Value) {
        self.pair.suffer(Fault::ManagerSays(page.to_owned(), words));
    }

    /// How often a page was asked for.
    fn asked(&self, page: &str) -> usize {
        let requests = self.pair.manager_requests();
        requests
            .iter()
            .filter(|(_, path, _)| path.ends_with(page))
            .count()
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
    let desk = Desk::open().await;
    let fmc = desk.fmc(RIGHT);
    let page = "deployabledevices";
    let items = [
        device("FTD Primary", false),
        device("FTD Secondary", true),
        device("Branch", false),
    ];
    desk.says(page, json!({ "items": items }));
    assert_eq!(
        fmc.pending_deployments().await.unwrap(),
        ["FTD Primary has changes that are not deployed"]
    );
    desk.says(page, json!({ "items": [{ "name": "FTD Primary" }] }));
    assert_eq!(fmc.pending_deployments().await.unwrap().len(), 1);
    desk.says(page, json!({ "paging": { "count": 0 } }));
    assert_eq!(
        fmc.pending_deployments().await.unwrap(),
        Vec::<String>::new()
    );
    desk.says(page, json!({}));
    assert!(matches!(
        fmc.pending_deployments().await,
        Err(FmcError::Answer { .. })
    ));
    assert_eq!(fmc.version().await.unwrap(), "7.2.8");
}

#[tokio::test]
async fn a_token_is_refreshed_three_times_and_then_replaced() {
    let desk = Desk::open().await;
    let fmc = desk.fmc(RIGHT);
    // A token is good for half an hour.
    for _ in 0..5 {
        fmc.version().await.unwrap();
        desk.clock.advance(Duration::from_secs(31 * 60));
    }
    assert_eq!(
        (desk.asked("generatetoken"), desk.asked("refreshtoken")),
        (2, 3)
    );
}

#[tokio::test]
async fn a_wrong_password_is_tried_once() {
    let desk = Desk::open().await;
    assert!(matches!(
        desk.fmc("wrong").version().await,
        Err(FmcError::Denied { .. })
    ));
    assert_eq!(desk.asked("generatetoken"), 1);
}

#[tokio::test]
async fn the_pace_is_kept_and_a_refusal_for_it_is_waited_out() {
    let desk = Desk::open().await;
    let fmc = desk.fmc(RIGHT);
    fmc.version().await.unwrap();
    desk.pair.suffer(Fault::ManagerRefuses(vec![429]));
    let before = desk.clock.monotonic();
    fmc.version().await.unwrap();
    let took = desk.clock.monotonic() - before;
    assert!(took >= Duration::from_secs(45), "{took:?}");
    let before = desk.clock.monotonic();
    for _ in 0..50 {
        fmc.version().await.unwrap();
    }
    let took = desk.clock.monotonic() - before;
    assert!(took >= Duration::from_secs(29), "{took:?} for 50 requests");
}

#[tokio::test]
async fn reading_is_repeated_after_a_hiccup_and_changing_is_not() {
    let desk = Desk::open().await;
    let fmc = desk.fmc(RIGHT);
    let pair = fmc.pair().await.unwrap();
    desk.pair.suffer(Fault::ManagerRefuses(vec![503, 500]));
    fmc.version().await.unwrap();
    desk.pair.suffer(Fault::ManagerRefuses(vec![503]));
    let before = desk.pair.manager_requests().len();
    assert!(matches!(
        fmc.switch(&pair).await,
        Err(FmcError::Status { status: 503, .. })
    ));
    let asked = desk.pair.manager_requests().split_off(before);
    let [(method, path, body)] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    let page = format!("/devicehapairs/ftddevicehapairs/{}", pair.id);
    assert!(method == "PUT" && path.ends_with(&page), "{method} {path}");
    assert_eq!(*body, json!({ "id": pair.id, "action": "SWITCH" }));
    assert_eq!(desk.pair.deeds(), [], "it was refused");
}

#[tokio::test]
async fn a_package_is_copied_to_both_units_and_nothing_else_is_asked_for() {
    let desk = Desk::open().await;
    let fmc = desk.fmc(RIGHT);
    let pair = fmc.pair().await.unwrap();
    let task = fmc.copy_package(PACKAGE, &pair).await.unwrap();
    let (method, path, body) = desk.pair.manager_requests().pop().unwrap();
    assert_eq!(
        (method.as_str(), path.as_str()),
        ("POST", "/api/fmc_platform/v1/updates/upgrades")
    );
    let target = |id: &String| json!({ "id": id, "type": "Device" });
    assert_eq!(
        body,
        json!({
            "upgradePackage": { "id": "package-1" },
            "targets": [target(&pair.primary), target(&pair.secondary)],
            "pushUpgradeFileOnly": true,
        })
    );
    let running = fmc.task(&task).await.unwrap();
    assert!(matches!(&running, TaskState::Running(words) if words.contains("Copy")));
    desk.clock.advance(Duration::from_secs(300));
    assert_eq!(fmc.task(&task).await.unwrap(), TaskState::Completed);
    let failure = Fault::ManagerTaskFails(String::from("no space"));
    desk.pair.suffer(failure);
    let task = fmc.copy_package(PACKAGE, &pair).await.unwrap();
    desk.clock.advance(Duration::from_secs(300));
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
