//! The locks of the product's own tools, from before the plan is made until the console is told.

use std::time::Duration;

use anyhow::Result;
use elpis_maint_core::housekeeping::HousekeepingError;
use elpis_maint_core::{MySqlStore, Store, StoreError};
use elpis_pandora::{PATIENCE, is_brief};
use elpis_run::journal::SqliteJournal;
use elpis_run::{Clock, RealClock, Stopped};

use crate::commands::run::locked;
use crate::interrupt::Interrupt;
use crate::output::Printer;

/// How often a lock is tried again.
const AGAIN: Duration = Duration::from_millis(250);

/// Takes the locks `names` of `database`, waiting for those that are held for moments only. They
/// are held until they are given back, or the session ends.
pub(super) async fn take(
    store: &mut MySqlStore,
    (names, database): (&[String], &str),
    journal: &SqliteJournal,
    printer: Printer,
    interrupt: &Interrupt,
) -> Result<Result<(), Stopped>> {
    let names: Vec<String> = names
        .iter()
        .map(|name| name.replace("{database}", database))
        .collect();
    let clock = RealClock::new();
    let deadline = clock.monotonic() + PATIENCE;
    let mut told = false;
    loop {
        match store.lock(&names).await {
            Ok(()) => return Ok(Ok(())),
            Err(StoreError::LockHeld { name, holder })
                if is_brief(&name) && clock.monotonic() < deadline =>
            {
                if !std::mem::replace(&mut told, true) {
                    printer.say(&format!("waiting for the lock {name}, held by {holder}"));
                }
                if let Err(stopped) = interrupt.stop.sleep(&clock, AGAIN).await {
                    return Ok(Err(stopped));
                }
            }
            Err(error @ StoreError::LockHeld { .. }) => {
                let error = HousekeepingError::NotBegun(error);
                return Err(locked(error, journal, store.target()));
            }
            Err(error) => return Err(HousekeepingError::NotBegun(error).into()),
        }
    }
}
