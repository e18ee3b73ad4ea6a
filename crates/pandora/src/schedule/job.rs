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

impl HourlyJob {
    /// For `run-parts`. It says only what went wrong, which cron mails; the journal knows the rest.
    pub fn cron(&self) -> FileToWrite {
        let command = self.command(sh);
        FileToWrite {
            path: "etc/cron.hourly/elpis-maint".into(),
            mode: 0o755,
            text: format!(
                "#!/bin/sh\n# Hourly maintenance of the Pandora FMS database. Written by \
                 `elpis-maint install --cron`.\nexec {command} --quiet\n"
            ),
        }
    }

    /// For systemd: a service and its timer, which is not enabled by this.
    pub fn timer(&self) -> [FileToWrite; 2] {
        let unit = |name: &str, text: String| FileToWrite {
            path: Path::new("etc/systemd/system").join(name),
            mode: 0o644,
            text,
        };
        let command = self.command(systemd);
        [
            unit(
                "elpis-maint.service",
                format!(
                    "# Written by `elpis-maint install --systemd-timer`.\n[Unit]\n\
                     Description=Hourly maintenance of the Pandora FMS database\n\
                     After=network-online.target mariadb.service mysql.service\n\n[Service]\n\
                     Type=oneshot\nNice=10\n# Exit code 7 is a run that reached a limit; the next \
                     one goes on.\nSuccessExitStatus=7\nExecStart={command}\n"
                ),
            ),
            unit(
                "elpis-maint.timer",
                "# Written by `elpis-maint install --systemd-timer`.\n[Unit]\n\
                 Description=Hourly maintenance of the Pandora FMS database\n\n[Timer]\n\
                 OnCalendar=hourly\nRandomizedDelaySec=120\nPersistent=true\n\n[Install]\n\
                 WantedBy=timers.target\n"
                    .to_owned(),
            ),
        ]
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

/// A path as one word of a shell's command.
fn sh(path: &Path) -> String {
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

    /// What the shell itself makes of it.
    #[test]
    fn any_path_is_one_word_to_the_shell() {
        for conf in ["/a b/c", "/it's", "/$HOME/`x`", "/\"q\"\\", "/ñ;ls"] {
            let word = sh(Path::new(conf));
            let output = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {word}")])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), conf);
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
