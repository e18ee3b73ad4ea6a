//! The tools that are compared, each as a command.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;

use crate::installation::Installation;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contestant {
    /// elpis-backup create, tar.gz, read back and verified.
    ElpisGz,
    /// The same without reading back.
    ElpisGzUnverified,
    /// elpis-backup create, tar.zst, read back and verified.
    ElpisZst,
    /// The same without reading back.
    ElpisZstUnverified,
    /// What pandora_backup.sh does, line by line.
    OldScript,
    /// mariadb-dump --single-transaction | gzip, and tar -z.
    DumpGzip,
    /// mariadb-dump --single-transaction | zstd -T2, and tar | zstd -T2.
    DumpZstd,
    /// mydumper -t 2 --compress, and tar -z.
    Mydumper,
    /// mariadb-backup | zstd -T2, and tar | zstd -T2.
    MariadbBackup,
}

impl Contestant {
    pub(crate) const ALL: [Contestant; 9] = [
        Contestant::ElpisGz,
        Contestant::ElpisGzUnverified,
        Contestant::ElpisZst,
        Contestant::ElpisZstUnverified,
        Contestant::OldScript,
        Contestant::DumpGzip,
        Contestant::DumpZstd,
        Contestant::Mydumper,
        Contestant::MariadbBackup,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Contestant::ElpisGz => "elpis tar.gz, verified",
            Contestant::ElpisGzUnverified => "elpis tar.gz",
            Contestant::ElpisZst => "elpis tar.zst, verified",
            Contestant::ElpisZstUnverified => "elpis tar.zst",
            Contestant::OldScript => "pandora_backup.sh",
            Contestant::DumpGzip => "mariadb-dump \\| gzip, tar -z",
            Contestant::DumpZstd => "mariadb-dump \\| zstd -T2, tar \\| zstd -T2",
            Contestant::Mydumper => "mydumper -t 2 --compress, tar -z",
            Contestant::MariadbBackup => "mariadb-backup \\| zstd -T2, tar \\| zstd -T2",
        }
    }

    /// The command that leaves its backup in `work/out`.
    pub(crate) fn command(
        self,
        socket: &Path,
        installation: &Installation,
        work: &Path,
    ) -> Result<Command> {
        let (container, more) = match self {
            Contestant::ElpisGz => ("tar.gz", ""),
            Contestant::ElpisGzUnverified => ("tar.gz", "--no-verify"),
            Contestant::ElpisZst => ("tar.zst", ""),
            Contestant::ElpisZstUnverified => ("tar.zst", "--no-verify"),
            _ => return Ok(self.script(socket, installation, work)),
        };
        elpis(socket, installation, work, container, more)
    }

    fn script(self, socket: &Path, installation: &Installation, work: &Path) -> Command {
        let out = work.join("out");
        let (console, etc, spool) = (
            &installation.console,
            &installation.etc,
            &installation.spool,
        );
        let files = format!(
            "{} {} {}",
            console.display(),
            etc.display(),
            spool.display()
        );
        let client = format!("--no-defaults -uroot -S {}", socket.display());
        let dump = format!("mariadb-dump {client} --single-transaction bench");
        let script = match self {
            Contestant::DumpGzip => {
                format!("{dump} | gzip > bench.sql.gz && tar -czf files.tar.gz {files}")
            }
            Contestant::DumpZstd => format!(
                "{dump} | zstd -q -T2 > bench.sql.zst && tar -cf - {files} | zstd -q -T2 > files.tar.zst"
            ),
            Contestant::Mydumper => format!(
                "mydumper -u root -S {} -B bench -t 2 --compress -o dump && tar -czf files.tar.gz {files}",
                socket.display()
            ),
            Contestant::MariadbBackup => format!(
                "mariadb-backup {client} --backup --stream=xbstream --databases=bench 2> log \
                 | zstd -q -T2 > bench.xb.zst && tar -cf - {files} | zstd -q -T2 > files.tar.zst"
            ),
            _ => format!(
                "mkdir t && cd t && mariadb-dump {client} bench > b.sql && \
                 tar zcfh ../b.tar.gz *.sql {}/* {}/* {}/* && cd .. && rm -r t",
                console.display(),
                etc.display(),
                spool.display()
            ),
        };
        let mut command = Command::new("bash");
        command
            .args(["-o", "pipefail", "-c", &script])
            .stderr(std::process::Stdio::null())
            .current_dir(out);
        command
    }

    /// How long all writers were locked out, where the tool tells.
    pub(crate) fn locked(self, work: &Path) -> Option<Duration> {
        let text = std::fs::read_to_string(work.join("events.json")).ok()?;
        text.lines().find_map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).ok()?;
            let held = event.pointer("/dump/lock_held")?;
            let part = |name| held.get(name).and_then(serde_json::Value::as_u64);
            Some(Duration::new(
                part("secs")?,
                u32::try_from(part("nanos")?).ok()?,
            ))
        })
    }
}

fn elpis(
    socket: &Path,
    installation: &Installation,
    work: &Path,
    container: &str,
    more: &str,
) -> Result<Command> {
    let options = work.join("backup.cnf");
    std::fs::write(
        &options,
        format!("[client]\nuser=root\nsocket={}\n", socket.display()),
    )?;
    let config = work.join("backup.toml");
    let component = |name: &str, path: &Path| {
        format!("[[profile.component]]\nname = \"{name}\"\npaths = [{path:?}]\n")
    };
    let text = format!(
        "[target]\ndirectory = {:?}\n[state]\ndirectory = {:?}\n\
         [profile]\nname = \"bench\"\nprefix = \"bench\"\ncontainer = \"{container}\"\n{}{}{}\
         [[profile.database]]\nname = \"bench\"\noption_file = {options:?}\n",
        work.join("out"),
        work.join("state"),
        component("console", &installation.console),
        component("configuration", &installation.etc),
        component("pending", &installation.spool),
    );
    std::fs::write(&config, text)?;
    let mut command = Command::new(elpis_benches::program("elpis-backup")?);
    command
        .args(["create", "--format", "json", "--config"])
        .arg(config);
    if !more.is_empty() {
        command.arg(more);
    }
    command.stdout(std::fs::File::create(work.join("events.json"))?);
    Ok(command)
}
