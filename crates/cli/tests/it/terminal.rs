//! What somebody sees who watches a run. `script` of util-linux lends the terminal.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use crate::harness::{KEEP_ROWS, World};
use crate::server;

/// `elpis-maint ARGS` on a terminal of 140 columns.
pub(crate) fn on_a_terminal(world: &World, args: &str) -> Child {
    let typed = format!(
        "stty cols 140; exec {} {args}",
        env!("CARGO_BIN_EXE_elpis-maint")
    );
    Command::new("script")
        .args([
            "--quiet",
            "--return",
            "--flush",
            "--command",
            &typed,
            "/dev/null",
        ])
        .env("ELPIS_CONFIG", world.path("maint.toml"))
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .current_dir(world.dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads the terminal until `seen` holds, or to the end.
pub(crate) fn watch(child: &mut Child, seen: impl Fn(&str) -> bool) -> String {
    let out = child.stdout.as_mut().unwrap();
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    loop {
        let n = out.read(&mut buffer).unwrap();
        text.push_str(&String::from_utf8_lossy(&buffer[..n]));
        if n == 0 || seen(&text) {
            return text;
        }
    }
}

#[test]
fn a_terminal_shows_rate_and_time_left() {
    let world = World::with(40_000, KEEP_ROWS);
    let mut child = on_a_terminal(&world, "run --max-share 1");
    let text = watch(&mut child, |_| false);
    assert!(child.wait().unwrap().success(), "{text}");
    let drawn = text
        .split('\r')
        .find(|frame| {
            frame.contains("tagente_datos") && frame.contains("/s") && frame.contains(" left")
        })
        .unwrap_or_else(|| panic!("no bar with a rate and the time left in {text:?}"));
    assert!(drawn.contains(" of ") && drawn.contains(" %"), "{drawn:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_shows_what_a_run_waits_for() {
    let (world, server) = server::world("max_threads_running = 3").await;
    let _busy = server::occupy(&server, 6).await;
    let mut child = on_a_terminal(&world, "run");
    let text = watch(&mut child, |text| text.contains("waiting: "));
    assert!(
        text.contains("statements are running > 3"),
        "no reason in {text:?}"
    );
    let _ = child.kill();
    child.wait().unwrap();
}
