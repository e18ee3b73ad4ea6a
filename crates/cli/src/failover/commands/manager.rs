//! `manager`: what the pair's manager says, and what it does for both units before an upgrade.

use std::time::Duration;

use anyhow::Result;
use elpis_failover::{Errand, ErrandEnd, ErrandRun, Fmc, PairDriver};

use super::Context;
use crate::exit::{Code, Verdict};
use crate::failover::args::ManagerErrand;

/// How long the copying of a package is watched; the task goes on after that.
const COPYING: Duration = Duration::from_secs(2 * 3600);

pub(super) async fn manager(context: &Context, errand: ManagerErrand) -> Result<Verdict> {
    let fmc = context.settings.manager()?;
    let readiness = context.settings.policy().map(|p| p.limits.readiness);
    match errand {
        ManagerErrand::Show => show(context, &fmc).await,
        ManagerErrand::Copy => prepare(context, &fmc, Errand::CopyPackage, COPYING).await,
        ManagerErrand::Readiness => {
            prepare(context, &fmc, Errand::CheckReadiness, readiness?).await
        }
    }
}

async fn show(context: &Context, fmc: &Fmc) -> Result<Verdict> {
    let version = fmc.version().await?;
    let pending = fmc.pending_deployments().await?;
    let shown = fmc.shown_versions().await?;
    if context.printer.json {
        let units = shown
            .iter()
            .map(|(name, version)| serde_json::json!({ "name": name, "version": version }));
        context.printer.document(&serde_json::json!({
            "version": version,
            "pending": pending,
            "units": units.collect::<Vec<_>>(),
        }))?;
    } else {
        let mut lines = vec![format!("the manager runs {version}")];
        lines.extend(shown.iter().map(|(name, version)| {
            let version = version.as_deref().unwrap_or("no version");
            format!("{name}: {version}")
        }));
        lines.extend(pending.iter().cloned());
        if pending.is_empty() {
            lines.push("nothing is to be deployed to the pair".to_owned());
        }
        context.printer.data(&lines.join("\n"))?;
    }
    Ok(Verdict::silent(match pending.is_empty() {
        true => Code::Done,
        false => Code::Partial,
    }))
}

async fn prepare(context: &Context, fmc: &Fmc, errand: Errand, most: Duration) -> Result<Verdict> {
    context.directories()?;
    context.interrupt.wait_for_safe_point();
    let policy = context.settings.policy()?;
    let journal = context.journal()?;
    let tell = |words: &str| context.printer.say(&format!("the manager: {words}"));
    let ended = ErrandRun {
        fmc,
        journal: &journal,
        lock_dir: &context.settings.state,
        clock: &context.clock,
        stop: &context.interrupt.stop,
        holder: context.holder(),
        pair: context.settings.driver()?.pair(),
    }
    .run(errand, &policy.target.package, most, &tell)
    .await?;
    Ok(match ended {
        ErrandEnd::Done => {
            context.printer.say("the manager has done it on both units");
            Verdict::silent(Code::Done)
        }
        ErrandEnd::Failed(words) => Verdict::new(
            Code::Partial,
            format!("the manager's task failed: {words}"),
            "read the task at the manager; nothing was installed",
        ),
        ErrandEnd::GoingOn { task } => Verdict::new(
            Code::Stopped,
            format!("the manager's task {task} goes on by itself"),
            "the same command again goes on watching it",
        ),
        ErrandEnd::Unknown(text) => Verdict::new(
            Code::NeedsPerson,
            text,
            "look at the manager's tasks before you ask again",
        ),
    })
}
