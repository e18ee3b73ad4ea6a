//! Archives of generated trees: GNU tar puts back what was there, ours puts back the same, and
//! what the `tar` crate makes of anything is read or refused, never believed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use elpis_backup::archive::Container;
use proptest::prelude::*;

use crate::support::{World, extract, portrait, sh, verify};

#[derive(Debug, Clone)]
enum Node {
    File {
        size: usize,
        seed: u8,
        mode: u32,
        mtime: i64,
        holes: bool,
    },
    Directory {
        mode: u32,
    },
    Symlink(Vec<u8>),
    /// Another name of the nth file before it.
    Twin(usize),
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let plain = prop::collection::vec(
        prop::sample::select(b"ab .-_\\\"'%\n\xfc\xc3\xa4".to_vec()),
        1..6,
    );
    let long = (100usize..256).prop_map(|length| vec![b'x'; length]);
    prop_oneof![9 => plain, 1 => long].prop_filter("a name", |name| name != b"." && name != b"..")
}

fn node() -> impl Strategy<Value = Node> {
    let mode = prop::sample::select(vec![0o600u32, 0o644, 0o755, 0o4711, 0o444]);
    let size = prop_oneof![
        0usize..2000,
        Just(512),
        Just(1 << 16),
        1_000_000usize..3_000_000
    ];
    let target = prop::collection::vec(prop::sample::select(b"ab/.\xfc".to_vec()), 1..140);
    prop_oneof![
        6 => (size, any::<u8>(), mode.clone(), -9_000_000i64..4_000_000_000, prop::bool::weighted(0.2))
            .prop_map(|(size, seed, mode, mtime, holes)| Node::File { size, seed, mode, mtime, holes }),
        2 => mode.prop_map(|mode| Node::Directory { mode: mode | 0o700 }),
        1 => target.prop_map(Node::Symlink),
        1 => (0usize..9).prop_map(Node::Twin),
    ]
}

type Tree = BTreeMap<Vec<Vec<u8>>, Node>;

fn tree() -> impl Strategy<Value = Tree> {
    prop::collection::btree_map(prop::collection::vec(name(), 1..4), node(), 0..14)
}

/// Puts as much of a tree on disk as fits together.
fn plant(root: &Path, tree: &Tree) {
    let mut files = Vec::new();
    for (names, node) in tree {
        let path = names.iter().fold(root.to_owned(), |path, name| {
            path.join(OsStr::from_bytes(name))
        });
        if std::fs::create_dir_all(path.parent().unwrap()).is_err()
            || path.symlink_metadata().is_ok()
        {
            continue;
        }
        match node {
            Node::File {
                size,
                seed,
                mode,
                mtime,
                holes,
            } => {
                let bytes: Vec<u8> = (0..*size).map(|i| (i / 7) as u8 ^ seed).collect();
                let mut file = std::fs::File::create(&path).unwrap();
                if *holes && *size > 400_000 {
                    file.write_all(&bytes[..10_000]).unwrap();
                    file.seek(SeekFrom::Start(300_000)).unwrap();
                    file.write_all(&bytes[300_000..400_000]).unwrap();
                    file.set_len(*size as u64).unwrap();
                } else {
                    file.write_all(&bytes).unwrap();
                }
                std::fs::set_permissions(&path, PermissionsExt::from_mode(*mode)).unwrap();
                let time = std::time::SystemTime::UNIX_EPOCH;
                let by = std::time::Duration::from_millis(mtime.unsigned_abs());
                let time = if *mtime < 0 { time - by } else { time + by };
                std::fs::File::open(&path)
                    .unwrap()
                    .set_modified(time)
                    .unwrap();
                files.push(path);
            }
            Node::Directory { mode } => {
                std::fs::create_dir(&path).unwrap();
                std::fs::set_permissions(&path, PermissionsExt::from_mode(*mode)).unwrap();
            }
            Node::Symlink(target) => symlink(OsStr::from_bytes(target), &path).unwrap(),
            Node::Twin(nth) => {
                if let Some(first) = files.get(*nth) {
                    std::fs::hard_link(first, &path).unwrap();
                }
            }
        }
    }
}

fn cases(quick: u32, soak: u32) -> ProptestConfig {
    let cases = if std::env::var_os("ELPIS_SOAK").is_some() {
        soak
    } else {
        quick
    };
    ProptestConfig::with_cases(cases)
}

proptest! {
    #![proptest_config(cases(24, 1000))]

    #[test]
    fn a_generated_tree_comes_back(tree in tree(), is_gz in any::<bool>(), level in 1i32..4) {
        let mut world = World::new(if is_gz { Container::TarGz } else { Container::TarZst });
        world.profile.level = Some(level);
        plant(&world.tree(), &tree);
        let report = world.backup().unwrap();
        prop_assert!(report.omissions.is_empty(), "{:?}", report.omissions);
        let expected = portrait(&world.tree());
        let theirs = world.dir.path().join("theirs");
        std::fs::create_dir(&theirs).unwrap();
        let path = report.path.to_str().unwrap();
        let quiet = "--warning=no-timestamp";
        sh("tar", &["-xf", path, "--same-permissions", quiet], &theirs);
        prop_assert_eq!(&portrait(&world.tree_in(&theirs)), &expected);
        let ours = world.dir.path().join("ours");
        let how = elpis_backup::archive::Extract {
            only: &[],
            outside_links: true,
            stop: &world.stop,
        };
        verify(&report.path).unwrap().extract(&ours, &how).unwrap();
        prop_assert_eq!(&portrait(&world.tree_in(&ours)), &expected);
    }

    /// Any bytes in a frame: no panic, and no success unless it is a tar to GNU tar too.
    #[test]
    fn what_is_verified_is_a_tar_to_gnu_tar_too(
        headers in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..600)), 0..4),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut builder = tar::Builder::new(Vec::new());
        for (kind, data) in &headers {
            let mut header = tar::Header::new_gnu();
            header.set_size(data.len() as u64);
            header.set_mode(0o644);
            let kinds = [b'0', b'5', b'x', b'L', b'K', b'g', b'1', b'2', b'S', b'0', b'0'];
            header.set_entry_type(tar::EntryType::new(kinds[usize::from(*kind) % kinds.len()]));
            builder.append_data(&mut header, format!("m{kind}"), &data[..]).unwrap();
        }
        let mut raw = builder.into_inner().unwrap();
        for (at, value) in flips {
            let at = at.index(raw.len());
            raw[at] = value;
            // Right the sum, so that more than the sum is tested.
            let block = at / 512 * 512;
            if raw.len() >= block + 512 {
                raw[block + 148..block + 156].fill(b' ');
                let sum: u64 = raw[block..block + 512].iter().map(|byte| u64::from(*byte)).sum();
                raw[block + 148..block + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.tar.gz");
        let mut gz = flate2::write::GzEncoder::new(std::fs::File::create(&path).unwrap(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gz, &raw).unwrap();
        gz.finish().unwrap();
        if verify(&path).is_ok() {
            let listing = crate::support::run("tar", &["-tzf", "a.tar.gz"], dir.path());
            prop_assert!(listing.status.success(), "{:?}", listing);
            extract(&path, &dir.path().join("out"));
        }
    }
}
