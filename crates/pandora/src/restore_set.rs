//! Putting the files of Pandora FMS back: which trees of an archive are which part of an
//! installation, where they go, and whether what was unpacked would work.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use elpis_backup::archive::{Contents, MemberPath, Product};
use elpis_backup::restore::{FileCheck, FileRoot};
use elpis_backup::{Expect, Probe};
use elpis_run::{Secret, fsx};

use crate::backup_set::{CONFIGURATION, PENDING, PRODUCT};
use crate::files::{Database, ServerConf, console_database};

/// The names of the parts in a profile of [`BackupSet`](crate::BackupSet).
const CONSOLE: &str = "console";
const SERVER: &str = "configuration";
const SPOOL: &str = "pending files";
/// The file that makes a directory a console, below it.
const CONSOLE_FILE: &str = "include/config.php";

/// Where the parts of an installation go; what is not said goes where it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoreSet {
    /// The console's directory.
    pub console: Option<PathBuf>,
    /// The directory of the server's configuration.
    pub configuration: Option<PathBuf>,
    /// The directory of pending files and remote configurations.
    pub pending: Option<PathBuf>,
}

impl RestoreSet {
    /// The trees of an archive, also of one that the product's own script has made, which says
    /// nothing about itself.
    pub fn roots(&self, contents: &Contents) -> Vec<FileRoot> {
        let found = match &contents.manifest {
            Some(manifest) => manifest
                .components
                .iter()
                .flat_map(|component| {
                    let name = component.name.clone();
                    component
                        .roots
                        .iter()
                        .map(move |root| (name.clone(), root.clone()))
                })
                .collect(),
            None => of_the_old_script(contents),
        };
        found
            .into_iter()
            .map(|(component, member)| FileRoot {
                place: self
                    .place(&component)
                    .unwrap_or_else(|| member.below(Path::new("/"))),
                component,
                member,
            })
            .collect()
    }

    fn place(&self, component: &str) -> Option<PathBuf> {
        match component {
            CONSOLE => self.console.clone(),
            SERVER => self.configuration.clone(),
            SPOOL => self.pending.clone(),
            _ => None,
        }
    }

    /// Whether an archive is of Pandora FMS: of a profile of ours, or of the product's own script.
    pub fn is_of_the_product(contents: &Contents) -> bool {
        match &contents.manifest {
            Some(manifest) => manifest.product.name.as_deref() == Some(PRODUCT),
            None => true,
        }
    }

    /// The member with the console's settings, where an archive has a console.
    pub fn console_file(contents: &Contents) -> Option<MemberPath> {
        let console = RestoreSet::default()
            .roots(contents)
            .into_iter()
            .find(|root| root.component == CONSOLE)?;
        MemberPath::new(&[console.member.as_bytes(), b"/", CONSOLE_FILE.as_bytes()].concat()).ok()
    }
}

/// The nearest `include/config.php` to the root tells the console; the rest lies where packages
/// put it.
fn of_the_old_script(contents: &Contents) -> Vec<(String, MemberPath)> {
    let end = [b"/", CONSOLE_FILE.as_bytes()].concat();
    let members = contents.members.iter().map(|member| &member.path);
    let consoles: BTreeSet<(usize, MemberPath)> = members
        .filter_map(|path| MemberPath::new(path.as_bytes().strip_suffix(end.as_slice())?).ok())
        .map(|console| (console.parts().count(), console))
        .collect();
    let mut found = Vec::new();
    if let Some((_, console)) = consoles.into_iter().next() {
        found.push((CONSOLE.to_owned(), console));
    }
    for (name, place) in [(SERVER, CONFIGURATION), (SPOOL, PENDING)] {
        let Ok(root) = MemberPath::of_file(Path::new(place)) else {
            continue;
        };
        let mut members = contents.members.iter();
        if members.any(|member| member.path.is_within(&root)) {
            found.push((name.to_owned(), root));
        }
    }
    found
}

/// What a restored database is asked for a trial: its schema, its newest data, and what the
/// console asks when somebody logs in.
pub fn rehearsal_probes(product: &Product) -> Vec<Probe> {
    let probe = |name: &str, sql: &str, expect| Probe {
        name: name.to_owned(),
        sql: sql.to_owned(),
        expect,
    };
    let schema = product
        .version
        .clone()
        .map_or(Expect::Something, Expect::Exactly);
    vec![
        probe(
            "schema version",
            "SELECT MAX(value) FROM tconfig WHERE token = 'db_scheme_version'",
            schema,
        ),
        probe(
            "newest data",
            "SELECT MAX(utimestamp) FROM tagente_datos",
            Expect::NewestData,
        ),
        probe(
            "login",
            "SELECT id_user FROM tusuario ORDER BY id_user LIMIT 1",
            Expect::Something,
        ),
    ]
}

/// Looks at unpacked files with the product's own eyes: the console's settings and the server's
/// must be readable and name a database.
#[derive(Debug, Clone, Copy, Default)]
pub struct WorkingFiles;

impl FileCheck for WorkingFiles {
    fn check(&self, root: &FileRoot, unpacked: &Path) -> Result<(), String> {
        let said = |error: &dyn std::error::Error| elpis_run::with_causes(error);
        match root.component.as_str() {
            CONSOLE => {
                let path = unpacked.join(CONSOLE_FILE);
                let bytes = Secret::new(fsx::read(&path).map_err(|error| said(&error))?);
                // Messages name the file that the operator knows.
                let shown = root.place.join(CONSOLE_FILE);
                console_database(&shown, bytes.expose()).map_err(|error| said(&error))?;
            }
            SERVER => {
                let path = unpacked.join("pandora_server.conf");
                // A console may stand without a server on its host.
                if path.symlink_metadata().is_ok() {
                    let bytes = fsx::read(&path).map_err(|error| said(&error))?;
                    let shown = root.place.join("pandora_server.conf");
                    let conf = ServerConf::parse(&shown, bytes);
                    // In an HA pair the host comes from another file.
                    let host = Some("localhost");
                    let _: Database = conf.database(host).map_err(|error| said(&error))?;
                }
            }
            // The file by itself.
            _ if root.place.ends_with(CONSOLE_FILE) => {
                let bytes = Secret::new(fsx::read(unpacked).map_err(|error| said(&error))?);
                console_database(&root.place, bytes.expose()).map_err(|error| said(&error))?;
            }
            _ => {}
        }
        Ok(())
    }
}
