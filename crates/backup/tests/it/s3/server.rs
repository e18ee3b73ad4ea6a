//! The server.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use elpis_backup::store::{S3Access, S3Address, S3Options, S3Store};
use elpis_run::{Secret, StopToken};

use crate::proxy::Proxy;
use crate::support::names;

pub(super) const SECRET: &str = "se/cr+et-of-the-test";
/// No service takes smaller ones.
pub(super) const PART: u64 = 5 << 20;

/// A server with a bucket, and a proxy before it.
pub(super) struct Server {
    child: Child,
    root: PathBuf,
    pub(super) port: u16,
    pub(super) proxy: Arc<Proxy>,
}

impl Server {
    pub(super) fn start(dir: &Path) -> Server {
        let root = dir.join("s3");
        std::fs::create_dir_all(root.join("bucket")).unwrap();
        let (child, port) = spawn(&root);
        let proxy = Proxy::start(port);
        Server {
            child,
            root,
            port,
            proxy,
        }
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(super) fn start_again(&mut self) {
        let (child, port) = spawn(&self.root);
        (self.child, self.port) = (child, port);
        self.proxy.lead_to(port);
    }

    pub(super) fn options(&self) -> S3Options {
        let access = S3Access {
            key_id: "KEY".into(),
            secret: Secret::new(SECRET.to_owned()),
            session_token: None,
        };
        let address: S3Address = "s3://bucket/sites/one".parse().unwrap();
        let options = S3Options::new(address, access);
        S3Options {
            patience: Duration::from_secs(2),
            part_bytes: PART,
            ..options.at(&format!("http://127.0.0.1:{}", self.proxy.port))
        }
    }

    pub(super) fn store(&self) -> S3Store {
        S3Store::new(self.options(), StopToken::new(), Arc::new(())).unwrap()
    }

    /// What lies in the bucket, as the server keeps it.
    pub(super) fn objects(&self) -> Vec<String> {
        match self.root.join("bucket/sites/one") {
            dir if dir.exists() => names(&dir),
            _ => Vec::new(),
        }
    }

    pub(super) fn object(&self, name: &str) -> PathBuf {
        self.root.join("bucket/sites/one").join(name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.proxy.end();
    }
}

/// Starts the server on a port that was free a moment ago, and waits until it answers.
fn spawn(root: &Path) -> (Child, u16) {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin/s3s-fs");
    for _ in 0..20 {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut child = Command::new(&tools)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .args(["--access-key", "KEY", "--secret-key", SECRET])
            .arg(root)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; run scripts/prepare", tools.display()));
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return (child, port);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = child.kill();
        child.wait().unwrap();
    }
    panic!("the S3 server does not start");
}
