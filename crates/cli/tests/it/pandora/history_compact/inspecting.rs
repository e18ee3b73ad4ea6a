//! A run that ends while compaction in the history database has only looked: asked to, or killed.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use elpis_mysql::{Params, Session, SessionSettings};
use elpis_testkit::Database;
use tokio::runtime::Runtime;

use super::ONLY;
use super::halves::Halves;
use crate::crash::wait_for_free_lock;
use crate::pandora::{Site, alone};

/// Starts a run and waits until it looks at the values, which somebody keeps it from; `end` says how
/// it ends then. Its exit code.
fn ended_while_it_looked(halves: &Halves, end: impl Fn(&mut Child)) -> Option<i32> {
    let runtime = Runtime::new().unwrap();
    let mut keeper = runtime.block_on(async {
        let options = &halves.history.options;
        let mut keeper = Session::open(options, &SessionSettings::default())
            .await
            .unwrap();
        let lock = "LOCK TABLES tagente_datos WRITE";
        keeper.execute(lock, Params::Empty).await.unwrap();
        keeper
    });
    let _alone = alone();
    let mut command = halves
        .site
        .command(&["run", "--only", "history_compact", "--no-throttle"]);
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let waits = format!(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{}' \
           AND state LIKE 'Waiting for table%' AND info LIKE '%tagente_datos%';",
        halves.history.name()
    );
    let give_up = Instant::now() + Duration::from_secs(60);
    while halves.history.number(&waits) == 0 {
        assert!(Instant::now() < give_up, "it does not look at the values");
        std::thread::sleep(Duration::from_millis(5));
    }
    end(&mut child);
    runtime
        .block_on(keeper.execute("UNLOCK TABLES", Params::Empty))
        .unwrap();
    let code = child.wait().unwrap().code();
    let lock = format!("{}_elpis_maint", halves.history.name());
    wait_for_free_lock(&halves.history, Some(&lock));
    code
}

#[test]
fn a_run_that_ends_while_it_looks_has_changed_nothing_and_the_next_does_everything() {
    let halves = Halves::new(Site::server());
    halves.while_nothing_ages(|| {
        halves.fill();
        halves.expect(2);
        let before = halves.sum("tagente_datos");
        let asked = |child: &mut Child| {
            let mut kill = Command::new("kill");
            let kill = kill.args(["-TERM", &child.id().to_string()]);
            assert!(kill.status().unwrap().success());
        };
        assert_eq!(ended_while_it_looked(&halves, asked), Some(130));
        assert_eq!(halves.sum("tagente_datos"), before);
        let killed = |child: &mut Child| child.kill().unwrap();
        assert_eq!(ended_while_it_looked(&halves, killed), None);
        assert_eq!(halves.sum("tagente_datos"), before);
        assert_eq!(halves.own_tables(), 0, "nothing was begun");
        let said = halves.site.run(&[&["run"][..], &ONLY].concat());
        assert_eq!(said.code, 0, "{said:?}");
    });
    assert_eq!(halves.sum("tagente_datos"), halves.sum("oracle_left"));
}
