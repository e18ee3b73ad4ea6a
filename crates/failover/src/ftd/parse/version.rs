//! `show version`: model, version and build, and the versions of the parts.

use std::cmp::Ordering;

use super::Unreadable;

const COMMAND: &str = "show version";

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    /// Such as `Cisco Firepower Threat Defense for VMware (75)`.
    pub model: String,
    /// Such as `7.2.7-500`, the form in which packages are named.
    pub release: String,
    pub uuid: String,
    pub lsp: String,
    pub vdb: String,
    /// `Cisco Adaptive Security Appliance Software Version`, where it is printed.
    pub lina: Option<String>,
    /// `SSP Operating System Version`, where it is printed (hardware).
    pub fxos: Option<String>,
}

impl Version {
    /// Reads the answer; `text` is what stands between the command and the next prompt.
    pub(crate) fn read(text: &str) -> Result<Version, Unreadable> {
        let field = |name: &'static str| {
            text.lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(key, _)| key.trim() == name)
                .map(|(_, value)| value.trim())
                .filter(|value| !value.is_empty())
                .ok_or(Unreadable::Incomplete {
                    command: COMMAND,
                    missing: name,
                })
        };
        let model = field("Model")?;
        let (model, release) = split_model(model).ok_or_else(|| Unreadable::Unsupported {
            command: COMMAND,
            why: format!("no version and build in {model:?}"),
        })?;
        let after = |title: &str| {
            text.lines()
                .find_map(|line| line.trim().strip_prefix(title))
                .map(|version| version.trim().to_owned())
        };
        Ok(Version {
            model,
            release,
            uuid: field("UUID")?.to_owned(),
            lsp: field("LSP version")?.to_owned(),
            vdb: field("VDB version")?.to_owned(),
            lina: after("Cisco Adaptive Security Appliance Software Version "),
            fxos: after("SSP Operating System Version "),
        })
    }
}

/// `Cisco ... (75) Version 7.2.7 (Build 500)`
fn split_model(text: &str) -> Option<(String, String)> {
    let (model, rest) = text.rsplit_once(" Version ")?;
    let (number, rest) = rest.split_once(" (Build ")?;
    let build = rest.strip_suffix(')')?;
    let release = format!("{number}-{build}");
    release_parts(&release)?;
    Some((model.trim().to_owned(), release))
}

/// Compares `7.2.7-500` with `7.2.10-12` by numbers; `None` if either is not of that form.
pub(crate) fn compare_releases(left: &str, right: &str) -> Option<Ordering> {
    Some(release_parts(left)?.cmp(&release_parts(right)?))
}

/// Up to four numbers of the version and the build.
fn release_parts(release: &str) -> Option<([u32; 4], u32)> {
    let (number, build) = release.split_once('-')?;
    let mut parts = [0; 4];
    let mut words = number.split('.');
    let mut count = 0;
    for (part, word) in parts.iter_mut().zip(words.by_ref()) {
        *part = word.parse().ok()?;
        count += 1;
    }
    let complete = count >= 2 && words.next().is_none();
    complete.then_some((parts, build.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_numbers_not_letters() {
        use Ordering::{Equal, Greater, Less};
        for (left, right, expected) in [
            ("7.2.7-500", "7.2.10-12", Some(Less)),
            ("7.2.7-500", "7.2.7-500", Some(Equal)),
            ("7.2.7.1-3", "7.2.7-500", Some(Greater)),
            ("7.10.0-1", "7.9.9-99", Some(Greater)),
            ("7.2.7", "7.2.7-500", None),
            ("7.2.7-", "7.2.7-500", None),
            ("1.2.3.4.5-6", "7.2.7-500", None),
        ] {
            assert_eq!(compare_releases(left, right), expected, "{left} {right}");
        }
    }
}
