//! Paths of a system that is not the running one.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// More links than this in one path are a circle, as for the kernel.
const MOST_LINKS: usize = 40;

/// Where `path` of the system whose root is `root` (`/`, or the root of an image) lies. Links are
/// followed as that system would: an absolute one begins at `root`, and none leads out of it. A
/// relative path begins at `root` too, unless that is `/`.
pub fn below(root: &Path, path: &Path) -> PathBuf {
    if root == Path::new("/") {
        return path.to_owned();
    }
    let mut inside = PathBuf::new();
    let mut left = reversed(path);
    let mut links = 0;
    while let Some(part) = left.pop() {
        if part == "/" {
            inside = PathBuf::new();
        } else if part == ".." {
            inside.pop();
        } else {
            match root.join(&inside).join(&part).read_link() {
                Ok(target) if links < MOST_LINKS => {
                    links += 1;
                    left.extend(reversed(&target));
                }
                _ => inside.push(part),
            }
        }
    }
    root.join(inside)
}

fn reversed(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev();
    let parts = parts.filter(|part| !matches!(part, Component::CurDir));
    parts.map(|part| part.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_link_leads_out_of_an_image() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for made in ["etc/pandora", "opt/real", "usr/bin"] {
            let mut directories = std::fs::DirBuilder::new();
            directories.recursive(true).create(root.join(made)).unwrap();
        }
        symlink("/opt/real", root.join("etc/absolute")).unwrap();
        symlink("usr/bin", root.join("bin")).unwrap();
        symlink("../../../../../opt/real", root.join("etc/pandora/up")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        for (path, wanted) in [
            ("/etc/pandora/none.conf", "etc/pandora/none.conf"),
            ("etc/./pandora", "etc/pandora"),
            ("/etc/absolute/x", "opt/real/x"),
            ("/bin/sh", "usr/bin/sh"),
            ("/etc/pandora/up/x", "opt/real/x"),
            ("/../../etc", "etc"),
        ] {
            assert_eq!(below(root, path.as_ref()), root.join(wanted), "{path}");
        }
        assert!(below(root, "/loop/x".as_ref()).starts_with(root));
        let host = below("/".as_ref(), "a/../b".as_ref());
        assert_eq!(host, Path::new("a/../b"));
    }
}
