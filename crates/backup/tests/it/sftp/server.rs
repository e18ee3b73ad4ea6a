//! OpenSSH on loopback, for the account that runs the test.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use elpis_backup::store::{SftpAddress, SftpOptions, SftpStore};
use elpis_run::StopToken;

use crate::proxy::Proxy;
use crate::support::names;

pub(super) struct Server {
    child: Child,
    here: PathBuf,
    pub(super) proxy: Arc<Proxy>,
}

impl Server {
    pub(super) fn start(dir: &Path) -> Server {
        let here = dir.join("sshd");
        let mut private = std::fs::DirBuilder::new();
        private.mode(0o700).create(&here).unwrap();
        std::fs::create_dir(here.join("archives")).unwrap();
        for key in ["host", "login", "other"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(here.join(key))
                .status();
            assert!(made.unwrap().success());
        }
        std::fs::copy(here.join("login.pub"), here.join("authorized")).unwrap();
        let child = spawn(&here);
        let proxy = Proxy::start(port(&here));
        let server = Server { child, here, proxy };
        server.know("host.pub");
        server
    }

    /// Makes the client expect a key of the server.
    pub(super) fn know(&self, key: &str) {
        let key = std::fs::read_to_string(self.here.join(key)).unwrap();
        let line = format!("[127.0.0.1]:{} {key}", self.proxy.port);
        std::fs::write(self.here.join("known"), line).unwrap();
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // Its children, which hold the lines, go on without it.
        self.proxy.cut_after(0);
    }

    pub(super) fn start_again(&mut self) {
        self.child = spawn(&self.here);
        self.proxy.lead_to(port(&self.here));
        self.proxy.cut_after(u64::MAX);
    }

    pub(super) fn options(&self) -> SftpOptions {
        self.options_of("archives")
    }

    pub(super) fn options_of(&self, dir: &str) -> SftpOptions {
        let (port, dir) = (self.proxy.port, self.here.join(dir));
        let address = format!("sftp://127.0.0.1:{port}{}", dir.display());
        let address: SftpAddress = address.parse().unwrap();
        let mut options = SftpOptions::new(address);
        options.ssh.extend(self.words("login").map(Into::into));
        options
    }

    /// What makes `ssh` use nothing but what is here.
    pub(super) fn words(&self, key: &str) -> [String; 8] {
        let here = self.here.display();
        [
            "-F".to_owned(),
            "none".to_owned(),
            "-i".to_owned(),
            format!("{here}/{key}"),
            "-oIdentitiesOnly=yes".to_owned(),
            "-oIdentityAgent=none".to_owned(),
            "-oStrictHostKeyChecking=yes".to_owned(),
            format!("-oUserKnownHostsFile={here}/known"),
        ]
    }

    pub(super) fn store(&self) -> SftpStore {
        SftpStore::new(self.options(), StopToken::new(), Arc::new(())).unwrap()
    }

    pub(super) fn archives(&self) -> PathBuf {
        self.here.join("archives")
    }

    /// What lies there, and nobody else may read it.
    pub(super) fn files(&self) -> Vec<String> {
        let names = names(&self.archives());
        for name in &names {
            let found = std::fs::metadata(self.archives().join(name)).unwrap();
            assert_eq!(found.permissions().mode() & 0o777, 0o600, "{name}");
        }
        names
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.proxy.end();
    }
}

fn port(here: &Path) -> u16 {
    let text = std::fs::read_to_string(here.join("port")).unwrap();
    text.parse().unwrap()
}

/// Starts it on a port that was free a moment ago, and waits until it listens.
fn spawn(here: &Path) -> Child {
    // A directory that sshd insists on when it runs as root.
    let _ = std::fs::create_dir_all("/run/sshd");
    for _ in 0..20 {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {0}/host\nPidFile none\n\
             AuthorizedKeysFile {0}/authorized\nStrictModes no\nUsePAM no\n\
             PermitRootLogin prohibit-password\nPasswordAuthentication no\n\
             Subsystem sftp internal-sftp\n",
            here.display()
        );
        std::fs::write(here.join("config"), config).unwrap();
        std::fs::write(here.join("port"), port.to_string()).unwrap();
        let mut child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(here.join("config"))
            .stderr(Stdio::null())
            .spawn()
            .expect("sshd is missing: scripts/prepare installs it");
        let give_up = Instant::now() + Duration::from_secs(20);
        while Instant::now() < give_up && child.try_wait().unwrap().is_none() {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return child;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = child.kill();
        child.wait().unwrap();
    }
    panic!("sshd does not start");
}
