//! Taking over an installation that somebody else has begun by hand.

use super::drive::{Drive, Halt};
use crate::concern::{Cause, Concern};
use crate::driver::{Act, Handle, Located, Order, PairDriver};
use crate::guard::{Guard, Purpose, Verdict};
use crate::inspect::within;
use crate::observe::Unit;
use crate::plan::Step;

impl<D: PairDriver> Drive<'_, '_, D> {
    /// The installation that already runs on the unit becomes this step's own. `None` if none
    /// runs: then the step goes its ordinary way. Nothing is sent to the unit.
    pub(super) async fn adopt(
        &mut self,
        step: &Step,
        unit: Unit,
    ) -> Result<Option<(Order, Handle)>, Halt> {
        let before = self.look().await?;
        let job = before.report(unit).and_then(|report| report.busy.clone());
        let Some(job) = job else { return Ok(None) };
        let peer = unit.other();
        let guards = [Guard::SamePair, Guard::Carries { unit: peer }];
        match self.check(step, &guards, Purpose::Precondition, &before) {
            Verdict::Pass => {}
            Verdict::Wait(concern) | Verdict::Fail(concern) => return Err(Halt::Hold(concern)),
        }
        let order = self.order(step, Act::Install, unit);
        self.intend(step, Some(order.clone()), Some(before))?;
        let up = self.up;
        let limit = self.plan.policy.limits.call;
        let answer = within(up.clock, up.leave, limit, up.driver.adopt(&order)).await;
        let why = match answer.map_err(|_| Halt::left())? {
            Some(Ok(Located::Found(handle))) => return Ok(Some((order, handle))),
            Some(Ok(Located::Absent)) => format!("{job} does not install the plan's package"),
            Some(Ok(Located::Unclear(why))) => why,
            Some(Err(error)) => error.to_string(),
            None => format!("no answer within {} s", limit.as_secs_f64()),
        };
        let text = format!("unit {unit} is busy, and its job cannot be adopted: {why}");
        let concern = Concern::new(Cause::Busy, text);
        self.not_started(step, concern.clone())?;
        Err(Halt::Hold(concern))
    }
}
