//! `status`: where a run stands, and what happens while somebody follows it.

use std::time::Duration;

use anyhow::Result;
use elpis_failover::{Evidence, StoredRun};

use super::Context;
use crate::exit::{Code, Verdict};
use crate::failover::{args, output};

/// How often the journal is looked at.
const EVERY: Duration = Duration::from_secs(1);

pub(super) async fn status(context: &Context, run: &args::Run, follow: bool) -> Result<Verdict> {
    let journal = context.look()?;
    let run = context.run(&journal, run)?;
    let mut shown = None;
    loop {
        let stored = StoredRun::load(&journal, run)?;
        match shown {
            None if !follow => return whole(context, &stored),
            None => {
                context.printer.say(&head(&stored));
                shown = Some(0);
            }
            Some(_) => {}
        }
        let evidence = Evidence::of(&stored);
        let from = shown.unwrap_or(0);
        for moment in evidence.timeline.iter().skip(from) {
            if context.printer.json {
                context.printer.data(&serde_json::to_string(moment)?)?;
            } else {
                let at = moment
                    .at
                    .to_zoned(context.zone.clone())
                    .strftime("%H:%M:%S")
                    .to_string();
                context
                    .printer
                    .data(&format!("{at} {}: {}", moment.about, moment.what))?;
            }
        }
        shown = Some(evidence.timeline.len());
        if evidence.finished.is_some() || evidence.hold.is_some() {
            return Ok(Verdict::silent(Code::Done));
        }
        if context.leave.sleep(&context.clock, EVERY).await.is_err() {
            return Ok(Verdict::silent(Code::Interrupted));
        }
    }
}

fn whole(context: &Context, stored: &StoredRun) -> Result<Verdict> {
    if context.printer.json {
        context.printer.document(&Evidence::of(stored))?;
        return Ok(Verdict::silent(Code::Done));
    }
    let mut text = format!("{}\n{}", head(stored), output::steps(&stored.steps()));
    if let Some(hold) = stored.ledger.hold()
        && stored.history.summary.finished.is_none()
    {
        text.push_str(&output::holding(hold));
    }
    context.printer.data(&text)?;
    Ok(Verdict::silent(Code::Done))
}

fn head(stored: &StoredRun) -> String {
    let summary = &stored.history.summary;
    let holder = stored.ledger.holder().unwrap_or(&summary.holder);
    let standing = match (&summary.finished, stored.ledger.hold()) {
        (Some(finish), _) => format!("closed, {}", output::outcome(&finish.outcome)),
        (None, Some(_)) => "holding".to_owned(),
        (None, None) if holder.is_alive() == Some(false) => {
            "its process died; resume it".to_owned()
        }
        (None, None) => "at work".to_owned(),
    };
    format!(
        "run {} of {} to {}: {standing}; {holder}",
        summary.id, summary.target, stored.plan.policy.target.version
    )
}
