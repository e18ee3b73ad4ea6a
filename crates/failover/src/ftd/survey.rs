//! Whether the target can be installed on a unit.

use std::time::Duration;

use jiff::Timestamp;

use super::driver::BETWEEN_LOOKS;
use super::options::FtdOptions;
use super::parse::{FileStat, PackageName, Version, compare_releases, free_space};
use super::report::{device_time, show};
use super::session::{Mode, Session, SessionError};
use crate::driver::Target;
use crate::observe::{Finding, PackageFacts, Severity, Survey};

/// Where packages lie; the manager copies them there.
pub(super) const PACKAGES: &str = "/ngfw/var/sf/updates";
/// Digests of a gigabyte take their time.
const DIGEST_PATIENCE: u32 = 10;
/// The unit's clock and ours may differ by this much before it is worth a word.
const MOST_SKEW: Duration = Duration::from_secs(60);

/// Looks thoroughly; changes nothing.
pub(super) async fn read(
    session: &mut Session,
    target: &Target,
    options: &FtdOptions,
) -> Result<Survey, SessionError> {
    let mut findings = manager(target, options).await;
    let version = Version::read(&show(session, "show version").await?).ok();
    let Some(name) = PackageName::read(&target.package) else {
        findings.push(finding(
            Severity::Blocker,
            "package-name",
            format!("{:?} is not the name of an upgrade package", target.package),
        ));
        return Ok(Survey {
            package: None,
            findings,
        });
    };
    if name.release != target.version {
        findings.push(finding(
            Severity::Blocker,
            "package-version",
            format!("the package holds {}, not {}", name.release, target.version),
        ));
    }
    let package = package(session, target, &name, version.as_ref(), options).await?;
    findings.extend(free(session, target, package.as_ref(), options.space_factor).await?);
    findings.extend(clock(session, options.clock.now()).await?);
    if package.is_some()
        && stat(session, &format!("{}.METADATA", target.package))
            .await?
            .is_none()
    {
        findings.push(finding(
            Severity::Warning,
            "package-metadata",
            format!(
                "{}.METADATA is missing: the package was not copied by the manager",
                target.package
            ),
        ));
    }
    Ok(Survey { package, findings })
}

/// What the manager says, or what the operator has said for it.
async fn manager(target: &Target, options: &FtdOptions) -> Vec<Finding> {
    let Some(manager) = &options.manager else {
        let version = options.manager_version.as_deref();
        return vec![
            deployment_by_word(options),
            version_of_manager(version, target),
        ];
    };
    match manager.standing().await {
        Ok(standing) => {
            let (severity, text) = match standing.pending.as_slice() {
                [] => (
                    Severity::Note,
                    String::from("the manager has nothing to deploy"),
                ),
                pending => (
                    Severity::Blocker,
                    format!("deploy or discard first: {}", pending.join("; ")),
                ),
            };
            vec![
                finding(severity, "pending-deployment", text),
                version_of_manager(Some(&standing.version), target),
            ]
        }
        Err(reason) => vec![finding(
            Severity::Blocker,
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

async fn package(
    session: &mut Session,
    target: &Target,
    name: &PackageName,
    version: Option<&Version>,
    options: &FtdOptions,
) -> Result<Option<PackageFacts>, SessionError> {
    let Some(first) = stat(session, &target.package).await? else {
        return Ok(None);
    };
    options.clock.sleep(BETWEEN_LOOKS).await;
    let Some(second) = stat(session, &target.package).await? else {
        return Ok(None);
    };
    let growing = first != second;
    let digest = match growing {
        true => String::from("sha512:unknown"),
        false => digest(session, &target.package).await?,
    };
    let fits = match version {
        Some(version) => name.fits(&version.model, &version.release),
        None => Err(String::from(
            "the unit's model and version could not be read",
        )),
    };
    Ok(Some(PackageFacts {
        name: target.package.clone(),
        size: second.size,
        digest,
        fits,
        growing,
    }))
}

async fn stat(session: &mut Session, name: &str) -> Result<Option<FileStat>, SessionError> {
    super::job::stat(session, &format!("{PACKAGES}/{name}")).await
}

async fn digest(session: &mut Session, name: &str) -> Result<String, SessionError> {
    session.slow_down(DIGEST_PATIENCE);
    let ran = session
        .shell(Mode::Root, &format!("sha512sum {PACKAGES}/{name}"))
        .await;
    session.slow_down(1);
    let output = ran?.output;
    let digest = output.split_whitespace().next().unwrap_or_default();
    let is_digest = digest.len() == 128 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    match is_digest {
        true => Ok(format!("sha512:{}", digest.to_ascii_lowercase())),
        false => Err(SessionError::Refused {
            command: format!("sha512sum {name}"),
            answer: output.trim().to_owned(),
        }),
    }
}

async fn free(
    session: &mut Session,
    target: &Target,
    package: Option<&PackageFacts>,
    factor: f64,
) -> Result<Option<Finding>, SessionError> {
    let Some(size) = package.map(|package| package.size).or(target.size) else {
        return Ok(None);
    };
    let ran = session.shell(Mode::Root, "df -Pk /ngfw /").await?;
    let file_systems = free_space(&ran.output);
    let Some(ngfw) = file_systems.iter().find(|free| free.mount == "/ngfw") else {
        return Ok(Some(finding(
            Severity::Blocker,
            "disk-space",
            String::from("the free space on /ngfw could not be read"),
        )));
    };
    let (needed, has) = (size as f64 * factor / 1024.0, ngfw.kibibytes as f64);
    Ok((has < needed).then(|| {
        finding(
            Severity::Blocker,
            "disk-space",
            format!(
                "/ngfw has {:.1} GiB free, {:.1} GiB are needed",
                has / f64::from(1 << 20),
                needed / f64::from(1 << 20)
            ),
        )
    }))
}

async fn clock(session: &mut Session, now: Timestamp) -> Result<Option<Finding>, SessionError> {
    let Some(device) = device_time(session, Mode::Root).await? else {
        return Ok(None);
    };
    let skew = device.abs_diff(now.as_second());
    Ok((skew > MOST_SKEW.as_secs()).then(|| {
        finding(
            Severity::Warning,
            "clock-skew",
            format!("the unit's clock is {skew} s away from ours"),
        )
    }))
}

fn finding(severity: Severity, code: &str, text: String) -> Finding {
    Finding {
        severity,
        code: code.to_owned(),
        text,
    }
}
