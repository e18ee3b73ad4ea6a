//! Archives that are broken or meant to harm: all of them are refused, and nothing is written.

use std::io::Write;
use std::path::{Path, PathBuf};

use elpis_backup::archive::{ArchiveReader, Container, ReadLimits, Verify};
use elpis_backup::restore::SqlText;
use elpis_run::StopToken;
use tar::{Builder, EntryType};

use crate::support::{World, awkward_tree, problems, rounds, verify, write};
use crate::tars::{gz, header, link, put};

/// A directory with a tar in gzip, made by hand.
struct Made {
    dir: tempfile::TempDir,
    path: PathBuf,
}

fn made(build: impl FnOnce(&mut Builder<Vec<u8>>)) -> Made {
    let mut builder = Builder::new(Vec::new());
    build(&mut builder);
    from_bytes(&gz(&builder.into_inner().unwrap()))
}

fn from_bytes(bytes: &[u8]) -> Made {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x_backup_2026-01-01-00-00-00.tar.gz");
    std::fs::write(&path, bytes).unwrap();
    Made { dir, path }
}

impl Made {
    /// Refused, for a reason that has `why` in it, and without a trace on disk.
    #[track_caller]
    fn is_refused(&self, why: &str) {
        let said = problems(&self.path);
        assert!(said.contains(why), "{said}");
        assert!(!said.contains('\x1b'), "{said}");
        assert_eq!(std::fs::read_dir(self.dir.path()).unwrap().count(), 1);
    }
}

#[test]
fn names_that_lead_elsewhere() {
    for (name, why) in [
        ("/etc/cron.d/x", "absolute"),
        ("../x", ".."),
        ("a/../../x", ".."),
        ("a/..", ".."),
        ("", "empty"),
        ("\x1b]0;owned\x07/../x", ".."),
    ] {
        made(|tar| put(tar, EntryType::Regular, name, b"x")).is_refused(why);
        made(|tar| put(tar, EntryType::Directory, &format!("{name}/"), b""))
            .is_refused(if name.is_empty() { "absolute" } else { why });
    }
}

#[test]
fn links_that_lead_elsewhere() {
    made(|tar| link(tar, EntryType::Symlink, "x", "/etc")).is_refused("leads out");
    made(|tar| link(tar, EntryType::Symlink, "a/x", "../../etc")).is_refused("leads out");
    made(|tar| {
        link(tar, EntryType::Symlink, "x", "y");
        put(tar, EntryType::Regular, "x/passwd", b"root");
    })
    .is_refused("below a link");
    made(|tar| {
        link(tar, EntryType::Symlink, "x", "y");
        put(tar, EntryType::Regular, "x", b"root");
    })
    .is_refused("another member of that name");
    made(|tar| link(tar, EntryType::Link, "x", "/etc/passwd")).is_refused("absolute");
    made(|tar| link(tar, EntryType::Link, "x", "../passwd")).is_refused("..");
    made(|tar| link(tar, EntryType::Link, "x", "y")).is_refused("no file before it");
    made(|tar| {
        link(tar, EntryType::Symlink, "y", "z");
        link(tar, EntryType::Link, "x", "y");
    })
    .is_refused("no file before it");
}

#[test]
fn kinds_that_no_backup_has() {
    for kind in [
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::new(b'V'),
    ] {
        made(|tar| put(tar, kind, "x", b"")).is_refused("member x is refused");
    }
    made(|tar| put(tar, EntryType::Directory, "x/", b"data")).is_refused("has data");
}

#[test]
fn names_that_are_there_twice() {
    made(|tar| {
        put(tar, EntryType::Regular, "a", b"1");
        put(tar, EntryType::Regular, "./a", b"2");
    })
    .is_refused("another member of that name");
    made(|tar| {
        put(tar, EntryType::Regular, "a", b"1");
        put(tar, EntryType::Regular, "a/b", b"2");
    })
    .is_refused("below a file");
    made(|tar| {
        put(tar, EntryType::Regular, "a/b", b"2");
        put(tar, EntryType::Regular, "a", b"1");
    })
    .is_refused("another member of that name");
    made(|tar| {
        put(tar, EntryType::Regular, "one.sql", b"-- Dump completed\n");
        put(tar, EntryType::Regular, "two.sql", b"-- Dump completed\n");
    })
    .is_refused("second dump");
}

#[test]
fn dumps_that_were_cut_off() {
    for (text, whole) in [
        ("", false),
        ("INSERT INTO t VALUES (1", false),
        ("INSERT INTO t VALUES ('-- Dump completed\n');\n", false),
        ("-- Dump completed on 2026-01-01  0:00:00\n", true),
        ("SELECT 1;\n-- Dump completed\n\n", true),
    ] {
        let made = made(|tar| put(tar, EntryType::Regular, "p_backup.sql", text.as_bytes()));
        if whole {
            assert_eq!(verify(&made.path).unwrap().contents().dumps.len(), 1);
        } else {
            made.is_refused("cut off");
        }
    }
}

#[test]
fn headers_that_ask_for_too_much() {
    // A long name of 3 GB, a map of holes without end, a size beyond numbers.
    let huge = header(EntryType::GNULongName, "././@LongLink", 3 << 30);
    from_bytes(&gz(huge.as_bytes())).is_refused("bytes of headers");
    let huge = header(EntryType::XHeader, "x", 5 << 20);
    from_bytes(&gz(huge.as_bytes())).is_refused("bytes of headers");
    made(|tar| {
        tar.append_pax_extensions([("size", b"99999999999999999999".as_slice())])
            .unwrap();
        put(tar, EntryType::Regular, "x", b"");
    })
    .is_refused("number");
    made(|tar| {
        tar.append_pax_extensions([
            ("GNU.sparse.major", b"1".as_slice()),
            ("GNU.sparse.realsize", b"9"),
        ])
        .unwrap();
        put(tar, EntryType::Regular, "x", &[b'1'; 512 * 4]);
    })
    .is_refused("map of holes");
    made(|tar| {
        tar.append_pax_extensions([
            ("GNU.sparse.major", b"1".as_slice()),
            ("GNU.sparse.realsize", b"9"),
        ])
        .unwrap();
        let mut data = b"2\n4\n4\n0\n4\n".to_vec();
        data.resize(512 + 8, 0);
        put(tar, EntryType::Regular, "x", &data);
    })
    .is_refused("map of its holes");
}

#[test]
fn records_that_rename_every_member() {
    made(|tar| {
        let record = b"17 path=somewhere\n";
        put(tar, EntryType::XGlobalHeader, "g", record);
        put(tar, EntryType::Regular, "x", b"1");
    })
    .is_refused("extended header");
    made(|tar| {
        put(tar, EntryType::XGlobalHeader, "g", b"18 path=somewhere\n");
        put(tar, EntryType::Regular, "x", b"1");
    })
    .is_refused("header for all members");
}

#[test]
fn a_bomb_costs_neither_memory_nor_disk() {
    // 1 GB of zeros in one member: read in small pieces, refused by the bound on the whole.
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gz.write_all(header(EntryType::Regular, "bomb", 1 << 30).as_bytes())
        .unwrap();
    for _ in 0..1 << 10 {
        gz.write_all(&[0; 1 << 20]).unwrap();
    }
    gz.write_all(&[0; 1024]).unwrap();
    let made = from_bytes(&gz.finish().unwrap());
    let how = Verify {
        limits: ReadLimits {
            raw: 100 << 20,
            ..ReadLimits::default()
        },
        sha256: None,
        stop: &StopToken::new(),
        observer: &(),
    };
    let archive = elpis_backup::archive::Archive::open(&made.path).unwrap();
    let error = archive.verify(&how).unwrap_err().to_string();
    assert!(error.contains("more than 104857600 bytes"), "{error}");
}

#[test]
fn files_that_are_no_archives() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("text", &b"hello"[..]),
        ("empty", b""),
        ("plain.tar", &[0; 1024]),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let said = problems(&path);
        assert!(said.contains("is no backup archive"), "{said}");
    }
    assert!(problems(dir.path()).contains("not a regular file"));
    assert!(problems(&dir.path().join("missing")).contains("missing"));
    from_bytes(&gz(b"no tar at all, but more than nothing")).is_refused("ends in the middle");
    from_bytes(&gz(&[b'x'; 512])).is_refused("sum is wrong");
    from_bytes(&gz(&[0; 1024])).is_refused("nothing in it");
}

/// A small archive of ours in each container.
fn ours(container: Container) -> (World, PathBuf) {
    let mut world = World::new(container);
    write(&world.tree().join("include/config.php"), b"<?php\n");
    write(&world.tree().join("a"), &[7; 3000]);
    std::os::unix::fs::symlink("a", world.tree().join("l")).unwrap();
    let path = world.backup().unwrap().path;
    (world, path)
}

fn is_refused_as(bytes: &[u8], at: &Path, what: &str) {
    std::fs::write(at, bytes).unwrap();
    if let Ok(archive) = verify(at) {
        panic!(
            "{what}: verified {} members",
            archive.contents().members.len()
        );
    }
}

#[test]
fn every_truncation_is_noticed() {
    for container in Container::ALL {
        let (world, path) = ours(container);
        let whole = std::fs::read(&path).unwrap();
        let cut = world.dir.path().join("cut");
        for length in 0..whole.len() {
            is_refused_as(
                &whole[..length],
                &cut,
                &format!("{container} cut at {length}"),
            );
        }
    }
}

/// Cut inside the tar and packed again, so that no frame gives it away.
#[test]
fn every_truncation_inside_the_tar_is_noticed() {
    let (world, path) = ours(Container::TarGz);
    let mut raw = Vec::new();
    let file = std::fs::File::open(&path).unwrap();
    std::io::copy(&mut flate2::read::MultiGzDecoder::new(file), &mut raw).unwrap();
    let cut = world.dir.path().join("cut");
    let end = raw.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for blocks in 0..=end.div_ceil(512) {
        is_refused_as(
            &gz(&raw[..blocks * 512]),
            &cut,
            &format!("cut at block {blocks}"),
        );
        // With an end mark, it lacks the manifest's members.
        let ended = [&raw[..blocks * 512], &[0; 1024]].concat();
        if blocks * 512 < end {
            std::fs::write(&cut, gz(&ended)).unwrap();
            let verified = verify(&cut);
            let without_manifest = verified
                .as_ref()
                .is_ok_and(|archive| archive.manifest().is_none());
            assert!(
                verified.is_err() || without_manifest,
                "ended at block {blocks}"
            );
        }
    }
}

#[test]
fn flipped_bits_are_noticed() {
    let seed = 11;
    let mut random = fastrand::Rng::with_seed(seed);
    for container in Container::ALL {
        let (world, path) = ours(container);
        let whole = std::fs::read(&path).unwrap();
        let bad = world.dir.path().join("bad");
        let mut harmless = 0;
        let flips = rounds(400, 20_000);
        for _ in 0..flips {
            let mut bytes = whole.clone();
            let bit = random.usize(..bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&bad, &bytes).unwrap();
            // Gzip's header has a time, a name of an operating system and flags that no reader
            // looks at: such an archive has lost nothing. SHA256SUMS notices all the same.
            if let Ok(archive) = verify(&bad) {
                harmless += 1;
                let (a, b) = (archive.contents(), crate::support::contents(&path));
                assert_eq!(a.members, b.members, "bit {bit}, seed {seed}");
            }
            let known = Verify {
                limits: ReadLimits::default(),
                sha256: Some(crate::support::contents(&path).sha256),
                stop: &StopToken::new(),
                observer: &(),
            };
            let archive = elpis_backup::archive::Archive::open(&bad);
            assert!(
                archive.and_then(|archive| archive.verify(&known)).is_err(),
                "bit {bit}"
            );
        }
        assert!(
            harmless * 10 < flips,
            "{container}: {harmless} of {flips} went unnoticed"
        );
    }
}

/// Whoever changes a member and packs everything again has not changed the manifest.
#[test]
fn changed_members_are_noticed() {
    let (world, path) = ours(Container::TarGz);
    let tree = world.tree_in(Path::new(""));
    let out = world.dir.path().join("repack");
    for (act, why) in [
        ("printf x >> a", "is not what the manifest says"),
        (
            "printf '<?PHP\\n' > include/config.php",
            "is not what the manifest says",
        ),
        ("ln -sf include l", "is not what the manifest says"),
        ("rm l", "not in its place"),
        ("rm a; mkdir a", "is not what the manifest says"),
        ("touch new", "is not in the manifest"),
    ] {
        std::fs::create_dir(&out).unwrap();
        // The same order as before, what is gone left out, what is new at the end.
        let script = format!(
            "tar -xzf {0} && (cd {1} && {act}) && tar -tf {0} | grep -v ^.elpis > all \
             && (while read -r f; do [ -e ./$f -o -L ./$f ] && echo $f; done < all; \
                 [ -e {1}/new ] && echo {1}/new; echo .elpis-backup/manifest.json) > list; \
             tar --no-recursion -czf t.tar.gz -T list",
            path.display(),
            tree.display(),
        );
        crate::support::sh("sh", &["-c", &script], &out);
        let said = problems(&out.join("t.tar.gz"));
        assert!(said.contains(why), "{act}: {said}");
        std::fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
fn data_behind_the_end_is_noticed() {
    let (world, path) = ours(Container::TarGz);
    let whole = std::fs::read(&path).unwrap();
    let bad = world.dir.path().join("bad");
    is_refused_as(&[&whole[..], b"more"].concat(), &bad, "text behind it");
    is_refused_as(
        &[&whole[..], &gz(b"more")].concat(),
        &bad,
        "a frame behind it",
    );
    is_refused_as(&[&whole[..], &whole[..]].concat(), &bad, "itself behind it");
}

#[test]
fn an_archive_that_changes_after_it_was_verified_is_not_extracted() {
    let mut world = World::new(Container::TarZst);
    awkward_tree(&world.tree());
    world.profile.level = Some(1);
    let path = world.backup().unwrap().path;
    let mut archive = verify(&path).unwrap();
    let other = World::new(Container::TarZst);
    write(&other.tree().join("a"), b"another");
    let mut other = other;
    let bytes = std::fs::read(other.backup().unwrap().path).unwrap();
    // The same file, not only the same name.
    std::fs::write(&path, bytes).unwrap();
    let how = elpis_backup::archive::Extract {
        only: &[],
        outside_links: false,
        stop: &world.stop,
    };
    let out = world.dir.path().join("out");
    assert!(archive.extract(&out, &how).is_err());
    assert_eq!(crate::support::names(world.dir.path()), ["store", "tree"]);
}

/// What the fuzzers begin with (`scripts/fuzz`), and what they have found.
#[test]
fn the_fuzzers_seeds_are_read_or_refused() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let seeds = |kind: &str| {
        let found = std::fs::read_dir(corpus.join(kind)).unwrap();
        let found: Vec<PathBuf> = found.map(|entry| entry.unwrap().path()).collect();
        assert!(!found.is_empty());
        found
    };
    for path in seeds("tar") {
        let tar = std::fs::read(&path).unwrap();
        let mut reader = ArchiveReader::new(&tar[..], ReadLimits::default());
        let mut members = 0;
        while reader.next_entry().unwrap().is_some() {
            members += 1;
        }
        assert!(members > 0, "{}", path.display());
    }
    for path in seeds("sql") {
        let text = SqlText::open(&path).unwrap().survey(&StopToken::new(), &());
        let is_whole = path.ends_with("usual.sql");
        assert_eq!(text.is_ok(), is_whole, "{}: {text:?}", path.display());
    }
}
