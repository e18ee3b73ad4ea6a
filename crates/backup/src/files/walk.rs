//! Going through a tree by handles, never by names: a directory that somebody replaces by a link
//! meanwhile leads nowhere.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, open, openat, statat};

use super::pattern::Pattern;
use crate::archive::MemberPath;

/// Device and number of a file: what it is, whatever it is called.
pub(crate) type Identity = (u64, u64);

/// What the walk comes by.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) member: MemberPath,
    /// Where it lies, for messages.
    pub(crate) path: PathBuf,
    pub(crate) stat: Stat,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    /// Opened for reading its attributes.
    Directory(Rc<OwnedFd>),
    File(Place),
    Symlink(Place),
    /// A socket, pipe or device.
    Special,
}

/// A name in an open directory.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) parent: Rc<OwnedFd>,
    pub(crate) name: OsString,
}

/// Something that could not be looked at.
#[derive(Debug)]
pub(crate) struct WalkError {
    pub(crate) path: PathBuf,
    pub(crate) doing: &'static str,
    pub(crate) source: io::Error,
}

/// One directory on the way down.
struct Level {
    handle: Rc<OwnedFd>,
    member: MemberPath,
    path: PathBuf,
    names: VecDeque<OsString>,
}

/// Goes through what lies at a path, directories before their content, names in byte order.
pub(crate) struct Walk<'a> {
    root: MemberPath,
    exclude: &'a [Pattern],
    /// A directory that is passed over: the one where backups lie.
    skip: Option<Identity>,
    start: Option<PathBuf>,
    levels: Vec<Level>,
}

impl<'a> Walk<'a> {
    /// Prepares to go through `path`, which is absolute, and becomes `root` in the archive.
    pub(crate) fn new(
        path: &Path,
        root: MemberPath,
        exclude: &'a [Pattern],
        skip: Option<Identity>,
    ) -> Walk<'a> {
        Walk {
            root,
            exclude,
            skip,
            start: Some(path.to_owned()),
            levels: Vec::new(),
        }
    }

    fn begin(&mut self, path: PathBuf) -> Result<Option<Node>, WalkError> {
        let fail = |source: rustix::io::Errno| WalkError {
            path: path.clone(),
            doing: "look at",
            source: source.into(),
        };
        // The root alone may be a link: the operator named it, and means what it leads to.
        let parent = path.parent().unwrap_or(Path::new("/"));
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let mut handle = open(parent, flags | OFlags::DIRECTORY, Mode::empty()).map_err(fail)?;
        let mut name = path.file_name().unwrap_or(OsStr::new(".")).to_owned();
        let target = std::fs::canonicalize(&path).map_err(|source| WalkError {
            path: path.clone(),
            doing: "look at",
            source,
        })?;
        if let (Some(real_parent), Some(real_name)) = (target.parent(), target.file_name()) {
            handle = open(real_parent, flags | OFlags::DIRECTORY, Mode::empty()).map_err(fail)?;
            name = real_name.to_owned();
        }
        let member = self.root.clone();
        self.look(Rc::new(handle), name, member, path)
    }

    /// Looks at one name; a directory is entered.
    fn look(
        &mut self,
        parent: Rc<OwnedFd>,
        name: OsString,
        member: MemberPath,
        path: PathBuf,
    ) -> Result<Option<Node>, WalkError> {
        let fail = |doing, source: rustix::io::Errno| WalkError {
            path: path.clone(),
            doing,
            source: source.into(),
        };
        let stat = statat(&*parent, &name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| fail("look at", errno))?;
        let what = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => What::File(Place { parent, name }),
            FileType::Symlink => What::Symlink(Place { parent, name }),
            FileType::Directory => {
                if self.skip == Some(identity(&stat)) {
                    return Ok(None);
                }
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let handle = openat(&*parent, &name, flags, Mode::empty())
                    .map_err(|errno| fail("open directory", errno))?;
                let stat = fstat(&handle).map_err(|errno| fail("look at", errno))?;
                let names = names(&handle).map_err(|errno| fail("read directory", errno))?;
                let handle = Rc::new(handle);
                self.levels.push(Level {
                    handle: Rc::clone(&handle),
                    member: member.clone(),
                    path: path.clone(),
                    names,
                });
                return Ok(Some(Node {
                    member,
                    path,
                    stat,
                    what: What::Directory(handle),
                }));
            }
            _ => What::Special,
        };
        Ok(Some(Node {
            member,
            path,
            stat,
            what,
        }))
    }

    fn is_excluded(&self, member: &MemberPath) -> bool {
        let below = &member.as_bytes()[self.root.as_bytes().len()..];
        let below = below.strip_prefix(b"/").unwrap_or(below);
        self.exclude.iter().any(|pattern| pattern.matches(below))
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<Node, WalkError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(start) = self.start.take()
            && let Some(item) = self.begin(start).transpose()
        {
            return Some(item);
        }
        loop {
            let level = self.levels.last_mut()?;
            let Some(name) = level.names.pop_front() else {
                self.levels.pop();
                continue;
            };
            let path = level.path.join(&name);
            let member = match level.member.join(&name) {
                Ok(member) => member,
                Err(why) => {
                    let source = io::Error::new(io::ErrorKind::InvalidFilename, why);
                    return Some(Err(WalkError {
                        path,
                        doing: "store",
                        source,
                    }));
                }
            };
            let parent = Rc::clone(&level.handle);
            if self.is_excluded(&member) {
                continue;
            }
            if let Some(item) = self.look(parent, name, member, path).transpose() {
                return Some(item);
            }
        }
    }
}

impl Node {
    /// Bytes of a file, holes left out; 0 for everything else.
    pub(crate) fn stored_bytes(&self) -> u64 {
        match self.what {
            What::File(_) => {
                let blocks = self.stat.st_blocks.unsigned_abs().saturating_mul(512);
                self.stat.st_size.unsigned_abs().min(blocks.max(4096))
            }
            _ => 0,
        }
    }
}

/// The names in a directory, in byte order.
fn names(directory: &OwnedFd) -> rustix::io::Result<VecDeque<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    names.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    Ok(names.into())
}

/// What a file is, whatever it is called.
#[expect(clippy::unnecessary_cast, reason = "the fields differ between targets")]
pub(crate) fn identity(stat: &Stat) -> Identity {
    (stat.st_dev as u64, stat.st_ino as u64)
}

impl Place {
    /// Opens the file for reading, if it is still the one that `stat` described.
    pub(crate) fn open(&self, stat: &Stat) -> io::Result<File> {
        // A pipe that took the file's place must not keep us waiting.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let quiet = openat(
            self.parent.as_fd(),
            &self.name,
            flags | OFlags::NOATIME,
            Mode::empty(),
        );
        // Only the owner may leave the access time alone.
        let file = match quiet {
            Err(rustix::io::Errno::PERM) => {
                openat(self.parent.as_fd(), &self.name, flags, Mode::empty())
            }
            other => other,
        }?;
        if identity(&fstat(&file)?) != identity(stat) {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "another file took its place",
            ));
        }
        Ok(file.into())
    }

    /// The target of a symbolic link.
    pub(crate) fn target(&self) -> io::Result<Vec<u8>> {
        let target = rustix::fs::readlinkat(self.parent.as_fd(), &self.name, Vec::new())?;
        Ok(target.into_bytes())
    }
}
