//! `install`: the hourly job.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use elpis_pandora::{
    By, HourlyJob, LinkToMake, ScheduledJob, Starts, below, is_as_written, is_signed, scheduled,
};
use elpis_run::{FsError, fsx};

use super::named;
use super::rooted::Rooted;
use crate::exit::{Code, Verdict};
use crate::output::Printer;
use crate::settings::Settings;

/// Where a program of ours is in an image, unless this very one is there.
const USUAL: [&str; 2] = ["/usr/bin/elpis-maint", "/usr/local/bin/elpis-maint"];
/// What starts a timer that is enabled.
const START: &str = "systemctl daemon-reload && systemctl start elpis-maint.timer";

/// Which job is wanted.
pub(crate) struct Options {
    /// A timer instead of a file for cron.
    pub(crate) timer: bool,
    /// Keep the product's own job from running.
    pub(crate) disable_incumbent: bool,
    /// For which system.
    pub(crate) rooted: Rooted,
}

pub(crate) fn install(options: &Options, printer: Printer) -> Result<Verdict> {
    let root = options.rooted.root();
    let settings = match options.rooted.load() {
        Ok(settings) => settings,
        Err((error, hint)) => {
            return Ok(Verdict {
                hint: Some(hint),
                ..Verdict::from(&anyhow::Error::from(error))
            });
        }
    };
    let Some(job) = hourly(&settings, &options.rooted, printer)? else {
        return Ok(Verdict::new(
            Code::Usage,
            "the hourly job needs the configuration of a Pandora FMS server",
            "name it with --pandora FILE",
        ));
    };
    let files = match options.timer {
        true => job.timer().to_vec(),
        false => vec![job.cron()],
    };
    let mut in_the_way = Vec::new();
    for file in &files {
        let path = place(root, &file.path);
        if let Some(directory) = path.parent().filter(|directory| !directory.is_dir()) {
            return Ok(Verdict::new(
                Code::Usage,
                format!(
                    "{} is not there, so nobody would start the job",
                    directory.display()
                ),
                "install cron, or choose the other of --cron and --systemd-timer",
            ));
        }
        in_the_way.extend(foreign(&path)?);
    }
    if !in_the_way.is_empty() {
        return Ok(Verdict::new(
            Code::Refused,
            in_the_way.join("; "),
            "look at it, move it to a directory where nobody starts it, and install again",
        ));
    }
    let schedule = scheduled(root);
    if let Some(error) = schedule.unread.into_iter().next() {
        return Err(error.into());
    }
    let is_ours = |job: &&ScheduledJob| {
        let mut paths = files.iter().map(|file| Path::new("/").join(&file.path));
        paths.any(|path| path == job.path)
    };
    let conf = options.rooted.resolved(&job.conf);
    let own = schedule.jobs.iter().filter(is_ours);
    if let Some(own) = own.clone().find(|own| own.is_of_another(&conf)) {
        return Ok(of_another(own, &job, root));
    }
    let active = schedule.jobs.iter().filter(|job| job.is_active());
    // Another installation's job may run beside this one.
    let active = active.filter(|job| !job.is_of_another(&conf));
    let (disabled, others): (Vec<_>, Vec<_>) =
        active.filter(|job| !is_ours(job)).partition(|job| {
            options.disable_incumbent && job.starts == Starts::Incumbent && job.by == By::RunParts
        });
    if let Some(other) = others.first() {
        return Ok(Verdict::new(
            Code::Refused,
            format!("{} starts the maintenance already", other.path.display()),
            "--disable-incumbent keeps the product's own file from running (it stays there); \
             remove any other job yourself",
        ));
    }
    for file in &files {
        let path = place(root, &file.path);
        fsx::write_durable(&path, file.text.as_bytes(), file.mode)?;
        printer.data(&format!("wrote {}", path.display()))?;
    }
    if options.timer {
        let link = HourlyJob::timer_link();
        enable(root, &link)?;
        printer.data(&format!("enabled {}", link.target.display()))?;
        let started = match options.rooted.is_image() {
            true => Ok(()),
            false => start_timer(Path::new("systemctl")),
        };
        if let Err(why) = started {
            return Ok(not_started(&why, &disabled));
        }
    }
    // Only now: rather two jobs for a moment, which exclude each other, than none.
    for job in disabled {
        let path = below(root, &job.path);
        let mode = std::fs::Permissions::from_mode(job.mode & !0o111);
        std::fs::set_permissions(&path, mode)
            .map_err(|source| FsError::new("change the mode of", &path, source))?;
        let shown = path.display();
        printer.data(&format!(
            "{shown} is not run any more (chmod 755 {shown} undoes that)"
        ))?;
    }
    Ok(Verdict::silent(Code::Done))
}

/// What to do where a file of ours is the job of another installation than `wanted`.
fn of_another(own: &ScheduledJob, wanted: &HourlyJob, root: &Path) -> Verdict {
    let inside = |path: &PathBuf| match path.strip_prefix(root) {
        Ok(inside) => Path::new("/").join(inside).display().to_string(),
        Err(_) => path.display().to_string(),
    };
    let others: Vec<String> = own.confs.iter().map(inside).collect();
    let (others, path) = (others.join(" and "), below(root, &own.path));
    let (path, conf) = (path.display(), wanted.conf.display());
    let directory = below(root, Path::new("/etc/cron.hourly"));
    let text = wanted.cron().text;
    let line = text.lines().last().unwrap_or_default();
    Verdict::new(
        Code::Refused,
        format!("{path} is the job of {others}, which nobody would maintain any more"),
        format!(
            "give {conf} a job of its own: an executable file of another name in {}, whose lines \
             are `#!/bin/sh` and `{line}`; or, if {others} is to be maintained no more, remove \
             {path} and install again",
            directory.display()
        ),
    )
}

/// The job for what `settings` name, if that is an installation.
fn hourly(settings: &Settings, rooted: &Rooted, printer: Printer) -> Result<Option<HourlyJob>> {
    let Some((pandora, _)) = named(settings) else {
        return Ok(None);
    };
    let absolute = |path: &Path| {
        std::path::absolute(path).with_context(|| format!("cannot place {}", path.display()))
    };
    let own = std::env::current_exe().context("cannot find this very program")?;
    let program = match rooted.is_image() {
        false => own,
        true => match inside(rooted.root(), &own) {
            Some(program) => program,
            None => {
                let (root, shown) = (rooted.root().display(), USUAL[0]);
                printer.say(&format!(
                    "warning: there is no elpis-maint in {root} yet; the job expects it at {shown}"
                ));
                shown.into()
            }
        },
    };
    Ok(Some(HourlyJob {
        program,
        conf: absolute(&pandora.conf)?,
        config: settings.config.as_deref().map(absolute).transpose()?,
    }))
}

/// Where this program, or the one that is to be run, is called from inside an image.
fn inside(root: &Path, own: &Path) -> Option<PathBuf> {
    let root_here = std::path::absolute(root).ok()?;
    if let Ok(inside) = own.strip_prefix(&root_here) {
        return Some(Path::new("/").join(inside));
    }
    let usual = USUAL.iter().map(Path::new);
    let mut places = std::iter::once(own).chain(usual);
    let found = places.find(|path| below(root, path).is_file());
    found.map(Path::to_owned)
}

/// Where a file is to be written: its directory may be behind links, it may not.
fn place(root: &Path, path: &Path) -> PathBuf {
    let path = Path::new("/").join(path);
    match (path.parent(), path.file_name()) {
        (Some(directory), Some(name)) => below(root, directory).join(name),
        _ => below(root, &path),
    }
}

/// Why a file is not ours to replace, if it is there.
fn foreign(path: &Path) -> Result<Option<String>, FsError> {
    let shown = path.display();
    let Ok(found) = path.symlink_metadata() else {
        return Ok(None);
    };
    if found.is_symlink() {
        return Ok(Some(format!(
            "{shown} is a link, which install did not make"
        )));
    }
    if !found.is_file() {
        return Ok(Some(format!("{shown} is no regular file")));
    }
    let bytes = fsx::read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    let who = match (is_as_written(&text), is_signed(&text)) {
        (true, _) => return Ok(None),
        (false, true) => "an earlier version wrote it, or somebody edited it",
        (false, false) => "somebody else wrote it",
    };
    Ok(Some(format!(
        "{shown} is there and not as install writes it: {who}"
    )))
}

/// Makes the link of `systemctl enable`.
fn enable(root: &Path, link: &LinkToMake) -> Result<(), FsError> {
    let path = place(root, &link.path);
    if path.read_link().is_ok_and(|target| target == link.target) {
        return Ok(());
    }
    let failed = |source| FsError::new("create", &path, source);
    if let Some(directory) = path.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .create(directory)
            .map_err(failed)?;
    }
    if path.is_symlink() {
        // Of an earlier unit: only the link's name matters to systemd.
        return Ok(());
    }
    symlink(&link.target, &path).map_err(failed)
}

/// Lets the running systemd know of the timer; what it says if it does not take it.
fn start_timer(systemctl: &Path) -> Result<(), String> {
    for arguments in [&["daemon-reload"][..], &["start", "elpis-maint.timer"]] {
        let output = Command::new(systemctl)
            .args(arguments)
            .output()
            .map_err(|error| format!("{}: {error}", systemctl.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().next().unwrap_or("it does not say why");
            let arguments = arguments.join(" ");
            return Err(format!("systemctl {arguments}: {said}"));
        }
    }
    Ok(())
}

fn not_started(why: &str, left: &[&ScheduledJob]) -> Verdict {
    let message = format!("the timer is enabled, and it was not started: {why}");
    match left.first() {
        None => Verdict::new(Code::Partial, message, START),
        Some(job) => Verdict::new(
            Code::Partial,
            format!("{message}; so {} is still run", job.path.display()),
            format!("{START}, then install again: that disables the other job"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_that_does_not_start_is_said_and_why() {
        assert_eq!(start_timer("true".as_ref()), Ok(()));
        let refused = start_timer("false".as_ref()).unwrap_err();
        assert!(
            refused.starts_with("systemctl daemon-reload: "),
            "{refused}"
        );
        let missing = start_timer("/nowhere/systemctl".as_ref()).unwrap_err();
        assert!(missing.starts_with("/nowhere/systemctl: "), "{missing}");
        let verdict = not_started(&missing, &[]);
        assert_eq!(verdict.code, Code::Partial);
        assert!(verdict.hint.unwrap().starts_with("systemctl daemon-reload"));
    }
}
