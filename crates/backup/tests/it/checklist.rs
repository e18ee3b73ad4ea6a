//! The tests that docs/backup-checklist.md names are there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every file of Rust below `dir`.
fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false if path.extension().is_some_and(|end| end == "rs") => found.push(path),
            false => {}
        }
    }
}

/// Whether a test of that name is in a file of that module: `a/b.rs` or below `a/b` for `a::b`.
fn is_there(files: &[(PathBuf, String)], module: &str, test: &str) -> bool {
    let path = module.replace("::", "/");
    let (file, dir) = (format!("/{path}.rs"), format!("/{path}/"));
    files.iter().any(|(found, text)| {
        let found = found.to_string_lossy();
        (found.ends_with(&file) || found.contains(&dir)) && text.contains(&format!("fn {test}("))
    })
}

#[test]
fn every_test_of_the_checklist_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let places = BTreeMap::from([
        ("dump", &["crates/backup/tests/dump"][..]),
        ("backup", &["crates/backup/tests/it"]),
        ("cli", &["crates/cli/tests/it"]),
        ("unit", &["crates/backup/src", "crates/cli/src"]),
    ]);
    let files: BTreeMap<&str, Vec<(PathBuf, String)>> = places
        .into_iter()
        .map(|(kind, dirs)| {
            let mut found = Vec::new();
            dirs.iter()
                .for_each(|dir| sources(&root.join(dir), &mut found));
            let read = found.into_iter().map(|path| {
                let text = std::fs::read_to_string(&path).unwrap();
                (path, text)
            });
            (kind, read.collect())
        })
        .collect();
    let text = std::fs::read_to_string(root.join("docs/backup-checklist.md")).unwrap();
    let (mut count, mut missing) = (0, Vec::new());
    for name in text.split('`').skip(1).step_by(2) {
        let Some((kind, rest)) = name.split_once("::") else {
            continue;
        };
        let Some((module, test)) = rest.rsplit_once("::") else {
            assert!(rest.is_empty(), "{name} names no test");
            continue;
        };
        count += 1;
        if !is_there(&files[kind], module, test) {
            missing.push(name);
        }
    }
    assert!(count > 60, "{count}");
    assert!(missing.is_empty(), "{missing:#?}");
}
