//! How the manager stands to the pair: before an upgrade, and what is left to do there after it.

use super::manager::Manager;
use super::options::FtdOptions;
use super::parse::compare_releases;
use super::survey::finding;
use crate::driver::Target;
use crate::observe::{Finding, Severity};

/// What the manager says, or what the operator has said for it.
pub(super) async fn findings(
    target: &Target,
    options: &FtdOptions,
    is_mixed: bool,
) -> Vec<Finding> {
    let Some(manager) = &options.manager else {
        let version = options.manager_version.as_deref();
        return vec![
            deployment_by_word(options),
            version_of_manager(version, target),
        ];
    };
    let blocks = match is_mixed {
        // Nothing may be deployed to a pair of mixed versions, so nothing can be asked for.
        true => Severity::Warning,
        false => Severity::Blocker,
    };
    match manager.standing().await {
        Ok(standing) => {
            let (severity, text) = match standing.pending.as_slice() {
                [] => (
                    Severity::Note,
                    String::from("the manager has nothing to deploy"),
                ),
                pending if is_mixed => (
                    blocks,
                    format!(
                        "do not deploy before both units run the same version: {}",
                        pending.join("; ")
                    ),
                ),
                pending => (
                    blocks,
                    format!("deploy or discard first: {}", pending.join("; ")),
                ),
            };
            vec![
                finding(severity, "pending-deployment", text),
                version_of_manager(Some(&standing.version), target),
            ]
        }
        Err(reason) => vec![finding(
            blocks,
            "pending-deployment",
            format!("the manager could not be asked: {reason}"),
        )],
    }
}

fn deployment_by_word(options: &FtdOptions) -> Finding {
    match &options.no_pending_deployment {
        Some(who) => finding(
            Severity::Note,
            "pending-deployment",
            format!("no deployment is pending, confirmed by {who}"),
        ),
        None => finding(
            Severity::Blocker,
            "pending-deployment",
            String::from(
                "it is not known whether the manager has a deployment pending: check it there and confirm",
            ),
        ),
    }
}

/// The manager must not be older than what it manages.
fn version_of_manager(version: Option<&str>, target: &Target) -> Finding {
    let Some(version) = version else {
        let text = "the manager's version is not known; it must not be older than the target";
        return finding(Severity::Warning, "manager-version", text.to_owned());
    };
    // The manager's build numbers are its own.
    let (number, _) = target
        .version
        .split_once('-')
        .unwrap_or((&target.version, ""));
    match compare_releases(&format!("{version}-0"), &format!("{number}-0")) {
        Some(order) if order.is_ge() => finding(
            Severity::Note,
            "manager-version",
            format!("the manager runs {version}"),
        ),
        _ => finding(
            Severity::Blocker,
            "manager-version",
            format!("the manager runs {version}: upgrade it to {number} or later first"),
        ),
    }
}

/// What is left to do at the manager when both units run the target.
pub(super) async fn remarks(manager: &dyn Manager, target: &Target) -> Result<Vec<String>, String> {
    let unknown = |reason: String| format!("the manager could not be asked at the end: {reason}");
    let (number, _) = target
        .version
        .split_once('-')
        .unwrap_or((&target.version, ""));
    let shown = manager.shown_versions().await.map_err(unknown)?;
    let stale = shown.iter().filter(|(_, version)| {
        !version
            .as_deref()
            .is_some_and(|version| is_number(version, number))
    });
    let mut remarks: Vec<String> = stale
        .map(|(name, version)| {
            let version = version.as_deref().unwrap_or("no version");
            format!(
                "the manager still shows {version} for {name}: let it discover the device again, \
                 then deploy"
            )
        })
        .collect();
    let standing = manager.standing().await.map_err(unknown)?;
    remarks.extend(
        standing
            .pending
            .iter()
            .map(|pending| format!("deploy at the manager: {pending}")),
    );
    Ok(remarks)
}

/// Whether `shown` (`7.2.7`, with or without a build) is the release of this number.
fn is_number(shown: &str, number: &str) -> bool {
    shown
        .strip_prefix(number)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', ' ']))
}
