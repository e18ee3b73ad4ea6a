//! What is backed up besides the numeric rows: strings, events, and files.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use elpis_benches::unlimited;
use elpis_mysql::{ConnectOptions, Params, Session};

/// Small files: pending data, remote configurations, the server's configuration.
const SMALL_FILES: u64 = 5_000;

/// The directories of an installation.
pub(crate) struct Installation {
    pub(crate) console: PathBuf,
    pub(crate) etc: PathBuf,
    pub(crate) spool: PathBuf,
}

impl Installation {
    pub(crate) fn create(dir: &Path, console_mb: u64) -> Result<Installation> {
        let installation = Installation {
            console: dir.join("console"),
            etc: dir.join("etc/pandora"),
            spool: dir.join("spool/data_in"),
        };
        for dir in [
            &installation.console,
            &installation.etc,
            &installation.spool,
        ] {
            std::fs::create_dir_all(dir)?;
        }
        std::fs::write(
            installation.etc.join("pandora_server.conf"),
            "dbname bench\n",
        )?;
        let mut random = fastrand::Rng::with_seed(5);
        for n in 0..SMALL_FILES {
            let path = installation.spool.join(format!("agent-{n}.data"));
            std::fs::write(path, data_file(n, &mut random))?;
        }
        // Half of a console is source code, half of it are images.
        for n in 0..console_mb * 1_000_000 / 2 / 25_000 {
            let dir = installation.console.join(format!("include/{}", n % 40));
            std::fs::create_dir_all(&dir)?;
            std::fs::write(dir.join(format!("{n}.php")), source_file(&mut random))?;
        }
        for n in 0..console_mb * 1_000_000 / 2 / 250_000 {
            let dir = installation.console.join(format!("images/{}", n % 10));
            std::fs::create_dir_all(&dir)?;
            let noise: Vec<u8> = (0..250_000).map(|_| random.u8(..)).collect();
            std::fs::write(dir.join(format!("{n}.png")), noise)?;
        }
        Ok(installation)
    }

    /// Reads every file once: a kernel may have given back what nobody looked at for a while, and
    /// whoever runs first would read it from the disk, between the server's own writes.
    pub(crate) fn warm(&self) -> Result<()> {
        for dir in [&self.console, &self.etc, &self.spool] {
            read(dir)?;
        }
        std::fs::read(elpis_benches::program("elpis-backup")?)?;
        Ok(())
    }
}

fn read(dir: &Path) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        match path.is_dir() {
            true => read(&path)?,
            false => drop(std::fs::read(&path)?),
        }
    }
    Ok(())
}

fn data_file(n: u64, random: &mut fastrand::Rng) -> Vec<u8> {
    let mut text = Vec::new();
    let _ = writeln!(text, "<agent_data agent_name='agent-{n}' version='7.0'>");
    for module in 0..20 {
        let value = random.f64() * 100.0;
        let _ = writeln!(
            text,
            "<module><name>module {module}</name><type>generic_data</type><data>{value:.4}</data></module>"
        );
    }
    let _ = writeln!(text, "</agent_data>");
    text
}

fn source_file(random: &mut fastrand::Rng) -> String {
    const WORDS: [&str; 24] = [
        "$config",
        "function",
        "return",
        "array(",
        ");\n",
        "if (",
        ") {\n",
        "}\n",
        "html_print_",
        "db_get_row",
        "'id_agente'",
        "'tagente'",
        "foreach (",
        " as $key => ",
        "$value",
        "echo ",
        "__('Agent')",
        " = ",
        "$module",
        "['nombre']",
        "// comment ",
        "isset(",
        " === false",
        "    ",
    ];
    let mut text = String::from("<?php\n");
    while text.len() < 25_000 {
        text.push_str(WORDS[random.usize(..WORDS.len())]);
        if random.u8(..) < 24 {
            text.push_str(&random.u32(..).to_string());
        }
    }
    text
}

pub(crate) async fn add_tables(options: &ConnectOptions, rows: u64) -> Result<()> {
    let mut session = Session::open(options, &unlimited()).await?;
    for sql in [
        "CREATE TABLE tagente_datos_string (id_agente_modulo int unsigned NOT NULL, \
         datos mediumtext NOT NULL, utimestamp int unsigned NOT NULL, \
         KEY data_string_index_1 (id_agente_modulo), KEY idx_utimestamp (utimestamp))"
            .to_owned(),
        "CREATE TABLE tevento (id_evento bigint unsigned PRIMARY KEY AUTO_INCREMENT, \
         id_agente int NOT NULL, evento text NOT NULL, timestamp datetime NOT NULL, \
         estado int unsigned NOT NULL, utimestamp bigint NOT NULL, event_type varchar(50), \
         criticity int unsigned NOT NULL, user_comment text, KEY idx_utimestamp (utimestamp))"
            .to_owned(),
        format!(
            "INSERT INTO tagente_datos_string SELECT seq % 3000, \
             CONCAT('Nov 21 host', seq % 200, ' sshd[', seq, ']: ', IF(seq % 7, \
             'Accepted publickey for root from 10.0.0.', 'error: it''s a \"quoted\" path \\\\ from '), \
             seq % 255, ' ', MD5(seq)), UNIX_TIMESTAMP() - seq * 3 FROM seq_1_to_{rows}"
        ),
        format!(
            "INSERT INTO tevento SELECT NULL, seq % 1000, \
             CONCAT('Module module_', seq % 5000, ' (', ROUND(RAND(seq) * 100, 2), ') is going to CRITICAL'), \
             FROM_UNIXTIME(UNIX_TIMESTAMP() - seq * 5), seq % 3, UNIX_TIMESTAMP() - seq * 5, \
             'going_up_critical', seq % 5, IF(seq % 10, NULL, 'seen') FROM seq_1_to_{rows}"
        ),
        "ANALYZE TABLE tagente_datos_string, tevento".to_owned(),
    ] {
        session.execute(&sql, Params::Empty).await?;
    }
    Ok(())
}
