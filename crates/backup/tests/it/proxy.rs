//! A proxy before a server, which counts what clients send, and cuts their lines.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[derive(Default)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    server: AtomicU64,
    /// Bytes that clients have sent.
    pub(crate) sent: AtomicU64,
    /// How many more they may send before every line is cut.
    left: AtomicU64,
    over: AtomicBool,
}

impl Proxy {
    /// Before the server on a port of loopback.
    pub(crate) fn start(server: u16) -> Arc<Proxy> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Arc::new(Proxy {
            port: listener.local_addr().unwrap().port(),
            left: AtomicU64::new(u64::MAX),
            ..Proxy::default()
        });
        proxy.lead_to(server);
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
        proxy
    }

    pub(crate) fn lead_to(&self, server: u16) {
        self.server.store(server.into(), Ordering::SeqCst);
    }

    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }

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

    pub(crate) fn cut_after(&self, bytes: u64) {
        self.left.store(bytes, Ordering::SeqCst);
    }
}
