//! `fsx`: durable writes, private files, errors that say where.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use elpis_run::fsx;

pub(crate) fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

pub(crate) fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(crate) fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_durable_write_replaces_the_file_its_mode_and_not_what_a_link_points_to() {
    let dir = tempfile::tempdir().unwrap();
    let (kept, path) = (dir.path().join("kept"), dir.path().join("out"));
    fs::write(&kept, "kept").unwrap();
    symlink(&kept, &path).unwrap();
    fsx::write_durable(&path, b"one", 0o600).unwrap();
    assert_eq!(
        (fs::read(&path).unwrap(), mode(&path)),
        (b"one".to_vec(), 0o600)
    );
    // More than the usual umask leaves.
    fsx::write_durable(&path, b"two", 0o666).unwrap();
    assert_eq!(
        (fsx::read_to_string(&path).unwrap().as_str(), mode(&path)),
        ("two", 0o666)
    );
    assert_eq!(fs::read(&kept).unwrap(), b"kept");
    assert_eq!(names(dir.path()), ["kept", "out"]);
}

#[test]
fn a_failed_durable_write_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("is-a-directory");
    fs::create_dir(&path).unwrap();
    let error = fsx::write_durable(&path, b"x", 0o600).unwrap_err();
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );
    assert_eq!(names(dir.path()), ["is-a-directory"]);
}

#[test]
fn every_error_names_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let gone = dir.path().join("gone/file");
    let file = dir.path().join("file");
    fs::write(&file, [0xff]).unwrap();
    let below_a_file = file.join("dir");
    let errors = [
        (fsx::read_to_string(&gone).unwrap_err(), &gone),
        (fsx::read_to_string(&file).unwrap_err(), &file),
        (fsx::open_private(&gone).unwrap_err(), &gone),
        (fsx::create_private_dir(&file).unwrap_err(), &file),
        (fsx::create_private_dir(&below_a_file).unwrap_err(), &file),
    ];
    for (error, path) in errors {
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
        assert!(!error.to_string().contains('\n'));
    }
    let error = fsx::write_durable(&gone, b"", 0o600).unwrap_err();
    assert!(error.path.starts_with(gone.parent().unwrap()), "{error}");
}

#[test]
fn a_private_dir_is_private_and_its_parents_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/c");
    fsx::create_private_dir(&path).unwrap();
    fsx::create_private_dir(&path).unwrap();
    assert_eq!(mode(&path), 0o700);
    assert_ne!(mode(&dir.path().join("a/b")), 0o700);
    chmod(&path, 0o755);
    fsx::create_private_dir(&path).unwrap();
    for writable in [0o770, 0o757, 0o1777] {
        chmod(&path, writable);
        fsx::create_private_dir(&path).unwrap_err();
    }
}

#[test]
fn a_private_file_is_ours_alone_and_no_link() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("private");
    drop(fsx::open_private(&path).unwrap());
    assert_eq!(mode(&path), 0o600);
    let link = dir.path().join("link");
    symlink(&path, &link).unwrap();
    fsx::open_private(&link).unwrap_err();
    fsx::open_private(dir.path()).unwrap_err();
    chmod(&path, 0o640);
    let error = fsx::open_private(&path).unwrap_err();
    assert!(
        error.source.to_string().contains("0640"),
        "{}",
        error.source
    );
}

#[test]
fn any_bytes_are_read_and_the_free_space_is_told_with_the_path_in_errors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("latin1");
    std::fs::write(&path, b"se\xf1or").unwrap();
    assert_eq!(fsx::read(&path).unwrap(), b"se\xf1or");
    let (free, total) = fsx::space(dir.path()).unwrap();
    assert!(free <= total && total > 0, "{free} of {total}");
    let missing = dir.path().join("missing");
    for error in [
        fsx::read(&missing).unwrap_err(),
        fsx::space(&missing).unwrap_err(),
    ] {
        assert!(error.to_string().contains("missing"), "{error}");
    }
}
