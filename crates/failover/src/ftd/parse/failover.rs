//! `show failover`: serial numbers, software versions and interfaces of both units.

use super::{ConfiguredRole, Unreadable};

const COMMAND: &str = "show failover";

/// A monitored interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    /// Its name in the configuration.
    pub name: String,
    /// What is written behind the address, such as `Normal (Monitored)`.
    pub status: String,
}

impl Interface {
    /// Whether the unit would lose traffic on it as the active one. "Normal" in any company is
    /// well, so is an interface that nobody monitors.
    pub(crate) fn is_faulty(&self) -> bool {
        !self.status.starts_with("Normal") && !self.status.contains("Not-Monitored")
    }
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failover {
    /// `Failover On`. Off, or on standby without a partner ("pseudo-Standby"), is off.
    pub on: bool,
    /// Ours and our mate's serial numbers.
    pub serials: Option<(String, String)>,
    /// Ours and our mate's Lina version.
    pub versions: Option<(String, String)>,
    /// What this unit is configured for.
    pub configured: Option<ConfiguredRole>,
    /// Seconds after which a silent mate is taken for dead.
    pub hold_seconds: Option<u32>,
    /// `Last Failover at`, in the device's words.
    pub last_failover: Option<String>,
    /// Interfaces of the unit that was asked.
    pub own_interfaces: Vec<Interface>,
}

impl Failover {
    /// Reads the answer; `text` is what stands between the command and the next prompt.
    pub(crate) fn read(text: &str) -> Result<Failover, Unreadable> {
        let mut on = None;
        let mut failover = Failover {
            on: false,
            serials: None,
            versions: None,
            configured: None,
            hold_seconds: None,
            last_failover: None,
            own_interfaces: Vec::new(),
        };
        let mut of_this_host = false;
        for line in text.lines().map(str::trim) {
            if let Some(state) = line.strip_prefix("Failover On") {
                on = Some(state.trim().is_empty());
            } else if line.starts_with("Failover Off") {
                on = Some(false);
            } else if let Some(role) = line.strip_prefix("Failover unit ") {
                failover.configured = ConfiguredRole::read(role.trim());
            } else if let Some(pair) = line.strip_prefix("Version: ") {
                failover.versions = ours_and_mate(pair);
            } else if let Some(pair) = line.strip_prefix("Serial Number: ") {
                failover.serials = ours_and_mate(pair);
            } else if let Some(at) = line.strip_prefix("Last Failover at: ") {
                failover.last_failover = Some(at.to_owned());
            } else if line.starts_with("Unit Poll frequency") {
                failover.hold_seconds = hold_time(line);
            } else if line.starts_with("This host") {
                of_this_host = true;
            } else if line.starts_with("Other host") {
                of_this_host = false;
            } else if of_this_host && let Some(interface) = interface(line) {
                failover.own_interfaces.push(interface);
            }
        }
        let incomplete = |missing| Unreadable::Incomplete {
            command: COMMAND,
            missing,
        };
        failover.on = on.ok_or(incomplete("Failover On or Off"))?;
        if failover.on && !text.contains("Other host") {
            return Err(incomplete("Other host"));
        }
        Ok(failover)
    }
}

/// `Ours 9A1, Mate 9AB`; a mate that was never seen is `Unknown`.
fn ours_and_mate(text: &str) -> Option<(String, String)> {
    let (ours, mate) = text.trim().strip_prefix("Ours ")?.split_once(", Mate ")?;
    Some((ours.trim().to_owned(), mate.trim().to_owned()))
}

fn hold_time(line: &str) -> Option<u32> {
    let (_, rest) = line.split_once("holdtime ")?;
    let mut words = rest.split_whitespace();
    let value: u32 = words.next()?.parse().ok()?;
    match words.next()? {
        unit if unit.starts_with("milliseconds") => Some(value.div_ceil(1000)),
        unit if unit.starts_with("seconds") => Some(value),
        _ => None,
    }
}

/// `Interface outside (192.168.10.2): Normal (Monitored)`. Names may hold hyphens and slashes,
/// the status several words; a line without a closing status is cut and not an interface.
fn interface(line: &str) -> Option<Interface> {
    let (name, rest) = line.strip_prefix("Interface ")?.split_once(" (")?;
    let (_, status) = rest.split_once("): ")?;
    (!status.trim().is_empty()).then(|| Interface {
        name: name.to_owned(),
        status: status.trim().to_owned(),
    })
}
