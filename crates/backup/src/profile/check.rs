//! From what was written to what is meant.

use std::collections::BTreeSet;
use std::path::{Component as Part, Path};

use super::{Component, Database, Profile};

/// Why a profile cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The text is no TOML, or has an unknown key or a value of the wrong kind.
    #[error("line {line}: {reason}")]
    Syntax {
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A value cannot be used.
    #[error("{key}: {reason}")]
    Value {
        /// The setting, such as `component.console.paths`.
        key: String,
        /// What is wrong with it, and what would do.
        reason: String,
    },
}

impl Profile {
    /// Reads a profile from TOML text whose top level is the profile.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn from_toml(text: &str) -> Result<Profile, ProfileError> {
        let profile: Profile = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            ProfileError::Syntax {
                line: text.get(..start).unwrap_or("").matches('\n').count() + 1,
                reason: error.message().replace('\n', "; "),
            }
        })?;
        profile.check()?;
        Ok(profile)
    }

    /// Checks a profile that was put together by hand; [`from_toml`](Self::from_toml) has done it.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn check(&self) -> Result<(), ProfileError> {
        name("name", &self.name)?;
        prefix(&self.prefix)?;
        if self
            .threads
            .is_some_and(|threads| threads == 0 || threads > 64)
        {
            return wrong("threads", "must lie between 1 and 64");
        }
        if self.level.is_some_and(|level| !(1..=19).contains(&level)) {
            return wrong("level", "must lie between 1 and 19");
        }
        self.dump.check()?;
        if self.components.is_empty() && self.databases.is_empty() {
            return wrong(
                "component",
                "there is nothing to back up: name a component or a database",
            );
        }
        let mut names = BTreeSet::new();
        let mut paths: Vec<&Path> = Vec::new();
        for component in &self.components {
            self.component(component, &mut paths)?;
            if !names.insert(("component", component.name.as_str())) {
                return wrong(format!("component.{}", component.name), "is there twice");
            }
        }
        for database in &self.databases {
            check_database(database)?;
            if !names.insert(("database", database.name.as_str())) {
                return wrong(format!("database.{}", database.name), "is there twice");
            }
        }
        Ok(())
    }

    fn component<'a>(
        &self,
        component: &'a Component,
        seen: &mut Vec<&'a Path>,
    ) -> Result<(), ProfileError> {
        name("component.name", &component.name)?;
        let key = format!("component.{}.paths", component.name);
        if component.paths.is_empty() {
            return wrong(key, "is empty");
        }
        for path in &component.paths {
            let shown = path.display();
            let plain = |part| matches!(part, Part::RootDir | Part::Normal(_));
            if !path.is_absolute() || !path.components().all(plain) || path.parent().is_none() {
                let reason = format!("{shown} must be absolute, without `..`, and not `/` itself");
                return wrong(key, reason);
            }
            let within = seen
                .iter()
                .find(|other| path.starts_with(other) || other.starts_with(path));
            if let Some(other) = within {
                let reason = format!("{shown} overlaps with {}", other.display());
                return wrong(key, reason);
            }
            seen.push(path);
        }
        Ok(())
    }
}

fn check_database(database: &Database) -> Result<(), ProfileError> {
    name("database.name", &database.name)?;
    let key = |key: &str| format!("database.{}.{key}", database.name);
    if database.option_file.is_some() == database.sqlite.is_some() {
        return wrong(
            key("option_file"),
            "exactly one of option_file and sqlite is needed",
        );
    }
    for (setting, path) in [
        ("option_file", &database.option_file),
        ("sqlite", &database.sqlite),
    ] {
        if path.as_ref().is_some_and(|path| !path.is_absolute()) {
            return wrong(key(setting), "must be absolute");
        }
    }
    if database.sqlite.is_some() && !database.without_rows.is_empty() {
        return wrong(key("without_rows"), "is not possible for a SQLite file");
    }
    Ok(())
}

pub(super) fn name(key: &str, name: &str) -> Result<(), ProfileError> {
    if name.is_empty() || name.len() > 64 || name.contains(['/', '\0']) || name.starts_with('.') {
        return wrong(
            key,
            "must have 1 to 64 characters, no `/`, and not begin with a dot",
        );
    }
    Ok(())
}

fn prefix(prefix: &str) -> Result<(), ProfileError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if prefix.is_empty()
        || prefix.len() > 64
        || !prefix.chars().all(plain)
        || prefix.starts_with('.')
    {
        return wrong(
            "prefix",
            "must be 1 to 64 of letters, digits, `-`, `_`, `.`, and not begin with a dot",
        );
    }
    Ok(())
}

pub(super) fn wrong(key: impl Into<String>, reason: impl Into<String>) -> Result<(), ProfileError> {
    Err(ProfileError::Value {
        key: key.into(),
        reason: reason.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        name = "appliance"
        prefix = "appliance"
        container = "tar.gz"
        [[component]]
        name = "configuration"
        paths = ["/etc/appliance"]
        exclude = ["*.bak", "cache/**"]
        [[database]]
        name = "monitoring"
        option_file = "/etc/elpis/backup.cnf"
    "#;

    #[test]
    fn a_profile_is_read_and_written_back() {
        let profile = Profile::from_toml(GOOD).unwrap();
        assert!(profile.verify && profile.components[0].required);
        let json = serde_json::to_string(&profile).unwrap();
        assert_eq!(serde_json::from_str::<Profile>(&json).unwrap(), profile);
    }

    #[test]
    fn every_mistake_is_named() {
        for (from, to, key) in [
            ("name = \"appliance\"", "nam = 1", "line 2"),
            ("prefix = \"appliance\"", "prefix = \"a/b\"", "prefix"),
            (
                "\"/etc/appliance\"",
                "\"etc\"",
                "component.configuration.paths",
            ),
            (
                "\"/etc/appliance\"",
                "\"/etc/../x\"",
                "component.configuration.paths",
            ),
            (
                "\"/etc/appliance\"",
                "\"/\"",
                "component.configuration.paths",
            ),
            (
                "\"/etc/appliance\"",
                "\"/etc/a\", \"/etc/a/b\"",
                "component.configuration.paths",
            ),
            ("\"*.bak\"", "\"/bak\"", "begins with"),
            (
                "option_file = \"/etc/elpis/backup.cnf\"",
                "",
                "database.monitoring.option_file",
            ),
            (
                "\"/etc/elpis/backup.cnf\"",
                "\"backup.cnf\"",
                "database.monitoring.option_file",
            ),
            ("\"tar.gz\"", "\"zip\"", "line 4"),
        ] {
            let text = GOOD.replacen(from, to, 1);
            let error = Profile::from_toml(&text).unwrap_err().to_string();
            assert!(error.contains(key), "{to}: {error}");
        }
        assert!(Profile::from_toml("name = \"a\"\nprefix = \"a\"\n").is_err());
    }
}
