//! What is wrong with the hourly job. Pure.

use super::{By, ScheduledJob, Starts};
use crate::doctor::Check;

/// What is well and what is not.
pub fn judge_schedule(jobs: &[ScheduledJob]) -> Vec<Check> {
    let mut checks = Vec::new();
    let active: Vec<&ScheduledJob> = jobs.iter().filter(|job| job.is_active()).collect();
    let by_elpis = active.iter().any(|job| job.starts == Starts::Elpis);
    for job in jobs.iter().filter(|job| job.by == By::RunParts) {
        // The incumbent's file may stay, as long as it is kept from running.
        if job.starts == Starts::Incumbent && !job.is_active() && by_elpis {
            continue;
        }
        checks.extend(faults(job));
    }
    for job in jobs
        .iter()
        .filter(|job| job.by == By::Systemd && !job.is_enabled)
    {
        let path = job.path.display();
        let name = job.path.file_name().unwrap_or_default().to_string_lossy();
        checks.push(Check::problem(
            "timer.enabled",
            format!("{path} is not enabled"),
            format!("systemctl daemon-reload && systemctl enable --now {name}"),
        ));
    }
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
    checks.push(match active.as_slice() {
        [] => Check::problem(
            "cron.exists",
            "no job starts the maintenance every hour",
            "elpis-maint install --cron --pandora /etc/pandora/pandora_server.conf",
        ),
        [one] if one.starts == Starts::Elpis => {
            Check::ok("cron.exists", format!("{} starts elpis-maint", one.path.display()))
        }
        [one] => Check::warning(
            "cron.exists",
            format!("{} starts the tool that Elpis replaces", one.path.display()),
            "elpis-maint install --cron --disable-incumbent --pandora /etc/pandora/pandora_server.conf",
        ),
        several => {
            let paths = several.iter().map(|job| job.path.display().to_string());
            Check::problem(
                "cron.doubled",
                format!("several jobs start the maintenance: {}", paths.collect::<Vec<_>>().join(", ")),
                "keep one of them; chmod a-x a file of /etc/cron.hourly to keep it from running",
            )
        }
    });
    checks
}

/// What keeps `run-parts` from starting a file, or lets others change it.
fn faults(job: &ScheduledJob) -> Vec<Check> {
    let path = job.path.display();
    let mut checks = Vec::new();
    if job.mode & 0o111 == 0 {
        checks.push(Check::problem(
            "cron.executable",
            format!(
                "{path} is not executable (mode {:03o}), so it is never run",
                job.mode
            ),
            format!("chmod 755 {path}"),
        ));
    } else if job.mode & 0o022 != 0 {
        checks.push(Check::problem(
            "cron.mode",
            format!(
                "others may write to {path} (mode {:03o}), which root runs",
                job.mode
            ),
            format!("chmod 755 {path}"),
        ));
    } else if ![0o755, 0o750, 0o700].contains(&job.mode) {
        checks.push(Check::warning(
            "cron.mode",
            format!("{path} has mode {:03o} instead of 755", job.mode),
            format!("chmod 755 {path}"),
        ));
    }
    if job.owner != (0, 0) {
        let (user, group) = job.owner;
        checks.push(Check::problem(
            "cron.owner",
            format!("{path} belongs to user {user} and group {group} instead of root"),
            format!("chown root:root {path}"),
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
mod tests {
    use super::*;
    use crate::doctor::State;

    fn job(path: &str, starts: Starts) -> ScheduledJob {
        ScheduledJob {
            path: path.into(),
            starts,
            by: By::RunParts,
            mode: 0o755,
            owner: (0, 0),
            first_line: "#!/bin/sh".to_owned(),
            is_silent: false,
            is_enabled: false,
        }
    }

    fn elpis() -> ScheduledJob {
        job("/etc/cron.hourly/elpis-maint", Starts::Elpis)
    }

    fn incumbent() -> ScheduledJob {
        job("/etc/cron.hourly/pandora_db", Starts::Incumbent)
    }

    fn findings(jobs: &[ScheduledJob]) -> Vec<&'static str> {
        let checks = judge_schedule(jobs);
        let found = checks.iter().filter(|check| check.state != State::Ok);
        found.map(|check| check.check).collect()
    }

    #[test]
    fn one_good_job_is_well_in_all_the_vendors_modes() {
        for mode in [0o755, 0o750] {
            assert_eq!(findings(&[ScheduledJob { mode, ..elpis() }]), [""; 0]);
        }
        let kept_from_running = ScheduledJob {
            mode: 0o644,
            ..incumbent()
        };
        assert_eq!(findings(&[elpis(), kept_from_running]), [""; 0]);
        let timer = ScheduledJob {
            path: "/etc/systemd/system/elpis-maint.timer".into(),
            by: By::Systemd,
            mode: 0o644,
            is_enabled: true,
            ..elpis()
        };
        assert_eq!(findings(std::slice::from_ref(&timer)), [""; 0]);
        let disabled = ScheduledJob {
            is_enabled: false,
            ..timer
        };
        assert_eq!(findings(&[disabled]), ["timer.enabled", "cron.exists"]);
    }

    #[test]
    fn every_fault_of_a_file_is_found() {
        let faulty = [
            (
                vec!["cron.executable", "cron.exists"],
                ScheduledJob {
                    mode: 0o644,
                    ..elpis()
                },
            ),
            (
                vec!["cron.mode"],
                ScheduledJob {
                    mode: 0o775,
                    ..elpis()
                },
            ),
            (
                vec!["cron.mode"],
                ScheduledJob {
                    mode: 0o711,
                    ..elpis()
                },
            ),
            (
                vec!["cron.owner"],
                ScheduledJob {
                    owner: (0, 1000),
                    ..elpis()
                },
            ),
            (
                vec!["cron.shebang"],
                ScheduledJob {
                    first_line: "/usr/bin/x".into(),
                    ..elpis()
                },
            ),
            (
                vec!["cron.output"],
                ScheduledJob {
                    is_silent: true,
                    ..elpis()
                },
            ),
            (
                vec!["cron.name", "cron.exists"],
                job("/etc/cron.hourly/elpis-maint.sh", Starts::Elpis),
            ),
            (vec!["cron.exists"], incumbent()),
        ];
        for (expected, job) in faulty {
            assert_eq!(findings(std::slice::from_ref(&job)), expected, "{job:?}");
        }
        assert_eq!(findings(&[]), ["cron.exists"]);
        assert_eq!(findings(&[elpis(), incumbent()]), ["cron.doubled"]);
    }
}
