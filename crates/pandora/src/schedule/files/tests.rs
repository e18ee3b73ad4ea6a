//! On files as they lie on real systems.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::schedule::{HourlyJob, Lack};

/// An image with a shell, both tools, and nothing that starts them.
struct Image {
    dir: tempfile::TempDir,
}

impl Image {
    fn new() -> Image {
        let image = Image {
            dir: tempfile::tempdir().unwrap(),
        };
        // As on a merged /usr, and with an absolute link to the tool.
        image.lay_out("usr/bin/sh", "", 0o755);
        image.lay_out("usr/bin/pandora_db", "", 0o755);
        image.lay_out("opt/elpis/elpis-maint", "", 0o755);
        image.link("usr/bin", "bin");
        image.link("/opt/elpis/elpis-maint", "usr/bin/elpis-maint");
        image
    }

    fn root(&self) -> &Path {
        self.dir.path()
    }

    fn lay_out(&self, file: &str, text: &str, mode: u32) {
        let path = self.root().join(file);
        std::fs::DirBuilder::new()
            .recursive(true)
            .create(path.parent().unwrap())
            .unwrap();
        fsx::write_durable(&path, text.as_bytes(), mode).unwrap();
    }

    fn link(&self, target: &str, file: &str) {
        let path = self.root().join(file);
        let mut directories = std::fs::DirBuilder::new();
        directories.recursive(true);
        directories.create(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    fn remove(&self, file: &str) {
        std::fs::remove_file(self.root().join(file)).unwrap();
    }

    fn jobs(&self) -> Vec<ScheduledJob> {
        let schedule = scheduled(self.root());
        assert!(schedule.unread.is_empty(), "{:?}", schedule.unread);
        schedule.jobs
    }

    /// Paths and tools, those that are active.
    fn active(&self) -> Vec<(String, Starts)> {
        let jobs = self.jobs().into_iter().filter(ScheduledJob::is_active);
        jobs.map(|job| (job.path.display().to_string(), job.starts))
            .collect()
    }
}

const OURS: &str = "#!/bin/sh\nexec /usr/bin/elpis-maint run --pandora /c --quiet\n";

fn ours() -> HourlyJob {
    HourlyJob {
        program: "/usr/bin/elpis-maint".into(),
        conf: "/etc/pandora/pandora server.conf".into(),
        config: Some("/etc/elpis/maint.toml".into()),
    }
}

#[test]
fn our_own_files_are_found_and_nothing_is_wrong_with_them() {
    let image = Image::new();
    let cron = ours().cron();
    image.lay_out(cron.path.to_str().unwrap(), &cron.text, cron.mode);
    let jobs = image.jobs();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    assert_eq!((jobs[0].starts, jobs[0].by), (Starts::Elpis, By::RunParts));
    assert!(jobs[0].is_active() && jobs[0].lacks.is_empty(), "{jobs:?}");
    assert!(!jobs[0].is_silent);
}

#[test]
fn two_names_of_a_configuration_are_one_file() {
    let image = Image::new();
    image.lay_out("etc/pandora/p.conf", "", 0o600);
    image.link("/etc/pandora/p.conf", "etc/p.conf");
    let conf = resolved(image.root(), Path::new("/etc/pandora/p.conf"));
    for (named, is_of_another) in [
        ("--pandora /etc/pandora/p.conf", false),
        ("--pandora=/etc/pandora/../p.conf", false),
        ("--pandora /etc/pandora/other.conf", true),
        ("--config /e", false),
    ] {
        let text = format!("#!/bin/sh\nelpis-maint run {named}\n");
        image.lay_out("etc/cron.hourly/elpis-maint", &text, 0o755);
        let jobs = image.jobs();
        assert_eq!(jobs[0].is_of_another(&conf), is_of_another, "{named}");
    }
    let both = "elpis-maint run --pandora /etc/p.conf\nelpis-maint run --config /e\n";
    image.lay_out("etc/cron.hourly/elpis-maint", both, 0o755);
    assert!(image.jobs()[0].confs.is_empty());
}

#[test]
fn a_timer_counts_once_something_wants_it() {
    let image = Image::new();
    for unit in ours().timer() {
        image.lay_out(unit.path.to_str().unwrap(), &unit.text, unit.mode);
    }
    let jobs = image.jobs();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    assert_eq!((jobs[0].starts, jobs[0].by), (Starts::Elpis, By::Systemd));
    assert!(!jobs[0].is_enabled && jobs[0].lacks.is_empty(), "{jobs:?}");
    let link = HourlyJob::timer_link();
    image.link(link.target.to_str().unwrap(), link.path.to_str().unwrap());
    let timer = "/etc/systemd/system/elpis-maint.timer".to_owned();
    assert_eq!(image.active(), [(timer, Starts::Elpis)]);
    image.lay_out("usr/bin/elpis-maint", "", 0o644);
    assert_eq!(
        image.jobs()[0].lacks,
        [Lack::Program("/usr/bin/elpis-maint".into())]
    );
}

#[test]
fn timers_of_packages_have_names_overrides_and_masks() {
    let image = Image::new();
    let timer = "[Timer]\nOnCalendar=hourly\nUnit=housekeeping.service\n";
    let service = "[Service]\nExecStart=/bin/sh -c '/usr/bin/pandora_db /etc/p.conf'\n";
    image.lay_out("usr/lib/systemd/system/pandora.timer", timer, 0o644);
    image.lay_out(
        "usr/lib/systemd/system/housekeeping.service",
        service,
        0o644,
    );
    assert_eq!(image.active(), []);
    image.link(
        "../pandora.timer",
        "usr/lib/systemd/system/timers.target.wants/pandora.timer",
    );
    let path = "/usr/lib/systemd/system/pandora.timer".to_owned();
    assert_eq!(image.active(), [(path, Starts::Incumbent)]);
    // The system's own goes before the package's.
    let other = "[Service]\nExecStart=/bin/true\n";
    image.lay_out("etc/systemd/system/housekeeping.service", other, 0o644);
    assert_eq!(image.jobs(), []);
    image.remove("etc/systemd/system/housekeeping.service");
    image.link("/dev/null", "etc/systemd/system/pandora.timer");
    assert_eq!(image.jobs(), [], "masked");
}

#[test]
fn what_cannot_be_started_is_seen() {
    let image = Image::new();
    let path = "etc/cron.hourly/elpis-maint";
    for (text, wanted) in [
        (
            OURS.replace('\n', "\r\n"),
            Lack::Interpreter("/bin/sh\r".into()),
        ),
        (
            OURS.replace("/bin/sh", "/bin/nosuch -e"),
            Lack::Interpreter("/bin/nosuch".into()),
        ),
        (
            OURS.replace("/bin/sh", "/usr/bin/env sh"),
            Lack::Interpreter("/usr/bin/env".into()),
        ),
        (
            OURS.replace("/usr/bin/elpis", "/usr/local/bin/elpis"),
            Lack::Program("/usr/local/bin/elpis-maint".into()),
        ),
    ] {
        image.lay_out(path, &text, 0o755);
        let jobs = image.jobs();
        assert_eq!(jobs[0].lacks, [wanted], "{text}");
    }
    for text in [
        OURS.to_owned(),
        OURS.replace("/usr/bin/elpis", "elpis"),
        OURS.replace("/usr/bin/elpis", "$BIN/elpis"),
        "#!/bin/sh\nPATH=/opt/x:$PATH\npandora_db.pl /c\n".to_owned(),
    ] {
        image.lay_out(path, &text, 0o755);
        assert_eq!(image.jobs()[0].lacks, [], "{text}");
    }
    let text = format!("{OURS}/usr/bin/pandora_db /c\n");
    image.lay_out(path, &text, 0o755);
    assert_eq!(image.jobs()[0].starts, Starts::Both);
}

#[test]
fn cron_runs_neither_leftovers_nor_what_only_names_a_tool() {
    let image = Image::new();
    let line = "0 * * * * root /usr/bin/pandora_db /c\n";
    for name in [
        "pandora_db.dpkg-old",
        "pandora_db~",
        ".pandora",
        "p.rpmsave",
    ] {
        image.lay_out(&format!("etc/cron.d/{name}"), line, 0o644);
    }
    for (name, text) in [
        (
            "dump",
            "5 1 * * * root mysqldump pandora_db > /backup/pandora_db.sql\n",
        ),
        ("look", "@daily root elpis-maint history --pandora /c\n"),
        ("off", "# 0 * * * * root elpis-maint run --pandora /c\n"),
    ] {
        image.lay_out(&format!("etc/cron.d/{name}"), text, 0o644);
    }
    assert_eq!(image.jobs(), []);
    // Others than Debian's cron take a name with a dot.
    image.lay_out("etc/cron.d/own.cron", line, 0o644);
    let own = ("/etc/cron.d/own.cron".to_owned(), Starts::Incumbent);
    assert_eq!(image.active(), [own]);
    image.lay_out("etc/debian_version", "12\n", 0o644);
    assert_eq!(image.active(), []);
    let crontab = "MAILTO=root\nTOOL = \"/usr/bin/elpis-maint\"\n@hourly $TOOL run --pandora /c\n";
    image.lay_out("var/spool/cron/crontabs/root", crontab, 0o600);
    let own = "/var/spool/cron/crontabs/root".to_owned();
    assert_eq!(image.active(), [(own, Starts::Elpis)]);
    let etc =
        "17 * * * * root cd / && run-parts /etc/cron.hourly\n2 * * * * root elpis-maint run\n";
    image.lay_out("etc/crontab", etc, 0o644);
    assert_eq!(image.active().len(), 2);
}

#[test]
fn one_unreadable_file_keeps_none_of_the_others_from_being_looked_at() {
    let image = Image::new();
    image.lay_out("etc/cron.hourly/elpis-maint", OURS, 0o755);
    // Unreadable for root as well.
    image.lay_out("etc/crontab/file", "", 0o644);
    image.link("loop", "etc/cron.d/loop");
    image.lay_out("var/spool/cron/crontabs/root", OURS, 0o600);
    let crontabs = image.root().join("var/spool/cron/crontabs");
    std::fs::set_permissions(&crontabs, std::fs::Permissions::from_mode(0o000)).unwrap();
    let schedule = scheduled(image.root());
    std::fs::set_permissions(&crontabs, std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(
        schedule.jobs[0].path,
        Path::new("/etc/cron.hourly/elpis-maint")
    );
    let unread: Vec<String> = schedule
        .unread
        .iter()
        .map(|error| {
            error
                .path
                .strip_prefix(image.root())
                .unwrap()
                .display()
                .to_string()
        })
        .collect();
    assert!(unread.contains(&"etc/crontab".to_owned()), "{unread:?}");
    assert!(unread.contains(&"etc/cron.d/loop".to_owned()), "{unread:?}");
}
