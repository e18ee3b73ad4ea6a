//! A Pandora FMS installation as its operator sees it: `--pandora` and nothing else.

mod background;
mod belongings;
mod cut_off;
mod downtimes;
mod held;
mod history;
mod history_compact;
mod image;
mod installed;
mod job;
mod killed;
mod locks;
mod lost;
mod memory;
mod moved;
mod planned;
mod programs;
mod purge_only;
mod rights;
mod schema;
mod shown;
mod terms;
mod throttled;
mod told;
mod traps;
mod unusable;
mod watched;
mod whole;

use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

use elpis_mysql::{Params, PrivateServer, Session, SessionSettings};
use elpis_testkit::pandora::Installation;
use elpis_testkit::{Database, MariaDb};
use jiff::Timestamp;
use tokio::runtime::Runtime;

use crate::harness::{Said, World};

/// The account that the configuration names. The server's own reader would not see its password.
const PASSWORD: &str = "^p4ss ^w#rd'\"$ `é";

/// Two of the product's locks have the same name in every database of a server, and the tests
/// share one: only one of them works at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An installation, its database, and its configuration.
struct Site {
    world: World,
    db: MariaDb,
}

impl Site {
    /// The smallest installation with this much more in `tconfig`.
    fn with(tokens: &[(&str, &str)]) -> Site {
        let mut installation = Installation {
            now: Timestamp::now(),
            ..Installation::small()
        };
        for (token, value) in tokens {
            installation = installation.token(token, value);
        }
        Site::of(installation)
    }

    fn of(installation: Installation) -> Site {
        Site::on(Site::server(), installation)
    }

    /// On a server of the test's own.
    fn on(server: &PrivateServer, installation: Installation) -> Site {
        let site = Site::bare(installation.install_on(server));
        let name = site.db.name();
        let password = PASSWORD.replace('\\', "\\\\").replace('\'', "\\'");
        site.db.sql(&format!(
            "CREATE USER IF NOT EXISTS '{name}'@'localhost' IDENTIFIED BY '{password}';\
             GRANT ALL ON {name}.* TO '{name}'@'localhost';\
             INSERT INTO tconfig (token, value) VALUES ('db_scheme_version', '7.0NG');"
        ));
        site
    }

    /// Where nobody looks into the database, which has no tables and no account for us.
    fn without_tables() -> Site {
        Site::bare(MariaDb::on(Site::server()))
    }

    fn bare(db: MariaDb) -> Site {
        let world = World::empty();
        let site = Site { world, db };
        site.configure("pandorafms");
        site
    }

    /// The server that all of them share.
    fn server() -> &'static PrivateServer {
        Installation::server()
    }

    fn configure(&self, servername: &str) {
        self.configure_with(servername, PASSWORD);
    }

    fn configure_with(&self, servername: &str, password: &str) {
        let socket = self.db.options.socket.clone().unwrap();
        let name = self.db.name();
        let text = format!(
            "# Pandora FMS\nservername {servername}\ndbname {name}\ndbuser {name}\n\
             dbpass {password}\ndbhost {}\nlog_file /var/log/p.log\nha_hosts_file {}\n",
            socket.display(),
            self.world.path("ha.conf").display()
        );
        let path = self.world.path("pandora_server.conf");
        elpis_run::fsx::write_durable(&path, text.as_bytes(), 0o600).unwrap();
    }

    /// NetFlow files are expired, by a program that does this. Another process writes it: a child
    /// that some other test forks at this moment would inherit our handle and keep it busy.
    fn expire_flows_with(&self, body: &str) {
        let path = |name: &str| self.world.path(name);
        let (flows, program) = (path("flows"), path("nfexpire"));
        self.db.sql(&format!(
            "DELETE FROM tconfig WHERE token LIKE 'netflow%'; \
             INSERT INTO tconfig (token, value) VALUES ('netflow_max_lifetime', '5'), \
               ('netflow_path', '{}'), ('netflow_nfexpire', '{}');",
            flows.display(),
            program.display()
        ));
        std::fs::create_dir_all(flows).unwrap();
        // It is called three times; the last time is when files go.
        let text = format!("#!/bin/sh\n[ \"$1\" = -e ] || exit 0\n{body}\n");
        self.world.write("text", &text);
        let mut install = Command::new("install");
        let install = install.args(["-m", "700"]).args([path("text"), program]);
        assert!(install.status().unwrap().success());
    }

    fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// With a state directory of its own, since root's would be the system's.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.world.command(args);
        command.env_remove("ELPIS_CONFIG");
        let conf = self.world.path("pandora_server.conf");
        command.arg("--pandora").arg(conf);
        let writes = ["run", "status"].contains(&args[0]);
        if writes && !args.contains(&"--config") {
            self.world
                .write("state.toml", "[state]\ndirectory = \"state\"\n");
            command.arg("--config").arg(self.world.path("state.toml"));
        }
        command
    }

    fn run(&self, args: &[&str]) -> Said {
        let in_front = args[0] == "run" && !args.contains(&"--background");
        let _alone = in_front.then(alone);
        let said = self.world.said(&self.output(args));
        for word in ["p4ss", "w#rd"] {
            assert!(
                !said.out.contains(word) && !said.err.contains(word),
                "{said:?}"
            );
        }
        said
    }

    /// Holds the rows of the console's audit trail until they are released.
    fn hold_sessions(&self) -> Held {
        let runtime = Runtime::new().unwrap();
        let session = runtime.block_on(async {
            let settings = SessionSettings::default();
            let mut session = Session::open(&self.db.options, &settings).await.unwrap();
            session.begin().await.unwrap();
            let lock = "SELECT COUNT(*) FROM tsesion FOR UPDATE";
            session.first::<u64>(lock, Params::Empty).await.unwrap();
            session
        });
        Held { runtime, session }
    }

    fn number(&self, sql: &str) -> u64 {
        self.db.number(sql)
    }

    fn last_run(&self) -> Vec<u64> {
        let sql = "SELECT value FROM tconfig WHERE token = 'db_maintance';";
        self.db
            .sql(sql)
            .lines()
            .map(|line| line.parse().unwrap())
            .collect()
    }
}

/// A transaction that holds rows.
struct Held {
    runtime: Runtime,
    session: Session,
}

impl Held {
    fn release(mut self) {
        self.runtime.block_on(self.session.rollback()).unwrap();
    }
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}
