//! Looking at both units, side by side. It changes nothing.

use std::future::Future;

use elpis_run::{Clock, StopToken, Stopped};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::concern::{Cause, Concern};
use crate::driver::{Capabilities, DriverError, PairDriver, Target};
use crate::observe::{Observation, Sight, Survey, Unit, UnitReport};
use crate::plan::unrest;
use crate::policy::{Limits, Policy};
use crate::state::Sighting;

/// Everything a plan is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The pair, as its driver names it.
    pub pair: String,
    /// What the product can do.
    pub capabilities: Capabilities,
    /// What the operator has told the driver.
    pub terms: serde_json::Value,
    /// When the inspection was complete.
    pub now: Timestamp,
    /// What each unit says of itself and of its peer.
    pub sighting: Sighting,
    /// The thorough look at unit A, or why there is none.
    pub survey_a: Result<Survey, String>,
    /// The same of unit B.
    pub survey_b: Result<Survey, String>,
}

impl Facts {
    /// One unit's survey.
    pub fn survey(&self, unit: Unit) -> &Result<Survey, String> {
        match unit {
            Unit::A => &self.survey_a,
            Unit::B => &self.survey_b,
        }
    }
}

/// One look at a pair.
pub struct Inspection<'a, D> {
    /// The pair.
    pub driver: &'a D,
    /// Where the time comes from.
    pub clock: &'a dyn Clock,
    /// Ends it at once.
    pub stop: &'a StopToken,
    /// How long one question may take.
    pub limits: &'a Limits,
}

impl<D: PairDriver> Inspection<'_, D> {
    /// Observes both units and surveys those that answered.
    ///
    /// # Errors
    /// [`Stopped`] when the stop was asked for. A unit that does not answer is a fact, no error.
    pub async fn run(&self, target: &Target) -> Result<Facts, Stopped> {
        let sighting = self.look().await?;
        self.complete(sighting, target).await
    }

    /// The same once the pair is at rest: what passes by itself (a synchronisation, a package that
    /// is still being copied, views that contradict each other for a moment) is waited for, at
    /// most [`Limits::settle`], a contradiction at most [`Limits::contradiction`]. `tell` hears
    /// what is waited for. What is still so then is a fact.
    ///
    /// # Errors
    /// [`Stopped`] when the stop was asked for.
    pub async fn settled(
        &self,
        policy: &Policy,
        tell: &(dyn Fn(&Concern) + Sync),
    ) -> Result<Facts, Stopped> {
        let begun = self.clock.monotonic();
        let waited = || self.clock.monotonic().saturating_sub(begun);
        let mut contradicted = None;
        let mut told = None;
        let sighting = loop {
            let sighting = self.look().await?;
            let Some(concern) = unrest(policy, &sighting) else {
                break sighting;
            };
            let over = match concern.cause {
                Cause::Disagree => {
                    let since = *contradicted.get_or_insert_with(waited);
                    waited().saturating_sub(since) >= self.limits.contradiction
                }
                _ => {
                    contradicted = None;
                    false
                }
            };
            if over || waited() >= self.limits.settle {
                break sighting;
            }
            if told != Some(concern.cause) {
                told = Some(concern.cause);
                tell(&concern);
            }
            self.stop.sleep(self.clock, self.limits.poll).await?;
        };
        let mut facts = self.complete(sighting, &policy.target).await?;
        while let Some(unit) = growing(&facts)
            && waited() < self.limits.settle
        {
            if told != Some(Cause::Package) {
                told = Some(Cause::Package);
                let text = format!("the package on unit {unit} is still being copied");
                tell(&Concern::new(Cause::Package, text));
            }
            self.stop.sleep(self.clock, self.limits.poll).await?;
            // Only this unit: the other one's digest is known, and takes its disk a while.
            let survey = self.survey_one(unit, &policy.target).await?;
            match unit {
                Unit::A => facts.survey_a = survey,
                Unit::B => facts.survey_b = survey,
            }
            facts.sighting = self.look().await?;
            facts.now = self.clock.now();
        }
        Ok(facts)
    }

    async fn complete(&self, sighting: Sighting, target: &Target) -> Result<Facts, Stopped> {
        let (survey_a, survey_b) = tokio::join!(
            self.survey(&sighting, Unit::A, target),
            self.survey(&sighting, Unit::B, target)
        );
        Ok(Facts {
            pair: self.driver.pair(),
            capabilities: self.driver.capabilities(),
            terms: self.driver.terms(),
            now: self.clock.now(),
            sighting,
            survey_a: survey_a?,
            survey_b: survey_b?,
        })
    }

    /// Observes both units at the same time.
    ///
    /// # Errors
    /// [`Stopped`] when the stop was asked for.
    pub async fn look(&self) -> Result<Sighting, Stopped> {
        let (a, b) = tokio::join!(self.observe(Unit::A), self.observe(Unit::B));
        Ok(Sighting { a: a?, b: b? })
    }

    async fn observe(&self, unit: Unit) -> Result<Observation, Stopped> {
        let asked = self.clock.monotonic();
        let limit = self.limits.call;
        let answer = within(self.clock, self.stop, limit, self.driver.observe(unit)).await?;
        let sight = match answer {
            Some(answer) => sight(answer),
            None => Sight::Unreachable(format!("no answer within {} s", limit.as_secs_f64())),
        };
        Ok(Observation {
            unit,
            at: self.clock.now(),
            asked,
            sight,
        })
    }

    async fn survey(
        &self,
        sighting: &Sighting,
        unit: Unit,
        target: &Target,
    ) -> Result<Result<Survey, String>, Stopped> {
        if sighting.report(unit).is_none() {
            return Ok(Err(format!("unit {unit} did not answer before")));
        }
        self.survey_one(unit, target).await
    }

    /// Looks thoroughly at one unit. The inner error says why there is no survey.
    pub(crate) async fn survey_one(
        &self,
        unit: Unit,
        target: &Target,
    ) -> Result<Result<Survey, String>, Stopped> {
        let limit = self.limits.survey;
        let survey = self.driver.survey(unit, target);
        let answer = within(self.clock, self.stop, limit, survey).await?;
        Ok(match answer {
            Some(answer) => answer.map_err(|error| error.to_string()),
            None => Err(format!(
                "surveying unit {unit} took longer than {} s",
                limit.as_secs_f64()
            )),
        })
    }
}

/// A unit to which the package is still being copied.
fn growing(facts: &Facts) -> Option<Unit> {
    Unit::BOTH.into_iter().find(|unit| {
        let survey = facts.survey(*unit).as_ref().ok();
        let package = survey.and_then(|survey| survey.package.as_ref());
        package.is_some_and(|package| package.growing)
    })
}

fn sight(answer: Result<UnitReport, DriverError>) -> Sight {
    match answer {
        Ok(report) => Sight::Seen(Box::new(report)),
        Err(DriverError::Unreachable { reason, .. }) => Sight::Unreachable(reason),
        Err(DriverError::Rejected { reason, .. }) => Sight::Rejected(reason),
        Err(DriverError::Unreadable { reason, .. }) => Sight::Unreadable(reason),
    }
}

/// Waits for `work`, but not longer than `limit` (then `None`) and not beyond the stop.
///
/// `work` is looked at first each time, so an answer that is there is never thrown away.
pub(crate) async fn within<T>(
    clock: &dyn Clock,
    stop: &StopToken,
    limit: std::time::Duration,
    work: impl Future<Output = T>,
) -> Result<Option<T>, Stopped> {
    tokio::select! {
        biased;
        answer = work => Ok(Some(answer)),
        () = stop.stopped() => Err(Stopped),
        () = clock.sleep(limit) => Ok(None),
    }
}
