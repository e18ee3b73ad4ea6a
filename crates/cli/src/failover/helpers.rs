//! Programs of the operator: hooks, the backup's answer, the monitoring's flag.

use std::process::Stdio;

use elpis_failover::{Boxed, CopyFacts, HookCall, Hooks, MaintenanceFlag, SafetyCopy};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::settings::RawHelpers;

/// Runs the commands of the policy and of `[helpers]`.
pub(super) struct Programs(pub(super) RawHelpers);

impl Hooks for Programs {
    /// The hook gets the call as JSON on its standard input; its last line is its reason.
    fn ask<'a>(&'a self, call: &'a HookCall) -> Boxed<'a, Result<(), String>> {
        Box::pin(async move {
            let input = serde_json::to_vec(call).map_err(|error| error.to_string())?;
            run(&call.rule.command, &[], &input).await.map(drop)
        })
    }
}

impl SafetyCopy for Programs {
    fn newest(&self) -> Boxed<'_, Result<Option<CopyFacts>, String>> {
        Box::pin(async {
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
    fn ask<'a>(&'a self, _: &'a HookCall) -> Boxed<'a, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }
}

impl MaintenanceFlag for Willing {
    fn set(&self, _: bool) -> Boxed<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }
}
