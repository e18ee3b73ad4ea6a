//! An installation that somebody has begun by hand, found by its process.

use std::collections::BTreeMap;

use super::job::Job;
use super::marker::Marker;
use super::parse::installers_with_age;
use super::report::device_time;
use super::session::{Mode, Session, SessionError};
use crate::driver::{Handle, Located, Order};

/// Looks for an installer of the order's package and leaves the order's marker, so that whoever
/// comes later finds the job. Only lines that are younger than the process count as its words.
pub(super) async fn adopt(session: &mut Session, order: &Order) -> Result<Located, SessionError> {
    let now = device_time(session, Mode::Root).await?;
    let processes = session
        .shell(Mode::Root, "ps -eo pid,etimes,args")
        .await?
        .output;
    let installs = |line: &str| {
        !line.contains("--readiness-check")
            && line
                .split_whitespace()
                .any(|word| word.rsplit('/').next() == Some(order.target.package.as_str()))
    };
    let found = installers_with_age(&processes)
        .into_iter()
        .find(|(_, line)| installs(line));
    let (Some((age, _)), Some(now)) = (found, now) else {
        return Ok(Located::Absent);
    };
    let before = serde_json::to_value(BTreeMap::<String, ()>::new()).unwrap_or_default();
    let mut marker = Marker::new(session, order, before).await?;
    // A process's age is whole seconds, cut off.
    marker.started = now.saturating_sub(age).saturating_sub(1);
    marker.write(session, order).await?;
    let job = Job::of(&marker).map(serde_json::to_value);
    Ok(match job {
        Some(Ok(job)) => Located::Found(Handle(job)),
        _ => Located::Unclear(String::from("its marker is not understood")),
    })
}
