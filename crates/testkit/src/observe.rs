//! An observer that remembers, and can act at a chosen event.

use std::sync::{Mutex, MutexGuard};

use elpis_maint_core::PurgeEvent;
use elpis_run::Observer;

type Hook<'a> = Box<dyn Fn(&PurgeEvent) + Send + Sync + 'a>;

/// Remembers every event. The hook runs in line, so that a fault strikes between two statements
/// of the run, at the same place every time.
pub struct Recorder<'a> {
    events: Mutex<Vec<PurgeEvent>>,
    hook: Hook<'a>,
}

impl<'a> Recorder<'a> {
    /// Only remembers.
    pub fn new() -> Recorder<'a> {
        Recorder::with(|_| {})
    }

    /// Remembers, then calls `hook`.
    pub fn with(hook: impl Fn(&PurgeEvent) + Send + Sync + 'a) -> Recorder<'a> {
        Recorder {
            events: Mutex::new(Vec::new()),
            hook: Box::new(hook),
        }
    }

    /// Remembers, and calls `act` once, after `chunks` chunks.
    pub fn after_chunks(chunks: u64, act: impl Fn() + Send + Sync + 'a) -> Recorder<'a> {
        let seen = Mutex::new(0);
        Recorder::with(move |event| {
            if let PurgeEvent::Chunk { .. } = event {
                let mut seen = seen.lock().expect("no panic before");
                *seen += 1;
                if *seen == chunks {
                    act();
                }
            }
        })
    }

    /// All events so far.
    pub fn events(&self) -> Vec<PurgeEvent> {
        self.lock().clone()
    }

    /// How many chunks there were so far.
    pub fn chunks(&self) -> usize {
        let events = self.lock();
        let chunks = events
            .iter()
            .filter(|e| matches!(e, PurgeEvent::Chunk { .. }));
        chunks.count()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<PurgeEvent>> {
        self.events.lock().expect("no panic before")
    }
}

impl Default for Recorder<'_> {
    fn default() -> Self {
        Recorder::new()
    }
}

impl Observer<PurgeEvent> for Recorder<'_> {
    fn on(&self, event: &PurgeEvent) {
        self.lock().push(event.clone());
        (self.hook)(event);
    }
}
