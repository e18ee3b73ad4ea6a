//! An sshd on loopback with one account of its own, and a stand-in for the unit behind it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use elpis_failover::{
    Auth, FtdDriver, FtdOptions, FtdUnit, Host, KnownHosts, Login, SshOptions, SshTransport,
};
use elpis_run::{Secret, fsx};

const PASSWORD: &str = "stand-in, only";

/// An sshd on loopback with one account of its own.
pub(super) struct Sshd {
    pub(super) process: Child,
    user: String,
    pub(super) host: Host,
    dir: tempfile::TempDir,
}

impl Sshd {
    pub(super) fn start(name: &str) -> Sshd {
        Sshd::with(name, "")
    }

    /// With more settings, which win over the others.
    pub(super) fn with(name: &str, settings: &str) -> Sshd {
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
        let text = include_str!("../stand-in.sh").replace("$HERE", &here.display().to_string());
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

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn password(&self) -> Auth {
        Auth::Password(Secret::new(String::from(PASSWORD)))
    }

    pub(super) fn key(&self) -> Auth {
        Auth::Key {
            path: self.path("login"),
            passphrase: None,
        }
    }

    pub(super) fn login(&self, auth: Auth) -> Login {
        Login {
            user: self.user.clone(),
            auth,
        }
    }

    /// A transport that has learned the host's key after seeing it.
    pub(super) async fn trusted(&self) -> SshTransport {
        let transport = self.transport();
        let key = transport.host_key(&self.host).await.unwrap();
        let known_hosts = KnownHosts::at(self.path("known_hosts"));
        known_hosts.trust(&self.host, &key).unwrap();
        transport
    }

    pub(super) fn transport(&self) -> SshTransport {
        SshTransport::new(SshOptions::new(KnownHosts::at(self.path("known_hosts"))))
    }

    pub(super) async fn driver(&self, auth: Auth) -> FtdDriver {
        let unit = FtdUnit {
            host: self.host.clone(),
            login: self.login(auth),
            sudo_password: Some(Secret::new(String::from(PASSWORD))),
        };
        let options = FtdOptions::new([unit.clone(), unit]);
        FtdDriver::new(options, Arc::new(self.trusted().await))
    }

    pub(super) fn driver_without_trust(&self) -> FtdDriver {
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
        ("show version", include_str!("../golden/version.txt")),
        ("show failover", include_str!("../golden/failover.txt")),
        (
            "show failover state",
            include_str!("../golden/failover-state-2-upgraded-on-active.txt"),
        ),
        (
            "show failover history",
            include_str!("../golden/failover-history.txt"),
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

pub(super) fn open_to_all(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

pub(super) fn run(command: &mut Command) {
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
