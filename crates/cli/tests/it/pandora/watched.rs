//! What somebody sees who watches the whole maintenance.

use super::{Site, alone};
use crate::terminal::{on_a_terminal, watch};

/// A task that takes its time has a bar below its line, and a line instead of it when it is done.
#[test]
fn a_terminal_shows_how_far_a_task_is() {
    let site = Site::with(&[]);
    let _alone = alone();
    // What is old now is old for the run, too; what becomes old later is not counted.
    let border = site.number("SELECT UNIX_TIMESTAMP() - 86400 * 60;");
    let old = format!("SELECT COUNT(*) FROM tsesion WHERE utimestamp < {border};");
    assert_ne!(site.number(&old), 0);
    // It stands still as long as somebody else holds its rows.
    let held = site.hold_sessions();
    site.world
        .write("state.toml", "[state]\ndirectory = \"state\"\n");
    let args = "run --only audit --pandora pandora_server.conf --config state.toml";
    let mut child = on_a_terminal(&site.world, args);
    let is_bar = |frame: &str| {
        let parts = ["tsesion", " %", " of ", "/s", " left"];
        parts.iter().all(|part| frame.contains(part))
    };
    let seen = watch(&mut child, |text| text.split('\r').any(is_bar));
    assert!(seen.split('\r').any(is_bar), "no bar in {seen:?}");
    held.release();
    let rest = watch(&mut child, |_| false);
    assert!(child.wait().unwrap().success(), "{rest}");
    assert!(rest.contains("[PURGE]   tsesion: "), "{rest:?}");
    assert_eq!(site.number(&old), 0);
}
