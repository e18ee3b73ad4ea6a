//! What can be seen of a pair: each unit's word about itself and about its peer.
//!
//! Nothing here judges; `PairState` does. A driver fills these types in and leaves out what its
//! product does not tell.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One of the two units, in the order in which the policy names them. It says nothing about roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// The one that the policy names first.
    A,
    /// The one that the policy names second.
    B,
}

impl Unit {
    /// Both, in order.
    pub const BOTH: [Unit; 2] = [Unit::A, Unit::B];

    /// The peer.
    pub fn other(self) -> Unit {
        match self {
            Unit::A => Unit::B,
            Unit::B => Unit::A,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unit::A => "a",
            Unit::B => "b",
        })
    }
}

/// The part a unit plays at the moment, as one unit reports it of itself or of its peer.
///
/// The texts are the product's own words, for people; no decision reads them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It carries the traffic.
    Active,
    /// It could take over now, with everything replicated.
    StandbyReady,
    /// It would take over, but without what should have been replicated: never switched to.
    ColdStandby,
    /// On its way somewhere: negotiating, synchronising, becoming active. Wait.
    Transitional(String),
    /// It reports a failure, or its peer reports one of it.
    Failed(String),
    /// High availability is switched off or suspended on it.
    Disabled,
    /// The reporting unit does not see this one at all.
    NotDetected,
    /// Something that the driver does not know. Never taken for anything good.
    Unknown(String),
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::Active => f.write_str("active"),
            Role::StandbyReady => f.write_str("standby, ready"),
            Role::ColdStandby => f.write_str("cold standby"),
            Role::Transitional(text) => write!(f, "in transition ({text})"),
            Role::Failed(text) => write!(f, "failed ({text})"),
            Role::Disabled => f.write_str("disabled"),
            Role::NotDetected => f.write_str("not detected"),
            Role::Unknown(text) => write!(f, "unknown ({text})"),
        }
    }
}

/// Whether the configuration (or the data) of both units is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfigSync {
    /// The same, or in a state that needs no copying. The product's own word for it.
    InSync(String),
    /// Being copied, or about to be. Wait.
    Syncing(String),
    /// Something that the driver does not know.
    Unknown(String),
    /// The product says nothing about it in its present state.
    NotReported,
}

impl fmt::Display for ConfigSync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigSync::InSync(text) => write!(f, "in sync ({text})"),
            ConfigSync::Syncing(text) => write!(f, "synchronising ({text})"),
            ConfigSync::Unknown(text) => write!(f, "sync state unknown ({text})"),
            ConfigSync::NotReported => f.write_str("sync state not reported"),
        }
    }
}

/// What one unit says when it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitReport {
    /// Its serial number, UUID or server id: what no other unit has.
    pub identity: String,
    /// The identity of its peer, where it knows it.
    pub peer_identity: Option<String>,
    /// Its name or part by configuration (`Primary`, `Secondary`), which no switchover changes.
    pub configured_as: Option<String>,
    /// Its role as it sees it itself.
    pub own_role: Role,
    /// Its peer's role as it sees it.
    pub peer_role: Role,
    /// The version that runs on it, in the same form as [`Target::version`](crate::Target).
    pub version: String,
    /// Model or platform.
    pub platform: String,
    /// Its side of the synchronisation.
    pub sync: ConfigSync,
    /// Why its version cannot pair with the peer's, if it says so. A version that merely differs
    /// is no reason: that is normal in the middle of an upgrade.
    pub incompatible: Option<String>,
    /// Anything that is different after every boot and the same in between (boot time to the
    /// minute, boot id). `None`: the product does not tell.
    pub boot: Option<String>,
    /// What would make it a bad active unit: monitored interfaces that are down, a full disk.
    pub faults: Vec<String>,
    /// A job that already runs on it and must not be disturbed, such as another upgrade.
    pub busy: Option<String>,
    /// Worth recording, never decisive: the last failure's reason and time, other components'
    /// versions.
    pub notes: Vec<String>,
    /// Its own clock, where it tells. Compared only with itself.
    pub device_time: Option<Timestamp>,
}

impl Default for UnitReport {
    /// What a unit says that says nothing: roles unknown, so nothing takes it for healthy. A
    /// driver fills in what its product tells.
    fn default() -> UnitReport {
        let unknown = || Role::Unknown(String::from("not reported"));
        UnitReport {
            identity: String::new(),
            peer_identity: None,
            configured_as: None,
            own_role: unknown(),
            peer_role: unknown(),
            version: String::new(),
            platform: String::new(),
            sync: ConfigSync::NotReported,
            incompatible: None,
            boot: None,
            faults: Vec::new(),
            busy: None,
            notes: Vec::new(),
            device_time: None,
        }
    }
}

/// What came of asking one unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sight {
    /// It answered and was understood.
    Seen(Box<UnitReport>),
    /// It did not answer: down, rebooting, or the network. Asking again later may help.
    Unreachable(String),
    /// It answered and we must not go on: host key unknown or changed, login refused, password
    /// expired. Asking again does not help and may lock the account.
    Rejected(String),
    /// It answered something that was not understood or not complete.
    Unreadable(String),
}

/// One unit at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Which unit.
    pub unit: Unit,
    /// When the answer was complete, by our wall clock; for people.
    pub at: Timestamp,
    /// When it was asked, on the monotonic clock of the observing process; for ages. Means
    /// nothing in another process.
    pub asked: Duration,
    /// What came of it.
    pub sight: Sight,
}

impl Observation {
    /// The unit's report, if there is one.
    pub fn report(&self) -> Option<&UnitReport> {
        match &self.sight {
            Sight::Seen(report) => Some(report),
            Sight::Unreachable(_) | Sight::Rejected(_) | Sight::Unreadable(_) => None,
        }
    }
}

/// An installation package as it lies on one unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageFacts {
    /// Its file name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Digest with its algorithm, such as `sha512:9f86…`; hexadecimal, lower case.
    pub digest: String,
    /// Whether it is made for the unit's platform and hop; the text says why not.
    pub fits: Result<(), String>,
    /// Still being copied: its size changed between two looks.
    pub growing: bool,
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth telling.
    Note,
    /// The operator should know before saying yes.
    Warning,
    /// It has to pass by itself before anything begins.
    Wait,
    /// Nothing may begin.
    Blocker,
}

/// Something that a survey found, beyond what the engine checks by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// A stable word for programs, such as `pending-deployment`.
    pub code: String,
    /// What is found and what to do about it, one line.
    pub text: String,
}

/// A thorough look at one unit before anything begins; may take minutes (digests).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// The target's package, if it is there.
    pub package: Option<PackageFacts>,
    /// Everything else: disk space, pending changes, clock, unsupported hop, downgrade.
    pub findings: Vec<Finding>,
}
