//! Encrypted archives, judged by Debian's `age`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use elpis_backup::archive::{
    Archive, Container, Extract, ReadLimits, Verified, Verify, VerifyError,
};
use elpis_backup::{ArchiveName, Encryption, Inspector, KeyError, Keys, ObjectStore};
use elpis_run::{RealClock, StopToken};
use jiff::tz::TimeZone;

use crate::support::{
    World, awkward_tree, contents, extract, names, portrait, rounds, run, sh, write,
};

/// An identity of `age-keygen`, and its recipient.
fn identity(dir: &Path, name: &str) -> (PathBuf, String) {
    let path = dir.join(name);
    sh("age-keygen", &["-o", path.to_str().unwrap()], dir);
    let recipient = sh("age-keygen", &["-y", path.to_str().unwrap()], dir);
    (path, recipient.trim().to_owned())
}

fn verify(path: &Path, keys: &Keys) -> Result<Archive<Verified>, VerifyError> {
    Archive::open_with(path, keys)?.verify(&Verify {
        limits: ReadLimits::default(),
        sha256: None,
        stop: &StopToken::new(),
        observer: &(),
    })
}

/// Runs `age` on a terminal of its own, where it asks for the passphrase twice or once.
#[track_caller]
fn age_with_passphrase(args: &str, passphrase: &str, dir: &Path) {
    let script = format!(
        "import os, pty, sys\n\
         pid, fd = pty.fork()\n\
         if pid == 0:\n    os.execvp('age', 'age {args}'.split())\n\
         said = b''\n\
         answered = 0\n\
         while True:\n    \
             try: got = os.read(fd, 1000)\n    \
             except OSError: break\n    \
             if not got: break\n    \
             said += got\n    \
             if said.lower().count(b'passphrase') > answered and said.rstrip().endswith(b':'):\n        \
                 answered = said.lower().count(b'passphrase')\n        \
                 os.write(fd, b'{passphrase}\\n')\n\
         sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    );
    sh("python3", &["-c", &script], dir);
}

fn secret(path: &Path, text: &str) -> PathBuf {
    write(path, text.as_bytes());
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    path.to_owned()
}

#[test]
fn what_we_encrypt_age_decrypts_and_only_its_recipients_read_it() {
    let mut world = World::new(Container::TarGz);
    awkward_tree(&world.tree());
    let dir = world.dir.path().to_owned();
    let (ours, to) = identity(&dir, "ours.key");
    let (second, too) = identity(&dir, "second.key");
    let (stranger, _) = identity(&dir, "stranger.key");
    write(
        &dir.join("to.txt"),
        format!("# both\n{to}\n\n{too}\n").as_bytes(),
    );
    world.encryption = Some(Encryption::to_file(&dir.join("to.txt")).unwrap());
    let report = world.backup().unwrap();
    assert!(report.verified && report.path.to_str().unwrap().ends_with(".tar.gz.age"));
    sh(
        "sha256sum",
        &["--strict", "-c", "SHA256SUMS"],
        &world.store_dir(),
    );
    let archive = report.path.to_str().unwrap();
    for key in [&ours, &second] {
        let plain = dir.join("plain.tar.gz");
        let args = [
            "-d",
            "-i",
            key.to_str().unwrap(),
            "-o",
            plain.to_str().unwrap(),
            archive,
        ];
        sh("age", &args, &dir);
        // The very archive that would have been made without encryption.
        assert_eq!(contents(&plain).raw_bytes, report.raw_bytes);
        let (theirs, here) = (dir.join("theirs"), dir.join("here"));
        std::fs::create_dir(&theirs).unwrap();
        let tar = [
            "--xattrs",
            "--xattrs-include=*",
            "-xpzf",
            plain.to_str().unwrap(),
        ];
        sh("tar", &tar, &theirs);
        let keys = Keys::identities(key).unwrap();
        let how = Extract {
            only: &[],
            outside_links: false,
            stop: &StopToken::new(),
        };
        verify(&report.path, &keys)
            .unwrap()
            .extract(&here, &how)
            .unwrap();
        assert_eq!(portrait(&world.tree_in(&here)), portrait(&world.tree()));
        assert_eq!(portrait(&world.tree_in(&theirs)), portrait(&world.tree()));
        std::fs::remove_dir_all(&theirs).unwrap();
        std::fs::remove_dir_all(&here).unwrap();
        std::fs::remove_file(&plain).unwrap();
    }
    let refused = run(
        "age",
        &["-d", "-i", stranger.to_str().unwrap(), archive],
        &dir,
    );
    assert!(!refused.status.success());
    let strangers = Keys::identities(&stranger).unwrap();
    let error = verify(&report.path, &strangers).unwrap_err();
    assert!(
        matches!(
            &error,
            VerifyError::Key {
                source: KeyError::NoMatch,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(matches!(
        Archive::open(&report.path),
        Err(VerifyError::Encrypted { .. })
    ));
    // Keys of several people can be tried.
    let either = Keys::identities(&stranger)
        .unwrap()
        .and(Keys::identities(&ours).unwrap());
    verify(&report.path, &either).unwrap();
    // A password in a file that is in the archive is nowhere in the encrypted one.
    let bytes = std::fs::read(&report.path).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n"));
}

#[test]
fn what_age_encrypts_we_read() {
    let mut world = World::new(Container::TarZst);
    awkward_tree(&world.tree());
    let dir = world.dir.path().to_owned();
    let plain = world.backup().unwrap();
    let (key, to) = identity(&dir, "key");
    let name = format!("{}.age", plain.path.file_name().unwrap().to_str().unwrap());
    let sealed = world.store_dir().join(&name);
    let args = [
        "-r",
        &to,
        "-o",
        sealed.to_str().unwrap(),
        plain.path.to_str().unwrap(),
    ];
    sh("age", &args, &dir);
    let keys = Keys::identities(&key).unwrap();
    let archive = verify(&sealed, &keys).unwrap();
    assert_eq!(archive.contents().members, contents(&plain.path).members);

    // In the store it is an archive like any other.
    let (store, clock, stop) = (world.store(), RealClock::new(), StopToken::new());
    let name: ArchiveName = name.parse().unwrap();
    assert!(name.is_encrypted() && store.list().unwrap().iter().any(|one| one.name == name));
    let inspector = Inspector {
        store: &store,
        keys: &keys,
        clock: &clock,
        zone: TimeZone::UTC,
        stop: &stop,
        observer: &(),
    };
    inspector
        .verify(&name, &mut |error| panic!("{error}"))
        .unwrap();
    let listed = store.list().unwrap();
    let listed = listed.iter().find(|one| one.name == name).unwrap();
    assert!(listed.is_verified());
    // Without a key nothing is learnt of it, good or bad.
    let blind = Inspector {
        keys: &Keys::none(),
        zone: TimeZone::UTC,
        ..inspector
    };
    assert!(blind.verify(&name, &mut |error| panic!("{error}")).is_err());
    let listed = store.list().unwrap();
    assert!(
        listed
            .iter()
            .find(|one| one.name == name)
            .unwrap()
            .is_verified()
    );
}

#[test]
fn passphrases_work_both_ways() {
    let mut world = World::new(Container::TarGz);
    awkward_tree(&world.tree());
    let dir = world.dir.path().to_owned();
    let file = secret(&dir.join("passphrase"), "open sesame\nsecond line\n");
    world.encryption = Some(Encryption::passphrase(&file).unwrap());
    let report = world.backup().unwrap();
    assert!(report.verified);
    let args = format!("-d -o back.tar.gz {}", report.path.display());
    age_with_passphrase(&args, "open sesame", &dir);
    assert_eq!(
        contents(&dir.join("back.tar.gz")).raw_bytes,
        report.raw_bytes
    );
    extract(&dir.join("back.tar.gz"), &dir.join("out"));
    assert_eq!(
        portrait(&world.tree_in(&dir.join("out"))),
        portrait(&world.tree())
    );

    age_with_passphrase("-p -o theirs.age back.tar.gz", "open sesame", &dir);
    let keys = Keys::passphrase(&file).unwrap();
    verify(&dir.join("theirs.age"), &keys).unwrap();
    let wrong = Keys::passphrase(&secret(&dir.join("wrong"), "open barley\n")).unwrap();
    let error = verify(&dir.join("theirs.age"), &wrong).unwrap_err();
    assert!(
        matches!(
            &error,
            VerifyError::Key {
                source: KeyError::NoMatch,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn damage_anywhere_is_noticed() {
    let mut world = World::new(Container::TarZst);
    write(&world.tree().join("file"), &[7; 200_000]);
    let dir = world.dir.path().to_owned();
    let (key, to) = identity(&dir, "key");
    let keys = Keys::identities(&key).unwrap();
    world.encryption = Some(Encryption::to(&[to]).unwrap());
    let report = world.backup().unwrap();
    let whole = std::fs::read(&report.path).unwrap();
    let broken = dir.join("broken");
    let mut random = fastrand::Rng::with_seed(11);
    for round in 0..rounds(40, 1000) {
        let mut bytes = whole.clone();
        let at = random.usize(..bytes.len());
        match round % 4 {
            0 => bytes.truncate(at),
            1 => bytes.push(0),
            _ => bytes[at] ^= 1 << random.u8(..8),
        }
        write(&broken, &bytes);
        assert!(verify(&broken, &keys).is_err(), "round {round} at {at}");
    }
    // Nothing of what failed is left.
    assert_eq!(
        names(&world.store_dir())
            .iter()
            .filter(|name| name.contains("work"))
            .count(),
        0
    );
}

#[test]
fn secrets_are_read_from_private_files_and_never_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let (key, to) = identity(dir.path(), "key");
    let text = std::fs::read_to_string(&key).unwrap();
    let identity = text.lines().last().unwrap();
    // An identity where a recipient should be.
    let error = Encryption::to(&[identity]).unwrap_err().to_string();
    assert!(
        error.contains("recipient 1") && !error.contains(identity),
        "{error}"
    );
    let mixed = secret(&dir.path().join("mixed"), &format!("{identity}\n{to}\n"));
    let error = Keys::identities(&mixed).unwrap_err().to_string();
    assert!(error.contains("line 2"), "{error}");
    let open = dir.path().join("open");
    write(&open, identity.as_bytes());
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o644)).unwrap();
    for error in [
        Keys::identities(&open).unwrap_err(),
        Keys::passphrase(&open).unwrap_err(),
        Encryption::passphrase(&open).unwrap_err(),
    ] {
        assert!(matches!(error, KeyError::Open { .. }), "{error:?}");
    }
    let empty = secret(&dir.path().join("empty"), "# nothing\n");
    assert!(matches!(
        Keys::identities(&empty),
        Err(KeyError::Empty { .. })
    ));
    assert!(matches!(
        Encryption::to_file(&empty),
        Err(KeyError::Empty { .. })
    ));
    let passphrase = secret(&dir.path().join("passphrase"), "word\n");
    let shown = format!("{:?}", Encryption::passphrase(&passphrase).unwrap());
    assert!(!shown.contains("word"), "{shown}");
}
