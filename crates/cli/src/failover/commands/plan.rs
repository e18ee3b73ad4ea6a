//! `plan`: what would be done.

use std::path::Path;

use anyhow::Result;
use elpis_failover::{Ended, Plan};
use elpis_run::fsx;

use super::{Context, code};
use crate::exit::{Code, Verdict};
use crate::failover::output;

pub(super) async fn plan(context: &Context, file: Option<&Path>, adopt: bool) -> Result<Verdict> {
    let driver = context.settings.driver()?;
    let policy = context.settings.policy()?;
    let facts = context.settled_facts(&driver, policy).await?;
    let plan = match adopt {
        true => Plan::adopting(policy, &facts),
        false => Plan::new(policy, &facts),
    };
    let plan = match plan {
        Ok(plan) => plan,
        Err(concerns) => {
            let code = code(&Ended::Refused {
                concerns: concerns.clone(),
            });
            let text = format!("there is no plan:\n{}", output::refusals(&concerns));
            let hint = concerns
                .first()
                .map_or("", |concern| concern.cause.before_planning());
            return Ok(Verdict::new(code, text, hint));
        }
    };
    if let Some(file) = file {
        let mut text = serde_json::to_string_pretty(&plan)?;
        text.push('\n');
        fsx::write_durable(file, text.as_bytes(), 0o600)?;
        context
            .printer
            .say(&format!("the plan is in {}", file.display()));
    }
    if context.printer.json {
        context.printer.document(&plan)?;
    } else {
        context.printer.data(&plan.to_string())?;
    }
    Ok(Verdict::silent(Code::Done))
}
