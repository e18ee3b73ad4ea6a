//! Whether a server is alive and ready.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use elpis_run::fsx;

use super::ServerError;

/// Waits until the server greets on its socket, which it does only when it is ready.
pub(super) fn wait(
    socket: &Path,
    pid: u32,
    dir: &Path,
    patience: Duration,
) -> Result<(), ServerError> {
    let deadline = Instant::now() + patience;
    let failed = |what| ServerError::Start {
        what,
        log_tail: log_tail(dir),
    };
    while !greets(socket) {
        if !is_alive(pid) {
            return Err(failed("ended while it started"));
        }
        if Instant::now() > deadline {
            return Err(failed("is not ready in time"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// A greeting is a packet whose first byte is the protocol version, 10; a refusal ("too many
/// connections", "starting up") has 255 there.
fn greets(socket: &Path) -> bool {
    let Ok(mut stream) = UnixStream::connect(socket) else {
        return false;
    };
    let mut packet = [0; 5];
    stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .is_ok()
        && stream.read_exact(&mut packet).is_ok()
        && packet[4] == 10
}

/// Whether the process runs: not gone, and not a zombie that its guardian has yet to reap.
pub(super) fn is_alive(pid: u32) -> bool {
    let stat = fsx::read_to_string(Path::new(&format!("/proc/{pid}/stat"))).unwrap_or_default();
    // The state is the word after the name, which is in parentheses and may contain anything.
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
    !state.is_empty() && !state.starts_with(['Z', 'X'])
}

pub(super) fn log_tail(dir: &Path) -> String {
    tail(&fsx::read_to_string(&dir.join("error.log")).unwrap_or_default())
}

/// The last lines, enough to see an error among the notes around it.
pub(super) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
