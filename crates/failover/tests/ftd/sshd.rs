//! The client against the sshd that everybody runs, with a stand-in for the unit behind it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use elpis_failover::{
    Auth, ConnectError, DriverError, FtdDriver, FtdOptions, FtdUnit, Host, HostKeyError,
    KnownHosts, Login, PairDriver, Role, SshOptions, SshTransport, Transport, Unit,
};
use elpis_run::{Secret, fsx};

const PASSWORD: &str = "stand-in, only";

/// An sshd on loopback with one account of its own.
struct Sshd {
    process: Child,
    user: String,
    host: Host,
    dir: tempfile::TempDir,
}

impl Sshd {
    fn start(name: &str) -> Sshd {
        Sshd::with(name, "")
    }

    /// With more settings, which win over the others.
    fn with(name: &str, settings: &str) -> Sshd {
        let dir = tempfile::Builder::new()
            .prefix("elpis-sshd")
            .tempdir()
            .unwrap();
        let here = dir.path();
        open_to_all(here, 0o755);
        for key in ["host", "login"] {
            let path = here.join(key);
            run(Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(path));
        }
        let script = here.join("stand-in.sh");
        let text = include_str!("stand-in.sh").replace("$HERE", &here.display().to_string());
        write(&script, &text, 0o755);
        write(&here.join("sudo"), PASSWORD, 0o644);
        for (command, text) in answers() {
            write(&here.join(command.replace(' ', "-")), text, 0o644);
        }
        let user = format!("elpis{}{name}", std::process::id());
        run(Command::new("useradd")
            .args(["-M", "-d"])
            .arg(here)
            .args(["-s", "/bin/bash", &user]));
        set_password(&user);
        let port = free_port();
        // The first word on a setting counts.
        let config = format!("{settings}{}", config(here, port, &user));
        write(&here.join("config"), &config, 0o644);
        fsx::create_private_dir(Path::new("/run/sshd")).ok();
        let process = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(here.join("config"))
            .stderr(Stdio::null())
            .spawn()
            .expect("sshd is missing: scripts/prepare installs it");
        let sshd = Sshd {
            process,
            user,
            host: Host {
                address: String::from("127.0.0.1"),
                port,
            },
            dir,
        };
        sshd.wait_until_it_listens();
        sshd
    }

    fn wait_until_it_listens(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", self.host.port)).is_err() {
            assert!(Instant::now() < deadline, "sshd does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn password(&self) -> Auth {
        Auth::Password(Secret::new(String::from(PASSWORD)))
    }

    fn key(&self) -> Auth {
        Auth::Key {
            path: self.path("login"),
            passphrase: None,
        }
    }

    fn login(&self, auth: Auth) -> Login {
        Login {
            user: self.user.clone(),
            auth,
        }
    }

    /// A transport that has learned the host's key after seeing it.
    async fn trusted(&self) -> SshTransport {
        let transport = self.transport();
        let key = transport.host_key(&self.host).await.unwrap();
        let known_hosts = KnownHosts::at(self.path("known_hosts"));
        known_hosts.trust(&self.host, &key).unwrap();
        transport
    }

    fn transport(&self) -> SshTransport {
        SshTransport::new(SshOptions::new(KnownHosts::at(self.path("known_hosts"))))
    }

    async fn driver(&self, auth: Auth) -> FtdDriver {
        let unit = FtdUnit {
            host: self.host.clone(),
            login: self.login(auth),
            sudo_password: Some(Secret::new(String::from(PASSWORD))),
        };
        let options = FtdOptions::new([unit.clone(), unit]);
        FtdDriver::new(options, Arc::new(self.trusted().await))
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
        // A session may still end; the account goes with it.
        Command::new("userdel")
            .args(["-f", &self.user])
            .stderr(Stdio::null())
            .status()
            .ok();
    }
}

fn config(here: &Path, port: u16, user: &str) -> String {
    let here = here.display();
    format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {here}/host\nPidFile none\nUsePAM no\n\
         PasswordAuthentication yes\nKbdInteractiveAuthentication no\nStrictModes no\n\
         AuthorizedKeysFile {here}/login.pub\nAllowUsers {user}\nForceCommand {here}/stand-in.sh\n"
    )
}

/// The answers of the golden transcripts, less prompt and echo.
fn answers() -> [(&'static str, &'static str); 4] {
    [
        ("show version", include_str!("golden/version.txt")),
        ("show failover", include_str!("golden/failover.txt")),
        (
            "show failover state",
            include_str!("golden/failover-state-2-upgraded-on-active.txt"),
        ),
        (
            "show failover history",
            include_str!("golden/failover-history.txt"),
        ),
    ]
}

fn write(path: &Path, text: &str, mode: u32) {
    let body: String = text
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("#: ") && !line.starts_with("firepower# "))
        .collect();
    fsx::write_durable(path, body.as_bytes(), mode).unwrap();
}

fn open_to_all(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}");
}

fn set_password(user: &str) {
    use std::io::Write;
    let mut chpasswd = Command::new("chpasswd")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = chpasswd.stdin.take().unwrap();
    stdin
        .write_all(format!("{user}:{PASSWORD}\n").as_bytes())
        .unwrap();
    drop(stdin);
    assert!(chpasswd.wait().unwrap().success());
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

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

impl Sshd {
    fn driver_without_trust(&self) -> FtdDriver {
        let unit = FtdUnit {
            host: self.host.clone(),
            login: self.login(self.key()),
            sudo_password: None,
        };
        FtdDriver::new(
            FtdOptions::new([unit.clone(), unit]),
            Arc::new(self.transport()),
        )
    }
}
