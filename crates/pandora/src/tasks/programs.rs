//! Runs a program without a shell, after looking at whose it is.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::pin::Pin;
use std::process::Stdio;
use std::time::Duration;

use elpis_maint_core::housekeeping::{ProgramError, ProgramRunner, ProgramTask};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

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
/// nobody else may write to them. It gets no environment but a `PATH`, and is killed when it takes
/// longer than the limit.
#[derive(Debug, Clone)]
pub struct Programs {
    /// How long a program may take.
    pub limit: Duration,
}

impl Default for Programs {
    /// One hour.
    fn default() -> Programs {
        Programs {
            limit: Duration::from_secs(3600),
        }
    }
}

impl ProgramRunner for Programs {
    fn run<'a>(
        &'a self,
        task: &'a ProgramTask,
    ) -> Pin<Box<dyn Future<Output = Result<(), ProgramError>> + Send + 'a>> {
        Box::pin(self.run_checked(task))
    }
}

impl Programs {
    async fn run_checked(&self, task: &ProgramTask) -> Result<(), ProgramError> {
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
            .kill_on_drop(true)
            .spawn()
            .map_err(not_run)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that asks nothing may be gone already.
            let _ = stdin.write_all(YES).await;
        }
        let done = tokio::time::timeout(self.limit, child.wait_with_output()).await;
        let Ok(done) = done else {
            let how = format!("not done after {} s", self.limit.as_secs());
            return Err(failed(program, how));
        };
        let done = done.map_err(not_run)?;
        if done.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr);
        let said: String = said.trim().chars().take(TOLD).collect();
        Err(failed(program, format!("{}: {said}", done.status)))
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
