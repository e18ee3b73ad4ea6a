//! Files that the archive does not have get a second name in the new tree, so that they are still
//! there after the exchange: the very same files, with everything that programs have open.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use elpis_run::FsError;
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, Timespec, Timestamps, XattrFlags,
};
use rustix::fs::{fchmod, fchown, fsetxattr, fstat, futimens, linkat, mkdirat, openat, statat};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use crate::files::xattrs;

/// Gives what lies in `old` and not in `new` a name in `new` as well, and returns how many files
/// and directories that were. Called again, it does the rest.
pub(super) fn keep(old: &Path, new: &Path) -> Result<u64, FsError> {
    let open_at = |path: &Path| {
        openat(CWD, path, DIRECTORY, Mode::empty())
            .map_err(|errno| FsError::new("open directory", path, errno.into()))
    };
    let (from, to) = (open_at(old)?, open_at(new)?);
    let device = fstat(&from)
        .map_err(|errno| FsError::new("look at", old, errno.into()))?
        .st_dev;
    let mut kept = Kept { device, count: 0 };
    kept.merge(&from, &to, old)?;
    Ok(kept.count)
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

struct Kept {
    device: u64,
    count: u64,
}

impl Kept {
    fn merge(&mut self, from: &OwnedFd, to: &OwnedFd, path: &Path) -> Result<(), FsError> {
        let fail = |doing| move |errno: Errno| FsError::new(doing, path, errno.into());
        let before = fstat(to).map_err(fail("look at"))?;
        let mut added = false;
        for name in names(from).map_err(fail("read directory"))? {
            added |= self.entry(from, to, &name, &path.join(&name))?;
        }
        if added {
            // A directory that the archive has keeps the time that the archive says.
            futimens(to, &times(&before)).map_err(fail("set the time of"))?;
        }
        Ok(())
    }

    /// Whether `to` got a new name.
    fn entry(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        name: &OsStr,
        path: &Path,
    ) -> Result<bool, FsError> {
        let fail = |doing| move |errno: Errno| FsError::new(doing, path, errno.into());
        let old = match statat(from, name, AtFlags::SYMLINK_NOFOLLOW) {
            // Somebody took it away in between.
            Err(Errno::NOENT) => return Ok(false),
            other => other.map_err(fail("look at"))?,
        };
        let new = match statat(to, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Some(found),
            Err(Errno::NOENT) => None,
            Err(errno) => return Err(fail("look for the restored")(errno)),
        };
        let is_dir = |stat: &Stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let mut added = false;
        match (is_dir(&old), new) {
            (true, new) => {
                if old.st_dev != self.device {
                    return Err(fail("keep another file system that is mounted at")(
                        Errno::XDEV,
                    ));
                }
                if new.as_ref().is_some_and(|new| !is_dir(new)) {
                    return Ok(false);
                }
                let inner = openat(from, name, DIRECTORY, Mode::empty());
                let inner = inner.map_err(fail("open directory"))?;
                if new.is_none() {
                    mkdirat(to, name, Mode::RWXU).map_err(fail("make a copy of directory"))?;
                    added = true;
                }
                let copy = openat(to, name, DIRECTORY, Mode::empty());
                let copy = copy.map_err(fail("open the copy of directory"))?;
                self.merge(&inner, &copy, path)?;
                if added {
                    dress(&inner, &copy).map_err(fail("copy owner and mode of"))?;
                    self.count += 1;
                }
            }
            (false, Some(_)) => {}
            (false, None) => match linkat(from, name, to, name, AtFlags::empty()) {
                Ok(()) => {
                    self.count += 1;
                    added = true;
                }
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(fail("give a second name to")(errno)),
            },
        }
        Ok(added)
    }
}

/// Gives a directory owner, attributes, mode and time of another.
pub(super) fn dress(from: &impl AsFd, to: &impl AsFd) -> Result<(), Errno> {
    let stat = fstat(from)?;
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    match fchown(to, Some(uid), Some(gid)) {
        // Who is not root keeps what is their own.
        Err(Errno::PERM) => {}
        other => other?,
    }
    for (name, value) in xattrs(from).unwrap_or_default() {
        // The file system is the same; what it does not take from us, it has from its own rules.
        let _ = fsetxattr(to, name.as_slice(), &value, XattrFlags::empty());
    }
    fchmod(to, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    futimens(to, &times(&stat))
}

#[expect(clippy::unnecessary_cast, reason = "the fields differ between targets")]
fn times(stat: &Stat) -> Timestamps {
    let time = Timespec {
        tv_sec: stat.st_mtime as i64,
        tv_nsec: stat.st_mtime_nsec as _,
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

fn names(dir: &OwnedFd) -> Result<Vec<OsString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    Ok(names)
}
