//! [`PairDriver`] for FTD pairs: sessions, and who answers which question.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use elpis_run::with_causes;
use tokio::sync::{Mutex, MutexGuard};

use super::options::{FtdOptions, FtdUnit};
use super::session::{Pace, Session, SessionError};
use super::transcript::Transcript;
use super::{adopt, job, report, standing, survey, switchover};
use crate::driver::{
    Act, ActError, Capabilities, DriverError, Exhibit, Handle, Located, Order, PairDriver,
    Progress, Target,
};
use crate::observe::{Role, Survey, Unit, UnitReport};
use crate::ssh::{ConnectError, Transport};

/// A pair of FTD units, reached over SSH.
pub struct FtdDriver {
    pub(super) options: FtdOptions,
    transport: Arc<dyn Transport>,
    /// One dialogue per unit for looking; acts have their own.
    sessions: [Mutex<Option<Session>>; 2],
    /// On which unit `sudo` has accepted the password.
    proven: [Arc<AtomicBool>; 2],
    /// How many dialogues have been opened.
    dialogues: AtomicU32,
}

/// A unit's session while it is used. Whoever drops it without giving it back (a timeout, an
/// operator who leaves) leaves nothing behind that could answer the next question.
struct Lease<'a> {
    slot: MutexGuard<'a, Option<Session>>,
    session: Session,
    /// Opened for this question, so it cannot have died before it.
    is_new: bool,
}

impl Lease<'_> {
    async fn give_back<T>(mut self, result: &Result<T, SessionError>) {
        let usable = match result {
            Ok(_) => true,
            Err(SessionError::Deadline { .. } | SessionError::Incomplete { .. }) => {
                self.session.resync().await
            }
            Err(_) => false,
        };
        if usable {
            *self.slot = Some(self.session);
        }
    }
}

/// Asks on the unit's session. A session that died since the last question (the unit rebooted)
/// is replaced once: nothing that changes anything goes through here.
macro_rules! on_session {
    ($driver:expr, $unit:expr, |$session:ident| $ask:expr) => {{
        loop {
            let mut lease = $driver
                .lease($unit)
                .await
                .map_err(|error| told($unit, &error))?;
            let $session = &mut lease.session;
            let is_new = lease.is_new;
            let result = $ask.await;
            lease.give_back(&result).await;
            match result {
                Err(SessionError::Dropped(_)) if !is_new => continue,
                result => break result,
            }
        }
    }};
}

impl FtdDriver {
    /// A driver for the pair of `options`, which connects when it is asked something.
    pub fn new(options: FtdOptions, transport: Arc<dyn Transport>) -> FtdDriver {
        FtdDriver {
            options,
            transport,
            sessions: [Mutex::new(None), Mutex::new(None)],
            proven: Default::default(),
            dialogues: AtomicU32::new(0),
        }
    }

    fn unit(&self, unit: Unit) -> &FtdUnit {
        let [a, b] = &self.options.units;
        match unit {
            Unit::A => a,
            Unit::B => b,
        }
    }

    /// A file of its own for every dialogue: two may be open at the same time.
    fn transcript_of(&self, unit: Unit) -> Option<PathBuf> {
        let number = self.dialogues.fetch_add(1, Ordering::Relaxed);
        let began = self.options.clock.now().strftime("%Y%m%dT%H%M%SZ");
        let dir = self.options.transcripts.as_ref()?;
        Some(dir.join(format!("unit-{unit}-{began}-{number}.log")))
    }

    /// A new dialogue with a unit.
    pub(super) async fn connect(&self, unit: Unit) -> Result<Session, SessionError> {
        let access = self.unit(unit);
        let path = self.transcript_of(unit);
        let transcript = Transcript::open(path.as_deref(), access.secrets()).map_err(|source| {
            ConnectError::Credentials {
                host: access.host.clone(),
                reason: source.to_string(),
            }
        })?;
        let pace = Pace {
            command: self.options.command_timeout,
            quiet: self.options.quiet,
        };
        let [a, b] = &self.proven;
        let is_proven = match unit {
            Unit::A => a,
            Unit::B => b,
        };
        Session::open(
            self.transport.as_ref(),
            &access.host,
            &access.login,
            (access.elevation(), Arc::clone(is_proven)),
            pace,
            transcript,
        )
        .await
    }

    async fn lease(&self, unit: Unit) -> Result<Lease<'_>, SessionError> {
        let [a, b] = &self.sessions;
        let mut slot = match unit {
            Unit::A => a.lock().await,
            Unit::B => b.lock().await,
        };
        match slot.take() {
            Some(session) => Ok(Lease {
                slot,
                session,
                is_new: false,
            }),
            None => {
                let session = self.connect(unit).await?;
                Ok(Lease {
                    slot,
                    session,
                    is_new: true,
                })
            }
        }
    }
}

impl PairDriver for FtdDriver {
    fn pair(&self) -> String {
        let [a, b] = &self.options.units;
        format!("ftd:{}+{}", a.host, b.host)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            readiness: true,
            reboots: true,
        }
    }

    fn terms(&self) -> serde_json::Value {
        self.options.terms()
    }

    async fn observe(&self, unit: Unit) -> Result<UnitReport, DriverError> {
        let fxos = self.options.fxos.as_ref();
        on_session!(self, unit, |session| report::read(session, fxos))
            .map_err(|error| told(unit, &error))?
            .map_err(|unreadable| DriverError::Unreadable {
                unit,
                reason: unreadable.to_string(),
            })
    }

    async fn survey(&self, unit: Unit, target: &Target) -> Result<Survey, DriverError> {
        on_session!(self, unit, |session| survey::read(
            session,
            target,
            &self.options
        ))
        .map_err(|error| told(unit, &error))
    }

    async fn start(&self, order: &Order) -> Result<Handle, ActError> {
        match order.act {
            Act::CheckReadiness | Act::Install => job::start(self, order).await,
            Act::Switchover => switchover::start(self, order).await,
        }
    }

    async fn poll(&self, order: &Order, handle: &Handle) -> Result<Progress, DriverError> {
        let unit = order.unit;
        let asked = async {
            Ok(match order.act {
                Act::CheckReadiness | Act::Install => {
                    on_session!(self, unit, |session| job::poll(session, order, handle))
                }
                Act::Switchover => on_session!(self, unit, |session| switchover::poll(session)),
            })
        };
        match flatten(unit, asked.await) {
            // A unit that reboots is no error here.
            Err(DriverError::Unreachable { reason, .. }) => Ok(Progress::OutOfSight { reason }),
            other => other,
        }
    }

    async fn locate(&self, order: &Order) -> Result<Located, DriverError> {
        let unit = match order.act {
            Act::CheckReadiness | Act::Install => order.unit,
            Act::Switchover => switchover::typed_on(self, order),
        };
        match order.act {
            Act::CheckReadiness | Act::Install => {
                on_session!(self, unit, |session| job::locate(session, order))
            }
            Act::Switchover => {
                on_session!(self, unit, |session| switchover::locate(
                    self, session, order
                ))
            }
        }
        .map_err(|error| told(unit, &error))
    }

    async fn adopt(&self, order: &Order) -> Result<Located, DriverError> {
        let unit = order.unit;
        on_session!(self, unit, |session| adopt::adopt(session, order))
            .map_err(|error| told(unit, &error))
    }

    fn patience(&self, role: &Role) -> Option<Duration> {
        match role {
            Role::Transitional(state) => self.options.patience.get(state).copied(),
            _ => None,
        }
    }

    async fn remarks(&self, target: &Target) -> Result<Vec<String>, String> {
        match &self.options.manager {
            Some(manager) => standing::remarks(manager.as_ref(), target).await,
            None => Ok(Vec::new()),
        }
    }

    async fn exhibits(&self, unit: Unit) -> Result<Vec<Exhibit>, DriverError> {
        let secrets = self.unit(unit).secrets();
        on_session!(self, unit, |session| report::exhibits(
            session, unit, &secrets
        ))
        .map_err(|error| told(unit, &error))
    }
}

fn flatten(
    unit: Unit,
    asked: Result<Result<Progress, SessionError>, DriverError>,
) -> Result<Progress, DriverError> {
    asked?.map_err(|error| told(unit, &error))
}

/// The engine's words for what went wrong: whether asking again can help.
pub(super) fn told(unit: Unit, error: &SessionError) -> DriverError {
    let reason = with_causes(error);
    match error {
        SessionError::Dropped(_)
        | SessionError::Deadline { .. }
        | SessionError::Connect(ConnectError::Unreachable { .. }) => {
            DriverError::Unreachable { unit, reason }
        }
        // A unit that boots has no shell yet; nothing was typed that could lock the account.
        SessionError::NoExpert { .. } | SessionError::Incomplete { .. } => {
            DriverError::Unreadable { unit, reason }
        }
        SessionError::Connect(_)
        | SessionError::PasswordExpired
        | SessionError::Unanswered { .. }
        | SessionError::Refused { .. }
        | SessionError::Prompt { .. } => DriverError::Rejected { unit, reason },
    }
}

/// An error before the command was typed: nothing was started. What was refused is not tried again
/// by itself: a second wrong password may lock the account.
pub(super) fn before_sending(unit: Unit, error: &SessionError) -> ActError {
    ActError::NotStarted {
        reason: with_causes(error),
        retryable: !matches!(told(unit, error), DriverError::Rejected { .. }),
    }
}

/// The pause between two looks at something that moves.
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_secs(5);
