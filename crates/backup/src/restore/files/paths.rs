//! One file or directory of an archive's trees instead of whole trees.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::plan::FileRoot;
use crate::archive::MemberPath;

impl FileRoot {
    /// The part of `trees` that `path` means: as it was backed up, with or without the leading
    /// `/`, or, if it is absolute, where it would go now. It goes to its own place, or into the
    /// directory `to` under its own name. `None` if it is in none of them.
    pub fn part(trees: &[FileRoot], path: &Path, to: Option<&Path>) -> Option<FileRoot> {
        let as_archived = MemberPath::of_file(path).ok();
        let found = trees.iter().find_map(|tree| {
            let member = as_archived.clone()?;
            let place = match below(&member, &tree.member)? {
                [] => tree.place.clone(),
                rest => tree.place.join(OsStr::from_bytes(rest)),
            };
            Some((member, place))
        });
        let by_place = || {
            trees.iter().find_map(|tree| {
                let rest = path.strip_prefix(&tree.place).ok()?;
                let member = match rest.as_os_str().is_empty() {
                    true => tree.member.clone(),
                    false => tree.member.join(rest.as_os_str()).ok()?,
                };
                Some((member, path.to_owned()))
            })
        };
        let (member, place) = found.or_else(by_place)?;
        let place = match to {
            Some(to) => to.join(place.file_name()?),
            None => place,
        };
        Some(FileRoot {
            component: member.to_string(),
            member,
            place,
        })
    }
}

/// What of `member` is below `tree`; nothing if it is not.
fn below<'m>(member: &'m MemberPath, tree: &MemberPath) -> Option<&'m [u8]> {
    let at = tree.as_bytes().len();
    let rest = member.is_within(tree).then(|| &member.as_bytes()[at..])?;
    Some(rest.strip_prefix(b"/").unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(path: &str, to: Option<&str>) -> Option<(String, String)> {
        let tree = |member: &str, place: &str| FileRoot {
            component: "c".to_owned(),
            member: MemberPath::of_file(member.as_ref()).unwrap(),
            place: place.into(),
        };
        let trees = [
            tree("/var/www/console", "/opt/console"),
            tree("/etc/p", "/etc/p"),
        ];
        let root = FileRoot::part(&trees, path.as_ref(), to.map(Path::new))?;
        assert_eq!(root.component, root.member.to_string());
        Some((root.component, root.place.display().to_string()))
    }

    #[test]
    fn a_path_is_found_as_it_was_and_as_it_is() {
        let is = |member: &str, place: &str| Some((member.to_owned(), place.to_owned()));
        let moved = is("var/www/console/a/b", "/opt/console/a/b");
        assert_eq!(part("/var/www/console/a/b", None), moved);
        assert_eq!(part("var/www/console/./a//b", None), moved);
        assert_eq!(part("/opt/console/a/b", None), moved);
        assert_eq!(
            part("/opt/console", None),
            is("var/www/console", "/opt/console")
        );
        assert_eq!(part("etc/p/x", Some("/t")), is("etc/p/x", "/t/x"));
        for none in ["/", "/etc", "/etc/pp", "/opt/console/../x", "x", ""] {
            assert_eq!(part(none, None), None, "{none}");
        }
    }
}
