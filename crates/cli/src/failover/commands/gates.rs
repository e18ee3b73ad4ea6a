//! `approve` and `pause`: words to a run that another process may be driving.

use anyhow::Result;
use elpis_failover::Gate;

use super::Context;
use crate::exit::{Code, Verdict};
use crate::failover::args;

pub(super) fn approve(context: &Context, run: &args::Run, gate: Gate, by: &str) -> Result<Verdict> {
    let journal = context.journal()?;
    let run = context.run(&journal, run)?;
    elpis_failover::approve(&journal, &context.clock, run, gate, by)?;
    context.printer.say(&format!(
        "run {run}: `{gate}` is approved; `elpis-failover resume` goes on"
    ));
    Ok(Verdict::silent(Code::Done))
}

pub(super) fn pause(context: &Context, run: &args::Run, by: &str) -> Result<Verdict> {
    let journal = context.journal()?;
    let run = context.run(&journal, run)?;
    elpis_failover::pause(&journal, &context.clock, run, by)?;
    context
        .printer
        .say(&format!("run {run} will hold after its present step"));
    Ok(Verdict::silent(Code::Done))
}
