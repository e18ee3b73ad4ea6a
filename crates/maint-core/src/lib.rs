//! Housekeeping of a monitoring database: what is expired goes, in small steps, beside live
//! traffic, and nothing else does.
//!
//! The same words in the same order as everywhere in Elpis: a [`Policy`] says what is wanted, an
//! [`Inspection`] gathers [`Facts`] through a [`Store`], [`Plan::new`] is a pure function of both,
//! and [`Run::purge`] walks the plan and returns a [`PurgeReport`].
//!
//! ```no_run
//! # #[cfg(feature = "sqlite")]
//! # async fn purge() -> Result<(), Box<dyn std::error::Error>> {
//! use elpis_maint_core::{
//!     AdaptiveThrottle, Inspection, Limits, Plan, Policy, Rates, Run, SqliteStore,
//! };
//! use elpis_run::journal::MemoryJournal;
//! use elpis_run::{Clock, Holder, RealClock, StopToken};
//!
//! let policy = Policy::from_toml(
//!     r#"
//!     [[table]]
//!     name = "samples"
//!     time = { column = "at", unit = "epoch_seconds" }
//!     keep = { days = 30 }
//!     "#,
//! )?;
//! let mut store = SqliteStore::open("monitoring.db".as_ref(), "my-tool")?;
//! let (clock, stop) = (RealClock::new(), StopToken::new());
//! let inspection = Inspection { clock: &clock, observer: &(), stop: &stop, exact: false };
//! let facts = inspection.run(&policy, &mut store).await?;
//! let plan = Plan::new(&policy, &facts, &Rates::new());
//! let report = Run {
//!     journal: &MemoryJournal::new(),
//!     throttle: &mut AdaptiveThrottle::new(policy.throttle.clone()),
//!     observer: &(),
//!     clock: &clock,
//!     stop: &stop,
//!     holder: Holder::current("my-tool", clock.now()),
//!     limits: Limits::default(),
//! }
//! .purge(&plan, &mut store)
//! .await?;
//! assert_eq!(report.deleted(), plan.due().rows);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod chart;
pub mod compact;
#[cfg(feature = "demo")]
pub mod demo;
mod event;
mod frame;
pub mod housekeeping;
mod inspect;
pub mod moves;
mod order;
mod pacing;
mod plan;
pub mod policy;
mod purge;
mod rates;
mod report;
mod run;
mod scalar;
pub mod store;
pub mod sweep;
mod task;
mod throttle;
mod time;

pub use event::PurgeEvent;
pub use frame::{RunError, RunReport};
pub use inspect::{Facts, InspectError, Inspection, TableFacts};
pub use plan::{Moment, Plan, Rates, Refusal, TablePlan};
pub use policy::{
    Exception, Filter, Kind, Kinds, Mode, Policy, PolicyError, Retention, SeriesList, SeriesRule,
    TableRule, Test, ThrottleRules, Tier,
};
pub use purge::{JOB, PurgeError};
pub use rates::{measured_compact_rates, measured_rates};
pub use report::{Ended, PurgeReport, TableReport};
pub use run::{Limits, Run};
pub use scalar::Scalar;
#[cfg(feature = "mysql")]
pub use store::MySqlStore;
#[cfg(feature = "sqlite")]
pub use store::SqliteStore;
pub use store::{RelationStore, SeriesStore, Store, StoreError};
pub use task::{Cascade, Due, PurgeTask, Walk};
pub use throttle::{AdaptiveThrottle, Unthrottled};
pub use time::{Cutoff, TimeUnit};
