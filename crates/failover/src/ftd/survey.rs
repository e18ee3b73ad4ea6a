//! Whether the target can be installed on a unit.

use std::time::Duration;

use jiff::Timestamp;

use super::driver::BETWEEN_LOOKS;
use super::options::FtdOptions;
use super::parse::{Failover, FileStat, PackageName, Version, free_space};
use super::report::{device_time, show};
use super::session::{Mode, Session, SessionError};
use super::standing;
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
    let failover = Failover::read(&show(session, "show failover").await?).ok();
    let is_mixed = failover
        .and_then(|failover| failover.versions)
        .is_some_and(|(ours, mate)| ours != mate && mate != "Unknown");
    let mut findings = standing::findings(target, options, is_mixed).await;
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

pub(super) fn finding(severity: Severity, code: &str, text: String) -> Finding {
    Finding {
        severity,
        code: code.to_owned(),
        text,
    }
}
