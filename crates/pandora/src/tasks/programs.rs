//! Runs a program without a shell, after looking at whose it is.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::pin::Pin;
use std::process::Stdio;
use std::time::Duration;

use elpis_maint_core::housekeeping::{ProgramError, ProgramRunner, ProgramTask};
use elpis_run::StopToken;
use rustix::process::{Pid, Signal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, Command};

/// Bits of a mode that let somebody else than the owner write.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// Bits of a mode that let somebody run it.
const EXECUTABLE: u32 = 0o111;
/// Answers to the questions that `nfexpire` asks when it finds a directory without bookkeeping.
const YES: &[u8] = b"y\ny\ny\ny\n";
/// How much of what a failed program said is kept, in bytes.
const TOLD: usize = 400;

/// Runs programs as this process's own children.
///
/// A program is run only if it and its directory belong to root or to whoever runs Elpis and
/// nobody else may write to them. It gets no environment but a `PATH`, and leads a group of
/// processes, which is ended as a whole when it takes longer than the limit or the run is stopped.
#[derive(Debug, Clone)]
pub struct Programs {
    /// How long a program may take.
    pub limit: Duration,
    /// How long it may take to end when it is asked to; then it is killed.
    pub grace: Duration,
}

impl Default for Programs {
    /// One hour, and five seconds to end.
    fn default() -> Programs {
        Programs {
            limit: Duration::from_secs(3600),
            grace: Duration::from_secs(5),
        }
    }
}

impl ProgramRunner for Programs {
    fn run<'a>(
        &'a self,
        task: &'a ProgramTask,
        stop: &'a StopToken,
    ) -> Pin<Box<dyn Future<Output = Result<(), ProgramError>> + Send + 'a>> {
        Box::pin(self.run_checked(task, stop))
    }
}

impl Programs {
    async fn run_checked(&self, task: &ProgramTask, stop: &StopToken) -> Result<(), ProgramError> {
        let program = &task.program;
        let not_here = |why: String| ProgramError::NotHere { why };
        if !task.directory.is_dir() {
            let path = task.directory.display();
            return Err(not_here(format!("there is no directory {path}")));
        }
        if !program.is_file() {
            return Err(not_here(format!("there is no {}", program.display())));
        }
        let not_run = |source| ProgramError::NotRun {
            program: program.clone(),
            source,
        };
        // What a link points at is what would be run.
        let real = program.canonicalize().map_err(not_run)?;
        trusted(&real)?;
        let mut child = Command::new(&real)
            .args(&task.args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(not_run)?;
        let mut group = Group::led_by(&child);
        let said = child.stderr.take().map(|stderr| tokio::spawn(hear(stderr)));
        if let Some(mut stdin) = child.stdin.take() {
            // A program that asks nothing may be gone already; these few bytes fit any pipe.
            let _ = stdin.write_all(YES).await;
        }
        let done = tokio::select! {
            done = child.wait() => Some(done),
            () = stop.stopped() => None,
            () = tokio::time::sleep(self.limit) => None,
        };
        let Some(done) = done else {
            self.end(&mut child, &mut group).await;
            if stop.is_stopped() {
                let program = program.clone();
                return Err(ProgramError::Stopped { program });
            }
            let how = format!("not done after {} s", self.limit.as_secs());
            return Err(failed(program, how));
        };
        group.is_over();
        let done = done.map_err(not_run)?;
        if done.success() {
            return Ok(());
        }
        // Whatever it has started may hold the pipe open for ever.
        let said = match said {
            Some(said) => tokio::time::timeout(self.grace, said).await,
            None => Ok(Ok(Vec::new())),
        };
        let said = said.ok().and_then(Result::ok).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        Err(failed(program, format!("{done}: {}", said.trim())))
    }

    /// Ends the program and whatever it has started.
    async fn end(&self, child: &mut Child, group: &mut Group) {
        group.signal(Signal::TERM);
        if tokio::time::timeout(self.grace, child.wait()).await.is_ok() {
            // The leader's number stays the group's as long as somebody is in it.
            group.signal(Signal::KILL);
            group.is_over();
            return;
        }
        group.signal(Signal::KILL);
        // Only a program in the midst of the kernel outlives this, and nobody can end it.
        let _ = tokio::time::timeout(self.grace, child.wait()).await;
        group.is_over();
    }
}

/// The first bytes of what a program says; the rest is read too, or it would wait for a reader.
async fn hear(mut stderr: ChildStderr) -> Vec<u8> {
    let (mut said, mut more) = (Vec::new(), [0; 1024]);
    while let Ok(read @ 1..) = stderr.read(&mut more).await {
        let room = TOLD - said.len();
        said.extend_from_slice(&more[..read.min(room)]);
    }
    said
}

/// The processes that a program and its descendants make up. Killed when it is dropped before the
/// program was seen to end.
struct Group(Option<Pid>);

impl Group {
    fn led_by(child: &Child) -> Group {
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        Group(pid.and_then(Pid::from_raw))
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            // It may be gone by itself.
            let _ = rustix::process::kill_process_group(pid, signal);
        }
    }

    /// The number may be another's from now on.
    fn is_over(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// # Errors
/// Why a program, or a directory on the way to it, could have been put there by somebody else.
fn trusted(program: &Path) -> Result<(), ProgramError> {
    let me = rustix::process::geteuid().as_raw();
    for path in program.ancestors() {
        let meta = path.metadata().map_err(|source| ProgramError::NotRun {
            program: program.to_owned(),
            source,
        })?;
        let (owner, mode) = (meta.uid(), meta.mode());
        let path = path.display();
        if owner != 0 && owner != me {
            return Err(failed(program, format!("{path} belongs to user {owner}")));
        }
        // A directory like /tmp lets others write, but not replace what is ours.
        let sticky = meta.is_dir() && mode & 0o1000 != 0;
        if mode & WRITABLE_BY_OTHERS != 0 && !sticky {
            let how = format!("{path} can be changed by others than its owner");
            return Err(failed(program, how));
        }
        if meta.is_file() && mode & EXECUTABLE == 0 {
            return Err(failed(program, format!("{path} is not executable")));
        }
    }
    Ok(())
}

fn failed(program: &Path, how: String) -> ProgramError {
    ProgramError::Failed {
        program: program.to_owned(),
        how,
    }
}

#[cfg(test)]
mod tests;
