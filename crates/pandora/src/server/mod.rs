//! The live installation: what Elpis asks of the product's database before it does anything, and
//! the one thing that it writes for the console to read.

mod installation;
mod maintenance;
mod master;

pub use installation::{Installation, ModuleType};
pub use maintenance::{last_maintenance, record_maintenance};
pub use master::{NotMaster, check_master, server_name};

/// The names of the locks of a run, `{database}` standing for the database's name: those that the
/// product's own tools take (`pandora_db` and, of a metaconsole, the merging tools), so that they
/// and Elpis never work at the same time, and Elpis's own.
pub fn locks() -> Vec<String> {
    let names = [
        "{database}_pandora_db",
        "merge-working",
        "merging-events",
        "{database}_elpis_maint",
    ];
    names.map(str::to_owned).to_vec()
}
