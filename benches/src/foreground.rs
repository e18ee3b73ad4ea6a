//! The traffic that must not suffer: 200 single-row inserts a second, and a read of a recent
//! series every 100 ms, each on a connection of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use elpis_mysql::{ConnectOptions, Params, Row, Session, SessionSettings, Value};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

const INSERTS_PER_SECOND: u64 = 200;
const MODULES: u64 = 10_000;

/// How long each statement took.
#[derive(Default)]
pub struct Latencies {
    pub inserts: Vec<Duration>,
    pub reads: Vec<Duration>,
}

pub struct Foreground {
    stop: Arc<AtomicBool>,
    latencies: Arc<Mutex<Latencies>>,
    tasks: Vec<JoinHandle<Result<()>>>,
}

impl Foreground {
    pub fn start(runtime: &Runtime, options: ConnectOptions) -> Foreground {
        Foreground::on(runtime, options, (1..=MODULES).collect())
    }

    /// The same for these modules, of which there must be one.
    pub fn on(runtime: &Runtime, options: ConnectOptions, modules: Vec<u64>) -> Foreground {
        let stop = Arc::new(AtomicBool::new(false));
        let latencies = Arc::new(Mutex::new(Latencies::default()));
        let modules: Arc<[u64]> = modules.into();
        let inserts = inserts(
            options.clone(),
            Arc::clone(&modules),
            Arc::clone(&stop),
            Arc::clone(&latencies),
        );
        let reads = reads(options, modules, Arc::clone(&stop), Arc::clone(&latencies));
        let tasks = vec![runtime.spawn(inserts), runtime.spawn(reads)];
        Foreground {
            stop,
            latencies,
            tasks,
        }
    }

    pub fn reset(&self) {
        if let Ok(mut latencies) = self.latencies.lock() {
            *latencies = Latencies::default();
        }
    }

    pub fn stop(self, runtime: &Runtime) -> Result<Latencies> {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            runtime.block_on(task)??;
        }
        let mut latencies = self
            .latencies
            .lock()
            .map_err(|_| anyhow!("a task panicked"))?;
        Ok(std::mem::take(&mut latencies))
    }
}

async fn inserts(
    options: ConnectOptions,
    modules: Arc<[u64]>,
    stop: Arc<AtomicBool>,
    latencies: Arc<Mutex<Latencies>>,
) -> Result<()> {
    let mut session = Session::open(&options, &SessionSettings::default()).await?;
    let mut tick = tokio::time::interval(Duration::from_micros(1_000_000 / INSERTS_PER_SECOND));
    let mut module = 0;
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        module = (module + 7919) % modules.len();
        let params = Params::Positional(vec![Value::UInt(modules[module]), Value::Double(0.5)]);
        let begun = Instant::now();
        session
            .execute(
                "INSERT INTO tagente_datos VALUES (?, ?, UNIX_TIMESTAMP())",
                params,
            )
            .await?;
        if let Ok(mut latencies) = latencies.lock() {
            latencies.inserts.push(begun.elapsed());
        }
    }
    Ok(())
}

async fn reads(
    options: ConnectOptions,
    modules: Arc<[u64]>,
    stop: Arc<AtomicBool>,
    latencies: Arc<Mutex<Latencies>>,
) -> Result<()> {
    let mut session = Session::open(&options, &SessionSettings::default()).await?;
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    let mut module = 0;
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        module = (module + 104_729) % modules.len();
        let params = Params::Positional(vec![Value::UInt(modules[module])]);
        let begun = Instant::now();
        let _: Vec<Row> = session
            .rows(
                "SELECT utimestamp, datos FROM tagente_datos WHERE id_agente_modulo = ? \
                 AND utimestamp >= UNIX_TIMESTAMP() - 7 * 86400 ORDER BY utimestamp",
                params,
            )
            .await?;
        if let Ok(mut latencies) = latencies.lock() {
            latencies.reads.push(begun.elapsed());
        }
    }
    Ok(())
}
