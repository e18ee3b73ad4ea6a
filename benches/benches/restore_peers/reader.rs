//! A client that reads the live database in a loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use elpis_benches::unlimited;
use elpis_mysql::{ConnectOptions, Params, Session};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

pub(crate) struct Reader {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<Duration>>,
}

impl Reader {
    pub(crate) fn start(runtime: &Runtime, options: ConnectOptions) -> Reader {
        let stop = Arc::new(AtomicBool::new(false));
        let task = runtime.spawn(read(options, Arc::clone(&stop)));
        Reader { stop, task }
    }

    /// The longest time between two answers.
    pub(crate) fn stop(self, runtime: &Runtime) -> Result<Duration> {
        self.stop.store(true, Ordering::Relaxed);
        runtime.block_on(self.task)?
    }
}

async fn read(options: ConnectOptions, stop: Arc<AtomicBool>) -> Result<Duration> {
    // Connected to no database: whoever is connected to the one that is restored is in its way.
    let options = ConnectOptions {
        database: None,
        ..options
    };
    let mut session = Session::open(&options, &unlimited()).await?;
    let mut longest = Duration::ZERO;
    let mut last = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let sql = "SELECT evento FROM bench.tevento WHERE id_evento = 1";
        let found: Option<String> = session.first(sql, Params::Empty).await?;
        anyhow::ensure!(found.is_some(), "the row is gone");
        longest = longest.max(last.elapsed());
        last = Instant::now();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(longest)
}
