use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use elpis_mysql::{ConnectOptions, Error, Params, Session, SessionSettings};

use crate::server;

/// A proxy whose network dies silently after so many more bytes from the server.
struct Cable {
    port: u16,
    budget: Arc<AtomicU64>,
    client_closed: Receiver<()>,
}

impl Cable {
    fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own_port = listener.local_addr().unwrap().port();
        let budget = Arc::new(AtomicU64::new(u64::MAX));
        let (closed, client_closed) = channel();
        let shared = Arc::clone(&budget);
        thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (from, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || forward(from, to, &shared));
            let upstream = AtomicU64::new(u64::MAX);
            forward(client, server.try_clone().unwrap(), &upstream);
            server.shutdown(Shutdown::Both).ok();
            closed.send(()).ok();
        });
        Self {
            port: own_port,
            budget,
            client_closed,
        }
    }

    fn cut_after(&self, bytes: u64) {
        self.budget.store(bytes, Ordering::SeqCst);
    }

    fn options(&self) -> ConnectOptions {
        ConnectOptions {
            port: self.port,
            ..server().tcp_options()
        }
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, budget: &AtomicU64) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let left = budget.load(Ordering::SeqCst);
        let count = count.min(usize::try_from(left).unwrap_or(usize::MAX));
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
        if left != u64::MAX {
            budget.fetch_sub(count as u64, Ordering::SeqCst);
        }
    }
}

fn settings() -> SessionSettings {
    SessionSettings {
        statement_timeout: Duration::from_millis(600),
        grace: Duration::from_millis(400),
        ..SessionSettings::default()
    }
}

async fn times_out_and_is_cut(cable: &Cable, session: &mut Session, sql: &str) {
    let begun = Instant::now();
    let error = session
        .rows::<String>(sql, Params::Empty)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert!(error.is_lost());
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(10),
        "{took:?}"
    );
    // The socket is closed although nobody runs the executor meanwhile.
    cable
        .client_closed
        .recv_timeout(Duration::from_secs(5))
        .unwrap();
    let begun = Instant::now();
    let error = session
        .rows::<String>(sql, Params::Empty)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Lost { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_millis(500));
}

#[tokio::test]
async fn a_network_that_dies_before_the_answer() {
    let cable = Cable::to(server().port());
    let mut session = Session::open(&cable.options(), &settings()).await.unwrap();
    cable.cut_after(0);
    times_out_and_is_cut(&cable, &mut session, "SELECT 'x'").await;
}

#[tokio::test]
async fn a_network_that_dies_in_the_middle_of_the_rows() {
    let cable = Cable::to(server().port());
    let mut session = Session::open(&cable.options(), &settings()).await.unwrap();
    cable.cut_after(100_000);
    let sql = "SELECT REPEAT('x', 1000) FROM test_seq.seq_1_to_1000";
    crate::run(&mut crate::session().await, "CREATE DATABASE test_seq").await;
    times_out_and_is_cut(&cable, &mut session, sql).await;
}

#[tokio::test]
async fn a_host_that_accepts_and_never_greets() {
    let cable = Cable::to(server().port());
    cable.cut_after(0);
    let options = ConnectOptions {
        connect_timeout: Duration::from_millis(300),
        ..cable.options()
    };
    let begun = Instant::now();
    let error = Session::open(&options, &settings()).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}
