//! What is wrong with the hourly job. Pure.

use std::path::{Path, PathBuf};

use super::{By, Lack, Schedule, ScheduledJob, Starts, shell_word};
use crate::doctor::Check;

/// The installation whose jobs are judged.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The root of its system: `/`, or that of an image.
    pub root: &'a Path,
    /// The product's configuration, as [`resolved`](super::resolved); `None` if it is not known.
    pub conf: Option<&'a Path>,
    /// What names both to `elpis-maint install`.
    pub arguments: &'a str,
}

impl Subject<'_> {
    /// Whether a job may be about this installation.
    fn has(&self, job: &ScheduledJob) -> bool {
        !self.conf.is_some_and(|conf| job.is_of_another(conf))
    }

    /// A file of its system as a word of a command on this one.
    fn word(&self, path: &Path) -> String {
        shell_word(&outside(self.root, path))
    }

    /// `systemctl VERB` for a timer of its system.
    fn systemctl(&self, verb: &str, timer: &Path) -> String {
        let name = shell_word(Path::new(timer.file_name().unwrap_or_default()));
        match (self.root == Path::new("/"), verb) {
            (true, "enable") => format!("systemctl daemon-reload && systemctl enable --now {name}"),
            (true, _) => format!("systemctl {verb} --now {name}"),
            (false, _) => format!("systemctl --root={} {verb} {name}", shell_word(self.root)),
        }
    }

    /// How ours takes the place of a job of the incumbent's.
    fn replacing(&self, job: &ScheduledJob) -> String {
        let arguments = self.arguments;
        let first = match job.by {
            By::RunParts => {
                return format!("elpis-maint install --cron --disable-incumbent {arguments}");
            }
            By::Cron => format!(
                "take that line out of {}",
                outside(self.root, &job.path).display()
            ),
            By::Systemd => self.systemctl("disable", &job.path),
        };
        format!("{first}, then: elpis-maint install --cron {arguments}")
    }
}

/// Where a file of the system below `root` is on this one. Links stay.
fn outside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// What is well and what is not. A job that works on other installations is none of its matter.
pub fn judge_schedule(schedule: &Schedule, subject: &Subject<'_>) -> Vec<Check> {
    let of_subject = schedule.jobs.iter().filter(|job| subject.has(job));
    let jobs: Vec<&ScheduledJob> = of_subject.collect();
    let mut checks = Vec::new();
    let active = jobs.iter().copied().filter(|job| job.is_active());
    let active: Vec<&ScheduledJob> = active.collect();
    let is_ours = |job: &ScheduledJob| job.starts != Starts::Incumbent;
    // What is kept from running may stay: the incumbent's beside any of ours, which is what is to
    // be set right, and one of ours beside another one that runs.
    let is_rest = |job: &ScheduledJob| {
        let others = if is_ours(job) {
            active.iter().any(|job| is_ours(job))
        } else {
            jobs.iter().any(|job| is_ours(job))
        };
        others && !job.is_active()
    };
    let mattering = jobs.iter().copied().filter(|job| !is_rest(job));
    let mattering: Vec<&ScheduledJob> = mattering.collect();
    for job in mattering.iter().filter(|job| job.by == By::RunParts) {
        checks.extend(faults(job, subject));
    }
    for job in mattering
        .iter()
        .filter(|job| job.by == By::Systemd && !job.is_enabled)
    {
        let path = job.path.display();
        checks.push(Check::problem(
            "timer.enabled",
            format!("{path} is not enabled"),
            subject.systemctl("enable", &job.path),
        ));
    }
    checks.extend(active.iter().flat_map(|job| lacking(job, subject)));
    for job in active.iter().filter(|job| job.is_silent) {
        checks.push(Check::warning(
            "cron.output",
            format!(
                "{} throws away what the maintenance says",
                job.path.display()
            ),
            "leave out >/dev/null: `run --quiet` says only what went wrong, which cron then mails",
        ));
    }
    checks.extend(schedule.unread.iter().map(|error| {
        Check::warning(
            "cron.unread",
            format!("{error}: {}", error.source),
            "it was not looked at: call doctor as root",
        )
    }));
    checks.push(exists((schedule, &jobs), &active, subject));
    checks
}

/// Whether there is just one job that does its work.
fn exists(
    (schedule, jobs): (&Schedule, &[&ScheduledJob]),
    active: &[&ScheduledJob],
    subject: &Subject<'_>,
) -> Check {
    let arguments = subject.arguments;
    let working = active.iter().filter(|job| job.lacks.is_empty());
    let working: Vec<&ScheduledJob> = working.copied().collect();
    let ours = |job: &&ScheduledJob| job.starts != Starts::Incumbent;
    match working.as_slice() {
        [] => {
            let what = match (active.first(), schedule.unread.is_empty()) {
                (Some(job), _) => {
                    format!(
                        "{} is to start the maintenance, and cannot",
                        job.path.display()
                    )
                }
                (None, true) => "no job starts the maintenance every hour".to_owned(),
                (None, false) => "no job was found that starts the maintenance every hour, and \
                                  not everything could be read"
                    .to_owned(),
            };
            let remedy = match jobs.iter().copied().find(ours) {
                Some(job) => format!("put {} right", job.path.display()),
                None => format!("elpis-maint install --cron {arguments}"),
            };
            Check::problem("cron.exists", what, remedy)
        }
        [one] if one.starts == Starts::Elpis => Check::ok(
            "cron.exists",
            format!("{} starts elpis-maint", one.path.display()),
        ),
        [one] if one.starts == Starts::Both => Check::problem(
            "cron.doubled",
            format!(
                "{} starts elpis-maint and the tool that it replaces",
                one.path.display()
            ),
            "take the line of the other tool out of it",
        ),
        [one] => Check::warning(
            "cron.exists",
            format!("{} starts the tool that Elpis replaces", one.path.display()),
            subject.replacing(one),
        ),
        several => {
            let paths = several.iter().map(|job| job.path.display().to_string());
            Check::problem(
                "cron.doubled",
                format!(
                    "several jobs start the maintenance: {}",
                    paths.collect::<Vec<_>>().join(", ")
                ),
                format!("keep one of them: {}", stopping(several, subject)),
            )
        }
    }
}

/// How each of `jobs` is kept from running.
fn stopping(jobs: &[&ScheduledJob], subject: &Subject<'_>) -> String {
    let of = |job: &&ScheduledJob| match job.by {
        By::RunParts => format!("chmod a-x {}", subject.word(&job.path)),
        By::Cron => {
            let path = outside(subject.root, &job.path);
            format!("take that line out of {}", path.display())
        }
        By::Systemd => subject.systemctl("disable", &job.path),
    };
    jobs.iter().map(of).collect::<Vec<_>>().join("; or ")
}

/// What a job that is started cannot do without.
fn lacking(job: &ScheduledJob, subject: &Subject<'_>) -> Vec<Check> {
    let path = job.path.display();
    let of = |lack: &Lack| match lack {
        Lack::Interpreter(name) if name.ends_with('\r') => Check::problem(
            "cron.shebang",
            format!(
                "the lines of {path} end with a carriage return, so the system looks for an interpreter named {name:?}"
            ),
            format!("sed -i 's/\\r$//' {}", subject.word(&job.path)),
        ),
        Lack::Interpreter(name) => Check::problem(
            "cron.shebang",
            format!("{path} is to be run by {name:?}, which is not there"),
            "let its first line name what is there, such as #!/bin/sh",
        ),
        Lack::Program(name) => Check::problem(
            "cron.program",
            format!("{path} starts {name}, which is not there or not executable"),
            match (job.starts, job.by) {
                (Starts::Incumbent, _) => {
                    format!("put the program there, or: {}", subject.replacing(job))
                }
                (_, By::Systemd) => {
                    "put the program there, or name the right one in ExecStart= of the service"
                        .to_owned()
                }
                (_, _) => "put the program there, or name the right one in that file".to_owned(),
            },
        ),
    };
    job.lacks.iter().map(of).collect()
}

/// What keeps `run-parts` from starting a file, or lets others change it.
fn faults(job: &ScheduledJob, subject: &Subject<'_>) -> Vec<Check> {
    let (path, word) = (job.path.display(), subject.word(&job.path));
    let mut checks = Vec::new();
    if job.mode & 0o111 == 0 {
        checks.push(Check::problem(
            "cron.executable",
            format!(
                "{path} is not executable (mode {:03o}), so it is never run",
                job.mode
            ),
            format!("chmod 755 {word}"),
        ));
    } else if job.mode & 0o022 != 0 {
        checks.push(Check::problem(
            "cron.mode",
            format!(
                "others may write to {path} (mode {:03o}), which root runs",
                job.mode
            ),
            format!("chmod 755 {word}"),
        ));
    } else if ![0o755, 0o750, 0o700].contains(&job.mode) {
        checks.push(Check::warning(
            "cron.mode",
            format!("{path} has mode {:03o} instead of 755", job.mode),
            format!("chmod 755 {word}"),
        ));
    }
    if job.owner != (0, 0) {
        let (user, group) = job.owner;
        checks.push(Check::problem(
            "cron.owner",
            format!("{path} belongs to user {user} and group {group} instead of root"),
            format!("chown root:root {word}"),
        ));
    }
    if !job.first_line.starts_with("#!") {
        checks.push(Check::problem(
            "cron.shebang",
            format!("{path} does not begin with #!, so the system cannot run it"),
            "let its first line be #!/bin/sh",
        ));
    }
    if !job.has_plain_name() {
        checks.push(Check::problem(
            "cron.name",
            format!("run-parts skips {path}: a name may have letters, digits, _ and - only"),
            "rename it",
        ));
    }
    checks
}

#[cfg(test)]
mod tests;
