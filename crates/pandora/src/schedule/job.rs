//! Our own hourly job, as files.

use std::path::{Path, PathBuf};

/// What the job starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourlyJob {
    /// The program, with its path.
    pub program: PathBuf,
    /// The product's `pandora_server.conf`.
    pub conf: PathBuf,
    /// A configuration of Elpis that adds to it.
    pub config: Option<PathBuf>,
}

/// Begins the line by which a file of ours is known; the checksum of the other lines ends it.
const WRITTEN: &str = "# Written by `elpis-maint install";
/// What a comment of every version's files says.
const BY_US: &str = "Written by `elpis-maint install";

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileToWrite {
    /// Its path below the root.
    pub path: PathBuf,
    /// Permission bits.
    pub mode: u32,
    /// What it says.
    pub text: String,
}

/// A symbolic link to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkToMake {
    /// Its path below the root.
    pub path: PathBuf,
    /// What it leads to, on the system.
    pub target: PathBuf,
}

impl HourlyJob {
    /// For `run-parts`. It says only what went wrong, which cron mails; the journal knows the rest.
    pub fn cron(&self) -> FileToWrite {
        let command = self.command(shell_word);
        FileToWrite {
            path: "etc/cron.hourly/elpis-maint".into(),
            mode: 0o755,
            text: signed(
                "#!/bin/sh\n",
                "--cron",
                &format!(
                    "# Hourly maintenance of the Pandora FMS database.\nexec {command} --quiet\n"
                ),
            ),
        }
    }

    /// For systemd: a service and its timer.
    pub fn timer(&self) -> [FileToWrite; 2] {
        let unit = |name: &str, text: &str| FileToWrite {
            path: Path::new("etc/systemd/system").join(name),
            mode: 0o644,
            text: signed("", "--systemd-timer", text),
        };
        let command = self.command(systemd);
        [
            unit(
                "elpis-maint.service",
                &format!(
                    "[Unit]\n\
                     Description=Hourly maintenance of the Pandora FMS database\n\
                     After=network-online.target mariadb.service mysql.service\n\n[Service]\n\
                     Type=oneshot\nNice=10\nExecStart={command}\n"
                ),
            ),
            unit(
                "elpis-maint.timer",
                "[Unit]\n\
                 Description=Hourly maintenance of the Pandora FMS database\n\n[Timer]\n\
                 OnCalendar=hourly\nRandomizedDelaySec=120\nPersistent=true\n\n[Install]\n\
                 WantedBy=timers.target\n",
            ),
        ]
    }

    /// What enables the timer, as `systemctl enable` does it.
    pub fn timer_link() -> LinkToMake {
        LinkToMake {
            path: "etc/systemd/system/timers.target.wants/elpis-maint.timer".into(),
            target: "/etc/systemd/system/elpis-maint.timer".into(),
        }
    }

    fn command(&self, quoted: impl Fn(&Path) -> String) -> String {
        let mut command = format!(
            "{} run --pandora {}",
            quoted(&self.program),
            quoted(&self.conf)
        );
        if let Some(config) = &self.config {
            command.push_str(" --config ");
            command.push_str(&quoted(config));
        }
        command
    }
}

/// Whether a file's `text` is as one of ours was written: nobody has edited it since.
pub fn is_as_written(text: &str) -> bool {
    let signature = |line: &&str| line.starts_with(WRITTEN);
    let Some(line) = text.split_inclusive('\n').find(signature) else {
        return false;
    };
    let others: String = text
        .split_inclusive('\n')
        .filter(|line| !signature(line))
        .collect();
    line.trim_end()
        .ends_with(&format!(" {}.", checksum(&others)))
}

/// Whether a file's `text` says that it is one of ours, of whatever version, edited or not.
pub fn is_signed(text: &str) -> bool {
    let mut comments = text.lines().filter(|line| line.starts_with('#'));
    comments.any(|line| line.contains(BY_US))
}

/// `first` and `rest` with the line between them by which the file is known.
fn signed(first: &str, option: &str, rest: &str) -> String {
    let checksum = checksum(&format!("{first}{rest}"));
    format!(
        "{first}{WRITTEN} {option}`, which replaces it only while it is unchanged: {checksum}.\n{rest}"
    )
}

/// Tells an edited text from another, not a forged one (FNV-1a).
fn checksum(text: &str) -> String {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
    format!("{hash:016x}")
}

/// A path as one word of a shell's command.
pub fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A path as one word of a unit's command.
fn systemd(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(plain) {
        return text.into_owned();
    }
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escaped.replace('%', "%%").replace('$', "$$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(conf: &str) -> HourlyJob {
        HourlyJob {
            program: "/usr/bin/elpis-maint".into(),
            conf: conf.into(),
            config: None,
        }
    }

    #[test]
    fn the_cron_file_is_one_that_the_doctor_likes() {
        let file = job("/etc/pandora/pandora_server.conf").cron();
        assert_eq!(file.mode, 0o755);
        assert!(file.text.starts_with("#!/bin/sh\n"));
        assert!(file.text.ends_with(
            "\nexec /usr/bin/elpis-maint run --pandora /etc/pandora/pandora_server.conf --quiet\n"
        ));
    }

    #[test]
    fn an_edited_file_is_told_from_one_of_ours() {
        let job = job("/c");
        let [service, timer] = job.timer();
        for text in [job.cron().text, service.text, timer.text] {
            assert!(is_as_written(&text), "{text}");
            for edited in [
                text.replacen("hourly", "nightly", 1)
                    .replacen("Hourly", "Nightly", 1),
                text.replace("elpis-maint run", "nice elpis-maint run") + "\n",
                text.replace("# Written by", "# Made by"),
                text.replace('\n', "\r\n"),
                String::new(),
            ] {
                assert!(!is_as_written(&edited), "{edited}");
            }
        }
        let earlier = "#!/bin/sh\n# Hourly. Written by `elpis-maint install --cron`.\n";
        assert!(is_signed(earlier) && is_signed(&job.cron().text) && !is_as_written(earlier));
        assert!(!is_signed("#!/bin/sh\nnice elpis-maint run\n"));
    }

    /// What the shell itself makes of it.
    #[test]
    fn any_path_is_one_word_to_the_shell() {
        for conf in ["/a b/c", "/it's", "/$HOME/`x`", "/\"q\"\\", "/ñ;ls"] {
            let word = shell_word(Path::new(conf));
            let output = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {word}")])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), conf);
        }
    }

    /// What systemd itself makes of the units, where it is; and what it would look for in any case.
    #[test]
    fn the_units_are_valid() {
        let [service, timer] = HourlyJob {
            program: "/bin/sh".into(),
            ..job("/a b/50%/$x")
        }
        .timer();
        for (unit, wanted) in [
            (
                &service,
                &["[Unit]", "[Service]", "Type=oneshot", "ExecStart=/bin/sh"][..],
            ),
            (
                &timer,
                &["[Unit]", "[Timer]", "OnCalendar=hourly", "[Install]"],
            ),
        ] {
            for wanted in wanted {
                let mut lines = unit.text.lines();
                assert!(lines.any(|line| line.starts_with(wanted)), "{}", unit.text);
            }
            for line in unit.text.lines().filter(|line| !line.starts_with('#')) {
                let is_section = line.starts_with('[') && line.ends_with(']');
                assert!(
                    line.is_empty() || is_section || line.contains('='),
                    "{line}"
                );
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let mut verify = std::process::Command::new("systemd-analyze");
        verify.args(["verify", "--man=no"]);
        for unit in [service, timer] {
            let path = dir.path().join(unit.path.file_name().unwrap());
            elpis_run::fsx::write_durable(&path, unit.text.as_bytes(), unit.mode).unwrap();
            verify.arg(path);
        }
        if let Ok(output) = verify.output() {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!said.contains("elpis-maint"), "{said}");
        }
    }

    #[test]
    fn units_escape_what_systemd_would_expand() {
        let [service, timer] = job("/a b/50%/$x").timer();
        assert!(
            service.text.contains("--pandora \"/a b/50%%/$$x\"\n"),
            "{}",
            service.text
        );
        assert!(timer.text.contains("WantedBy=timers.target"));
    }
}
