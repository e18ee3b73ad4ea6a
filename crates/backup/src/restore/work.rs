//! One run at work: a control session that holds the lock, a runtime, and the run's steps.

use std::sync::Arc;
use std::time::Duration;

use elpis_mysql::Session;
use elpis_run::Observer;
use tokio::runtime::{Builder, Runtime};

use super::Restore;
use super::accept::Accept;
use super::error::{Live, RestoreError};
use super::event::RestoreEvent;
use super::facts::users;
use super::names;
use super::plan::RestorePlan;
use super::run::INSERT;
use super::session::Opening;
use super::steps::Steps;

/// How long the server may take to notice that an earlier session is gone and free its lock.
const LOCK_WAIT: Duration = Duration::from_secs(5);

pub(super) struct Work<'a> {
    pub(super) restore: &'a Restore<'a>,
    pub(super) plan: &'a RestorePlan,
    pub(super) runtime: Runtime,
    pub(super) control: Session,
    pub(super) steps: Steps<'a>,
    pub(super) warnings: Vec<String>,
}

/// A runtime for the thread that blocks.
pub(super) fn runtime() -> Result<Runtime, RestoreError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(RestoreError::Threads)
}

/// Opens the session that controls everything, and takes the lock.
pub(super) async fn control(opening: &Opening, database: &str) -> Result<Session, RestoreError> {
    let session = opening.open().await;
    let mut session =
        session.map_err(|source| RestoreError::server("opening a session", source))?;
    match session.lock(&[names::lock(database)], LOCK_WAIT).await {
        Ok(()) => Ok(session),
        Err(source @ elpis_mysql::Error::LockHeld { .. }) => Err(RestoreError::Locked {
            database: database.to_owned(),
            source,
        }),
        Err(source) => Err(RestoreError::server("taking the lock", source)),
    }
}

impl<'a> Work<'a> {
    /// What an act on the server needs, borrowed apart.
    pub(super) fn parts(&mut self) -> (&Runtime, &mut Session, &'a RestorePlan) {
        (&self.runtime, &mut self.control, self.plan)
    }

    pub(super) fn observer(&self) -> Arc<dyn Observer<RestoreEvent>> {
        Arc::clone(&self.restore.observer)
    }

    pub(super) fn opening(&self) -> Opening {
        self.restore.opening(&self.plan.policy)
    }

    /// Carries a step out, unless it is done.
    pub(super) fn step(
        &mut self,
        step: &str,
        act: impl FnOnce(&mut Self) -> Result<(), RestoreError>,
    ) -> Result<(), RestoreError> {
        if self.steps.is_done(step) {
            return Ok(());
        }
        if self.restore.stop.is_stopped() {
            return Err(RestoreError::Stopped);
        }
        self.steps.announce(step)?;
        let acted = act(self);
        self.steps.close(step, acted.as_ref().err())?;
        acted
    }

    /// A step of the exchange, which is not interrupted on request.
    pub(super) fn exchange_step(
        &mut self,
        step: &str,
        act: impl FnOnce(&mut Self) -> Result<(), RestoreError>,
    ) -> Result<(), RestoreError> {
        let step = self.steps.of_exchange(step);
        if self.steps.is_done(&step) {
            return Ok(());
        }
        self.steps.announce(&step)?;
        let acted = act(self);
        self.steps.close(&step, acted.as_ref().err())?;
        acted
    }

    pub(super) fn warn(&mut self, message: String) {
        if !self.warnings.contains(&message) {
            self.restore.observer.on(&RestoreEvent::Warning {
                message: message.clone(),
            });
            self.warnings.push(message);
        }
    }

    /// A fresh control session: the old one may be lost, or in the middle of somebody's settings.
    pub(super) fn reconnect(&mut self) -> Result<(), RestoreError> {
        let opening = self.opening();
        let (runtime, session, plan) = self.parts();
        // The same lock twice would be held twice by one session, and never by two.
        runtime.block_on(async {
            let _ = session.unlock().await;
            *session = control(&opening, &plan.policy.database).await?;
            Ok(())
        })
    }

    /// What the live database is after a restore that failed on its way.
    pub(super) fn live(&mut self) -> Live {
        if self.plan.policy.scope.rows().is_some() {
            return match self.steps.was_announced(INSERT) {
                true => Live::Partly,
                false => Live::Old,
            };
        }
        let is_down = self.steps.is_down();
        if !is_down && !self.steps.was_announced("rename") {
            return Live::Old;
        }
        match self.reconnect().and_then(|()| self.is_exchanged()) {
            Ok(true) => Live::New,
            Ok(false) if is_down => Live::Down,
            Ok(false) => Live::Old,
            Err(_) => Live::Unknown,
        }
    }

    /// What it is after taking back has failed, of a restore that had come to the exchange or not.
    pub(super) fn live_after_undo(&mut self, exchanged: bool) -> Live {
        if self.plan.policy.scope.rows().is_some() {
            return match self.steps.is_done("take out") {
                true => Live::Old,
                false => Live::Partly,
            };
        }
        let rest = match self.steps.is_done(&self.steps.of_exchange("events")) {
            true => Live::Old,
            false => Live::Down,
        };
        if !exchanged {
            return match self.steps.is_done("put back") {
                true => Live::Old,
                false => Live::Down,
            };
        }
        if !self.steps.was_announced("rename") {
            return Live::New;
        }
        match self.reconnect().and_then(|()| self.is_old()) {
            Ok(true) => rest,
            Ok(false) => Live::New,
            Err(_) => Live::Unknown,
        }
    }

    /// Stops the services and waits until nobody works with the live database any more.
    pub(super) fn stop_services(&mut self) -> Result<(), RestoreError> {
        let Some(services) = self.restore.services else {
            return self.nobody_works();
        };
        services.stop().map_err(|source| RestoreError::Services {
            doing: "stop",
            source,
        })?;
        self.nobody_works()
    }

    fn nobody_works(&mut self) -> Result<(), RestoreError> {
        let policy = &self.plan.policy;
        if policy.accept.contains(&Accept::Writers) {
            return Ok(());
        }
        let clock = self.restore.clock;
        let (runtime, control, _) = self.parts();
        runtime.block_on(async {
            let begun = clock.monotonic();
            loop {
                let users = users(control, &policy.database).await?;
                if users.is_empty() {
                    return Ok(());
                }
                if clock.monotonic().saturating_sub(begun) >= policy.settle {
                    let database = policy.database.clone();
                    return Err(RestoreError::InUse { database, users });
                }
                clock.sleep(Duration::from_millis(100)).await;
            }
        })
    }

    pub(super) fn start_services(&mut self) -> Result<(), RestoreError> {
        let Some(services) = self.restore.services else {
            return Ok(());
        };
        services.start().map_err(|source| RestoreError::Services {
            doing: "start",
            source,
        })
    }
}
