//! The minutes in which an installation must not work: people are told, the watchdog is told, the
//! services stop; and all of it the other way round afterwards.

use std::fmt;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use elpis_run::{FsError, fsx};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::restore::{ServiceError, Services};

/// The search path of commands: nothing else of our environment reaches them.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How often a command is looked at.
const POLL: Duration = Duration::from_millis(20);
/// How much of what a failed command wrote is told, in bytes.
const TOLD: u64 = 500;

/// Tells whoever watches over the services that their standstill is meant.
pub trait MaintenanceFlag: Send + Sync {
    /// From now on it is meant, and why. Raised twice is raised.
    ///
    /// # Errors
    /// When the watchdog cannot be told; the services are not stopped then.
    fn raise(&self, why: &str) -> Result<(), ServiceError>;

    /// From now on it is not. Lowered twice is lowered.
    ///
    /// # Errors
    /// When the watchdog cannot be told.
    fn lower(&self) -> Result<(), ServiceError>;
}

/// A file that is there while a standstill is meant, with the reason in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagFile {
    /// The file; its directory must be there.
    pub path: PathBuf,
}

impl MaintenanceFlag for FlagFile {
    fn raise(&self, why: &str) -> Result<(), ServiceError> {
        Ok(fsx::write_durable(
            &self.path,
            format!("{why}\n").as_bytes(),
            0o644,
        )?)
    }

    fn lower(&self) -> Result<(), ServiceError> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(FsError::new("remove", &self.path, error).into())
            }
            _ => Ok(()),
        }
    }
}

/// Tells people what is going to happen and what has happened.
pub trait Notices: Send + Sync {
    /// Tells a sentence. Whether anybody hears it changes nothing.
    fn tell(&self, sentence: &str);
}

/// Programs that are run directly, without a shell, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandServices {
    /// What stops the services: each a program and its arguments.
    pub stop: Vec<Vec<String>>,
    /// What starts them.
    pub start: Vec<Vec<String>>,
    /// How long each may take; then it is killed.
    pub patience: Duration,
}

/// Why a command did not do what it was run for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// It is no command.
    #[error("a command is empty: name a program and its arguments")]
    Empty,
    /// It could not be run.
    #[error("cannot run {program}")]
    Run {
        /// The program.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// It took too long and was killed, with what it had started.
    #[error("{program} was killed: it had not ended after {} s", patience.as_secs())]
    Slow {
        /// The program.
        program: String,
        /// How long it had.
        patience: Duration,
    },
    /// It failed.
    #[error("{program} failed ({status}): {said}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The beginning of what it wrote to standard error.
        said: String,
    },
}

impl Services for CommandServices {
    fn stop(&self) -> Result<(), ServiceError> {
        let mut stop = self.stop.iter();
        Ok(stop.try_for_each(|command| run_command(command, &[], self.patience))?)
    }

    /// Each is tried, whatever became of those before it; the first error is told.
    fn start(&self) -> Result<(), ServiceError> {
        let start = |command: &Vec<String>| run_command(command, &[], self.patience);
        // All of them first: `and` would end at an error.
        let started: Vec<Result<(), CommandError>> = self.start.iter().map(start).collect();
        Ok(started.into_iter().collect::<Result<(), CommandError>>()?)
    }
}

/// Runs a program with its arguments and `more`, without a shell and without our environment.
///
/// # Errors
/// [`CommandError`], also when it ends with another code than 0.
pub fn run_command(
    command: &[String],
    more: &[&str],
    patience: Duration,
) -> Result<(), CommandError> {
    let [program, args @ ..] = command else {
        return Err(CommandError::Empty);
    };
    let failed = |source| CommandError::Run {
        program: program.clone(),
        source,
    };
    let mut child = Command::new(program)
        .args(args)
        .args(more)
        .env_clear()
        .env("PATH", PATH)
        .current_dir(Path::new("/"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // Ctrl-C at our terminal is not meant for services.
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let said = read_aside(&mut child);
    let Some(status) = wait(&mut child, patience).map_err(failed)? else {
        if let Some(group) = Pid::from_raw(child.id().cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = child.wait();
        return Err(CommandError::Slow {
            program: program.clone(),
            patience,
        });
    };
    if status.success() {
        return Ok(());
    }
    // A daemon that it left behind may hold the pipe open.
    let said = said.recv_timeout(POLL * 10).unwrap_or_default();
    Err(CommandError::Failed {
        program: program.clone(),
        status,
        said,
    })
}

/// The beginning of what a child writes, from a thread that also reads the rest away.
fn read_aside(child: &mut Child) -> std::sync::mpsc::Receiver<String> {
    let (tell, told) = std::sync::mpsc::channel();
    if let Some(mut stderr) = child.stderr.take() {
        std::thread::spawn(move || {
            let mut said = Vec::new();
            let _ = stderr.by_ref().take(TOLD).read_to_end(&mut said);
            let said: String = String::from_utf8_lossy(&said)
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect();
            let _ = tell.send(said.trim().to_owned());
            let _ = io::copy(&mut stderr, &mut io::sink());
        });
    }
    told
}

fn wait(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

/// Everything that goes around a standstill, in its order. What is `None` is left out.
pub struct Standstill<'a> {
    /// What it is for, in a few words: `restoring ARCHIVE`.
    pub why: String,
    /// The services.
    pub services: Option<&'a dyn Services>,
    /// The watchdog.
    pub flag: Option<&'a dyn MaintenanceFlag>,
    /// Those who are told.
    pub notices: Option<&'a dyn Notices>,
}

impl fmt::Debug for Standstill<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standstill")
            .field("why", &self.why)
            .finish_non_exhaustive()
    }
}

impl Standstill<'_> {
    fn tell(&self, sentence: &str) {
        if let Some(notices) = self.notices {
            notices.tell(sentence);
        }
    }
}

impl Services for Standstill<'_> {
    /// Tells, raises the flag, stops. If the services do not stop, they are started again.
    fn stop(&self) -> Result<(), ServiceError> {
        self.tell(&format!("the services stop now: {}", self.why));
        if let Some(flag) = self.flag {
            flag.raise(&self.why)?;
        }
        let stopped = self.services.map_or(Ok(()), Services::stop);
        if stopped.is_err() {
            // The first error is the one that matters.
            let _ = self.start();
        }
        stopped
    }

    /// Starts, lowers the flag, tells. The flag stays up if the services do not start: a person
    /// is at work then.
    fn start(&self) -> Result<(), ServiceError> {
        self.services.map_or(Ok(()), Services::start)?;
        if let Some(flag) = self.flag {
            flag.lower()?;
        }
        self.tell(&format!("the services run again: {}", self.why));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn command(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn services(stop: &[&[&str]], start: &[&[&str]]) -> CommandServices {
        let all = |list: &[&[&str]]| list.iter().map(|words| command(words)).collect();
        CommandServices {
            stop: all(stop),
            start: all(start),
            patience: Duration::from_secs(30),
        }
    }

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Notices for Heard {
        fn tell(&self, sentence: &str) {
            self.0.lock().unwrap().push(sentence.to_owned());
        }
    }

    #[test]
    fn commands_are_run_as_they_are_written_and_know_nothing_of_us() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("$HOME; x");
        let out = out.to_str().unwrap();
        services(&[&["cp", "/dev/null", out]], &[]).stop().unwrap();
        assert!(Path::new(out).exists());
        let script = format!("env > {}/env", dir.path().display());
        services(&[&["sh", "-c", &script]], &[]).stop().unwrap();
        let env = fsx::read_to_string(&dir.path().join("env")).unwrap();
        let names: Vec<&str> = env
            .lines()
            .filter_map(|line| line.split('=').next())
            .collect();
        assert!(
            names
                .iter()
                .all(|name| ["PATH", "PWD", "SHLVL", "_"].contains(name)),
            "{env}"
        );
    }

    #[test]
    fn what_fails_says_why() {
        let said = |words: &[&str], patience| {
            let error = run_command(&command(words), &[], Duration::from_millis(patience));
            error.unwrap_err().to_string()
        };
        let failed = said(&["sh", "-c", "echo no unit >&2; exit 5"], 30_000);
        assert!(
            failed.contains("exit status: 5") && failed.ends_with("no unit"),
            "{failed}"
        );
        assert!(said(&["/no/such/program"], 30_000).starts_with("cannot run"));
        assert!(said(&["sleep", "600"], 50).contains("was killed"));
        assert!(said(&[], 1).contains("empty"));
    }

    #[test]
    fn what_takes_too_long_goes_with_all_that_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", pid.display());
        let slow = [&["sh", "-c", &script][..]];
        let slow = CommandServices {
            patience: Duration::from_millis(500),
            ..services(&slow, &[])
        };
        assert!(slow.stop().unwrap_err().to_string().contains("was killed"));
        // `ps` knows zombies of others as well: what matters is that it does not sleep.
        let pid = fsx::read_to_string(&pid).unwrap();
        let look = || {
            let mut ps = Command::new("ps");
            ps.args(["-o", "args=", "-p", pid.trim()]);
            String::from_utf8(ps.output().unwrap().stdout).unwrap()
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while look().contains("600") {
            assert!(Instant::now() < deadline, "{}", look());
            std::thread::sleep(POLL);
        }
    }

    #[test]
    fn every_service_is_started_whatever_became_of_those_before() {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("started");
        let start = [&["false"][..], &["touch", mark.to_str().unwrap()]];
        let error = services(&[], &start).start().unwrap_err();
        assert!(error.to_string().contains("false failed"), "{error}");
        assert!(mark.exists());
    }

    #[test]
    fn a_standstill_is_told_flagged_and_ended_and_survives_a_service_that_does_not_stop() {
        let dir = tempfile::tempdir().unwrap();
        let flag = FlagFile {
            path: dir.path().join("maintenance"),
        };
        let heard = Heard::default();
        let mark = dir.path().join("stopped");
        let mark = mark.to_str().unwrap();
        let good = services(&[&["touch", mark]], &[&["rm", "-f", mark]]);
        let bad = services(&[&["touch", mark], &["false"]], &[&["rm", "-f", mark]]);
        let with = |services| Standstill {
            why: "restoring x".to_owned(),
            services: Some(services),
            flag: Some(&flag),
            notices: Some(&heard),
        };
        with(&good).stop().unwrap();
        assert_eq!(fsx::read_to_string(&flag.path).unwrap(), "restoring x\n");
        assert!(Path::new(mark).exists());
        with(&good).start().unwrap();
        assert!(!flag.path.exists() && !Path::new(mark).exists());
        with(&good).start().unwrap();
        assert!(with(&bad).stop().is_err());
        assert!(!flag.path.exists() && !Path::new(mark).exists());
        let heard = heard.0.into_inner().unwrap();
        assert_eq!(heard[0], "the services stop now: restoring x");
        assert_eq!(heard.len(), 5);
    }
}
