//! The server, and a proxy before it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use elpis_backup::store::{S3Access, S3Address, S3Options, S3Store};
use elpis_run::{Secret, StopToken};

use crate::support::names;

pub(super) const SECRET: &str = "se/cr+et-of-the-test";
/// No service takes smaller ones.
pub(super) const PART: u64 = 5 << 20;

/// A server with a bucket, and a proxy before it.
pub(super) struct Server {
    child: Child,
    root: PathBuf,
    pub(super) proxy: Arc<Proxy>,
}

#[derive(Default)]
pub(super) struct Proxy {
    port: u16,
    server: AtomicU64,
    /// Bytes that clients have sent.
    pub(super) sent: AtomicU64,
    /// How many more they may send before every line is cut.
    left: AtomicU64,
    over: AtomicBool,
}

impl Server {
    pub(super) fn start(dir: &Path) -> Server {
        let root = dir.join("s3");
        std::fs::create_dir_all(root.join("bucket")).unwrap();
        let (child, port) = spawn(&root);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Arc::new(Proxy {
            port: listener.local_addr().unwrap().port(),
            left: AtomicU64::new(u64::MAX),
            ..Proxy::default()
        });
        proxy.server.store(port.into(), Ordering::SeqCst);
        let running = Arc::clone(&proxy);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if running.over.load(Ordering::SeqCst) {
                    return;
                }
                let (client, proxy) = (client.unwrap(), Arc::clone(&running));
                std::thread::spawn(move || proxy.serve(client));
            }
        });
        Server { child, root, proxy }
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(super) fn start_again(&mut self) {
        let (child, port) = spawn(&self.root);
        self.child = child;
        self.proxy.server.store(port.into(), Ordering::SeqCst);
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
        self.proxy.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.proxy.port));
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

impl Proxy {
    fn serve(&self, client: TcpStream) {
        let port = self.server.load(Ordering::SeqCst) as u16;
        let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
            return;
        };
        let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let back = std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
        self.forward(&client, &server);
        let _ = server.shutdown(Shutdown::Both);
        let _ = client.shutdown(Shutdown::Both);
        let _ = back.join();
    }

    fn forward(&self, mut client: &TcpStream, mut server: &TcpStream) {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let Ok(got @ 1..) = client.read(&mut buffer) else {
                return;
            };
            let take = |left: u64| left.checked_sub(got as u64);
            if self
                .left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                .is_err()
            {
                self.left.store(0, Ordering::SeqCst);
                return;
            }
            self.sent.fetch_add(got as u64, Ordering::SeqCst);
            if server.write_all(&buffer[..got]).is_err() {
                return;
            }
        }
    }

    pub(super) fn cut_after(&self, bytes: u64) {
        self.left.store(bytes, Ordering::SeqCst);
    }
}
