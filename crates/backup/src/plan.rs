//! What a backup will do, decided before anything is written.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::archive::MemberPath;
use crate::files::{Walk, identity};
use crate::profile::Profile;
use crate::source::{DatabaseFacts, Source, SourceError};
use crate::store::{LocalStore, ObjectStore, StoreError};
use crate::work::free_bytes;

/// What stays free on the disk besides the backup, in bytes.
const RESERVE: u64 = 64 << 20;

/// What was found where the profile points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// Each path of each component, in the profile's order.
    pub roots: Vec<RootFacts>,
    /// The databases, in the order of their sources.
    pub databases: Vec<DatabaseFacts>,
    /// Where the archive will be kept.
    pub target: String,
    /// Bytes that are free there.
    pub free: u64,
}

/// What was found at a path of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RootFacts {
    /// The component's name.
    pub component: String,
    /// The path.
    pub path: PathBuf,
    /// Whether something is there.
    pub found: bool,
    /// Whether the archives are kept in this very directory.
    pub is_target: bool,
    /// Files, directories and links.
    pub entries: u64,
    /// Bytes of files, holes left out.
    pub bytes: u64,
}

/// Why the facts could not be gathered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// A database.
    #[error("cannot look at the databases")]
    Source(#[source] SourceError),
    /// The place for the archive.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A backup that can be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupPlan {
    /// What is wanted.
    pub profile: Profile,
    /// What was found.
    pub facts: Facts,
    /// Bytes that must be free: all files, and half of what the databases take, since a dump
    /// lies on disk twice for a while, each time at a quarter or less of its size.
    pub needed: u64,
    /// Why it will not be made; empty if it will.
    pub refusals: Vec<String>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

impl Facts {
    /// Looks at everything that `profile` names. Changes nothing; blocks.
    ///
    /// # Errors
    /// [`InspectError`]. What cannot be read in a component is no error here.
    pub fn gather(
        profile: &Profile,
        sources: &mut [Box<dyn Source>],
        store: &LocalStore,
    ) -> Result<Facts, InspectError> {
        let mut databases = Vec::new();
        for source in sources {
            databases.extend(source.inspect().map_err(InspectError::Source)?);
        }
        let target = rustix::fs::stat(store.dir())
            .ok()
            .map(|stat| identity(&stat));
        let mut roots = Vec::new();
        for component in &profile.components {
            for path in &component.paths {
                let mut root = RootFacts {
                    component: component.name.clone(),
                    path: path.clone(),
                    found: path.symlink_metadata().is_ok(),
                    is_target: std::fs::canonicalize(path).is_ok_and(|real| real == store.dir()),
                    entries: 0,
                    bytes: 0,
                };
                if let Ok(member) = MemberPath::of_file(path) {
                    let walk = Walk::new(path, member, &component.exclude, target);
                    for node in walk.flatten() {
                        root.entries += 1;
                        root.bytes += node.stored_bytes();
                    }
                }
                roots.push(root);
            }
        }
        let free = free_bytes(store.dir()).map_err(StoreError::Fs)?;
        Ok(Facts {
            roots,
            databases,
            target: store.place(),
            free,
        })
    }
}

impl BackupPlan {
    /// Decides; a pure function of what is wanted and what was found.
    pub fn new(profile: &Profile, facts: Facts) -> BackupPlan {
        let files: u64 = facts.roots.iter().map(|root| root.bytes).sum();
        let databases: u64 = facts.databases.iter().map(|database| database.bytes).sum();
        let needed = files.saturating_add(databases / 2).saturating_add(RESERVE);
        let mut refusals = Vec::new();
        let mut warnings: Vec<String> = Vec::new();
        for root in &facts.roots {
            let path = root.path.display();
            if root.is_target {
                refusals.push(format!(
                    "{path} is a part of the installation and cannot keep its backups"
                ));
            } else if !root.found {
                warnings.push(format!(
                    "{path} of component {} is not there",
                    root.component
                ));
            }
        }
        if facts.databases.is_empty() && !facts.roots.iter().any(|root| root.found) {
            refusals.push("nothing of the profile is there".to_owned());
        }
        if profile.check_space && facts.free < needed {
            let (target, free) = (&facts.target, facts.free);
            refusals.push(format!(
                "{target} has {free} bytes free, and {needed} may be needed"
            ));
        }
        for database in &facts.databases {
            let name = &database.name;
            warnings.extend(
                database
                    .warnings
                    .iter()
                    .map(|w| format!("database {name}: {w}")),
            );
        }
        BackupPlan {
            profile: profile.clone(),
            facts,
            needed,
            refusals,
            warnings,
        }
    }

    /// The component roots that are there, with the component's place in the profile.
    pub(crate) fn roots(&self, component: &str) -> impl Iterator<Item = &Path> {
        let of = self
            .facts
            .roots
            .iter()
            .filter(move |root| root.component == component);
        of.filter(|root| root.found).map(|root| root.path.as_path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Container;

    fn facts(free: u64) -> Facts {
        let root = |component: &str, found| RootFacts {
            component: component.to_owned(),
            path: format!("/{component}").into(),
            found,
            is_target: false,
            entries: 1,
            bytes: if found { 1000 } else { 0 },
        };
        Facts {
            roots: vec![root("console", true), root("spool", false)],
            databases: vec![DatabaseFacts {
                name: "m".into(),
                bytes: 500,
                warnings: Vec::new(),
            }],
            target: "/backup".into(),
            free,
        }
    }

    #[test]
    fn space_is_checked_to_the_byte() {
        let mut profile = Profile::new("p", "p", Container::TarZst);
        let plan = BackupPlan::new(&profile, facts(RESERVE + 1250));
        assert_eq!((plan.needed, plan.refusals.len()), (RESERVE + 1250, 0));
        assert_eq!(plan.warnings, ["/spool of component spool is not there"]);
        let short = BackupPlan::new(&profile, facts(RESERVE + 1249));
        assert_eq!(short.refusals.len(), 1);
        profile.check_space = false;
        assert!(BackupPlan::new(&profile, facts(0)).refusals.is_empty());
    }

    #[test]
    fn a_backup_into_itself_and_one_of_nothing_are_refused() {
        let profile = Profile::new("p", "p", Container::TarZst);
        let mut into_itself = facts(u64::MAX);
        into_itself.roots[0].is_target = true;
        assert_eq!(BackupPlan::new(&profile, into_itself).refusals.len(), 1);
        let mut nothing = facts(u64::MAX);
        nothing.databases.clear();
        nothing.roots[0].found = false;
        assert_eq!(
            BackupPlan::new(&profile, nothing).refusals,
            ["nothing of the profile is there"]
        );
    }
}
