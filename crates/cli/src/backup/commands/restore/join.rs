//! One standstill for the database and the files.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use elpis_backup::Standstill;
use elpis_backup::restore::{
    FileRestore, FilesError, FilesReport, FilesResumed, RestoreEvent, ServiceError, Services,
    Staged,
};
use elpis_run::{Observer, RunId};

/// What is to happen to the files.
pub(super) enum Todo {
    /// They take their places.
    Swap(Staged),
    /// What was begun is finished.
    Resume(RunId),
    /// What was there before takes its places.
    Undo(RunId),
}

/// The files' part in a standstill: done once, and what came of it.
pub(super) struct FilesAct<'a> {
    engine: FileRestore<'a>,
    todo: Mutex<Option<Todo>>,
    done: Mutex<Option<Result<Option<FilesReport>, FilesError>>>,
}

impl<'a> FilesAct<'a> {
    pub(super) fn new(engine: FileRestore<'a>, todo: Option<Todo>) -> FilesAct<'a> {
        FilesAct {
            engine,
            todo: Mutex::new(todo),
            done: Mutex::new(None),
        }
    }

    fn take(&self) -> Option<Todo> {
        self.todo
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Does it, if it was not done yet.
    fn act(&self) {
        let result = match self.take() {
            None => return,
            Some(Todo::Swap(staged)) => self.engine.swap(staged).map(Some),
            Some(Todo::Undo(run)) => self.engine.undo(run).map(|_| None),
            Some(Todo::Resume(run)) => self.engine.resume(run).map(|resumed| match resumed {
                FilesResumed::Finished(report) => Some(report),
                FilesResumed::Discarded { .. } => None,
            }),
        };
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    }

    /// Whether it is still to be done.
    fn is_due(&self) -> bool {
        self.todo
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    /// What came of it; nothing if there was nothing to report.
    pub(super) fn result(&self) -> Result<Option<FilesReport>, FilesError> {
        let done = self
            .done
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        done.unwrap_or(Ok(None))
    }

    /// It will not be done: what was unpacked for it is removed.
    pub(super) fn abandon(&self) -> Result<(), FilesError> {
        match self.take() {
            Some(Todo::Swap(staged)) => self.engine.discard(staged),
            _ => Ok(()),
        }
    }
}

/// Stops and starts the services. When the database has been exchanged, the files follow before
/// the services start.
pub(super) struct Joined<'a> {
    around: Standstill<'a>,
    files: &'a FilesAct<'a>,
    exchanged: Arc<AtomicBool>,
}

impl<'a> Joined<'a> {
    pub(super) fn new(around: Standstill<'a>, files: &'a FilesAct<'a>) -> Joined<'a> {
        Joined {
            around,
            files,
            exchanged: Arc::default(),
        }
    }

    /// What a restore of the database has to stop and start: services, or files that follow at once.
    pub(super) fn services(&self, stops_services: bool) -> Option<&dyn Services> {
        (stops_services || self.files.is_due()).then_some(self as &dyn Services)
    }

    /// Sees when the database is exchanged, and passes everything on.
    pub(super) fn watch(
        &self,
        to: Arc<dyn Observer<RestoreEvent>>,
    ) -> Arc<dyn Observer<RestoreEvent>> {
        let exchanged = Arc::clone(&self.exchanged);
        Arc::new(Watch { exchanged, to })
    }

    /// The files in a standstill of their own, if none has come about.
    pub(super) fn finish(&self) -> Result<(), ServiceError> {
        if !self.files.is_due() {
            return Ok(());
        }
        self.around.stop()?;
        self.files.act();
        self.around.start()
    }
}

impl Services for Joined<'_> {
    fn stop(&self) -> Result<(), ServiceError> {
        self.around.stop()
    }

    fn start(&self) -> Result<(), ServiceError> {
        if self.exchanged.load(Ordering::SeqCst) {
            self.files.act();
        }
        self.around.start()
    }
}

struct Watch {
    exchanged: Arc<AtomicBool>,
    to: Arc<dyn Observer<RestoreEvent>>,
}

impl Observer<RestoreEvent> for Watch {
    fn on(&self, event: &RestoreEvent) {
        match event {
            RestoreEvent::Exchanged { .. } | RestoreEvent::AlreadyExchanged => {
                self.exchanged.store(true, Ordering::SeqCst)
            }
            RestoreEvent::PutBack { .. } => self.exchanged.store(false, Ordering::SeqCst),
            _ => {}
        }
        self.to.on(event);
    }
}
