//! Indexes that come after the rows: as soon as those of their table are there.

use std::sync::{Arc, Mutex};

use elpis_backup::archive::Container;
use elpis_backup::restore::{Restore, RestoreEvent};
use elpis_run::Observer;

use super::{Bench, backup, create, mariadb, of_archive, policy, portrait, same, server};

/// Asks the server what indexes a table has at the moment when it is said to have them.
#[derive(Default)]
struct Watcher {
    side: Mutex<String>,
    told: Mutex<Vec<String>>,
}

impl Observer<RestoreEvent> for Watcher {
    fn on(&self, event: &RestoreEvent) {
        match event {
            RestoreEvent::Started { side, .. } => side.clone_into(&mut self.side.lock().unwrap()),
            RestoreEvent::Step { step } => self.told.lock().unwrap().push(step.clone()),
            RestoreEvent::Indexed { table } => {
                let side = self.side.lock().unwrap();
                let sql = format!(
                    "SELECT GROUP_CONCAT(DISTINCT index_name ORDER BY index_name) FROM information_schema.statistics \
                     WHERE table_schema = '{side}' AND table_name = '{table}'"
                );
                let indexes = mariadb(server().socket(), "", &sql);
                let told = format!("{table}: {}", indexes.trim());
                self.told.lock().unwrap().push(told);
            }
            _ => {}
        }
    }
}

#[test]
fn a_table_has_its_indexes_when_its_last_rows_are_loaded() {
    let socket = server().socket();
    create(socket, "indexed");
    let before = portrait(socket, "indexed");
    let (_world, path) = backup(&server().options(), &["indexed"], Container::TarZst);
    let text = of_archive(&path);
    let bench = Bench::new(server().options());
    let watcher = Arc::new(Watcher::default());
    let restore = Restore {
        observer: Arc::clone(&watcher) as _,
        ..bench.restore(None)
    };
    let plan = bench.plan(&policy("indexed"), &text);
    restore.run(&plan, &text).unwrap();
    let told = watcher.told.lock().unwrap();
    let at = |step: &str| told.iter().position(|known| known == step).unwrap();
    let mut early = told[at("load")..at("indexes")].to_vec();
    early.sort();
    assert_eq!(
        early,
        ["counted: a,n,z", "load", "samples: by_module,by_time"]
    );
    assert_eq!(
        at("compare"),
        at("indexes") + 1,
        "nothing is left for later"
    );
    same(&portrait(socket, "indexed"), &before);
}
