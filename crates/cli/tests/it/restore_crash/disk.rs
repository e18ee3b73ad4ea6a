//! Disks that are really full: refused beforehand where it can be known, else a failure that harms
//! nothing. Never a success.

use std::path::PathBuf;
use std::process::Command;

use elpis_mysql::PrivateServer;

use super::Installation;
use crate::backup_server::{site_on, sql};

/// A file system in memory of its own size.
struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    fn new(options: &str) -> Disk {
        let disk = Disk {
            dir: tempfile::tempdir().unwrap(),
        };
        disk.mount(&disk.dir.path().to_owned(), options);
        disk
    }

    fn mount(&self, at: &PathBuf, options: &str) {
        let mut mount = Command::new("mount");
        let mount = mount.args(["-t", "tmpfs", "-o", options, "elpis"]).arg(at);
        assert!(
            mount.status().unwrap().success(),
            "the tests mount file systems, as root"
        );
    }

    /// A fresh server's files have holes, and it ends itself where it cannot fill one.
    fn without_holes(&self, mut server: PrivateServer) -> PrivateServer {
        server.stop().unwrap();
        let script = "for f in ibdata1 ib_logfile0 undo0* aria_log.*; do [ -f $f ] || continue; \
                      cp --sparse=never $f whole && mv whole $f; done";
        let mut shell = Command::new("sh");
        let shell = shell.args(["-ec", script]).current_dir(server.datadir());
        assert!(shell.status().unwrap().success());
        server.restart().unwrap();
        server
    }

    /// Leaves so many bytes free, if there are so many.
    fn fill(&self, left: u64) {
        let ballast = self.dir.path().join("ballast");
        let _ = std::fs::remove_file(&ballast);
        let (free, _) = elpis_run::fsx::space(self.dir.path()).unwrap();
        let bytes = usize::try_from(free.saturating_sub(left)).unwrap();
        std::fs::write(ballast, vec![1; bytes]).unwrap();
    }
}

impl Installation {
    fn answers(&self) -> bool {
        let mut client = Command::new("mariadb");
        let client = client.args(["--no-defaults", "-uroot", "-e", "SELECT 1", "-S"]);
        client
            .arg(self.server.socket())
            .output()
            .unwrap()
            .status
            .success()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("-l")
            .arg(self.dir.path())
            .status();
    }
}

/// The server's disk: refused, and with the check waived a failure in the middle of the rows or of
/// the indexes.
#[test]
fn a_full_disk_of_the_server_harms_nothing() {
    let disk = Disk::new("size=260m");
    let server = PrivateServer::builder()
        .dir(disk.dir.path().to_owned())
        .arg("--innodb-log-file-size=8M")
        .arg("--innodb-buffer-pool-size=64M")
        .start()
        .unwrap();
    let mut world = Installation::on(site_on(disk.without_holes(server)));
    disk.fill(50 << 20);
    let said = world.run("restore");
    assert_eq!(said.code, 3, "{said:?}");
    assert!(
        said.err.contains("bytes are free for the server's data"),
        "{said:?}"
    );
    assert!(said.err.contains("accept `space`"), "{said:?}");
    world.is(&world.old, "refused");
    assert_eq!(world.leftovers(), [""; 0]);
    let (mut begun, mut died) = (0, 0);
    for left in [2 << 20, 4 << 20] {
        disk.fill(left);
        let args = [&world.args("restore")[..], &["--accept", "space"]].concat();
        let said = world.site.run(&args);
        let what = format!("with {left} bytes: {said:?}");
        // It is told by what the server says: it had no room, or it is gone.
        assert!([4, 8].contains(&said.code), "{what}");
        assert!(
            said.err.contains("error: ") && said.err.contains("hint: "),
            "{what}"
        );

        // A server may end itself for want of room: then it needs some to begin again.
        let has_died = !world.answers();
        died += u32::from(has_died);
        if has_died {
            disk.fill(u64::MAX);
            world.server.restart().unwrap();
        }
        assert_eq!(world.sums(), world.old.sums, "{what}");
        if said.code == 4 {
            let said = world.run("undo");
            assert_eq!(said.code, 0, "{what}: {said:?}");
            begun += 1;
        }
        assert_eq!(world.open_runs(), 0, "{what}");
        // The stock tools need some to look.
        disk.fill(u64::MAX);
        world.forget_all(&what);
        world.is(&world.old, &what);
    }
    println!("{begun} restores ran out of room; the server ended itself {died} times");
    assert!(begun > 0);
    // With room it works.
    let args = [&world.args("restore")[..], &["--accept", "space"]].concat();
    let said = world.site.run(&args);
    assert_eq!(said.code, 0, "{said:?}");
    world.is(&world.new, "with room");
    assert!(sql(&world.server, "SELECT 1").contains('1'));
}

/// The disk of the files: too few bytes are known beforehand, too few names are not.
#[test]
fn a_full_disk_of_the_files_harms_nothing() {
    let world = Installation::new();
    for (options, left, code, said_why) in [
        ("size=40m", 4 << 20, 3, "bytes free, and"),
        (
            "size=60m,nr_inodes=110",
            40 << 20,
            4,
            "No space left on device",
        ),
    ] {
        let disk = Disk::new(options);
        let place = disk.dir.path().join("pandora_console");
        world
            .site
            .shell(&format!("cp -a pandora_console {}", place.display()));
        disk.fill(left);
        let before = world.site.shell(&format!(
            "cd {} && find . -printf '%p|%m|%T@\\n' | sort",
            disk.dir.path().display()
        ));
        let args = [
            "restore",
            world.name(),
            "-f",
            "-c",
            place.to_str().unwrap(),
            "--option-file",
            "backup.cnf",
        ];
        let said = world.site.run(&args);
        assert_eq!(said.code, code, "{options}: {said:?}");
        assert!(said.err.contains(said_why), "{options}: {said:?}");
        let after = world.site.shell(&format!(
            "cd {} && find . -printf '%p|%m|%T@\\n' | sort",
            disk.dir.path().display()
        ));
        // The directory above has seen one come and go.
        let below = |text: &str| {
            text.lines()
                .filter(|line| !line.starts_with(".|"))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(below(&after), below(&before), "{options}");
        assert_eq!(world.open_runs(), 0, "{options}");
        world.is(&world.old, options);
        assert_eq!(world.leftovers(), [""; 0]);
    }
}
