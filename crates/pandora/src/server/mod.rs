//! The live installation: what Elpis asks of the product's database before it does anything, and
//! the one thing that it writes for the console to read.

use std::time::Duration;

use elpis_mysql::{Params, Value};

mod installation;
mod maintenance;
mod master;
mod modules;
mod rights;

pub use installation::{Installation, ModuleType};
pub use maintenance::{last_maintenance, record_maintenance};
pub use master::{NotMaster, check_master, server_name};
pub use rights::{Denied, hold_what_is_denied, lacking_for_compaction};
pub(crate) use rights::{denied, may_create_progress};

const PRODUCT: &str = "{database}_pandora_db";
/// The same lock as older versions of that tool name it (7.0NG of 2018, and 4.1): one for all
/// databases of a server.
const OLD_PRODUCT: &str = "pandora_db";
const OWN: &str = "{database}_elpis_maint";
/// Of the tools that merge databases into a metaconsole's.
const MERGING: [&str; 2] = ["merge-working", "merging-events"];
/// Those that all databases of a server share.
const SHARED: [&str; 3] = [MERGING[0], MERGING[1], OLD_PRODUCT];

/// The names of the locks of a run, `{database}` standing for the database's name: those that the
/// product's own tools take (`pandora_db` and, of a metaconsole, the merging tools), so that they
/// and Elpis never work at the same time, and Elpis's own.
pub fn locks() -> Vec<String> {
    let [one, other, old] = SHARED;
    let names = [PRODUCT, one, other, old, OWN];
    names.map(str::to_owned).to_vec()
}

/// The same for a history database, in which nothing is merged.
pub fn history_locks() -> Vec<String> {
    [PRODUCT, OWN].map(str::to_owned).to_vec()
}

/// Whether a run waits for this lock, up to [`PATIENCE`]: the merging tools are done in moments, and
/// so is the hourly run of another database of the server. Another maintenance of this database is
/// not.
pub fn is_brief(lock: &str) -> bool {
    SHARED.contains(&lock)
}

/// How long the product's tool waits for a lock (`pandora_db.pl`).
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The only parameter of a statement.
pub(crate) fn one(value: impl Into<Value>) -> Params {
    Params::Positional(vec![value.into()])
}

/// A name as the server holds it.
pub(crate) fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}
