//! The old command and `dump` on a real MariaDB: existing cron lines, the manual's words, a
//! password of every printable character that is seen nowhere, and no false success.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use elpis_mysql::{Params, PrivateServer, Session, SessionSettings};

use crate::backup::{Site, archives};

fn password() -> String {
    (' '..='~').chain("äß€😀".chars()).collect()
}

/// Eight characters in a row are enough to call it a leak.
fn leaks(text: &[u8]) -> Option<String> {
    let secret: Vec<char> = password().chars().collect();
    let parts = secret
        .windows(8)
        .map(|window| window.iter().collect::<String>());
    let found = |part: &String| text.windows(part.len()).any(|seen| seen == part.as_bytes());
    parts.into_iter().find(found)
}

async fn fill(server: &PrivateServer) {
    let mut root = Session::open(&server.options(), &SessionSettings::default())
        .await
        .unwrap();
    let literal = password().replace('\\', "\\\\").replace('\'', "''");
    for sql in [
        "CREATE DATABASE pandora CHARACTER SET utf8mb4",
        "CREATE TABLE pandora.tagente_datos (id_agente_modulo INT, datos DOUBLE, utimestamp BIGINT)",
        "INSERT INTO pandora.tagente_datos SELECT seq % 97, seq * 0.37, seq FROM pandora.seq_1_to_60000",
        &format!("CREATE USER product@'%' IDENTIFIED BY '{literal}'"),
        "GRANT ALL ON pandora.* TO product@'%'",
        "CREATE TABLE pandora.tconfig (token VARCHAR(50), value TEXT)",
        "INSERT INTO pandora.tconfig VALUES ('db_scheme_version', '7.0NG.777'), ('MR', '70'), \
         ('history_db_enabled', '0')",
    ] {
        root.execute(sql, Params::Empty).await.unwrap();
    }
    root.close().await.unwrap();
}

/// A server, a console whose `config.php` has the product's account, a destination, and an option
/// file with an administrator's account.
pub(crate) fn site() -> (Site, PrivateServer) {
    let server = PrivateServer::builder().arg("--log-bin=bin").start();
    site_on(server.unwrap())
}

/// The same on this server.
pub(crate) fn site_on(server: PrivateServer) -> (Site, PrivateServer) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(fill(&server));
    let site = Site::new();
    for dir in ["pandora_console", "pandora_console/include", "dest"] {
        std::fs::create_dir(site.path(dir)).unwrap();
    }
    site.write("pandora_console/index.php", "<?php\n");
    site.write("pandora_console/.htaccess", "deny from all\n");
    site.write(
        "pandora_console/include/config.php",
        &config_php("127.0.0.1", server.port()),
    );
    let options = format!(
        "[client]\nuser=root\nsocket={}\n",
        server.socket().display()
    );
    site.write("backup.cnf", &options);
    (site, server)
}

/// As the product's installer writes it.
pub(crate) fn config_php(host: &str, port: u16) -> String {
    let quoted = password()
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('$', "\\$");
    format!(
        "<?php\n$config[\"dbtype\"] = \"mysql\";\n$config[\"dbname\"]=\"pandora\";\n\
         $config[\"dbuser\"]=\"product\";\n$config[\"dbpass\"]=\"{quoted}\";\n\
         $config[\"dbhost\"]=\"{host}\";\n$config[\"dbport\"]={port};\n\
         $config[\"homedir\"]=\"/var/www/html/pandora_console\";\n"
    )
}

/// The arguments of a cron line.
pub(crate) fn old<'a>(console: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["-c", console, "-d", "dest/"], more].concat()
}

/// What the stock client answers to an administrator.
pub(crate) fn sql(server: &PrivateServer, text: &str) -> String {
    let socket = server.socket().to_str().unwrap();
    let output = Command::new("mariadb")
        .args(["--no-defaults", "-uroot", "-S", socket, "-N", "-e", text])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Everything of ours that is not in its place: directories beside the console, databases.
pub(crate) fn leftovers(site: &Site, server: &PrivateServer) -> Vec<String> {
    let mut left = slots(site);
    let databases = sql(server, "SHOW DATABASES LIKE '%elpis%'");
    left.extend(databases.lines().map(str::to_owned));
    left
}

/// Directories of ours beside the console.
pub(crate) fn slots(site: &Site) -> Vec<String> {
    let names = std::fs::read_dir(site.dir.path()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| name.starts_with(".elpis-restore."))
        .collect()
}

/// The manifest of an archive, as the stock tools show it.
pub(crate) fn manifest(archive: &Path) -> serde_json::Value {
    let output = Command::new("tar")
        .arg("-xOzf")
        .arg(archive)
        .arg(".elpis-backup/manifest.json")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn an_existing_cron_line_makes_a_backup_with_the_manuals_words() {
    let (site, server) = site();
    let said = site.run(&old("pandora_console/", &[]));
    assert_eq!(said.code, 0, "{said:?}");
    let made = archives(&site.path("dest"));
    let name = made[0].file_name().unwrap().to_str().unwrap();
    assert_eq!(
        said.out,
        format!("Backup completed and placed in dest//{name}\n")
    );
    assert!(
        name.starts_with("pandorafms_backup_") && name.ends_with(".tar.gz"),
        "{name}"
    );
    assert_eq!(std::fs::metadata(&made[0]).unwrap().mode() & 0o777, 0o600);

    // The manual's way back.
    let restore = site.path("restore");
    std::fs::create_dir(&restore).unwrap();
    let script = format!(
        "tar xzf {} && cat *.sql | mariadb --no-defaults -uroot -S {} again",
        made[0].display(),
        server.socket().display()
    );
    sql(&server, "CREATE DATABASE again");
    let status = Command::new("sh")
        .args(["-c", &script])
        .current_dir(&restore)
        .status()
        .unwrap();
    assert!(status.success());
    let sums = sql(
        &server,
        "CHECKSUM TABLE pandora.tagente_datos, again.tagente_datos EXTENDED",
    );
    let sums: Vec<&str> = sums.split_whitespace().skip(1).step_by(2).collect();
    assert_eq!(sums[0], sums[1]);
    let manifest = manifest(&made[0]);
    assert_eq!(manifest["product"]["version"], "7.0NG.777");
    assert_eq!(manifest["product"]["schema"], "MR 70");
    let console = restore.join(site.path("pandora_console").strip_prefix("/").unwrap());
    assert!(
        console.join(".htaccess").exists(),
        "the old script's `*` misses dot files"
    );
}

#[test]
fn quiet_and_without_database_mean_what_they_meant() {
    let (site, _server) = site();
    let said = site.run(&old("pandora_console", &["-q"]));
    assert_eq!(
        (said.code, said.out.as_str(), said.err.as_str()),
        (0, "", "")
    );
    let said = site.run(&["-c", "pandora_console", "-d", "dest", "-b"]);
    assert_eq!(said.code, 0, "{said:?}");
    let listing = |path: &Path| {
        let output = Command::new("tar")
            .args(["-tzf"])
            .arg(path)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let made = archives(&site.path("dest"));
    let with_dump = |text: &str| {
        text.lines()
            .any(|line| line.ends_with(".sql") && !line.contains('/'))
    };
    let dumps: Vec<bool> = made.iter().map(|path| with_dump(&listing(path))).collect();
    assert_eq!(dumps, [false, true], "the newest first");
}

/// Everything that the old script called "Backup completed".
#[test]
fn failures_are_no_success() {
    let (site, mut server) = site();
    let nothing = |said: crate::harness::Said, code: i32| {
        assert_eq!(said.code, code, "{said:?}");
        assert!(!said.out.contains("completed"), "{said:?}");
        assert!(
            said.err.contains("error: ") && said.err.contains("hint: "),
            "{said:?}"
        );
        assert_eq!(
            archives(&site.path("dest")),
            [""; 0].map(std::path::PathBuf::from)
        );
    };
    nothing(site.run(&old("no_console", &["-b"])), 3);
    nothing(
        site.run(&old("pandora_console", &["--database", "nonsuch"])),
        2,
    );
    nothing(
        site.run(&["-c", "pandora_console", "-d", "no_dest", "-b"]),
        2,
    );
    nothing(
        site.run(&old("pandora_console", &["--option-file", "no.cnf"])),
        2,
    );
    let config = "pandora_console/include/config.php";
    let good = std::fs::read_to_string(site.path(config)).unwrap();
    site.write(config, &good.replace("product", "stranger"));
    nothing(site.run(&old("pandora_console", &[])), 8);
    // What only PHP could tell is not guessed.
    site.write(config, &good.replace("\"127.0.0.1\"", "getenv('DB')"));
    let said = site.run(&old("pandora_console", &[]));
    assert!(
        said.err.contains("config.php:6: the value of dbhost"),
        "{said:?}"
    );
    nothing(said, 2);
    std::fs::remove_file(site.path(config)).unwrap();
    nothing(site.run(&old("pandora_console", &[])), 2);
    site.write(config, &good);
    server.kill().unwrap();
    nothing(site.run(&old("pandora_console", &[])), 8);
}

#[test]
fn the_password_is_seen_nowhere() {
    let (site, _server) = site();
    let args = old("pandora_console", &["-v"]);
    let config = std::fs::read(site.path("pandora_console/include/config.php")).unwrap();
    // The console with its password belongs into the archive; nothing else has it.
    assert!(leaks(&config).is_some());
    let mut child = site
        .command(&args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let proc = Path::new("/proc").join(child.id().to_string());
    let give_up = Instant::now() + Duration::from_secs(120);
    let mut looks = 0;
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < give_up);
        for file in ["cmdline", "environ"] {
            let seen = std::fs::read(proc.join(file)).unwrap_or_default();
            assert_eq!(leaks(&seen), None, "{file}");
        }
        looks += 1;
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(looks > 0);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(leaks(&output.stdout).or(leaks(&output.stderr)), None);
    let script = "find dest state -type f -exec cat {} +; \
                  tar -xOzf dest/*.tar.gz --exclude=config.php";
    let all = Command::new("sh")
        .args(["-c", script])
        .current_dir(site.dir.path())
        .output()
        .unwrap();
    assert!(all.stdout.len() > 100_000);
    assert_eq!(leaks(&all.stdout), None);
}

#[test]
fn a_dump_alone_is_a_file() {
    let (site, server) = site();
    let args = [
        "dump",
        "pandora",
        "-o",
        "p.sql",
        "--option-file",
        "backup.cnf",
    ];
    let said = site.run(&args);
    assert_eq!(said.code, 0, "{said:?}");
    let text = std::fs::read_to_string(site.path("p.sql")).unwrap();
    assert!(
        text.trim_end()
            .lines()
            .last()
            .unwrap()
            .starts_with("-- Dump completed")
    );
    let again = site.run(&args);
    assert_eq!(again.code, 3, "never replaced: {again:?}");
    let script = format!(
        "mariadb --no-defaults -uroot -S {0} -e 'CREATE DATABASE two' && \
         mariadb --no-defaults -uroot -S {0} two < p.sql",
        server.socket().display()
    );
    let status = Command::new("sh")
        .args(["-c", &script])
        .current_dir(site.dir.path())
        .status();
    assert!(status.unwrap().success());
    let said = site.run(&[
        "dump",
        "nonsuch",
        "-o",
        "n.sql",
        "--option-file",
        "backup.cnf",
    ]);
    assert_eq!(
        (said.code, site.path("n.sql").exists()),
        (2, false),
        "{said:?}"
    );
}

/// A run that is killed while the server sends rows leaves nothing under a final name.
#[test]
fn a_dump_that_is_killed_leaves_no_archive() {
    let (site, _server) = site();
    let args = old("pandora_console", &["--option-file", "backup.cnf"]);
    let begun = Instant::now();
    assert_eq!(site.run(&args).code, 0);
    let whole_run = begun.elapsed();
    let mut random = fastrand::Rng::with_seed(17);
    let (mut counted, mut tried) = (0, 0);
    let rounds = if std::env::var_os("ELPIS_SOAK").is_some() {
        100
    } else {
        10
    };
    while counted < rounds {
        tried += 1;
        assert!(
            tried <= 5 * rounds,
            "only {counted} of {tried} kills hit unfinished work"
        );
        let before = archives(&site.path("dest")).len();
        let mut child = site
            .command(&args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole_run.mul_f64(random.f64()));
        child.kill().unwrap();
        child.wait().unwrap();
        let after = archives(&site.path("dest"));
        counted += usize::from(after.len() == before);
        let verified = site.run(&["verify", "--target", "dest", "--quiet"]);
        assert_eq!(verified.code, 0, "{verified:?}");
    }
    println!("{counted} of {tried} kills hit unfinished work");
    assert_eq!(site.run(&args).code, 0);
}

/// A plain dump that is killed or too slow leaves no file, and what it was written in goes with
/// the next one.
#[test]
fn a_plain_dump_is_whole_or_not_there() {
    let (site, _server) = site();
    let slow = |more: &[&'static str]| {
        let args = [
            "dump",
            "pandora",
            "-o",
            "p.sql",
            "--option-file",
            "backup.cnf",
            "--max-rate",
            "100K",
        ];
        [&args, more].concat()
    };
    let work = || -> Vec<std::path::PathBuf> {
        let names = std::fs::read_dir(site.dir.path()).unwrap();
        let paths = names.map(|entry| entry.unwrap().path());
        paths
            .filter(|path| path.to_string_lossy().contains("/.elpis-backup-work."))
            .collect()
    };
    let mut child = site
        .command(&slow(&[]))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let give_up = Instant::now() + Duration::from_secs(60);
    // Killed as soon as rows have come: the schema is a piece as well.
    while !work()
        .iter()
        .any(|dir| std::fs::read_dir(dir).is_ok_and(|files| files.count() > 1))
    {
        assert!(Instant::now() < give_up && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!site.path("p.sql").exists());
    assert_eq!(work().len(), 1);
    assert_eq!(std::fs::metadata(&work()[0]).unwrap().mode() & 0o777, 0o700);

    let said = site.run(&slow(&["--deadline", "1s"]));
    assert_eq!(said.code, 4, "{said:?}");
    assert!(
        said.err.contains("not complete after 1s, its deadline"),
        "{said:?}"
    );
    assert!(!site.path("p.sql").exists());
    assert_eq!(
        work(),
        [""; 0].map(std::path::PathBuf::from),
        "swept by the next run"
    );
}
