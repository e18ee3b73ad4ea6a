//! Dumps that end before their end: an error, soon, and nothing that looks complete.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use elpis_backup::{
    Dump, DumpControl, DumpError, DumpEvent, DumpPolicy, DumpSink, DumpThrottle, Part, Piece,
    PieceId, PieceWriter, SinkError,
};
use elpis_mysql::{ConnectOptions, LoadProbe, Params, PrivateServer, Session};
use elpis_run::{ChunkTiming, FnObserver, Load, Pace, StopToken, Throttle};

use crate::{Memory, Shared, database, dump_with, open, policy, run, server};

/// About 20 MB in a few tables.
pub(crate) async fn bulk(options: &ConnectOptions, name: &str) -> Session {
    let mut session = database(options, name).await;
    for table in ["a", "b", "c", "d"] {
        run(
            &mut session,
            &format!("CREATE TABLE {table} (id INT PRIMARY KEY, t CHAR(200))"),
        )
        .await;
        let fill = format!("INSERT INTO {table} SELECT seq, REPEAT('x', 200) FROM seq_1_to_25000");
        run(&mut session, &fill).await;
    }
    session
}

/// Slow enough that nothing ends by itself.
pub(crate) fn slow(name: &str) -> DumpPolicy {
    DumpPolicy {
        bytes_per_second: Some(500_000),
        chunk_bytes: 1 << 20,
        readers: Some(3),
        ..policy(name)
    }
}

/// Tells when the first chunk is there.
fn on_first_chunk(act: impl Fn() + Send + Sync + 'static) -> DumpControl {
    let observer = FnObserver(move |event: &DumpEvent| {
        if matches!(event, DumpEvent::Cut { .. }) {
            act();
        }
    });
    DumpControl {
        observer: Arc::new(observer),
        ..DumpControl::default()
    }
}

async fn nobody_is_left(options: &ConnectOptions, program: &str) {
    let mut session = open(options).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let left: Vec<u64> = session
            .rows(
                "SELECT processlist_id FROM information_schema.processlist \
                 JOIN performance_schema.session_connect_attrs ON id = processlist_id \
                 WHERE attr_name = 'program_name' AND attr_value = ?",
                Params::Positional(vec![program.into()]),
            )
            .await
            .unwrap();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{left:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn observed() -> PrivateServer {
    PrivateServer::builder()
        .arg("--performance-schema=ON")
        .arg("--log-bin=bin")
        .start()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_it_and_leaves_nobody_at_the_server() {
    let server = observed();
    let options = ConnectOptions {
        program: "elpis-stopped".to_owned(),
        ..server.options()
    };
    bulk(&server.options(), "stopped").await;
    let stop = StopToken::new();
    let control = DumpControl {
        stop: stop.clone(),
        ..on_first_chunk({
            let stop = stop.clone();
            move || stop.stop()
        })
    };
    let begun = Instant::now();
    let result = dump_with(&options, slow("stopped"), control).await;
    assert!(
        matches!(result, Err(DumpError::Stopped)),
        "{:?}",
        result.err()
    );
    assert!(begun.elapsed() < Duration::from_secs(15));
    nobody_is_left(&server.options(), "elpis-stopped").await;

    // Whoever drops the future wants no dump either.
    let begun = Instant::now();
    let dump = dump_with(&options, slow("stopped"), DumpControl::default());
    tokio::time::timeout(Duration::from_millis(700), dump)
        .await
        .err()
        .unwrap();
    nobody_is_left(&server.options(), "elpis-stopped").await;
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_ends_it() {
    bulk(&server().options(), "late").await;
    let policy = DumpPolicy {
        deadline: Some(Duration::from_millis(700)),
        ..slow("late")
    };
    let result = dump_with(&server().options(), policy, DumpControl::default()).await;
    assert!(
        matches!(result, Err(DumpError::Deadline { .. })),
        "{:?}",
        result.err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_is_kept() {
    bulk(&server().options(), "rated").await;
    let policy = DumpPolicy {
        bytes_per_second: Some(10_000_000),
        ..slow("rated")
    };
    let begun = Instant::now();
    let (report, _) = dump_with(&server().options(), policy, DumpControl::default())
        .await
        .unwrap();
    let bytes: u64 = report.pieces.iter().map(|piece| piece.bytes).sum();
    assert!(bytes > 20_000_000);
    assert!(
        begun.elapsed() >= Duration::from_millis(1_800),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_leaves_no_complete_text() {
    let server = PrivateServer::builder()
        .arg("--log-bin=bin")
        .start()
        .unwrap();
    let options = server.options();
    bulk(&options, "killed").await;
    let server = Arc::new(Mutex::new(server));
    let control = on_first_chunk({
        let server = server.clone();
        move || server.lock().unwrap().kill().unwrap()
    });
    let dump = Dump::new(options, slow("killed"));
    let plan = dump.plan(&dump.inspect().await.unwrap(), 2).unwrap();
    let memory = Arc::new(Memory::default());
    let error = dump
        .run(&plan, Arc::new(Shared(memory.clone())), control)
        .await
        .unwrap_err();
    assert!(matches!(error, DumpError::Server { .. }), "{error:?}");
    assert!(error.is_retryable());
    let finished = memory.finished.lock().unwrap();
    assert!(finished.keys().all(|id| id.part != Part::Final));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_killed_ends_the_dump() {
    let server = observed();
    let options = ConnectOptions {
        program: "elpis-victim".to_owned(),
        ..server.options()
    };
    bulk(&server.options(), "victim").await;
    let dump = tokio::spawn(async move {
        dump_with(&options, slow("victim"), DumpControl::default())
            .await
            .err()
    });
    let mut session = open(&server.options()).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let reading: Vec<u64> = session
            .rows(
                "SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT `id`%'",
                Params::Empty,
            )
            .await
            .unwrap();
        if let Some(id) = reading.first() {
            run(&mut session, &format!("KILL QUERY {id}")).await;
            break;
        }
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let error = dump.await.unwrap().expect("a dump with a hole");
    assert!(matches!(error, DumpError::Server { .. }), "{error:?}");
}

/// Fails at the piece or byte it is told.
struct Broken {
    begin: Option<&'static str>,
    write: Option<&'static str>,
    finish: Option<Part>,
}

struct BrokenPiece {
    id: PieceId,
    write: Option<&'static str>,
    finish: Option<Part>,
}

impl DumpSink for Broken {
    fn begin(&self, piece: &PieceId) -> Result<Box<dyn PieceWriter>, SinkError> {
        if self.begin == Some(&*piece.table_name) {
            return Err("disk full at begin".into());
        }
        Ok(Box::new(BrokenPiece {
            id: piece.clone(),
            write: self.write,
            finish: self.finish,
        }))
    }
}

impl PieceWriter for BrokenPiece {
    fn write(&mut self, _: &[u8]) -> Result<(), SinkError> {
        if self.write == Some(&*self.id.table_name) {
            return Err("disk full at write".into());
        }
        Ok(())
    }

    fn finish(self: Box<Self>, piece: &Piece) -> Result<(), SinkError> {
        if self.finish == Some(piece.id.part) {
            return Err("disk full at finish".into());
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_it() {
    bulk(&server().options(), "full").await;
    let sinks = [
        Broken {
            begin: Some("b"),
            write: None,
            finish: None,
        },
        Broken {
            begin: None,
            write: Some("c"),
            finish: None,
        },
        Broken {
            begin: None,
            write: None,
            finish: Some(Part::Schema),
        },
        Broken {
            begin: None,
            write: None,
            finish: Some(Part::Data),
        },
        Broken {
            begin: None,
            write: None,
            finish: Some(Part::Final),
        },
    ];
    for sink in sinks {
        let dump = Dump::new(server().options(), policy("full"));
        let plan = dump.plan(&dump.inspect().await.unwrap(), 2).unwrap();
        let error = dump
            .run(&plan, Arc::new(sink), DumpControl::default())
            .await
            .unwrap_err();
        let DumpError::Sink(source) = error else {
            panic!("{error:?}");
        };
        assert!(source.to_string().starts_with("disk full"));
    }
}

/// Holds twice, then lets go or ends it.
struct Moody {
    asked: usize,
    end: bool,
}

impl Throttle for Moody {
    fn pace(&mut self, _: Option<&ChunkTiming>, _: &Load) -> Pace {
        self.asked += 1;
        match self.asked {
            1 | 2 => Pace::Hold {
                retry_after: Duration::from_millis(100),
                why: "replica db2 lags".to_owned(),
            },
            _ if self.end => Pace::Stop {
                why: "too much history".to_owned(),
            },
            _ => Pace::Go {
                rows: 1,
                pause: Duration::ZERO,
            },
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttle_holds_and_ends_it() {
    bulk(&server().options(), "moody").await;
    for end in [false, true] {
        let heard = Arc::new(Mutex::new(0));
        let observer = FnObserver({
            let heard = heard.clone();
            move |event: &DumpEvent| {
                if matches!(event, DumpEvent::Held { .. }) {
                    *heard.lock().unwrap() += 1;
                }
            }
        });
        let control = DumpControl {
            observer: Arc::new(observer),
            throttle: Some(DumpThrottle {
                throttle: Box::new(Moody { asked: 0, end }),
                probe: LoadProbe::new(server().options(), Vec::new()),
            }),
            ..DumpControl::default()
        };
        let policy = DumpPolicy {
            bytes_per_second: Some(10_000_000),
            ..slow("moody")
        };
        let result = dump_with(&server().options(), policy, control).await;
        assert_eq!(*heard.lock().unwrap(), 2);
        match result {
            Ok(_) => assert!(!end),
            Err(DumpError::Throttled { why }) => assert!(end && why == "too much history"),
            Err(error) => panic!("{error:?}"),
        }
    }
}
