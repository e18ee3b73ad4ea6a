//! `failover active` on the ready standby; never more than was asked for.

use elpis_run::with_causes;

use super::driver::{FtdDriver, before_sending};
use super::manager::SwitchError;
use super::marker::Marker;
use super::parse::{FailoverState, UnitState};
use super::report::{is_refusal, show};
use super::session::{Session, SessionError};
use crate::driver::{ActError, Handle, Located, Order, Progress};
use crate::observe::Unit;

/// How it is ordered.
struct Route {
    /// Where the state is read last, and where the marker lies.
    unit: Unit,
    /// What is typed there; `None`: the manager is asked.
    command: Option<&'static str>,
    /// What that unit says before it of itself and of its peer.
    before: (UnitState, UnitState),
}

impl Route {
    /// The second attempt, after the unit did not understand the first one's command, goes another
    /// way: through the manager, if there is one, or the active unit is told to stand by.
    fn of(driver: &FtdDriver, order: &Order) -> Route {
        let standby_first = (UnitState::StandbyReady, UnitState::Active);
        match (order.attempt, &driver.options.manager) {
            (0 | 1, _) => Route {
                unit: order.unit,
                command: Some("failover active"),
                before: standby_first,
            },
            (_, Some(_)) => Route {
                unit: order.unit,
                command: None,
                before: standby_first,
            },
            (_, None) => Route {
                unit: order.unit.other(),
                command: Some("no failover active"),
                before: (UnitState::Active, UnitState::StandbyReady),
            },
        }
    }
}

/// The unit whose word and marker tell what became of the order.
pub(super) fn typed_on(driver: &FtdDriver, order: &Order) -> Unit {
    Route::of(driver, order).unit
}

/// Starts the switchover.
pub(super) async fn start(driver: &FtdDriver, order: &Order) -> Result<Handle, ActError> {
    let Route {
        unit,
        command,
        before: wanted,
    } = Route::of(driver, order);
    let before = |error: SessionError| before_sending(unit, &error);
    let mut session = driver.connect(unit).await.map_err(before)?;
    if let Some(marker) = Marker::find(&mut session, order).await.map_err(before)? {
        return Ok(Handle(marker.act));
    }
    let handle = serde_json::json!({ "command": command.unwrap_or("SWITCH by the manager") });
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
    let ordered = match command {
        Some(command) => type_it(&mut session, command, order).await,
        None => by_manager(driver).await,
    };
    if let Err(ActError::NotStarted { .. }) = ordered {
        Marker::remove(&mut session, order).await;
    }
    ordered.map(|()| Handle(handle))
}

async fn type_it(
    session: &mut Session,
    command: &'static str,
    order: &Order,
) -> Result<(), ActError> {
    let answer = session
        .lina(command)
        .await
        .map_err(|error| ActError::OutcomeUnknown {
            reason: with_causes(&error),
        })?;
    if is_refusal(&answer) {
        let reason = format!("{command:?} was refused: {}", answer.trim());
        return Err(not_started(reason, order.attempt <= 1));
    }
    Ok(())
}

/// The manager exchanges the roles, whatever they are: that they are the expected ones was read
/// just before.
async fn by_manager(driver: &FtdDriver) -> Result<(), ActError> {
    let Some(manager) = &driver.options.manager else {
        return Err(not_started(String::from("there is no manager"), false));
    };
    manager.switch().await.map_err(|error| match error {
        SwitchError::Refused(reason) => not_started(reason, false),
        SwitchError::Unknown(reason) => ActError::OutcomeUnknown { reason },
    })
}

fn not_started(reason: String, retryable: bool) -> ActError {
    ActError::NotStarted { reason, retryable }
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
pub(super) async fn locate(
    driver: &FtdDriver,
    session: &mut Session,
    order: &Order,
) -> Result<Located, SessionError> {
    let answer = show(session, "show failover state").await?;
    let state = match FailoverState::read(&answer) {
        Ok(state) => state,
        Err(unreadable) => return Ok(Located::Unclear(unreadable.to_string())),
    };
    let now = (state.this.state, state.other.state);
    let active_is_wanted = match typed_on(driver, order) == order.unit {
        true => now.0 == UnitState::Active,
        false => now.1 == UnitState::Active && now.0 != UnitState::Active,
    };
    if active_is_wanted {
        return Ok(Located::Found(Handle(serde_json::json!({}))));
    }
    if now != Route::of(driver, order).before {
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
