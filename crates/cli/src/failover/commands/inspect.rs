//! `inspect` and `check`: looking at the pair.

use anyhow::Result;
use elpis_failover::{Ended, PairState, Plan};

use super::{Context, code};
use crate::exit::{Code, Verdict};
use crate::failover::output;

pub(super) async fn inspect(context: &Context) -> Result<Verdict> {
    let driver = context.settings.driver()?;
    let facts = context.facts(&driver, context.settings.policy()?).await?;
    if context.printer.json {
        context.printer.document(&facts)?;
    } else {
        context.printer.data(&output::facts(&facts))?;
    }
    let healthy = matches!(facts.sighting.state(), PairState::Healthy { .. });
    Ok(Verdict::silent(if healthy {
        Code::Done
    } else {
        Code::Partial
    }))
}

pub(super) async fn check(context: &Context) -> Result<Verdict> {
    let driver = context.settings.driver()?;
    let policy = context.settings.policy()?;
    let facts = context.facts(&driver, policy).await?;
    match Plan::new(policy, &facts) {
        Ok(plan) => {
            if context.printer.json {
                context
                    .printer
                    .document(&serde_json::json!({ "ready": true }))?;
            } else if plan.steps.is_empty() {
                context
                    .printer
                    .data("nothing to do: both units run the target already")?;
            } else {
                context.printer.data("the pair can be upgraded now")?;
            }
            for warning in &plan.warnings {
                context.printer.say(&format!("warning: {warning}"));
            }
            Ok(Verdict::silent(Code::Done))
        }
        Err(concerns) => {
            if context.printer.json {
                let answer = serde_json::json!({ "ready": false, "concerns": concerns });
                context.printer.document(&answer)?;
            } else {
                context
                    .printer
                    .data(&output::refusals_and_next(&concerns))?;
            }
            Ok(Verdict::silent(code(&Ended::Refused { concerns })))
        }
    }
}
