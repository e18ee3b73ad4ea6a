//! The seam between the engine and a product.
//!
//! # For authors of a driver
//! - The engine decides, the driver reads and acts. A driver never retries a mutating act, never
//!   switches, reboots, cancels or repairs on its own account.
//! - All methods take `&self`: the engine observes both units at the same time. Keep one session
//!   per unit behind its own lock, reconnect inside, and bound every call by a deadline of your
//!   own; the engine drops a call that exceeds [`Limits::call`](crate::policy::Limits), and a
//!   dropped call must leave the driver usable.
//! - A change has two halves. [`start`](PairDriver::start) begins it and returns at once with a
//!   [`Handle`] that a later process can use; [`poll`](PairDriver::poll) looks how far it is.
//!   Never keep in memory what `poll` needs: the process may die in between.
//! - Before `start` sends anything it checks, in the session that sends, that the unit still is
//!   what the act needs (standby for an installation, ready standby for a switchover), and
//!   answers [`ActError::NotStarted`] if it is not.
//! - `start` is idempotent by [`Order::marker`]: leave the marker where `locate` can find it (a
//!   file beside the log, say) *before* the command, record what was there before (size, inode,
//!   time of the status file) in the handle, and answer with the existing handle when the marker
//!   is already there.
//! - Say [`ActError::NotStarted`] only when it is certain. A connection that was lost after the
//!   command may have left is [`ActError::OutcomeUnknown`]; the engine then asks
//!   [`locate`](PairDriver::locate), and never sends again unless the answer is
//!   [`Located::Absent`].
//! - What was not understood is [`Role::Unknown`](crate::Role) or
//!   [`DriverError::Unreadable`], never a guess.

use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::observe::{Role, Survey, Unit, UnitReport};

/// What both units shall run in the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The version, in exactly the form in which the driver reports versions.
    pub version: String,
    /// The package's file name.
    pub package: String,
    /// The package's size in bytes, if the operator knows it.
    pub size: Option<u64>,
    /// The package's digest with its algorithm (`sha512:…`), if the operator knows it.
    pub digest: Option<String>,
}

/// A change to one unit. Everything else that the engine does is looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Run the product's own readiness check. It changes nothing but writes files and takes
    /// resources, so it is treated as a change.
    CheckReadiness,
    /// Install the target. It ends when the installer is done and the unit begins to reboot, or
    /// when the driver knows that no reboot will come.
    Install,
    /// Make this unit, a ready standby, the active one.
    Switchover,
}

impl std::fmt::Display for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Act::CheckReadiness => "check readiness",
            Act::Install => "install",
            Act::Switchover => "switch over",
        })
    }
}

/// One act to be started on one unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The unit that shall act.
    pub unit: Unit,
    /// What it shall do.
    pub act: Act,
    /// Which version and package.
    pub target: Target,
    /// Unique for this step of this run, on every host and after every reinstallation; letters,
    /// digits and `-` only, so it can be a file name. The same until it is known how the act
    /// ended; a new one is used when an operator tries again after a known failure.
    pub marker: String,
    /// From 1. Raised only after an attempt that certainly did nothing; a driver may take
    /// another route the second time.
    pub attempt: u32,
}

/// What a driver needs to find a started act again, also from another process. It goes to the
/// journal: no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Handle(pub serde_json::Value);

/// How far a started act is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// It runs.
    Running {
        /// 0 to 100, where the product tells. May stand still for long and may go down.
        percent: Option<u8>,
        /// What it is doing, one line.
        message: String,
        /// Any number that changes whenever there was a sign of life (bytes of log written).
        activity: u64,
    },
    /// The unit cannot be asked at the moment: it reboots, or the connection is down. The act
    /// may well go on.
    OutOfSight {
        /// Why.
        reason: String,
    },
    /// It came to its good end.
    Done {
        /// The product's last word.
        message: String,
    },
    /// It came to a bad end.
    Failed {
        /// What failed, one line.
        message: String,
        /// The end of the log and other material for the vendor's support.
        details: Vec<String>,
    },
}

/// What is found of an act whose start was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Located {
    /// It was started (and may be over by now).
    Found(Handle),
    /// It was certainly never started; it may be started again.
    Absent,
    /// Neither can be proven. The engine holds.
    Unclear(String),
}

/// A raw output for the change record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exhibit {
    /// The unit it comes from.
    pub unit: Unit,
    /// What it is, such as `show version`.
    pub title: String,
    /// The output as it came, secrets redacted.
    pub text: String,
}

/// What a product can do beyond the minimum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Capabilities {
    /// It has a readiness check of its own ([`Act::CheckReadiness`]).
    pub readiness: bool,
    /// Installing ends in a reboot that [`UnitReport::boot`](UnitReport) proves.
    pub reboots: bool,
}

/// Why a unit could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DriverError {
    /// No answer; later there may be one.
    #[error("unit {unit} does not answer: {reason}")]
    Unreachable {
        /// Which unit.
        unit: Unit,
        /// What happened.
        reason: String,
    },
    /// The unit, or we ourselves, refuse the connection: host key, password, expired account. Do
    /// not try again.
    #[error("unit {unit} cannot be used: {reason}")]
    Rejected {
        /// Which unit.
        unit: Unit,
        /// What happened and what to do.
        reason: String,
    },
    /// The answer is incomplete or not understood.
    #[error("unit {unit} answered something that is not understood: {reason}")]
    Unreadable {
        /// Which unit.
        unit: Unit,
        /// What was asked and what came.
        reason: String,
    },
}

/// Why an act has not begun, or may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ActError {
    /// It certainly was not started: the unit is as before.
    #[error("not started: {reason}")]
    NotStarted {
        /// Why.
        reason: String,
        /// Whether the same order may succeed when given again.
        retryable: bool,
    },
    /// It may have been started.
    #[error("it is not known whether it started: {reason}")]
    OutcomeUnknown {
        /// What was lost when.
        reason: String,
    },
}

/// A pair of one product: the contract is in this module's text.
///
/// Dropping any returned future must be safe: it is what happens on a timeout and when the
/// operator leaves at once. A dropped [`start`](PairDriver::start) is an outcome unknown.
pub trait PairDriver: Send + Sync {
    /// The pair in a form that is equal for the same pair and holds no secret, such as
    /// `ftd:10.0.0.1+10.0.0.2`. It names the lock and the journal's target.
    fn pair(&self) -> String;

    /// What the product can do beyond the minimum; nothing, unless a driver says so.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// What the operator has told the driver that decides whether and how the pair may be touched
    /// (limits, versions, which manager is asked), by the tables and keys of its configuration; no
    /// secrets. A plan keeps it: whoever resumes a run on other terms has to say so.
    fn terms(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// Reads the unit's report, now and not from a cache. Seconds.
    fn observe(&self, unit: Unit) -> impl Future<Output = Result<UnitReport, DriverError>> + Send;

    /// Looks thoroughly whether `target` can be installed on the unit; changes nothing. Minutes.
    fn survey(
        &self,
        unit: Unit,
        target: &Target,
    ) -> impl Future<Output = Result<Survey, DriverError>> + Send;

    /// Begins an act; see the contract.
    fn start(&self, order: &Order) -> impl Future<Output = Result<Handle, ActError>> + Send;

    /// Looks how far a started act is; changes nothing.
    fn poll(
        &self,
        order: &Order,
        handle: &Handle,
    ) -> impl Future<Output = Result<Progress, DriverError>> + Send;

    /// Looks whether an act whose start was not acknowledged has been started; changes nothing.
    fn locate(&self, order: &Order) -> impl Future<Output = Result<Located, DriverError>> + Send;

    /// Looks for an installation of the order's package that somebody else has begun on its unit,
    /// and leaves the order's marker there, so that [`locate`](PairDriver::locate) finds it from
    /// now on. It sends nothing that changes what the unit does. A product that cannot tell whose
    /// installation runs keeps this answer: nothing is ever adopted.
    fn adopt(&self, _order: &Order) -> impl Future<Output = Result<Located, DriverError>> + Send {
        async { Ok(Located::Absent) }
    }

    /// How long a unit may be in this state on its way back into the pair, where the vendor says
    /// so. Whatever happens, [`Limits::rejoin`](crate::policy::Limits) bounds the whole way.
    fn patience(&self, _role: &Role) -> Option<Duration> {
        None
    }

    /// What is left to do when both units run the target, beside the units themselves (a manager
    /// that still shows the old version), one sentence each. They become warnings.
    ///
    /// # Errors
    /// Why it could not be found out, as such a sentence.
    fn remarks(
        &self,
        _target: &Target,
    ) -> impl Future<Output = Result<Vec<String>, String>> + Send {
        async { Ok(Vec::new()) }
    }

    /// Raw outputs of one unit for the change record: before the first change, and at the end.
    /// None, unless a driver has some.
    fn exhibits(
        &self,
        _unit: Unit,
    ) -> impl Future<Output = Result<Vec<Exhibit>, DriverError>> + Send {
        async { Ok(Vec::new()) }
    }
}
