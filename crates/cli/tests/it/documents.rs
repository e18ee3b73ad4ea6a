//! The tests that the documents name are there.

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
    let forms = ["(", "<"].map(|end| format!("fn {test}{end}"));
    files.iter().any(|(found, text)| {
        let found = found.to_string_lossy();
        let module = found.ends_with(&file) || found.contains(&dir);
        module && forms.iter().any(|form| text.contains(form))
    })
}

/// What stands before a test's module, and where its files are.
const PLACES: [(&str, &[&str]); 8] = [
    ("dump", &["crates/backup/tests/dump"]),
    ("backup", &["crates/backup/tests/it"]),
    ("cli", &["crates/cli/tests/it"]),
    ("core", &["crates/maint-core/tests/it"]),
    ("pandora", &["crates/pandora/tests/it"]),
    ("mysql", &["crates/mysql/tests/it"]),
    ("run", &["crates/run/tests/it"]),
    (
        "unit",
        &[
            "crates/backup/src",
            "crates/cli/src",
            "crates/maint-core/src",
            "crates/pandora/src",
        ],
    ),
];

#[test]
fn every_test_that_a_document_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |dirs: &[&str]| -> Vec<(PathBuf, String)> {
        let mut found = Vec::new();
        dirs.iter()
            .for_each(|dir| sources(&root.join(dir), &mut found));
        let text = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
        found
            .into_iter()
            .map(|path| (path.clone(), text(&path)))
            .collect()
    };
    let files: BTreeMap<&str, _> = PLACES.map(|(kind, dirs)| (kind, read(dirs))).into();
    for (document, many) in [("backup-checklist.md", 60), ("acceptance.md", 90)] {
        let text = std::fs::read_to_string(root.join("docs").join(document)).unwrap();
        let (mut count, mut missing) = (0, Vec::new());
        for name in text.split('`').skip(1).step_by(2) {
            let Some((kind, rest)) = name.split_once("::") else {
                continue;
            };
            // `cli::harness` and `core::` are places and no tests.
            let Some((module, test)) = rest.rsplit_once("::") else {
                continue;
            };
            count += 1;
            if !is_there(&files[kind], module, test) {
                missing.push(name);
            }
        }
        assert!(count > many, "{document}: {count}");
        assert!(missing.is_empty(), "{document}: {missing:#?}");
    }
}
