//! Encrypted archives and a bucket, as the command line has them.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::backup::Site;

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Starts the S3 server on a port that was free a moment ago.
    fn start(root: &Path) -> Server {
        std::fs::create_dir_all(root.join("bucket")).unwrap();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin/s3s-fs");
        for _ in 0..20 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let mut child = Command::new(&program)
                .args(["--host", "127.0.0.1", "--port", &port.to_string()])
                .args(["--access-key", "KEY", "--secret-key", "se/cr+et"])
                .arg(root)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                // scripts/prepare installs it.
                .unwrap();
            let deadline = Instant::now() + Duration::from_secs(30);
            while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Server { child, port };
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        unreachable!("the S3 server does not start");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_encrypted_archive_goes_to_a_bucket_and_comes_back() {
    let site = Site::new();
    let server = Server::start(&site.path("s3"));
    site.write(
        "credentials",
        "[default]\naws_access_key_id = KEY\naws_secret_access_key = se/cr+et\n",
    );
    site.write("passphrase", "open sesame\n");
    let key = site.path("key");
    let made = Command::new("age-keygen")
        .arg("-o")
        .arg(&key)
        .output()
        .unwrap();
    assert!(made.status.success(), "age-keygen: {made:?}");
    let text = std::fs::read_to_string(&key).unwrap();
    let recipient = text
        .lines()
        .find_map(|line| line.strip_prefix("# public key: "));
    let recipient = recipient.unwrap().to_owned();
    let port = server.port;
    site.configure(&format!(
        "[store]\nurl = 's3://bucket/one'\nendpoint = 'http://127.0.0.1:{port}'\n\
         credentials = 'credentials'\n"
    ));
    let made = site.run(&["create", "--encrypt-to", &recipient]);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.err.contains("is in s3://bucket/one"), "{made:?}");
    let archive = site.archives().remove(0);
    let name = archive.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.ends_with(".age"), "{name}");

    let bucket = ["--target", "s3://bucket/one"];
    let list = site.run(&[&["list", "--max-age", "1h", "--verified"], &bucket[..]].concat());
    assert!(list.code == 0 && list.out.contains(&name), "{list:?}");
    let blind = site.run(&[&["verify", &name], &bucket[..]].concat());
    assert!(
        blind.code == 2 && blind.err.contains("--identity"),
        "{blind:?}"
    );
    let wrong = site.run(
        &[
            &["verify", &name, "--passphrase-file", "passphrase"],
            &bucket[..],
        ]
        .concat(),
    );
    assert_eq!(wrong.code, 2, "{wrong:?}");
    let whole = site.run(&[&["verify", "--identity", "key"], &bucket[..]].concat());
    assert!(whole.code == 0 && whole.out.contains("whole"), "{whole:?}");
    let address = format!("s3://bucket/one/{name}");
    let shown = site.run(&["inspect", &address, "--identity", "key"]);
    assert!(
        shown.code == 0 && shown.out.contains("profile test"),
        "{shown:?}"
    );
    let out = site.path("out");
    let to = out.to_str().unwrap();
    let put = site.run(&["extract", &address, to, "--identity", "key"]);
    assert_eq!(put.code, 0, "{put:?}");
    let file = site.path("etc/pandora_server.conf");
    assert_eq!(
        std::fs::read(out.join(file.strip_prefix("/").unwrap())).unwrap(),
        std::fs::read(&file).unwrap()
    );

    // The server goes; the next backup stays here, and arrives when it is back.
    drop(server);
    let pinned = site.run(&["create", "--to", "s3://bucket/none/../x"]);
    assert_eq!(
        pinned.code, 2,
        "an address is checked before anything is made: {pinned:?}"
    );
    assert_eq!(site.archives().len(), 1);
    let server = Server::start(&site.path("s3"));
    site.configure(&format!(
        "[encryption]\npassphrase_file = 'passphrase'\n\
         [store]\nurl = 's3://bucket/one'\nendpoint = 'http://127.0.0.1:{}'\n\
         credentials = 'credentials'\nkeep_local = false\n",
        server.port
    ));
    let made = site.run(&["create"]);
    assert_eq!(made.code, 0, "{made:?}");
    assert_eq!(
        site.archives().len(),
        1,
        "the new one was asked to go when it had arrived"
    );
    let verified = site.run(&[&["verify", "--format", "json"], &bucket[..]].concat());
    assert_eq!(verified.code, 0, "{verified:?}");
    let pruned = site.run(&[&["prune", "--keep-last", "1"], &bucket[..]].concat());
    assert!(
        pruned.code == 0 && pruned.out.contains("1 archives removed"),
        "{pruned:?}"
    );
    let again = site.run(&["upload", "--all"]);
    assert!(
        again.code == 0 && again.out.contains("1 archives copied"),
        "{again:?}"
    );
    assert_eq!(site.leftovers(), [""; 0]);
    for said in [&made, &blind, &wrong, &again] {
        assert!(
            !said.err.contains("se/cr+et") && !said.err.contains("sesame"),
            "{said:?}"
        );
    }
}

#[test]
fn an_unreachable_bucket_costs_the_copy_and_not_the_backup() {
    let site = Site::new();
    site.write(
        "credentials",
        "[default]\naws_access_key_id = KEY\naws_secret_access_key = s\n",
    );
    // Nobody listens on a port that was just free.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    site.configure(&format!(
        "[store]\nurl = 's3://bucket'\nendpoint = 'http://127.0.0.1:{port}'\n\
         credentials = 'credentials'\npatience_s = 1\n"
    ));
    let made = site.run(&["create"]);
    assert!(
        made.code == 8 && made.err.contains("elpis-backup upload"),
        "{made:?}"
    );
    assert_eq!(site.archives().len(), 1);
    assert_eq!(site.run(&["verify"]).code, 0);
}

#[test]
fn a_rate_is_checked_and_taken_from_the_argument() {
    let site = Site::new();
    let server = Server::start(&site.path("s3"));
    site.write(
        "credentials",
        "[default]\naws_access_key_id = KEY\naws_secret_access_key = se/cr+et\n",
    );
    let store = |rate: &str| {
        format!(
            "[store]\nurl = 's3://bucket/one'\nendpoint = 'http://127.0.0.1:{}'\n\
             credentials = 'credentials'\nbytes_per_second = {rate}\n",
            server.port
        )
    };
    site.configure(&store("99_999"));
    let slow = site.run(&["create"]);
    assert!(
        slow.code == 2
            && slow
                .err
                .contains("store.bytes_per_second must be 100000 or more"),
        "{slow:?}"
    );
    site.configure(&store("100_000_000"));
    assert_eq!(site.run(&["create"]).code, 0);
    assert_eq!(site.run(&["upload", "--all", "--max-rate", "9"]).code, 2);
    assert_eq!(site.run(&["upload", "--all", "--max-rate", "1G"]).code, 0);
}

/// An sshd on loopback for the account that runs the test.
struct Sshd {
    child: Child,
    port: u16,
}

impl Sshd {
    /// Keys, settings and what the client knows lie in `dir`.
    fn start(dir: &Path) -> Sshd {
        std::fs::create_dir_all(dir.join("archives")).unwrap();
        for key in ["host", "login"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(dir.join(key))
                .status();
            assert!(made.unwrap().success());
        }
        // A directory that sshd insists on when it runs as root.
        let _ = std::fs::create_dir_all("/run/sshd");
        for _ in 0..20 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let here = dir.display();
            let config = format!(
                "ListenAddress 127.0.0.1\nPort {port}\nHostKey {here}/host\nPidFile none\n\
                 AuthorizedKeysFile {here}/login.pub\nStrictModes no\nUsePAM no\n\
                 PermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n"
            );
            std::fs::write(dir.join("config"), config).unwrap();
            let key = std::fs::read_to_string(dir.join("host.pub")).unwrap();
            std::fs::write(dir.join("known"), format!("[127.0.0.1]:{port} {key}")).unwrap();
            let mut child = Command::new("/usr/sbin/sshd")
                .args(["-D", "-e", "-f"])
                .arg(dir.join("config"))
                .stderr(Stdio::null())
                .spawn()
                // scripts/prepare installs it.
                .unwrap();
            let give_up = Instant::now() + Duration::from_secs(20);
            while Instant::now() < give_up && child.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Sshd { child, port };
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        unreachable!("sshd does not start");
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_archive_goes_to_another_host_and_comes_back() {
    let site = Site::new();
    let dir = site.path("sshd");
    let server = Sshd::start(&dir);
    let here = dir.display();
    let place = format!("sftp://127.0.0.1:{}{here}/archives", server.port);
    let ssh = |key: &str| {
        format!(
            "[store]\nurl = '{place}'\nssh = ['ssh', '-F', 'none', '-i', '{here}/{key}', \
             '-oIdentitiesOnly=yes', '-oIdentityAgent=none', '-oUserKnownHostsFile={here}/known']\n"
        )
    };
    // A key that opens nothing: the backup is made, the copy waits.
    site.configure(&ssh("host"));
    let made = site.run(&["create"]);
    assert_eq!(made.code, 8, "{made:?}");
    assert!(
        made.err.contains("Permission denied") && made.err.contains("elpis-backup upload"),
        "{made:?}"
    );
    site.configure(&ssh("login"));
    let sent = site.run(&["upload"]);
    assert!(
        sent.code == 0 && sent.out.contains("1 archives copied"),
        "{sent:?}"
    );
    let archive = site.archives().remove(0);
    let name = archive.file_name().unwrap().to_str().unwrap();
    assert!(
        std::fs::read(&archive).unwrap() == std::fs::read(dir.join("archives").join(name)).unwrap()
    );
    let list = site.run(&["list", "--target", &place, "--max-age", "1h", "--verified"]);
    assert!(list.code == 0 && list.out.contains(name), "{list:?}");
    let address = format!("{place}/{name}");
    let whole = site.run(&["verify", &address]);
    assert!(whole.code == 0 && whole.out.contains("whole"), "{whole:?}");
    let out = site.path("out");
    let put = site.run(&["extract", &address, out.to_str().unwrap()]);
    assert_eq!(put.code, 0, "{put:?}");
    let file = site.path("etc/pandora_server.conf");
    assert_eq!(
        std::fs::read(out.join(file.strip_prefix("/").unwrap())).unwrap(),
        std::fs::read(&file).unwrap()
    );
    let wrong = site.run(&["list", "--target", "sftp://-oProxyCommand=touch/x"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
}
