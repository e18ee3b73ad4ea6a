//! Ctrl-C and SIGTERM: the first asks a run to stop at its next safe point, the second leaves.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use elpis_run::StopToken;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::output::Printer;

/// How this process is asked to end.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    /// Stops a run at its next safe point.
    pub(crate) stop: StopToken,
    patient: Arc<AtomicBool>,
}

/// The process was asked to leave at once.
#[derive(Debug)]
pub(crate) struct LeftAtOnce;

impl std::fmt::Display for LeftAtOnce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for LeftAtOnce {}

impl Interrupt {
    pub(crate) fn new() -> Interrupt {
        let patient = Arc::new(AtomicBool::new(false));
        let stop = StopToken::new();
        Interrupt { stop, patient }
    }

    /// From now on the first signal waits for a safe point; before, there was nothing to wait for.
    pub(crate) fn wait_for_safe_point(&self) {
        self.patient.store(true, Ordering::SeqCst);
    }

    /// Listens; returns when the process should leave at once.
    pub(crate) async fn watch(self, printer: Printer) -> io::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        either(&mut interrupt, &mut terminate).await;
        self.stop.stop();
        if self.patient.load(Ordering::SeqCst) {
            printer.say("stopping at the next safe point; once more to leave at once");
            either(&mut interrupt, &mut terminate).await;
        }
        Ok(())
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
