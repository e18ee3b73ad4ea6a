//! Upgrades a high-availability pair: the standby first, then the switchover, then the other unit.
//! It survives its own death at any point and never ends worse than "stopped and holding, the
//! pair is serving".
//!
//! The same words in the same order as everywhere in Elpis: a [`Policy`] says what is wanted, an
//! [`Inspection`] gathers [`Facts`] through a [`PairDriver`], [`Plan::new`] is a pure function of
//! both, and [`Upgrade::apply`] walks the plan and returns a [`Report`]. [`Upgrade::resume`] goes
//! on after a hold or a crash; [`Evidence::of`] turns a run's journal into a change record.
//!
//! The engine knows no product. A product is a [`PairDriver`]; with the feature `ftd` there is
//! one for Cisco Secure Firewall pairs over SSH, and with `rehearse` a simulated pair to try it on.
//!
//! ```no_run
//! # async fn upgrade(driver: impl elpis_failover::PairDriver) -> Result<(), Box<dyn std::error::Error>> {
//! use elpis_failover::{Aids, Inspection, Plan, Policy, Upgrade};
//! use elpis_run::{Clock, Holder, MemoryJournal, RealClock, StopToken};
//!
//! let policy = Policy::from_toml(
//!     r#"
//!     [target]
//!     version = "7.2.7-500"
//!     package = "Cisco_FTD_Upgrade-7.2.7-500.sh.REL.tar"
//!     "#,
//! )?;
//! let (clock, stop, leave) = (RealClock::new(), StopToken::new(), StopToken::new());
//! let inspection = Inspection {
//!     driver: &driver,
//!     clock: &clock,
//!     stop: &leave,
//!     limits: &policy.limits,
//! };
//! let facts = inspection.run(&policy.target).await?;
//! let plan = Plan::new(&policy, &facts).map_err(|concerns| format!("not now: {concerns:?}"))?;
//! println!("{plan}");
//! let report = Upgrade {
//!     driver: &driver,
//!     journal: &MemoryJournal::new(),
//!     lock_dir: "/run/lock".as_ref(),
//!     clock: &clock,
//!     observer: &(),
//!     stop: &stop,
//!     leave: &leave,
//!     aids: Aids::NONE,
//!     holder: Holder::current("my-tool", clock.now()),
//! }
//! .apply(&plan)
//! .await?;
//! println!("{:?}", report.ended);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod aids;
mod concern;
mod driver;
mod event;
mod evidence;
#[cfg(feature = "fmc")]
mod fmc;
#[cfg(feature = "ftd")]
mod ftd;
mod guard;
mod hold;
mod inspect;
mod ledger;
mod observe;
mod plan;
pub mod policy;
#[cfg(feature = "rehearse")]
pub mod rehearse;
mod report;
#[cfg(feature = "ftd")]
mod ssh;
mod state;
mod upgrade;

pub use aids::{Aids, Boxed, CopyFacts, HookAnswer, HookCall, Hooks, MaintenanceFlag, SafetyCopy};
pub use concern::{Cause, Concern};
pub use driver::{
    Act, ActError, Capabilities, DriverError, Exhibit, Handle, Located, Order, PairDriver,
    Progress, Target,
};
pub use event::UpgradeEvent;
pub use evidence::{Evidence, FailureEvidence, Moment, SwitchoverEvidence, UnitEvidence};
#[cfg(feature = "fmc")]
pub use fmc::{
    Errand, ErrandEnd, ErrandError, ErrandRun, Fmc, FmcError, FmcNames, FmcOptions, FmcPair,
    TaskState,
};
#[cfg(feature = "ftd")]
pub use ftd::{FtdDriver, FtdOptions, FtdUnit, Manager, ManagerStanding, SwitchError};
pub use guard::{Guard, Look, Phase, Purpose, Stage, Verdict, check_all};
pub use hold::Hold;
pub use inspect::{Facts, Inspection};
pub use ledger::{
    Completed, Failure, How, Intended, Ledger, LedgerError, Note, Sent, Standing, StepLog,
};
pub use observe::{
    ConfigSync, Finding, Observation, PackageFacts, Role, Severity, Sight, Survey, Unit, UnitReport,
};
pub use plan::{Plan, PlannedUnit, SCHEMA, Step, StepKind};
pub use policy::{Gate, HookPoint, HookRule, Limits, Policy, PolicyError, Window};
pub use report::{Ended, Report, StepReport, StepResult};
#[cfg(feature = "ftd")]
pub use ssh::{
    Auth, ConnectError, Dropped, Host, HostKey, HostKeyError, KnownHosts, Login, SshOptions,
    SshTransport, Terminal, Transport,
};
pub use state::{PairState, Serving, Sighting};
pub use upgrade::{JOB, Resume, StoredRun, Upgrade, UpgradeError, approve, pause};
