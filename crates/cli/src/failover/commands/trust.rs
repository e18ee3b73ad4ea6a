//! `trust`: a unit's host key, shown first and recorded only when a person names it.

use std::fmt;

use anyhow::Result;
use elpis_failover::Unit;

use super::Context;
use crate::exit::{Code, Verdict};

/// The key is not the one that was named.
#[derive(Debug)]
pub(crate) struct Untrusted {
    shown: String,
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the unit shows {}, which is not the key you named",
            self.shown
        )
    }
}

impl std::error::Error for Untrusted {}

pub(super) async fn trust(
    context: &Context,
    unit: Unit,
    fingerprint: Option<&str>,
) -> Result<Verdict> {
    let host = context.settings.host(unit)?;
    let key = context.settings.transport()?.host_key(&host).await?;
    let Some(named) = fingerprint else {
        context
            .printer
            .data(&format!("unit {unit}, {host}: {key}"))?;
        context.printer.say(&format!(
            "hint: compare it with the unit's console, then: \
             elpis-failover trust {unit} --fingerprint {}",
            key.fingerprint()
        ));
        return Ok(Verdict::silent(Code::Done));
    };
    if named != key.fingerprint() {
        return Err(Untrusted {
            shown: key.to_string(),
        }
        .into());
    }
    context.directories()?;
    context.settings.known_hosts()?.trust(&host, &key)?;
    context
        .printer
        .say(&format!("recorded the key of unit {unit}, {host}"));
    Ok(Verdict::silent(Code::Done))
}
