//! Bringing one of two trees to its place, whatever was done of it before.

use std::path::Path;

use elpis_run::FsError;
use rustix::fs::{CWD, Mode, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::record::{Found, Slot, look};

/// Why a place does not have what it should have.
#[derive(Debug)]
pub(super) enum Unsettled {
    /// A rename failed.
    Fs(FsError),
    /// Neither tree is where it should be.
    Replaced,
}

impl From<FsError> for Unsettled {
    fn from(error: FsError) -> Self {
        Unsettled::Fs(error)
    }
}

impl Slot {
    /// Puts what was restored into the place.
    pub(super) fn put_new(&self) -> Result<(), Unsettled> {
        self.settle(Some(self.new), self.before)
    }

    /// Puts what was there before into the place.
    pub(super) fn put_back(&self) -> Result<(), Unsettled> {
        self.settle(self.before, Some(self.new))
    }

    /// Makes `wanted` lie at the place and `other` in the slot. Looks first, so that it can be
    /// called again after a crash at any point.
    fn settle(&self, wanted: Found, other: Found) -> Result<(), Unsettled> {
        let (place, kept, aside) = (&self.place, &self.kept(), &self.aside());
        // The two renames of a file system that cannot exchange, cut short.
        if look(aside).is_some() {
            if look(place).is_none() {
                let from = if look(aside) == wanted { aside } else { kept };
                rename(from, place)?;
            }
            if look(aside).is_some() && look(kept).is_none() {
                rename(aside, kept)?;
            }
        }
        match (look(place), look(kept)) {
            (now, _) if now == wanted && now.is_some() => {}
            (None, None) if wanted.is_none() => {}
            (None, mine) if wanted.is_none() && mine == other => {}
            (now, None) if wanted.is_none() && now == other => rename(place, kept)?,
            (None, mine) if mine == wanted => rename(kept, place)?,
            (now, mine) if now == other && mine == wanted => exchange(place, kept, aside)?,
            _ => return Err(Unsettled::Replaced),
        }
        sync(&self.dir)?;
        if let Some(parent) = place.parent() {
            sync(parent)?;
        }
        Ok(())
    }
}

/// Exchanges two names, in one act where the file system can.
fn exchange(place: &Path, kept: &Path, aside: &Path) -> Result<(), FsError> {
    match renameat_with(CWD, kept, CWD, place, RenameFlags::EXCHANGE) {
        Err(Errno::INVAL | Errno::NOSYS) => {
            rename(place, aside)?;
            rename(kept, place)?;
            rename(aside, kept)
        }
        other => other.map_err(|errno| FsError::new("exchange", place, errno.into())),
    }
}

/// Renames unless the new name is taken.
fn rename(from: &Path, to: &Path) -> Result<(), FsError> {
    let fail = |errno: Errno| FsError::new("rename to", to, errno.into());
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => {
            if look(to).is_some() {
                return Err(fail(Errno::EXIST));
            }
            rustix::fs::rename(from, to).map_err(fail)
        }
        other => other.map_err(fail),
    }
}

/// Makes the names of a directory durable.
pub(super) fn sync(dir: &Path) -> Result<(), FsError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(dir, flags, Mode::empty())
        .and_then(rustix::fs::fsync)
        .map_err(|errno| FsError::new("sync directory", dir, errno.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use elpis_run::fsx;

    /// A place and a slot with one tree each, told apart by the file in them.
    fn slot(dir: &Path, exists: bool) -> Slot {
        let (place, slot) = (dir.join("place"), dir.join("slot"));
        let tree = |path: &Path, name: &str| {
            fsx::create_private_dir(path).unwrap();
            fsx::write_durable(&path.join(name), b"", 0o600).unwrap();
        };
        tree(&slot.join("tree"), "new");
        if exists {
            tree(&place, "old");
        }
        Slot {
            new: look(&slot.join("tree")).unwrap(),
            before: look(&place),
            dir: slot,
            place,
        }
    }

    fn has(slot: &Slot, name: &str) -> bool {
        slot.place.join(name).exists()
    }

    #[test]
    fn there_and_back_as_often_as_one_likes() {
        for exists in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            let slot = slot(dir.path(), exists);
            for _ in 0..2 {
                slot.put_new().unwrap();
                slot.put_new().unwrap();
                assert!(has(&slot, "new") && !has(&slot, "old"));
                assert_eq!(look(&slot.kept()), slot.before);
                slot.put_back().unwrap();
                slot.put_back().unwrap();
                assert_eq!((has(&slot, "old"), has(&slot, "new")), (exists, false));
                assert_eq!(look(&slot.kept()), Some(slot.new));
            }
        }
    }

    /// Every point at which the three renames can be cut, and both ways on from there.
    #[test]
    fn an_exchange_in_steps_is_finished_or_taken_back_from_every_point() {
        for cut in 0..=3 {
            for forward in [true, false] {
                let dir = tempfile::tempdir().unwrap();
                let slot = slot(dir.path(), true);
                let aside = slot.aside();
                let steps = [
                    (&slot.place, &aside),
                    (&slot.kept(), &slot.place),
                    (&aside, &slot.kept()),
                ];
                for (from, to) in &steps[..cut] {
                    rename(from, to).unwrap();
                }
                if forward {
                    slot.put_new().unwrap();
                } else {
                    slot.put_back().unwrap();
                }
                assert_eq!((has(&slot, "new"), has(&slot, "old")), (forward, !forward));
                assert!(
                    look(&aside).is_none() && look(&slot.kept()).is_some(),
                    "{cut}"
                );
            }
        }
    }

    #[test]
    fn what_somebody_else_put_there_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let slot = slot(dir.path(), true);
        rename(&slot.place, &dir.path().join("moved")).unwrap();
        fsx::create_private_dir(&slot.place).unwrap();
        assert!(matches!(slot.put_new(), Err(Unsettled::Replaced)));
        assert!(matches!(slot.put_back(), Err(Unsettled::Replaced)));
    }
}
