//! A foreground client: inserts rows at a steady rate while something else is going on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use elpis_mysql::{ConnectOptions, Params, Session, SessionSettings};

use crate::table::{Row, Table};

/// Inserts on a thread and a session of its own until it is told to finish.
pub struct Writer {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    thread: JoinHandle<Written>,
}

/// What a writer did.
#[derive(Debug, Default)]
pub struct Written {
    /// Every row that the server acknowledged.
    pub rows: Vec<Row>,
    /// What the server said to the others.
    pub errors: Vec<String>,
    /// The longest time that one insert took.
    pub slowest: Duration,
}

impl Writer {
    /// Starts to insert `per_second` rows a second into `table`, one statement and one commit
    /// each; `row` makes the row of a number that counts from 0.
    pub fn start(
        options: ConnectOptions,
        table: Table,
        per_second: u32,
        row: impl Fn(u64) -> Row + Send + 'static,
    ) -> Writer {
        let (stop, count) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (stopped, counter) = (Arc::clone(&stop), Arc::clone(&count));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let session = Session::open(&options, &SessionSettings::default()).await;
                let mut session = session.expect("the writer's session");
                let mut written = Written::default();
                let begun = Instant::now();
                for number in 0.. {
                    if stopped.load(Ordering::SeqCst) {
                        break;
                    }
                    let row = row(number);
                    let insert = table.insert(std::slice::from_ref(&row));
                    let sent = Instant::now();
                    match session
                        .execute(insert.trim_end_matches([';', '\n']), Params::Empty)
                        .await
                    {
                        Ok(_) => written.rows.push(row),
                        Err(error) => written.errors.push(error.to_string()),
                    }
                    written.slowest = written.slowest.max(sent.elapsed());
                    counter.store(number + 1, Ordering::SeqCst);
                    // On a schedule, so that slow inserts do not lower the rate.
                    let due = Duration::from_secs_f64((number + 1) as f64 / f64::from(per_second));
                    tokio::time::sleep(due.saturating_sub(begun.elapsed())).await;
                }
                written
            })
        });
        Writer {
            stop,
            count,
            thread,
        }
    }

    /// How many inserts were tried so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Stops after the insert that is under way.
    pub fn finish(self) -> Written {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("the writer's thread")
    }
}
