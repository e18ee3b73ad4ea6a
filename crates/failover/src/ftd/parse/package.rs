//! Names of upgrade packages: what they are for, and which version they hold.

use std::cmp::Ordering;

use super::compare_releases;

/// `Cisco_FTD_Upgrade-7.2.7-500.sh.REL.tar`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackageName {
    /// `Cisco_FTD`, `Cisco_FTD_SSP_FP1K`, ...
    platform: String,
    /// Such as `7.2.7-500`.
    pub release: String,
    /// The directory below `/ngfw/var/log/sf` that its installation writes to: the name without
    /// the build. The next attempt at the same version writes to the same directory.
    pub log_directory: String,
}

/// Platform of a package and the words by which `show version` names the models it is for. From
/// the vendor's Ansible collection.
const PLATFORMS: [(&str, &[&str]); 6] = [
    ("Cisco_FTD_SSP_FP1K", &["Firepower 10", "Firepower 11"]),
    ("Cisco_FTD_SSP_FP2K", &["Firepower 21"]),
    (
        "Cisco_FTD_SSP_FP3K",
        &["Firepower 31", "Secure Firewall 31"],
    ),
    ("Cisco_Secure_FW_TD_1200", &["Secure Firewall 12"]),
    (
        "Cisco_FTD_SSP",
        &["Firepower 41", "Firepower 9300", "Firepower 93"],
    ),
    (
        "Cisco_FTD",
        &[
            "VMware",
            "KVM",
            "AWS",
            "Azure",
            "Google",
            "GCP",
            "OpenStack",
            "Nutanix",
            "ASA55",
            "ASA 55",
            "ISA",
        ],
    ),
];

/// The oldest release from which a target can be reached directly, by target's major and minor,
/// as far as the vendor's documents were read.
const DIRECT_FROM: [((u32, u32), (u32, u32)); 3] =
    [((7, 1), (6, 5)), ((7, 2), (6, 6)), ((7, 3), (7, 0))];

impl PackageName {
    /// Takes a file name apart; `None` if it is not the name of a package.
    pub(crate) fn read(name: &str) -> Option<PackageName> {
        let stem = name.strip_suffix(".tar")?;
        let stem = stem
            .strip_suffix(".REL")
            .unwrap_or(stem)
            .strip_suffix(".sh")?;
        let (rest, build) = stem.rsplit_once('-')?;
        let (kind, number) = rest.rsplit_once('-')?;
        let release = format!("{number}-{build}");
        compare_releases(&release, &release)?;
        let platform = kind
            .strip_suffix("_Upgrade")
            .or_else(|| kind.strip_suffix("_Patch"))
            .or_else(|| kind.rsplit_once("_Hotfix_").map(|(platform, _)| platform))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
        name.chars().all(plain).then(|| PackageName {
            platform: platform.to_owned(),
            release,
            log_directory: rest.to_owned(),
        })
    }

    /// Whether it can be installed on a `model` that runs `release`, or why not.
    pub(crate) fn fits(&self, model: &str, release: &str) -> Result<(), String> {
        let (platform, _) = PLATFORMS
            .into_iter()
            .find(|(_, words)| words.iter().any(|word| model.contains(word)))
            .ok_or_else(|| format!("it is not known which packages fit the model {model:?}"))?;
        if platform != self.platform {
            return Err(format!(
                "it is made for {}, but the model {model:?} needs {platform}",
                self.platform
            ));
        }
        match compare_releases(&self.release, release) {
            Some(Ordering::Less) => Err(format!("it would downgrade {release}")),
            Some(_) if !self.is_direct(release) => Err(format!(
                "{} cannot be reached from {release} in one step",
                self.release
            )),
            Some(_) => Ok(()),
            None => Err(format!("the running release {release:?} is not understood")),
        }
    }

    fn is_direct(&self, release: &str) -> bool {
        let (Some(target), Some(running)) = (major_minor(&self.release), major_minor(release))
        else {
            return false;
        };
        DIRECT_FROM
            .iter()
            .find(|(to, _)| *to == target)
            .is_none_or(|(_, from)| running >= *from)
    }
}

fn major_minor(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VMWARE: &str = "Cisco Firepower Threat Defense for VMware (75)";

    #[test]
    fn names_of_the_field_are_taken_apart() {
        for (name, release, directory) in [
            (
                "Cisco_FTD_Upgrade-7.2.7-500.sh.REL.tar",
                "7.2.7-500",
                "Cisco_FTD_Upgrade-7.2.7",
            ),
            (
                "Cisco_FTD_SSP_FP1K_Hotfix_GC-7.0.9.1-1.sh.REL.tar",
                "7.0.9.1-1",
                "Cisco_FTD_SSP_FP1K_Hotfix_GC-7.0.9.1",
            ),
            (
                "Cisco_FTD_SSP_Patch-7.2.7.1-12.sh.tar",
                "7.2.7.1-12",
                "Cisco_FTD_SSP_Patch-7.2.7.1",
            ),
        ] {
            let package = PackageName::read(name).unwrap();
            assert_eq!(
                (package.release.as_str(), package.log_directory.as_str()),
                (release, directory)
            );
        }
        for name in [
            "Cisco_FTD_Upgrade-7.2.7-500.sh.REL.tar.METADATA",
            "Cisco_FTD_Upgrade-7.2.7.sh.REL.tar",
            "Cisco_FTD_Upgrade-7.2.7-500.sh.REL.tar; reboot",
            "$(reboot)_Upgrade-7.2.7-500.sh.REL.tar",
            "../Cisco_FTD_Upgrade-7.2.7-500.sh.REL.tar",
        ] {
            assert_eq!(PackageName::read(name), None, "{name}");
        }
    }

    #[test]
    fn only_the_right_platform_upwards_and_in_one_step_fits() {
        let package = |name| PackageName::read(name).unwrap();
        let ftdv = package("Cisco_FTD_Upgrade-7.2.7-500.sh.REL.tar");
        assert_eq!(ftdv.fits(VMWARE, "7.2.2-54"), Ok(()));
        assert_eq!(ftdv.fits(VMWARE, "6.6.5-81"), Ok(()));
        assert!(
            ftdv.fits(VMWARE, "6.4.0-102")
                .unwrap_err()
                .contains("one step")
        );
        assert!(
            ftdv.fits(VMWARE, "7.3.0-69")
                .unwrap_err()
                .contains("downgrade")
        );
        assert!(
            ftdv.fits("Cisco Firepower 4145 Threat Defense (76)", "7.2.2-54")
                .unwrap_err()
                .contains("Cisco_FTD_SSP")
        );
        assert!(ftdv.fits("Cisco Toaster", "7.2.2-54").is_err());
        let hardware = package("Cisco_FTD_SSP_FP2K_Upgrade-7.2.7-500.sh.REL.tar");
        assert!(hardware.fits(VMWARE, "7.2.2-54").is_err());
        assert_eq!(
            hardware.fits("Cisco Firepower 2130 Threat Defense (77)", "7.2.2-54"),
            Ok(())
        );
    }
}
