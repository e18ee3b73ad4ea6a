//! The tools that are compared, each as a command.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;
use elpis_benches::{elpis_maint, pt_archiver, unlimited};
use elpis_mysql::{ConnectOptions, Params, Session};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contestant {
    /// The envelope, elpis-maint with its default throttle.
    Envelope,
    /// The envelope, elpis-maint --no-throttle.
    EnvelopeUnthrottled,
    /// Means, elpis-maint --no-throttle.
    MeanUnthrottled,
    /// One INSERT ... SELECT ... GROUP BY into an empty table, then one range delete.
    Limit,
    /// pt-archiver --purge of the same rows, for what it does to the foreground.
    PtArchiver,
}

impl Contestant {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Contestant::Envelope => "elpis envelope, default throttle",
            Contestant::EnvelopeUnthrottled => "elpis envelope, no throttle",
            Contestant::MeanUnthrottled => "elpis mean, no throttle",
            Contestant::Limit => "server: GROUP BY + range delete",
            Contestant::PtArchiver => "pt-archiver (purges them)",
        }
    }

    pub(crate) fn command(
        self,
        socket: &Path,
        cutoff: i64,
        work: &Path,
        throttle: &[String],
    ) -> Result<Command> {
        let elpis = |mode: &str, more: &[&str]| {
            let policy = format!(
                "[policy.throttle]\n{}\n[[policy.compact]]\ntable = \"tagente_datos\"\n\
                 series = \"id_agente_modulo\"\nvalue = \"datos\"\nkind = \"gauge\"\n\
                 time = {{ column = \"utimestamp\", unit = \"epoch_seconds\" }}\nmode = \"{mode}\"\n\
                 tiers = [{{ older_than_days = 7, bucket_hours = 1 }}]\n",
                throttle.join("\n")
            );
            elpis_maint(socket, work, &policy, more)
        };
        match self {
            Contestant::Envelope => elpis("envelope", &[]),
            Contestant::EnvelopeUnthrottled => elpis("envelope", &["--no-throttle"]),
            Contestant::MeanUnthrottled => elpis("mean", &["--no-throttle"]),
            Contestant::PtArchiver => Ok(pt_archiver(socket, cutoff)),
            Contestant::Limit => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("--limit").arg(socket);
                Ok(command)
            }
        }
    }
}

/// What the server could do at best: the sums into an empty table, and the rows gone.
pub(crate) async fn limit(socket: &Path) -> Result<()> {
    let options = ConnectOptions {
        socket: Some(socket.to_owned()),
        user: "root".to_owned(),
        database: Some("bench".to_owned()),
        ..ConnectOptions::default()
    };
    let mut session = Session::open(&options, &unlimited()).await?;
    for sql in [
        "CREATE TABLE summed (id INT UNSIGNED, bucket BIGINT, value DOUBLE, KEY (id, bucket))",
        "INSERT INTO summed SELECT id_agente_modulo, utimestamp DIV 3600, AVG(datos) \
         FROM tagente_datos WHERE utimestamp < UNIX_TIMESTAMP() - 7 * 86400 \
         GROUP BY id_agente_modulo, utimestamp DIV 3600",
        "DELETE FROM tagente_datos WHERE utimestamp < UNIX_TIMESTAMP() - 7 * 86400",
    ] {
        session.execute(sql, Params::Empty).await?;
    }
    Ok(())
}
