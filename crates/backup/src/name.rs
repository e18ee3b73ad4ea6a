//! What archives are called: `PREFIX_backup_YYYY-MM-DD-HH-MM-SS.tar.gz`, in local time, as the old
//! script named them, and `.age` behind that if they are encrypted.

use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::archive::Container;

/// What names of encrypted archives end with.
const ENCRYPTED: &str = ".age";
const FORM: &str = "%Y-%m-%d-%H-%M-%S";

/// The name of an archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArchiveName {
    prefix: String,
    local: DateTime,
    container: ContainerOrder,
    is_encrypted: bool,
}

/// [`Container`] has no order of its own; names need one.
type ContainerOrder = u8;

/// A name that is none of an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} is not the name of a backup (PREFIX_backup_YYYY-MM-DD-HH-MM-SS.tar.gz or .tar.zst, \
     perhaps with .age)"
)]
pub struct NameError {
    /// The name.
    pub name: String,
}

impl ArchiveName {
    /// The name of an archive begun at `began`, to the second.
    pub fn new(prefix: &str, began: &Zoned, container: Container) -> ArchiveName {
        ArchiveName {
            prefix: prefix.to_owned(),
            local: began
                .datetime()
                .with()
                .subsec_nanosecond(0)
                .build()
                .unwrap_or(began.datetime()),
            container: container as u8,
            is_encrypted: false,
        }
    }

    /// The name of the same archive, encrypted or not.
    pub fn encrypted(self, is_encrypted: bool) -> ArchiveName {
        ArchiveName {
            is_encrypted,
            ..self
        }
    }

    /// Whether the archive is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// What it begins with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What the archive is.
    pub fn container(&self) -> Container {
        Container::ALL[usize::from(self.container)]
    }

    /// The name without its extension: what the dump in the root is called, before `.sql`.
    pub fn stem(&self) -> String {
        format!("{}_backup_{}", self.prefix, self.local.strftime(FORM))
    }

    /// The moment it was begun, if its local time is that of `zone`. In the hour that comes twice
    /// when clocks go back, the first one.
    pub fn began(&self, zone: &TimeZone) -> Timestamp {
        let zoned = zone.to_ambiguous_zoned(self.local).compatible();
        zoned.map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp())
    }
}

impl fmt::Display for ArchiveName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.is_encrypted { ENCRYPTED } else { "" };
        write!(f, "{}.{}{end}", self.stem(), self.container())
    }
}

impl FromStr for ArchiveName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<ArchiveName, NameError> {
        parse(name).ok_or_else(|| NameError {
            name: name.to_owned(),
        })
    }
}

fn parse(name: &str) -> Option<ArchiveName> {
    let plain = name.strip_suffix(ENCRYPTED);
    let (stem, container) = Container::ALL.iter().find_map(|container| {
        let stem = plain
            .unwrap_or(name)
            .strip_suffix(container.extension())?
            .strip_suffix('.')?;
        Some((stem, *container))
    })?;
    let (prefix, time) = stem.rsplit_once("_backup_")?;
    let local = DateTime::strptime(FORM, time).ok()?;
    let parsed = ArchiveName {
        prefix: prefix.to_owned(),
        local,
        container: container as u8,
        is_encrypted: plain.is_some(),
    };
    // Numbers without their zeros are somebody else's.
    (!prefix.is_empty() && !prefix.starts_with('.') && parsed.to_string() == name).then_some(parsed)
}

impl serde::Serialize for ArchiveName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for ArchiveName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_old_script_are_read_and_written() {
        let name = "pandorafms_backup_2018-03-12-15-16-53.tar.gz";
        let parsed: ArchiveName = name.parse().unwrap();
        assert_eq!(parsed.to_string(), name);
        assert_eq!(parsed.prefix(), "pandorafms");
        let zone = TimeZone::get("Europe/Madrid").unwrap();
        assert_eq!(parsed.began(&zone).to_string(), "2018-03-12T14:16:53Z");
        let again = ArchiveName::new(
            "pandorafms",
            &parsed.began(&zone).to_zoned(zone),
            Container::TarGz,
        );
        assert_eq!(again, parsed);
        let sealed = again.encrypted(true);
        assert_eq!(sealed.to_string(), format!("{name}.age"));
        assert_eq!(sealed.to_string().parse(), Ok(sealed.clone()));
        assert_eq!(sealed.stem(), parsed.stem());
    }

    #[test]
    fn other_names_are_not_ours() {
        for name in [
            "pandorafms_backup_2018-03-12-15-16-53.tar",
            "pandorafms_backup_2018-3-12-15-16-53.tar.gz",
            "pandorafms_backup_2018-13-12-15-16-53.tar.gz",
            "_backup_2018-03-12-15-16-53.tar.gz",
            ".x_backup_2018-03-12-15-16-53.tar.gz",
            "pandorafms_backup_2018-03-12-15-16-53.tar.gz.part",
            "pandorafms_backup_2018-03-12-15-16-53.tar.gz.age.age",
            "notes.txt",
        ] {
            assert!(name.parse::<ArchiveName>().is_err(), "{name}");
        }
    }
}
