//! What an upgrade needs from the rest of the world, as small traits that the caller wires up.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use elpis_run::RunId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::guard::Phase;
use crate::observe::Unit;
use crate::policy::HookRule;

/// A future in a box, so that these traits can be used as `dyn`.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a hook is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HookCall {
    /// The run.
    pub run: RunId,
    /// The pair, as its driver names it.
    pub pair: String,
    /// Which hook.
    pub rule: HookRule,
    /// The step that asks.
    pub step: String,
    /// How far the pair is.
    pub phase: Phase,
    /// The unit that carries the traffic by plan.
    pub active: Unit,
    /// The version both units shall run.
    pub target: String,
}

/// What a hook that has no objection has to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HookAnswer {
    /// For the record, one line; may be empty.
    pub said: String,
    /// From a probe: for how long traffic was interrupted, as it has measured it.
    pub outage: Option<Duration>,
}

/// Asks the policy's hooks.
pub trait Hooks: Send + Sync {
    /// Asks one hook. The engine ends the wait after the hook's time limit by dropping the
    /// future, and counts that as a refusal. After a crash the same hook may be asked again.
    ///
    /// # Errors
    /// The hook's refusal, in its own words.
    fn ask<'a>(&'a self, call: &'a HookCall) -> Boxed<'a, Result<HookAnswer, String>>;
}

/// A backup, as far as an upgrade cares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyFacts {
    /// Its name, for the report.
    pub name: String,
    /// When it was complete.
    pub at: Timestamp,
    /// Whether it was verified since.
    pub verified: bool,
}

/// Knows the backups of the pair.
pub trait SafetyCopy: Send + Sync {
    /// The newest verified backup, or the newest one if none is verified.
    ///
    /// # Errors
    /// Why nobody can tell.
    fn newest(&self) -> Boxed<'_, Result<Option<CopyFacts>, String>>;
}

/// Tells the monitoring that the pair is being worked on.
pub trait MaintenanceFlag: Send + Sync {
    /// Raises or lowers the flag. Doing it twice is the same as once.
    ///
    /// # Errors
    /// Why it could not be done.
    fn set(&self, raised: bool) -> Boxed<'_, Result<(), String>>;
}

/// The helpers of one run. `()` implements each trait and refuses whatever is asked of it, so a
/// policy that needs a helper cannot run without one.
#[derive(Clone, Copy)]
pub struct Aids<'a> {
    /// The policy's hooks.
    pub hooks: &'a dyn Hooks,
    /// The backups.
    pub safety_copy: &'a dyn SafetyCopy,
    /// The monitoring.
    pub maintenance: &'a dyn MaintenanceFlag,
}

impl Aids<'_> {
    /// No helpers: for policies that need none.
    pub const NONE: Aids<'static> = Aids {
        hooks: &(),
        safety_copy: &(),
        maintenance: &(),
    };
}

impl Hooks for () {
    fn ask<'a>(&'a self, _: &'a HookCall) -> Boxed<'a, Result<HookAnswer, String>> {
        Box::pin(async { Err("no hooks are wired up".to_owned()) })
    }
}

impl SafetyCopy for () {
    fn newest(&self) -> Boxed<'_, Result<Option<CopyFacts>, String>> {
        Box::pin(async { Err("no backup tool is wired up".to_owned()) })
    }
}

impl MaintenanceFlag for () {
    fn set(&self, _: bool) -> Boxed<'_, Result<(), String>> {
        Box::pin(async { Err("no monitoring is wired up".to_owned()) })
    }
}
