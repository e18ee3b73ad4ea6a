//! Runs that outlive their terminal, and looking at them.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use elpis_run::{Clock, FileLock, Holder, RealClock, fsx};

use super::store::PROGRAM;
use crate::exit::{Code, Verdict};
use crate::output::Printer;
use crate::settings::{Settings, State};

/// How often a log is looked at, and how often a new run.
const POLL: Duration = Duration::from_millis(50);

/// How long a run must have worked to be left alone: what is wrong from the start is said at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where a run in the background writes what it says.
fn log(state: &State) -> PathBuf {
    state.directory.join("background.log")
}

/// Names the process that runs in the background.
fn lock(state: &State) -> PathBuf {
    state.directory.join("background.lock")
}

/// The run in the background, if there is one.
fn at_work(state: &State) -> Option<Holder> {
    let text = fsx::read_to_string(&lock(state)).ok()?;
    let holder: Holder = serde_json::from_str(&text).ok()?;
    (holder.is_alive() == Some(true)).then_some(holder)
}

/// Starts this very command once more, in the background.
pub(crate) async fn start(settings: &Settings, printer: Printer) -> Result<Verdict> {
    let (state, arguments) = (&settings.state, settings.arguments());
    fsx::create_private_dir(&state.directory)?;
    if let Some(holder) = at_work(state) {
        return Ok(taken(&holder, &arguments));
    }
    let path = log(state);
    let file = fsx::open_private(&path)?;
    // One run, one log; the journal has the earlier ones.
    file.set_len(0)
        .with_context(|| format!("cannot empty {}", path.display()))?;
    let program = std::env::current_exe().context("cannot find this very program")?;
    let mut child = Command::new(program)
        .args(std::env::args_os().skip(1))
        .arg("--detached")
        .stdin(Stdio::null())
        .stdout(file.try_clone().context("cannot share the log")?)
        .stderr(file)
        .spawn()
        .context("cannot start a process in the background")?;
    let pid = child.id();
    let mut patience = PATIENCE;
    while !patience.is_zero() {
        if let Some(status) = child.try_wait().context("cannot see to the new process")? {
            return over(&path, status.code(), printer);
        }
        if at_work(state).is_some_and(|holder| holder.pid == pid) {
            patience = patience.saturating_sub(POLL);
        }
        tokio::time::sleep(POLL).await;
    }
    printer.data(&format!(
        "process {pid} works in the background and writes to {}\n`elpis-maint status --follow \
         {arguments}` shows how far it is, `kill {pid}` stops it at the next safe point",
        path.display()
    ))?;
    Ok(Verdict::silent(Code::Done))
}

/// A run that was over before anybody looked.
fn over(log: &Path, code: Option<i32>, printer: Printer) -> Result<Verdict> {
    let said = fsx::read(log)?;
    let known = crate::exit::TABLE.iter().map(|(code, _)| *code);
    let mut same = known.filter(|known| code == Some(i32::from(*known as u8)));
    let code = same.next().unwrap_or(Code::Internal);
    if said.is_empty() && code != Code::Done {
        return Ok(Verdict::new(
            code,
            format!(
                "the run ended at once and could not write why to {}",
                log.display()
            ),
            "see whether its file system is full; the same command without --background says why",
        ));
    }
    if !said.is_empty() {
        printer.always(String::from_utf8_lossy(&said).trim_end());
    }
    Ok(Verdict::silent(code))
}

/// What is said to whoever stops watching: the run has not heard of it.
pub(crate) fn left() -> Verdict {
    Verdict::new(
        Code::Interrupted,
        "no longer watching; the run goes on",
        "the same command shows it again; `kill` with its process number stops it",
    )
}

/// Leaves the terminal, and holds the lock of the background until dropped.
///
/// # Errors
/// If another run has it.
pub(crate) fn detach(state: &State) -> Result<FileLock> {
    // Fails only for the leader of a group, which a child of `start` is not.
    let _ = rustix::process::setsid();
    let holder = Holder::current(PROGRAM, RealClock::new().now());
    Ok(FileLock::acquire(&lock(state), &holder)?)
}

fn taken(holder: &Holder, arguments: &str) -> Verdict {
    Verdict::new(
        Code::Locked,
        format!("{holder} works in the background already"),
        format!("`elpis-maint status --follow {arguments}` shows how far it is"),
    )
}

/// Shows what the run in the background says, until it ends.
pub(crate) async fn follow(settings: &Settings, printer: Printer) -> Result<Verdict> {
    let state = &settings.state;
    let path = log(state);
    let Some(holder) = at_work(state) else {
        return Ok(Verdict::new(
            Code::Done,
            "no run works in the background",
            format!("what the last one said is in {}", path.display()),
        ));
    };
    printer.say(&format!("{holder}:"));
    let mut file = fsx::open_private(&path)?;
    let mut shown = 0;
    loop {
        // Looked at before the log is read, so that its last words are not missed.
        let is_over = at_work(state).is_none_or(|now| now != holder);
        shown += copy_from(&mut file, shown, printer)?;
        if is_over {
            break;
        }
        tokio::time::sleep(POLL).await;
    }
    let arguments = settings.arguments();
    printer.say(&format!(
        "the run is over; `elpis-maint status {arguments}` says how it ended"
    ));
    Ok(Verdict::silent(Code::Done))
}

/// Writes what the log has from `start` on; returns how much that was.
fn copy_from(file: &mut File, start: u64, printer: Printer) -> Result<u64> {
    let mut new = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.read_to_end(&mut new)?;
    // A line that is half written waits for its other half.
    let whole = new
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    if whole > 0 {
        printer.data(&String::from_utf8_lossy(&new[..whole]))?;
    }
    Ok(whole as u64)
}
