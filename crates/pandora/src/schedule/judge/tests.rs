//! On jobs as values.

use super::*;
use crate::doctor::State;

fn job(path: &str, starts: Starts) -> ScheduledJob {
    ScheduledJob {
        path: path.into(),
        starts,
        confs: Vec::new(),
        by: By::RunParts,
        mode: 0o755,
        owner: (0, 0),
        first_line: "#!/bin/sh".to_owned(),
        is_silent: false,
        is_enabled: false,
        lacks: Vec::new(),
    }
}

fn elpis() -> ScheduledJob {
    job("/etc/cron.hourly/elpis-maint", Starts::Elpis)
}

fn incumbent() -> ScheduledJob {
    job("/etc/cron.hourly/pandora_db", Starts::Incumbent)
}

fn bad(schedule: &Schedule) -> Vec<Check> {
    bad_below("/", schedule)
}

fn bad_below(root: &str, schedule: &Schedule) -> Vec<Check> {
    let subject = Subject {
        root: root.as_ref(),
        conf: Some("/c".as_ref()),
        arguments: "--pandora /c",
    };
    let checks = judge_schedule(schedule, &subject);
    let bad = checks.into_iter().filter(|check| check.state != State::Ok);
    bad.collect()
}

fn judged(jobs: &[ScheduledJob]) -> Vec<Check> {
    bad(&Schedule {
        jobs: jobs.to_vec(),
        unread: Vec::new(),
    })
}

fn findings(jobs: &[ScheduledJob]) -> Vec<&'static str> {
    judged(jobs).iter().map(|check| check.check).collect()
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
    assert_eq!(
        findings(std::slice::from_ref(&disabled)),
        ["timer.enabled", "cron.exists"]
    );
    // Two would be one too many.
    assert_eq!(findings(&[elpis(), disabled.clone()]), [""; 0]);
    // What is to be set right then is ours.
    let kept_from_running = ScheduledJob {
        mode: 0o644,
        ..incumbent()
    };
    let checks = judged(&[kept_from_running, disabled]);
    let names: Vec<&str> = checks.iter().map(|check| check.check).collect();
    assert_eq!(names, ["timer.enabled", "cron.exists"]);
    for check in &checks {
        let remedy = check.remedy.as_deref().unwrap();
        assert!(remedy.contains("elpis-maint.timer"), "{remedy}");
    }
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
#[test]
fn a_job_that_cannot_work_is_none() {
    for (lack, wanted) in [
        (Lack::Interpreter("/bin/sh\r".into()), "cron.shebang"),
        (Lack::Interpreter("/bin/nosuch".into()), "cron.shebang"),
        (Lack::Program("/usr/bin/elpis-maint".into()), "cron.program"),
    ] {
        let broken = ScheduledJob {
            lacks: vec![lack],
            ..elpis()
        };
        assert_eq!(
            findings(std::slice::from_ref(&broken)),
            [wanted, "cron.exists"]
        );
        // The other one does all the work.
        assert_eq!(findings(&[broken, incumbent()]), [wanted, "cron.exists"]);
    }
    let both = job("/etc/cron.hourly/both", Starts::Both);
    assert_eq!(findings(&[both]), ["cron.doubled"]);
}

#[test]
fn what_could_not_be_read_is_said_and_the_rest_is_judged() {
    let source = std::io::ErrorKind::PermissionDenied.into();
    let path = std::path::Path::new("/var/spool/cron/crontabs/root");
    let unread = elpis_run::FsError::new("read", path, source);
    let checks = bad(&Schedule {
        jobs: vec![elpis()],
        unread: vec![unread],
    });
    assert_eq!(checks.len(), 1, "{checks:?}");
    assert_eq!(
        (checks[0].check, checks[0].state),
        ("cron.unread", State::Warning)
    );
    assert!(checks[0].what.contains("crontabs/root"), "{checks:?}");
}

#[test]
fn what_is_advised_names_the_installation() {
    for jobs in [vec![], vec![incumbent()]] {
        let checks = judged(&jobs);
        let remedy = checks[0].remedy.as_deref().unwrap();
        assert!(remedy.ends_with(" --pandora /c"), "{remedy}");
    }
}

#[test]
fn jobs_of_two_installations_are_not_one_job_twice() {
    let of = |path: &str, confs: &[&str]| ScheduledJob {
        confs: confs.iter().map(PathBuf::from).collect(),
        ..job(path, Starts::Elpis)
    };
    let (first, second) = ("/etc/cron.hourly/elpis-maint", "/etc/cron.hourly/elpis-b");
    for (jobs, wanted) in [
        (vec![of(first, &["/c"]), of(second, &["/b"])], vec![]),
        (
            vec![of(first, &["/c"]), of(second, &["/c"])],
            vec!["cron.doubled"],
        ),
        (
            vec![of(first, &["/c"]), of(second, &["/b", "/c"])],
            vec!["cron.doubled"],
        ),
        (
            vec![of(first, &["/c"]), of(second, &[])],
            vec!["cron.doubled"],
        ),
        // That of another is none for this one.
        (vec![of(second, &["/b"])], vec!["cron.exists"]),
    ] {
        assert_eq!(findings(&jobs), wanted, "{jobs:?}");
    }
}

#[test]
fn only_a_file_of_run_parts_is_disabled_by_install() {
    let at = |path: &str, by| ScheduledJob {
        by,
        is_enabled: true,
        ..job(path, Starts::Incumbent)
    };
    let then = ", then: elpis-maint install --cron --pandora /c";
    for (job, wanted) in [
        (
            at("/etc/cron.d/p", By::Cron),
            format!("take that line out of /etc/cron.d/p{then}"),
        ),
        (
            at("/etc/systemd/system/p.timer", By::Systemd),
            format!("systemctl disable --now p.timer{then}"),
        ),
        (
            incumbent(),
            "elpis-maint install --cron --disable-incumbent --pandora /c".to_owned(),
        ),
    ] {
        let checks = judged(std::slice::from_ref(&job));
        assert_eq!(checks[0].remedy.as_ref(), Some(&wanted));
        let broken = ScheduledJob {
            lacks: vec![Lack::Program("/p".into())],
            ..job
        };
        let checks = judged(&[broken]);
        let remedy = checks[0].remedy.as_deref().unwrap();
        assert_eq!(remedy, format!("put the program there, or: {wanted}"));
    }
}

#[test]
fn what_is_advised_for_an_image_changes_nothing_else() {
    let faulty = ScheduledJob {
        mode: 0o664,
        owner: (1, 1),
        ..elpis()
    };
    let broken = ScheduledJob {
        lacks: vec![Lack::Interpreter("/bin/sh\r".into())],
        ..elpis()
    };
    let timer = ScheduledJob {
        path: "/etc/systemd/system/elpis-maint.timer".into(),
        by: By::Systemd,
        ..elpis()
    };
    let enabled = ScheduledJob {
        is_enabled: true,
        ..timer.clone()
    };
    for jobs in [
        vec![faulty],
        vec![broken],
        vec![timer],
        vec![elpis(), enabled],
    ] {
        let unread = Vec::new();
        for check in bad_below("/mnt/an image", &Schedule { jobs, unread }) {
            let remedy = check.remedy.as_deref().unwrap();
            let commands = ["chmod ", "chown ", "sed ", "systemctl "];
            let commands = commands.iter().map(|name| remedy.matches(name).count());
            let inside = remedy.matches("'/mnt/an image").count();
            assert_eq!(inside, commands.sum::<usize>(), "{remedy}");
        }
    }
}
