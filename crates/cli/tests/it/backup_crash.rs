//! `kill -9` of the real binary at random moments: an archive is whole or not there, and the next
//! run cleans up and succeeds. Ten kills; `ELPIS_SOAK=1` makes it 120. A kill counts only if the
//! run had not published its archive yet.

use std::process::Stdio;
use std::time::Instant;

use crate::backup::{Site, much_work};

fn rounds() -> u64 {
    if std::env::var_os("ELPIS_SOAK").is_some() {
        120
    } else {
        10
    }
}

#[test]
fn an_archive_is_whole_or_not_there_whenever_the_run_is_killed() {
    let site = Site::new();
    much_work(&site);
    let sqlite = site.path("monitoring.db");
    let demo = elpis_backup::demo::create(&site.path("installation"), 50_000).unwrap();
    std::fs::rename(demo.databases[0].sqlite.as_ref().unwrap(), &sqlite).unwrap();
    site.configure(&format!(
        "[[profile.database]]\nname = 'm'\nsqlite = {sqlite:?}\n"
    ));
    let begun = Instant::now();
    assert_eq!(site.run(&["create"]).code, 0);
    let whole_run = begun.elapsed();
    let seed = std::env::var("ELPIS_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(13);
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut counted, mut tried, mut swept) = (0, 0, 0);
    let mut published = site.archives().len();
    while counted < rounds() {
        tried += 1;
        assert!(
            tried <= 5 * rounds(),
            "only {counted} of {tried} kills hit unfinished work"
        );
        let mut child = site
            .command(&["create"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole_run.mul_f64(random.f64()));
        child.kill().unwrap();
        let ended_before = child.wait().unwrap().code().is_some();
        let now = site.archives().len();
        assert!(now <= published + 1);
        // Whatever has a final name is whole.
        let verified = site.run(&["verify", "--quiet"]);
        assert_eq!(verified.code, 0, "seed {seed}, try {tried}: {verified:?}");
        if now == published {
            assert!(!ended_before, "it ended without an archive");
            counted += 1;
        }
        swept += u64::from(!site.leftovers().is_empty());
        let next = site.run(&["create"]);
        assert_eq!(next.code, 0, "seed {seed}, try {tried}: {next:?}");
        assert_eq!(site.leftovers(), [""; 0], "swept by the next run");
        published = now + 1;
        assert_eq!(site.archives().len(), published);
        let sums = std::process::Command::new("sha256sum")
            .args(["--strict", "--quiet", "-c", "SHA256SUMS"])
            .current_dir(site.path("archives"))
            .status()
            .unwrap();
        assert!(sums.success(), "seed {seed}, try {tried}");
        // Keep the disk small.
        let pruned = site.run(&["prune", "--keep-last", "1"]);
        assert_eq!(pruned.code, 0, "{pruned:?}");
        published = site.archives().len();
    }
    assert!(swept > 0, "no kill left anything behind: {tried} tries");
    println!("seed {seed}: {counted} of {tried} kills hit unfinished work, {swept} left a mess");
    let verified = site.run(&["verify", "--all"]);
    assert_eq!(verified.code, 0, "{verified:?}");
}
