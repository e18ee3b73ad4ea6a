//! The flow of the engine with the least to say: policy, facts, plan, run.

use std::sync::Arc;
use std::time::Duration;

use elpis_maint_core::{
    Facts, Inspection, Limits, Plan, Policy, PurgeError, PurgeEvent, PurgeReport, Rates, Store,
    Unthrottled,
};
use elpis_run::{
    Clock, Holder, Journal, MemoryJournal, Observer, StopToken, Throttle, VirtualClock,
};
use jiff::Timestamp;

/// The moment that tests take for now, so that they mean the same every day.
pub const NOW: &str = "2026-11-21T08:00:00Z";

/// [`NOW`] as a value.
pub fn now() -> Timestamp {
    NOW.parse().expect("a time stamp")
}

/// A policy from TOML, with the check of the server's clock switched off, so that [`NOW`] will
/// do on a server that runs today.
pub fn policy(toml: &str) -> Policy {
    let mut policy =
        Policy::from_toml(toml).unwrap_or_else(|error| panic!("the test's policy: {error}"));
    policy.max_clock_skew = Duration::MAX;
    policy
}

/// What is true of `store` at [`NOW`].
pub async fn facts<S: Store>(policy: &Policy, store: &mut S, exact: bool) -> Facts {
    let clock = VirtualClock::new(now());
    let inspection = Inspection {
        clock: &clock,
        observer: &(),
        stop: &StopToken::new(),
        exact,
    };
    let facts = inspection.run(policy, store).await;
    facts.unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)))
}

/// The plan for `store` at [`NOW`].
pub async fn plan<S: Store>(policy: &Policy, store: &mut S, exact: bool) -> Plan {
    let facts = facts(policy, store, exact).await;
    Plan::new(policy, &facts, &Rates::new())
}

/// Plans at [`NOW`] without counting, and runs in chunks of `rows`.
pub async fn purge<S: Store>(
    policy: &Policy,
    store: &mut S,
    rows: u64,
) -> Result<PurgeReport, PurgeError> {
    let plan = plan(policy, store, false).await;
    Run::new(rows).on(&plan, store).await
}

/// Everything that a run needs besides plan and store; the defaults disturb nothing.
pub struct Run<'a> {
    /// In memory by default.
    pub journal: Arc<dyn Journal>,
    /// None by default: chunks of a fixed size.
    pub throttle: Box<dyn Throttle + 'a>,
    /// Nobody by default.
    pub observer: &'a dyn Observer<PurgeEvent>,
    /// A virtual one at [`NOW`] by default: pauses take no time.
    pub clock: Arc<dyn Clock>,
    /// Stopped by nobody.
    pub stop: StopToken,
    /// None by default.
    pub limits: Limits,
}

impl<'a> Run<'a> {
    /// A run in chunks of `rows`.
    pub fn new(rows: u64) -> Run<'a> {
        Run {
            journal: Arc::new(MemoryJournal::new()),
            throttle: Box::new(Unthrottled { rows }),
            observer: &(),
            clock: Arc::new(VirtualClock::new(now())),
            stop: StopToken::new(),
            limits: Limits::default(),
        }
    }

    /// Carries out `plan`.
    pub async fn on<S: Store>(
        &mut self,
        plan: &Plan,
        store: &mut S,
    ) -> Result<PurgeReport, PurgeError> {
        let mut run = elpis_maint_core::Run {
            journal: &*self.journal,
            throttle: &mut *self.throttle,
            observer: self.observer,
            clock: &*self.clock,
            stop: &self.stop,
            holder: Holder::current("elpis-test", now()),
            limits: self.limits,
        };
        run.purge(plan, store).await
    }
}
