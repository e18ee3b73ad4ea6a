//! Simulated time: it stands while the pair is being talked to, and jumps while the engine waits.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use elpis_run::{Clock, VirtualClock};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::driver::{
    ActError, Capabilities, DriverError, Exhibit, Handle, Located, Order, PairDriver, Progress,
    Target,
};
use crate::observe::{Role, Survey, Unit, UnitReport};

/// The clock of a rehearsal. A dialogue over SSH takes real time but no simulated time, so a limit
/// on a call only runs when no call is under way: wrap the driver in [`Timed`] for that.
#[derive(Debug)]
pub struct RehearsalClock {
    time: VirtualClock,
    /// By how many seconds the wall clock was set forward, or back.
    set: AtomicI64,
    calls: watch::Sender<usize>,
}

impl RehearsalClock {
    /// A clock that shows the time at which rehearsals begin.
    pub fn new() -> RehearsalClock {
        RehearsalClock {
            time: VirtualClock::new(super::setup::beginning()),
            set: AtomicI64::new(0),
            calls: watch::Sender::new(0),
        }
    }

    /// Sets the wall clock forward (or back, if negative), as an administrator does. What takes
    /// how long is not changed by that.
    pub fn set_wall(&self, seconds: i64) {
        self.set.fetch_add(seconds, Ordering::SeqCst);
    }

    fn wall(&self) -> Timestamp {
        let set = SignedDuration::from_secs(self.set.load(Ordering::SeqCst));
        self.time.now().checked_add(set).unwrap_or(Timestamp::MAX)
    }
}

impl Default for RehearsalClock {
    fn default() -> RehearsalClock {
        RehearsalClock::new()
    }
}

impl Clock for RehearsalClock {
    fn now(&self) -> Timestamp {
        self.wall()
    }

    fn monotonic(&self) -> Duration {
        self.time.monotonic()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            let until = self.monotonic().saturating_add(duration);
            let mut calls = self.calls.subscribe();
            while *calls.borrow_and_update() > 0 {
                // It only fails when the clock is gone, and `self` is that clock.
                let _ = calls.changed().await;
            }
            let left = until.saturating_sub(self.monotonic());
            self.time.sleep(left).await;
        })
    }
}

/// The same time for a driver's own pauses, which pass at once also while it is being called.
#[derive(Debug, Clone)]
pub struct DriverClock(std::sync::Arc<RehearsalClock>);

impl DriverClock {
    /// The driver's view of `clock`.
    pub fn new(clock: std::sync::Arc<RehearsalClock>) -> DriverClock {
        DriverClock(clock)
    }
}

impl Clock for DriverClock {
    fn now(&self) -> Timestamp {
        self.0.wall()
    }

    fn monotonic(&self) -> Duration {
        self.0.time.monotonic()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.time.sleep(duration)
    }
}

/// A driver whose calls take no simulated time.
pub struct Timed<D> {
    driver: D,
    clock: std::sync::Arc<RehearsalClock>,
}

impl<D: PairDriver> Timed<D> {
    /// Stops `clock` while `driver` is asked something.
    pub fn new(driver: D, clock: std::sync::Arc<RehearsalClock>) -> Timed<D> {
        Timed { driver, clock }
    }

    fn call(&self) -> Call<'_> {
        self.clock.calls.send_modify(|calls| *calls += 1);
        Call(&self.clock)
    }
}

struct Call<'a>(&'a RehearsalClock);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.calls.send_modify(|calls| *calls -= 1);
    }
}

impl<D: PairDriver> PairDriver for Timed<D> {
    fn pair(&self) -> String {
        self.driver.pair()
    }

    fn capabilities(&self) -> Capabilities {
        self.driver.capabilities()
    }

    fn terms(&self) -> serde_json::Value {
        self.driver.terms()
    }

    async fn observe(&self, unit: Unit) -> Result<UnitReport, DriverError> {
        let _call = self.call();
        self.driver.observe(unit).await
    }

    async fn survey(&self, unit: Unit, target: &Target) -> Result<Survey, DriverError> {
        let _call = self.call();
        self.driver.survey(unit, target).await
    }

    async fn start(&self, order: &Order) -> Result<Handle, ActError> {
        let _call = self.call();
        self.driver.start(order).await
    }

    async fn poll(&self, order: &Order, handle: &Handle) -> Result<Progress, DriverError> {
        let _call = self.call();
        self.driver.poll(order, handle).await
    }

    async fn locate(&self, order: &Order) -> Result<Located, DriverError> {
        let _call = self.call();
        self.driver.locate(order).await
    }

    async fn adopt(&self, order: &Order) -> Result<Located, DriverError> {
        let _call = self.call();
        self.driver.adopt(order).await
    }

    fn patience(&self, role: &Role) -> Option<Duration> {
        self.driver.patience(role)
    }

    async fn remarks(&self, target: &Target) -> Result<Vec<String>, String> {
        let _call = self.call();
        self.driver.remarks(target).await
    }

    async fn exhibits(&self, unit: Unit) -> Result<Vec<Exhibit>, DriverError> {
        let _call = self.call();
        self.driver.exhibits(unit).await
    }
}
