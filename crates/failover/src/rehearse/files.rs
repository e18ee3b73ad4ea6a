//! The files of a simulated unit.

use std::collections::BTreeMap;

/// What is in a file. A package of a gigabyte is only a size and a digest.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Bytes(Vec<u8>),
    Package { size: u64, sha512: String },
}

#[derive(Debug, Clone)]
pub(super) struct File {
    pub inode: u64,
    /// Seconds since the epoch.
    pub modified: i64,
    pub content: Content,
}

impl File {
    pub(super) fn size(&self) -> u64 {
        match &self.content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Package { size, .. } => *size,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match &self.content {
            Content::Bytes(bytes) => bytes,
            Content::Package { .. } => &[],
        }
    }
}

/// All files by path; directories exist when something is in them.
#[derive(Debug, Default)]
pub(super) struct Files {
    files: BTreeMap<String, File>,
    last_inode: u64,
}

impl Files {
    pub(super) fn get(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// A new file with a new inode in the place of any old one.
    pub(super) fn create(&mut self, path: &str, content: Content, now: i64) {
        self.last_inode += 1;
        let file = File {
            inode: 131_000 + self.last_inode,
            modified: now,
            content,
        };
        self.files.insert(path.to_owned(), file);
    }

    /// Appends to a file, or begins it.
    pub(super) fn append(&mut self, path: &str, bytes: &[u8], now: i64) {
        match self.files.get_mut(path) {
            Some(File {
                content: Content::Bytes(content),
                modified,
                ..
            }) => {
                content.extend_from_slice(bytes);
                *modified = now;
            }
            _ => self.create(path, Content::Bytes(bytes.to_vec()), now),
        }
    }

    pub(super) fn remove(&mut self, path: &str) -> bool {
        self.files.remove(path).is_some()
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> bool {
        match self.files.remove(from) {
            Some(file) => {
                self.files.insert(to.to_owned(), file);
                true
            }
            None => false,
        }
    }

    /// Names and files directly in a directory.
    pub(super) fn list(&self, directory: &str) -> Vec<(String, &File)> {
        let prefix = format!("{}/", directory.trim_end_matches('/'));
        self.files
            .iter()
            .filter_map(|(path, file)| {
                let name = path.strip_prefix(&prefix)?;
                (!name.contains('/')).then(|| (name.to_owned(), file))
            })
            .collect()
    }
}
