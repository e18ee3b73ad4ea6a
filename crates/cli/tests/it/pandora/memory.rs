//! What a run holds in memory does not grow with what it deletes.

use std::process::Stdio;
use std::time::Duration;

use elpis_testkit::pandora::{Installation, QUICK};
use elpis_testkit::{Database, MariaDb};
use jiff::Timestamp;

use super::Site;

/// The most memory that a run had which deletes so many orphans of each of two tables, in kB.
fn peak_of(orphans: u64) -> u64 {
    // What is deleted here is nothing to find again: no log, no commit to the disk.
    let server = MariaDb::own_server(&[QUICK[0], QUICK[1], "--innodb-buffer-pool-size=1G"]);
    let installation = Installation {
        now: Timestamp::now(),
        ..Installation::small()
    };
    let site = Site::on(&server, installation);
    site.db.sql(&format!(
        "SET foreign_key_checks = 0; \
         INSERT INTO tagente_datos_inc (id_agente_modulo, datos, utimestamp) \
           SELECT 10000000 + seq, seq, 1 FROM seq_1_to_{orphans}; \
         INSERT INTO talert_template_modules (id_agent_module, id_alert_template) \
           SELECT 10000000 + seq, 1 FROM seq_1_to_{orphans};"
    ));
    let only = "orphan_alerts,orphan_increments";
    let args = ["run", "--only", only, "--no-throttle", "--max-share", "1"];
    let mut command = site.command(&args);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    // Until it is a zombie, which has no memory any more.
    while let Some(now) = std::fs::read_to_string(&status).ok().and_then(peak_in) {
        peak = now;
        std::thread::sleep(Duration::from_millis(2));
    }
    let said = site.world.said(&child.wait_with_output().unwrap());
    assert_eq!(said.code, 0, "{said:?}");
    let left = "SELECT (SELECT COUNT(*) FROM tagente_datos_inc WHERE id_agente_modulo > 10000000) \
                + (SELECT COUNT(*) FROM talert_template_modules WHERE id_agent_module > 10000000);";
    assert_eq!(site.number(left), 0);
    peak
}

fn peak_in(status: String) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Statement 24: orphans are found by anti-join in bounded steps, here 150,000 and five
/// million with `ELPIS_SOAK`.
#[test]
fn many_orphans_need_no_more_memory_than_few() {
    let many = match std::env::var("ELPIS_SOAK") {
        Ok(_) => 5_000_000,
        Err(_) => 150_000,
    };
    // More than one look finds.
    let (few, all) = (peak_of(50_000), peak_of(many));
    println!("{few} kB for 50,000 orphans, {all} kB for {many}");
    // The keys of a hundred thousand alone would be more.
    assert!(all < few + 4_000, "{few} kB, then {all} kB");
}
