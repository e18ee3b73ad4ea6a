//! Programs of the operator: hooks, the backup's answer, the monitoring's flag.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use elpis_failover::policy::Helpers;
use elpis_failover::{Boxed, CopyFacts, HookAnswer, HookCall, Hooks, MaintenanceFlag, SafetyCopy};
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Runs the commands of hooks and helpers.
#[derive(Default)]
pub(super) struct Programs(pub(super) Helpers);

impl Hooks for Programs {
    /// The hook gets the call as JSON on its standard input; its last line is its reason.
    fn ask<'a>(&'a self, call: &'a HookCall) -> Boxed<'a, Result<HookAnswer, String>> {
        Box::pin(async move {
            let input = serde_json::to_vec(call).map_err(|error| error.to_string())?;
            let output = run(&call.rule.command, &[], &input).await?;
            Ok(answer(&output))
        })
    }
}

/// The hook's last line is what it has to say; as a JSON object it may hold `said` and, from a
/// probe, `outage_ms`.
fn answer(output: &str) -> HookAnswer {
    let last = output.lines().rev().find(|line| !line.trim().is_empty());
    let line = last.unwrap_or_default().trim();
    match serde_json::from_str::<Said>(line) {
        Ok(said) => HookAnswer {
            said: said.said,
            outage: said.outage_ms.map(Duration::from_millis),
        },
        Err(_) => HookAnswer {
            said: line.to_owned(),
            outage: None,
        },
    }
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    said: String,
    outage_ms: Option<u64>,
}

impl SafetyCopy for Programs {
    fn newest(&self) -> Boxed<'_, Result<Option<CopyFacts>, String>> {
        Box::pin(async {
            if let Some(directory) = &self.0.backups {
                return newest_archive(directory);
            }
            let output = run(&self.0.safety_copy, &[], b"").await?;
            if output.trim().is_empty() {
                return Ok(None);
            }
            let facts = serde_json::from_str(&output);
            facts
                .map(Some)
                .map_err(|error| format!("its answer is not understood: {error}"))
        })
    }
}

/// The newest verified archive of `elpis-backup` in a directory, or the newest one.
#[cfg(feature = "backup")]
fn newest_archive(directory: &Path) -> Result<Option<CopyFacts>, String> {
    use elpis_backup::{LocalStore, ObjectStore};
    let archives = LocalStore::open(directory)
        .and_then(|store| store.list())
        .map_err(|error| elpis_run::with_causes(&error))?;
    let zone = jiff::tz::TimeZone::system();
    let copies = archives.iter().map(|archive| CopyFacts {
        name: archive.name.to_string(),
        // When it was begun: it holds nothing that is younger.
        at: archive.began(&zone),
        verified: archive.is_verified()
            && archive.note.as_ref().and_then(|note| note.complete) != Some(false),
    });
    Ok(copies.max_by_key(|copy| (copy.verified, copy.at)))
}

#[cfg(not(feature = "backup"))]
fn newest_archive(_: &Path) -> Result<Option<CopyFacts>, String> {
    Err("this program was built without elpis-backup".to_owned())
}

impl MaintenanceFlag for Programs {
    fn set(&self, raised: bool) -> Boxed<'_, Result<(), String>> {
        Box::pin(async move {
            let state = if raised { "on" } else { "off" };
            run(&self.0.maintenance, &[state], b"").await.map(drop)
        })
    }
}

/// Runs a program to its end; whoever stops waiting kills it.
async fn run(command: &[String], more: &[&str], input: &[u8]) -> Result<String, String> {
    let Some((program, arguments)) = command.split_first() else {
        return Err("no command is configured for it".to_owned());
    };
    let cannot = |error: std::io::Error| format!("{program} cannot be run: {error}");
    let mut child = Command::new(program)
        .args(arguments)
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(cannot)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read is none the worse for it.
        let _ = stdin.write_all(input).await;
    }
    let output = child.wait_with_output().await.map_err(cannot)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    Err(match last {
        Some(line) => line.trim().to_owned(),
        None => format!("{program} ended with {}", output.status),
    })
}

/// A rehearsal asks nobody: every helper says yes.
pub(super) struct Willing;

impl Hooks for Willing {
    fn ask<'a>(&'a self, _: &'a HookCall) -> Boxed<'a, Result<HookAnswer, String>> {
        Box::pin(async { Ok(HookAnswer::default()) })
    }
}

impl MaintenanceFlag for Willing {
    fn set(&self, _: bool) -> Boxed<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hooks_last_line_is_its_answer() {
        let plain = answer("pinging\n\n5 of 5 answered\n\n");
        assert_eq!(
            (plain.said.as_str(), plain.outage),
            ("5 of 5 answered", None)
        );
        let measured = answer("{\"said\": \"traffic flows\", \"outage_ms\": 740}\n");
        assert_eq!(measured.said, "traffic flows");
        assert_eq!(measured.outage, Some(Duration::from_millis(740)));
        assert_eq!(answer(""), HookAnswer::default());
    }
}
