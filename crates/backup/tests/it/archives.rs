//! Ours is written, the stock tools read it; and the other way round.

use std::path::Path;

use elpis_backup::archive::{Container, Content, MemberPath};

use crate::support::{
    World, awkward_tree, compare, component, contents, extract, is_root, portrait, run, sh, write,
};

#[test]
fn gnu_tar_puts_back_everything_that_ours_keeps() {
    for container in Container::ALL {
        let mut world = World::new(container);
        awkward_tree(&world.tree());
        let report = world.backup().unwrap();
        assert!(
            report.complete && report.omissions.is_empty(),
            "{:?}",
            report.omissions
        );

        let out = world.dir.path().join("out");
        std::fs::create_dir(&out).unwrap();
        let tar = match container {
            Container::TarGz => "-xzf",
            Container::TarZst => "-xf",
        };
        let path = report.path.to_str().unwrap();
        // It takes times before 1970 and after today for mistakes, and puts them back.
        let quiet = "--warning=no-timestamp";
        let args = [
            "--xattrs",
            "--xattrs-include=*",
            "--same-permissions",
            quiet,
            tar,
            path,
        ];
        let output = run("tar", &args, &out);
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{output:?}"
        );
        compare(&portrait(&world.tree()), &portrait(&world.tree_in(&out)));

        use std::os::unix::fs::MetadataExt;
        let island = std::fs::metadata(world.tree_in(&out).join("sparse.img")).unwrap();
        assert!(island.blocks() * 512 < 1 << 20, "the hole is a hole again");
    }
}

#[test]
fn ours_puts_back_everything_that_it_keeps() {
    for container in Container::ALL {
        let mut world = World::new(container);
        awkward_tree(&world.tree());
        let report = world.backup().unwrap();
        let out = world.dir.path().join("out");
        let extracted = extract(&report.path, &out);
        assert_eq!(extracted.entries, report.members);
        if is_root() {
            assert_eq!(extracted.warnings, [""; 0]);
            compare(&portrait(&world.tree()), &portrait(&world.tree_in(&out)));
        }
        use std::os::unix::fs::MetadataExt;
        let island = std::fs::metadata(world.tree_in(&out).join("sparse.img")).unwrap();
        assert!(island.blocks() * 512 < 1 << 20, "the hole is a hole again");
    }
}

#[test]
fn the_stock_tools_find_every_frame_and_sum_right() {
    for (container, program) in [(Container::TarGz, "gzip"), (Container::TarZst, "zstd")] {
        let mut world = World::new(container);
        awkward_tree(&world.tree());
        let report = world.backup().unwrap();
        let path = report.path.to_str().unwrap();
        sh(program, &["-t", path], world.dir.path());
        sh(
            "sha256sum",
            &["--strict", "-c", "SHA256SUMS"],
            &world.store_dir(),
        );
        // 6 MB of noise are more than one frame.
        assert!(report.bytes > 6 << 20);
        let listed = sh("tar", &["-tf", path], world.dir.path());
        assert_eq!(listed.lines().count() as u64, report.members);
        assert_eq!(listed.lines().last(), Some(".elpis-backup/manifest.json"));
    }
}

#[test]
fn an_archive_and_its_notes_are_private() {
    use std::os::unix::fs::MetadataExt;
    let mut world = World::new(Container::TarGz);
    write(&world.tree().join("a"), b"a");
    let report = world.backup().unwrap();
    for entry in std::fs::read_dir(world.store_dir()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().mode() & 0o7777,
            0o600,
            "{entry:?}"
        );
    }
    assert_eq!(report.path.parent(), Some(world.store_dir().as_path()));
}

#[test]
fn the_manifest_says_what_blake3_and_the_file_system_say() {
    let mut world = World::new(Container::TarZst);
    awkward_tree(&world.tree());
    let report = world.backup().unwrap();
    let contents = contents(&report.path);
    let manifest = contents.manifest.unwrap();
    assert_eq!(manifest.members.len() as u64 + 1, report.members);
    let noise = std::fs::read(world.tree().join("noise.bin")).unwrap();
    let path = MemberPath::of_file(&world.tree().join("noise.bin")).unwrap();
    let record = manifest
        .members
        .iter()
        .find(|member| member.path == path)
        .unwrap();
    let expected = Content::File {
        size: noise.len() as u64,
        blake3: blake3::hash(&noise).to_string(),
        pieces: None,
        rows: None,
    };
    assert_eq!(record.content, expected);
    assert_eq!(
        (manifest.profile.as_str(), manifest.components.len()),
        ("test", 1)
    );
    assert_eq!(manifest.components[0].entries + 1, report.members);
}

/// `tar -h` as in the old script, GNU's and POSIX's format, with and without holes.
#[test]
fn archives_of_gnu_tar_are_read() {
    for options in [
        &["-S", "--format=gnu"][..],
        &["--format=gnu"],
        &["-S", "--format=posix", "--xattrs"],
        &["-S", "--format=posix", "--sparse-version=1.0"],
        &["--format=ustar", "--exclude=deep", "--exclude=long-link"],
        &["--format=gnu", "-h", "--exclude=dangling"],
    ] {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        awkward_tree(&tree);
        if options.contains(&"--format=ustar") {
            sh("touch", &["-d", "2001-01-01T00:00:00Z", "block.bin"], &tree);
        }
        let mut args = options.to_vec();
        args.extend(["-czf", "archive.tar.gz", "tree"]);
        sh("tar", &args, dir.path());
        let path = dir.path().join("archive.tar.gz");
        let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
        extract(&path, &ours);
        std::fs::create_dir(&theirs).unwrap();
        let args = [
            "-xzf",
            "../archive.tar.gz",
            "--same-permissions",
            "--xattrs",
        ];
        sh("tar", &args, &theirs);
        if is_root() {
            compare(&portrait(&theirs), &portrait(&ours));
        }
    }
}

#[test]
fn only_what_is_asked_for_is_extracted() {
    let mut world = World::new(Container::TarGz);
    write(&world.tree().join("a/b"), b"1");
    write(&world.tree().join("ab"), b"2");
    let report = world.backup().unwrap();
    let only = MemberPath::of_file(&world.tree().join("a")).unwrap();
    let out = world.dir.path().join("out");
    let how = elpis_backup::archive::Extract {
        only: &[only],
        outside_links: false,
        stop: &world.stop,
    };
    let mut archive = crate::support::verify(&report.path).unwrap();
    archive.extract(&out, &how).unwrap();
    let files = sh("find", &[".", "-type", "f"], &out);
    assert_eq!(files.lines().count(), 1);
    assert!(files.contains("/a/b"));
    let again = archive.extract(&out, &how).unwrap_err();
    assert!(
        again.to_string().contains("not an empty directory"),
        "{again}"
    );
    let nothing = MemberPath::new(b"no/such").unwrap();
    let how = elpis_backup::archive::Extract {
        only: &[nothing],
        ..how
    };
    let error = archive
        .extract(&world.dir.path().join("o2"), &how)
        .unwrap_err();
    assert!(error.to_string().contains("no/such"), "{error}");
    assert!(!world.dir.path().join("o2").exists());
}

#[test]
fn a_root_that_is_a_link_is_followed_and_others_are_not() {
    let mut world = World::new(Container::TarGz);
    let real = world.dir.path().join("real");
    write(&real.join("inside"), b"1");
    let link = world.dir.path().join("console");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    std::os::unix::fs::symlink("/etc", real.join("outside")).unwrap();
    world.profile.components = vec![component("console", &link)];
    let report = world.backup().unwrap();
    let members: Vec<String> = contents(&report.path)
        .members
        .iter()
        .map(|m| m.path.to_string())
        .collect();
    let under = |name: &str| {
        format!("{}/{name}", link.display())
            .trim_start_matches('/')
            .to_owned()
    };
    assert!(members.contains(&under("inside")), "{members:?}");
    assert!(!members.iter().any(|member| member.contains("outside/")));

    // A link that leads out is kept, and made again only when somebody says so.
    let out = world.dir.path().join("out");
    let mut archive = crate::support::verify(&report.path).unwrap();
    let mut how = elpis_backup::archive::Extract {
        only: &[],
        outside_links: false,
        stop: &world.stop,
    };
    let error = archive.extract(&out, &how).unwrap_err();
    assert!(error.to_string().contains("leads out"), "{error}");
    assert!(!out.exists());
    how.outside_links = true;
    archive.extract(&out, &how).unwrap();
    let made = out.join(under("outside"));
    assert_eq!(std::fs::read_link(made).unwrap(), Path::new("/etc"));
}
