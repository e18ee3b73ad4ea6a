//! The client against the sshd that everybody runs, with a stand-in for the unit behind it.

mod daemon;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use elpis_failover::{
    Auth, ConnectError, DriverError, HostKeyError, PairDriver, Role, Transport, Unit,
};
use elpis_run::{Secret, fsx};

use daemon::{Sshd, open_to_all, run};

#[tokio::test]
async fn password_and_key_both_lead_to_a_report_through_a_real_terminal() {
    let sshd = Sshd::start("a");
    for auth in [sshd.password(), sshd.key()] {
        let report = sshd.driver(auth).await.observe(Unit::A).await.unwrap();
        assert_eq!(
            (&report.own_role, &report.peer_role),
            (&Role::Active, &Role::StandbyReady)
        );
        assert_eq!(report.version, "7.2.7-500");
        assert_eq!(report.identity, "9A4P7DRKVX2");
        // The shell behind it is a real one.
        let boot = fsx::read_to_string(Path::new("/proc/sys/kernel/random/boot_id")).unwrap();
        assert_eq!(report.boot.as_deref(), Some(boot.trim()));
        let skew = report
            .device_time
            .unwrap()
            .duration_since(jiff::Timestamp::now());
        assert!(skew.abs() < jiff::SignedDuration::from_secs(60), "{skew}");
        assert_eq!(report.busy, None);
    }
}

#[tokio::test]
async fn the_root_shell_is_reached_with_one_password() {
    let sshd = Sshd::start("b");
    let driver = sshd.driver(sshd.key()).await;
    let target = elpis_failover::Target {
        version: String::from("7.2.7-500"),
        package: String::from("Cisco_FTD_Upgrade-7.2.7-500.sh.REL.tar"),
        size: None,
        digest: None,
    };
    // There is no such package here: what matters is that the shell was asked and said so.
    let survey = driver.survey(Unit::A, &target).await.unwrap();
    assert_eq!(survey.package, None);
}

#[tokio::test]
async fn an_unknown_host_gets_no_password_and_a_refused_one_is_told_apart() {
    let sshd = Sshd::start("c");
    let unknown = sshd
        .transport()
        .open(&sshd.host, &sshd.login(sshd.password()))
        .await;
    let Err(ConnectError::HostKey {
        source: HostKeyError::Unknown { offered },
        ..
    }) = unknown
    else {
        panic!("connected to an unknown host");
    };
    let public = sshd.path("host.pub");
    let printed = Command::new("ssh-keygen")
        .arg("-lf")
        .arg(&public)
        .output()
        .unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(
        printed.contains(&offered.fingerprint()),
        "{printed} {offered}"
    );

    let transport = sshd.trusted().await;
    let wrong = sshd.login(Auth::Password(Secret::new(String::from("guess"))));
    let denied = transport.open(&sshd.host, &wrong).await;
    assert!(matches!(denied, Err(ConnectError::Denied { .. })));
    assert!(
        transport
            .open(&sshd.host, &sshd.login(sshd.password()))
            .await
            .is_ok()
    );
}

/// PAM asks by way of keyboard-interactive, and the password is no other answer's.
#[tokio::test]
async fn the_password_answers_the_question_that_pam_asks() {
    let pam = "UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no\n";
    let sshd = Sshd::with("g", pam);
    let report = sshd
        .driver(sshd.password())
        .await
        .observe(Unit::A)
        .await
        .unwrap();
    assert_eq!(report.identity, "9A4P7DRKVX2");
    let wrong = sshd.login(Auth::Password(Secret::new(String::from("guess"))));
    let denied = sshd.trusted().await.open(&sshd.host, &wrong).await;
    assert!(matches!(denied, Err(ConnectError::Denied { .. })));
}

/// A wrong password may be answered by the end of the connection. It is told as what it is, once,
/// and does not look like a unit that is away.
#[tokio::test]
async fn a_server_that_hangs_up_on_a_wrong_password_refuses_it() {
    let sshd = Sshd::with("h", "MaxAuthTries 1\n");
    let transport = sshd.trusted().await;
    let wrong = sshd.login(Auth::Password(Secret::new(String::from("guess"))));
    match transport.open(&sshd.host, &wrong).await {
        Err(ConnectError::Unanswered { reason, .. }) => {
            assert!(
                reason.contains("Too many authentication failures"),
                "{reason}"
            );
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("let in"),
    }
    let right = sshd.login(sshd.password());
    assert!(transport.open(&sshd.host, &right).await.is_ok());
}

#[tokio::test]
async fn a_key_of_another_type_is_a_changed_key() {
    let sshd = Sshd::start("d");
    let other = sshd.path("other");
    run(Command::new("ssh-keygen")
        .args(["-q", "-t", "ecdsa", "-N", "", "-f"])
        .arg(&other));
    let public = fsx::read_to_string(&sshd.path("other.pub")).unwrap();
    let line = format!("[127.0.0.1]:{} {public}", sshd.host.port);
    fsx::write_durable(&sshd.path("known_hosts"), line.as_bytes(), 0o600).unwrap();
    let login = sshd.login(sshd.password());
    let refused = sshd.transport().open(&sshd.host, &login).await;
    assert!(matches!(
        refused,
        Err(ConnectError::HostKey {
            source: HostKeyError::Changed { line: 1, .. },
            ..
        })
    ));
}

#[tokio::test]
async fn an_agent_opens_the_door() {
    let sshd = Sshd::start("e");
    let socket = sshd.path("agent");
    let mut agent = Command::new("ssh-agent")
        .args(["-D", "-a"])
        .arg(&socket)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !socket.exists() {
        assert!(Instant::now() < deadline, "no agent");
        std::thread::sleep(Duration::from_millis(20));
    }
    open_to_all(&sshd.path("login"), 0o600);
    run(Command::new("ssh-add")
        .arg("-q")
        .arg(sshd.path("login"))
        .env("SSH_AUTH_SOCK", &socket));
    let transport = sshd.trusted().await;
    let opened = transport
        .open(&sshd.host, &sshd.login(Auth::Agent(socket)))
        .await;
    agent.kill().ok();
    agent.wait().ok();
    assert!(opened.is_ok());
}

#[tokio::test]
async fn a_server_that_is_killed_is_unreachable_at_once() {
    let mut sshd = Sshd::start("f");
    let driver = sshd.driver(sshd.key()).await;
    driver.observe(Unit::A).await.unwrap();
    sshd.process.kill().unwrap();
    sshd.process.wait().unwrap();
    // The listener is gone; the session's own process may live on and answer.
    let transport = sshd.transport();
    let begun = Instant::now();
    let refused = transport.open(&sshd.host, &sshd.login(sshd.key())).await;
    assert!(matches!(refused, Err(ConnectError::Unreachable { .. })));
    assert!(begun.elapsed() < Duration::from_secs(5));
    drop(driver);
    let other = sshd.driver_without_trust();
    assert!(matches!(
        other.observe(Unit::A).await,
        Err(DriverError::Unreachable { .. })
    ));
}
