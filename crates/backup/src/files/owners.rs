//! The names of owners, from the local tables of accounts.

use std::collections::HashMap;
use std::path::Path;

use elpis_run::fsx;

/// Names by number. Accounts of a directory service are not there: their names stay empty and
/// their numbers are kept, as in any tar.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    users: HashMap<u64, Vec<u8>>,
    groups: HashMap<u64, Vec<u8>>,
}

impl Owners {
    /// Reads the tables of this host; one that cannot be read is empty.
    pub(crate) fn read() -> Owners {
        Owners {
            users: table(Path::new("/etc/passwd")),
            groups: table(Path::new("/etc/group")),
        }
    }

    pub(crate) fn user(&self, uid: u64) -> Vec<u8> {
        self.users.get(&uid).cloned().unwrap_or_default()
    }

    pub(crate) fn group(&self, gid: u64) -> Vec<u8> {
        self.groups.get(&gid).cloned().unwrap_or_default()
    }

    /// The number that this host has for a user's name.
    pub(crate) fn uid(&self, name: &[u8]) -> Option<u64> {
        number(&self.users, name)
    }

    /// The number that this host has for a group's name.
    pub(crate) fn gid(&self, name: &[u8]) -> Option<u64> {
        number(&self.groups, name)
    }
}

fn number(table: &HashMap<u64, Vec<u8>>, name: &[u8]) -> Option<u64> {
    let found = table.iter().find(|(_, known)| known.as_slice() == name);
    found.map(|(number, _)| *number)
}

/// `NAME:PASSWORD:NUMBER:…`; of several names for a number the first counts.
fn table(path: &Path) -> HashMap<u64, Vec<u8>> {
    let text = fsx::read_to_string(path).unwrap_or_default();
    let mut names = HashMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        let name = fields.next().unwrap_or_default();
        if let Some(number) = fields.nth(1).and_then(|field| field.parse().ok()) {
            names
                .entry(number)
                .or_insert_with(|| name.as_bytes().to_vec());
        }
    }
    names
}
