//! `failover active` on the ready standby; never more than was asked for.

use super::driver::{FtdDriver, chain};
use super::marker::Marker;
use super::parse::{FailoverState, UnitState};
use super::report::{is_refusal, show};
use super::session::{Session, SessionError};
use crate::driver::{ActError, Handle, Located, Order, Progress};
use crate::observe::Unit;

/// Where the command is typed, and what that unit says before it.
struct Route {
    unit: Unit,
    command: &'static str,
    before: (UnitState, UnitState),
}

impl Route {
    fn of(order: &Order) -> Route {
        match order.attempt {
            0 | 1 => Route {
                unit: order.unit,
                command: "failover active",
                before: (UnitState::StandbyReady, UnitState::Active),
            },
            _ => Route {
                unit: order.unit.other(),
                command: "no failover active",
                before: (UnitState::Active, UnitState::StandbyReady),
            },
        }
    }
}

/// The unit that the order's command is typed on.
pub(super) fn typed_on(order: &Order) -> Unit {
    Route::of(order).unit
}

/// Starts the switchover. The second attempt, after the unit did not understand the first one's
/// command, goes the other way: the active unit is told to stand by.
pub(super) async fn start(driver: &FtdDriver, order: &Order) -> Result<Handle, ActError> {
    let not_started = |reason: String, retryable| ActError::NotStarted { reason, retryable };
    let before = |error: SessionError| not_started(chain(&error), true);
    let Route {
        unit,
        command,
        before: wanted,
    } = Route::of(order);
    let mut session = driver.connect(unit).await.map_err(before)?;
    if let Some(marker) = Marker::find(&mut session, order).await.map_err(before)? {
        return Ok(Handle(marker.act));
    }
    let handle = serde_json::json!({ "command": command });
    let marker = Marker::new(&mut session, order, handle.clone())
        .await
        .map_err(before)?;
    marker.write(&mut session, order).await.map_err(before)?;
    let answer = session.lina("show failover state").await.map_err(before)?;
    let state =
        FailoverState::read(&answer).map_err(|error| not_started(error.to_string(), true))?;
    if (state.this.state, state.other.state) != wanted {
        let reason = format!(
            "the unit is {}, its peer {}",
            state.this.words, state.other.words
        );
        Marker::remove(&mut session, order).await;
        return Err(not_started(reason, false));
    }
    let answer = session
        .lina(command)
        .await
        .map_err(|error| ActError::OutcomeUnknown {
            reason: chain(&error),
        })?;
    if is_refusal(&answer) {
        let reason = format!("{command:?} was refused: {}", answer.trim());
        Marker::remove(&mut session, order).await;
        return Err(not_started(reason, order.attempt <= 1));
    }
    Ok(Handle(handle))
}

/// The unit's own word: is it active?
pub(super) async fn poll(session: &mut Session) -> Result<Progress, SessionError> {
    let answer = show(session, "show failover state").await?;
    Ok(match FailoverState::read(&answer) {
        Ok(state) if state.this.state == UnitState::Active => Progress::Done {
            message: String::from("the unit is active"),
        },
        Ok(state) => Progress::Running {
            percent: None,
            message: format!(
                "the unit is {}, its peer {}",
                state.this.words, state.other.words
            ),
            activity: 0,
        },
        Err(unreadable) => Progress::Running {
            percent: None,
            message: unreadable.to_string(),
            activity: 0,
        },
    })
}

/// Whether a switchover that was not acknowledged happened. It takes a moment, so "it did not" is
/// only said when nothing has moved for a while.
pub(super) async fn locate(session: &mut Session, order: &Order) -> Result<Located, SessionError> {
    let answer = show(session, "show failover state").await?;
    let state = match FailoverState::read(&answer) {
        Ok(state) => state,
        Err(unreadable) => return Ok(Located::Unclear(unreadable.to_string())),
    };
    let now = (state.this.state, state.other.state);
    let active_is_wanted = match typed_on(order) == order.unit {
        true => now.0 == UnitState::Active,
        false => now.1 == UnitState::Active && now.0 != UnitState::Active,
    };
    if active_is_wanted {
        return Ok(Located::Found(Handle(serde_json::json!({}))));
    }
    if now != Route::of(order).before {
        return Ok(Located::Unclear(format!(
            "the unit is {}, its peer {}",
            state.this.words, state.other.words
        )));
    }
    match Marker::find(session, order).await? {
        None => Ok(Located::Absent),
        Some(marker) => {
            marker
                .nothing_seen(session, "the roles have not changed")
                .await
        }
    }
}
