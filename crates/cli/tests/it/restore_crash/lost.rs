//! A console that is lost, and a restore of it that dies before it is there again: what the journal
//! and an administrator's account know is enough to finish it or to take it back.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::Installation;
use crate::backup_server::sql;
use crate::harness::Said;

const ADMIN: [&str; 2] = ["--option-file", "tcp.cnf"];

impl Installation {
    /// Nothing says where a console is, and there is none.
    fn lose_console(&self) {
        let bare = "[target]\ndirectory = 'dest'\n[state]\ndirectory = 'state'\n";
        self.site.write("backup.toml", bare);
        std::fs::remove_dir_all(self.site.path("pandora_console")).unwrap();
    }

    fn admin(&self, args: &[&str]) -> Said {
        self.site.run(&[args, &ADMIN].concat())
    }

    /// Restores everything and is killed when it says `step`.
    fn die_at(&self, step: &str) {
        let args = ["restore", self.name(), "-f"];
        let mut command = self.site.command(&[&args[..], &ADMIN].concat());
        let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().ends_with(step)), "{step}");
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None, "it was done already");
    }

    #[track_caller]
    fn is_lost_and_old(&self, what: &str) {
        assert!(!self.site.path("pandora_console").exists(), "{what}");
        assert_eq!(self.sums(), self.old.sums, "{what}");
        super::same(&self.database(), &self.old.database, what);
    }
}

#[test]
fn a_restore_of_a_lost_console_goes_on_without_its_config_php() {
    let world = Installation::new();
    // Through the network: nobody is root there without a password.
    sql(
        &world.server,
        "CREATE USER admin@'%' IDENTIFIED BY 'a dm#in'; GRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION",
    );
    let port = world.server.port();
    let options =
        format!("[client]\nuser=admin\npassword='a dm#in'\nhost=127.0.0.1\nport={port}\n");
    world.site.write("tcp.cnf", &options);
    world.lose_console();

    world.die_at("] load");
    // The console is not there yet, and nobody says which account to use.
    let said = world.site.run(&["undo"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("no config.php is left"), "{said:?}");
    assert!(
        said.err.contains("hint: use --option-file FILE"),
        "{said:?}"
    );
    // One that is not of this server is not taken for it.
    let other = format!(
        "[client]\nuser=root\nsocket={}\n",
        world.server.socket().display()
    );
    world.site.write("other.cnf", &other);
    let said = world.site.run(&["undo", "--option-file", "other.cnf"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("it is of 127.0.0.1:"), "{said:?}");
    let said = world.admin(&["undo"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.err.contains("the journal knows its server"),
        "{said:?}"
    );
    world.is_lost_and_old("undone");
    assert_eq!(world.admin(&["forget"]).code, 0);
    assert_eq!(world.leftovers(), [""; 0]);

    world.die_at("] load");
    let said = world.admin(&["resume"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("--from"), "{said:?}");
    // Rows are still to be loaded, and the archive has the console's settings as well.
    let said = world.admin(&["resume", "--from", world.name()]);
    assert_eq!(said.code, 0, "{said:?}");
    world.is(&world.new, "resumed");
    let said = world.admin(&["undo"]);
    assert_eq!(said.code, 0, "{said:?}");
    world.is_lost_and_old("undone");
    // It is lost again, and what is kept of it must go all the same.
    assert_eq!(world.admin(&["forget"]).code, 0);
    assert_eq!(world.leftovers(), [""; 0]);

    // All rows were there, and the text is not needed any more.
    world.die_at("] objects");
    let said = world.admin(&["resume"]);
    assert!([0, 7].contains(&said.code), "{said:?}");
    world.is(&world.new, "resumed");
    // A config.php that nobody can read keeps nobody from going back.
    world
        .site
        .write("pandora_console/include/config.php", "<?php // broken\n");
    let said = world.admin(&["undo", "-c", "pandora_console"]);
    assert_eq!(said.code, 0, "{said:?}");
    world.is_lost_and_old("undone");
}
