//! What is outside of the database, and lines of the manual that are not for this run.

use std::ffi::OsString;
use std::path::{Component, Path};

use elpis_maint_core::housekeeping::{Group, ProgramTask, Task, Work};

use super::words::{days, off, skip, task};
use super::{FlowExpiry, HousekeepingSettings};

/// The only program that settings in a database may have run as root.
const PROGRAM: &str = "nfexpire";

pub(super) fn netflow(s: &HousekeepingSettings) -> Task {
    let work = expiry("netflow", s.netflow.as_ref());
    task(Group::Purge, "netflow", "Deleting old netflow data.", work)
}

pub(super) fn sflow(s: &HousekeepingSettings) -> Task {
    let work = expiry("sflow", s.sflow.as_ref());
    task(Group::Purge, "sflow", "Deleting old sflow data.", work)
}

fn expiry(kind: &str, set: Option<&FlowExpiry>) -> Vec<Work> {
    let Some(flow) = set.filter(|flow| flow.lifetime_days > 0) else {
        return off(&format!("{kind}_max_lifetime"));
    };
    if let Some(why) = objection(kind, flow) {
        return skip(why);
    }
    // Exactly so many days: by itself the program goes on down to 95 % of them.
    let limits = [
        "-t".into(),
        format!("{}d", flow.lifetime_days),
        "-w".into(),
        "100".into(),
    ];
    let call = |what: &str, flag: &str, more: &[String]| {
        let directory = flow.directory.clone().into_os_string();
        let more = more.iter().map(OsString::from);
        Work::Program(ProgramTask {
            name: format!("{kind}/{what}"),
            program: flow.program.clone(),
            args: [OsString::from(flag), directory]
                .into_iter()
                .chain(more)
                .collect(),
            directory: flow.directory.clone(),
        })
    };
    vec![
        // A collector that expires files itself goes by these limits too.
        call("limits", "-u", &limits),
        // Files that the directory's bookkeeping does not know are never expired.
        call("rescan", "-r", &[]),
        call("expire", "-e", &limits),
    ]
}

/// Why these values, which anybody who can write to `tconfig` can set, are not acted upon.
fn objection(kind: &str, flow: &FlowExpiry) -> Option<String> {
    let plain = |path: &Path| {
        path.is_absolute()
            && path
                .components()
                .all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
    };
    if !plain(&flow.directory) {
        let path = flow.directory.display();
        return Some(format!(
            "{kind}_path is {path}, which is no plain absolute path"
        ));
    }
    let program = &flow.program;
    if !plain(program) || program.file_name().is_none_or(|name| name != PROGRAM) {
        let path = program.display();
        return Some(format!(
            "{kind}_nfexpire is {path}: only an absolute path of a program called {PROGRAM} is run"
        ));
    }
    None
}

pub(super) fn log_data(s: &HousekeepingSettings) -> Task {
    let title = match days(s.days_purge_old_information) {
        Some(days) => format!("Deleting log data older than {days} days."),
        None => "Deleting old log data.".to_owned(),
    };
    let why = "log data are kept outside the database, by the paid edition, which expires them";
    task(Group::Purge, "log_data", title, skip(why))
}

fn history(id: &str, what: &str, token: Option<u32>) -> Task {
    let title = match days(token) {
        Some(days) => format!("Moving {what} older than {days} days to the history DB..."),
        None => format!("Moving {what} to the history DB..."),
    };
    let why = match days(token) {
        Some(_) => "moved first of all, before anything is deleted",
        None => "the history database is not enabled for it",
    };
    task(Group::HistoryDb, id, title, skip(why))
}

pub(super) fn history_data(s: &HousekeepingSettings) -> Task {
    history("history_data", "data", s.history_db_days)
}

pub(super) fn history_events(s: &HousekeepingSettings) -> Task {
    history("history_events", "events", s.history_event_days)
}

pub(super) fn snmp_modules() -> Task {
    let why = "the schema does not tell which modules the paid edition's server has lent out";
    let title = "Moving SNMP modules back to the Enterprise SNMP Server.";
    task(Group::Enterprise, "snmp_modules", title, skip(why))
}

pub(super) fn dynamic_limits() -> Task {
    let why = "the schema has the settings of dynamic limits, not the paid edition's method";
    let title = "Dynamically updating critical min and max values.";
    task(Group::Enterprise, "dynamic_limits", title, skip(why))
}
