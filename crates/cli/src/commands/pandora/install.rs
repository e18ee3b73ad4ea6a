//! `install`: the hourly job.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use elpis_pandora::{By, HourlyJob, ScheduledJob, Starts, scheduled};
use elpis_run::{FsError, fsx};

use super::named;
use crate::exit::{Code, Verdict};
use crate::output::Printer;
use crate::settings::Settings;

/// Which job is wanted.
pub(crate) struct Options {
    /// A timer instead of a file for cron.
    pub(crate) timer: bool,
    /// Keep the product's own job from running.
    pub(crate) disable_incumbent: bool,
    /// Write below this directory instead of `/`.
    pub(crate) root: Option<PathBuf>,
    /// The configuration of Elpis that was named, if one was.
    pub(crate) config: Option<PathBuf>,
}

pub(crate) fn install(settings: &Settings, options: &Options, printer: Printer) -> Result<Verdict> {
    let Some((pandora, _)) = named(settings) else {
        return Ok(Verdict::new(
            Code::Usage,
            "the hourly job needs the configuration of a Pandora FMS server",
            "name it with --pandora FILE",
        ));
    };
    let root = options.root.as_deref().unwrap_or(Path::new("/"));
    let absolute = |path: &Path| {
        std::path::absolute(path).with_context(|| format!("cannot place {}", path.display()))
    };
    let job = HourlyJob {
        program: std::env::current_exe().context("cannot find this very program")?,
        conf: absolute(&pandora.conf)?,
        config: options.config.as_deref().map(absolute).transpose()?,
    };
    let files = match options.timer {
        true => job.timer().to_vec(),
        false => vec![job.cron()],
    };
    let is_ours = |job: &ScheduledJob| {
        files
            .iter()
            .any(|file| Path::new("/").join(&file.path) == job.path)
    };
    let jobs = scheduled(root)?;
    let mut others: Vec<&ScheduledJob> = jobs
        .iter()
        .filter(|job| job.is_active() && !is_ours(job))
        .collect();
    let can_be_disabled = |job: &&ScheduledJob| {
        options.disable_incumbent && job.starts == Starts::Incumbent && job.by == By::RunParts
    };
    let disabled: Vec<&ScheduledJob> = others.iter().copied().filter(can_be_disabled).collect();
    others.retain(|job| !can_be_disabled(job));
    if let Some(other) = others.first() {
        return Ok(Verdict::new(
            Code::Refused,
            format!("{} starts the maintenance already", other.path.display()),
            "--disable-incumbent keeps the product's own file from running (it stays there); \
             remove any other job yourself",
        ));
    }
    for file in &files {
        fsx::write_durable(&root.join(&file.path), file.text.as_bytes(), file.mode)?;
        printer.data(&format!("wrote {}", root.join(&file.path).display()))?;
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
    if options.timer {
        printer.data("now: systemctl daemon-reload && systemctl enable --now elpis-maint.timer")?;
    }
    Ok(Verdict::silent(Code::Done))
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}
