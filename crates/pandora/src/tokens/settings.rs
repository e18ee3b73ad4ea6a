//! What the tokens come to.

use elpis_run::Secret;

use super::catalogue::{HISTORY, MAIN};
use super::reader::Reader;
use super::{Setting, TokenFinding, Tokens};
use crate::tasks::{FlowExpiry, HousekeepingSettings};

/// The longest bucket: with longer ones the console would draw "unknown" between two points.
const MAX_STEP_HOURS: u64 = 24;

/// Everything that `tconfig` says about housekeeping.
#[derive(Debug, Clone)]
pub struct PandoraSettings {
    /// For the catalogue of tasks.
    pub housekeeping: HousekeepingSettings,
    /// For compaction.
    pub compaction: CompactionSettings,
    /// The history database, if it is enabled.
    pub history: Option<HistorySettings>,
    /// Every token in effect, in the order of the tasks.
    pub listing: Vec<Setting>,
    /// What is odd.
    pub findings: Vec<TokenFinding>,
}

/// Compaction, as the product's settings ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactionSettings {
    /// Age from which data are compacted, in days (`days_compact`); `None` is off.
    pub days: Option<u32>,
    /// Length of a bucket in hours, 1 to 24 (`step_compact`).
    pub step_hours: u32,
}

impl Default for CompactionSettings {
    /// Off, and an hour where it is on.
    fn default() -> CompactionSettings {
        CompactionSettings {
            days: None,
            step_hours: 1,
        }
    }
}

/// Where the history database is, and what moves there.
#[derive(Debug, Clone)]
pub struct HistorySettings {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its name.
    pub name: String,
    /// The account.
    pub user: String,
    /// The account's password.
    pub password: Password,
    /// Days after which numeric data move; `None`: they do not.
    pub days: Option<u32>,
    /// Days after which string data move; `None`: they do not.
    pub string_days: Option<u32>,
    /// Rows that the product moves at a time.
    pub step: Option<u64>,
    /// Seconds that the product pauses after each step.
    pub delay_s: Option<u64>,
    /// Days after which events move; `None`: they do not.
    pub event_days: Option<u32>,
    /// Days after which SNMP traps move; `None`: they do not.
    pub trap_days: Option<u32>,
}

/// A password of the product's that may be encrypted.
#[derive(Debug, Clone)]
pub enum Password {
    /// As it is sent.
    Plain(Option<Secret<String>>),
    /// `encryption_passphrase` is set, with which the enterprise edition encrypts passwords in its
    /// database. Elpis cannot decrypt it: the operator has to name it.
    Encrypted,
}

/// What the history database keeps, and how, by its own `tconfig`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryRetention {
    /// Days of numeric data; `None` keeps them for ever.
    pub days_purge: Option<u32>,
    /// Days of string data.
    pub string_purge: Option<u32>,
    /// Days of events.
    pub event_purge: Option<u32>,
    /// Days of SNMP traps (`trap_history_purge`).
    pub trap_purge: Option<u32>,
    /// How its numeric data are compacted.
    pub compaction: CompactionSettings,
}

impl PandoraSettings {
    /// The settings that follow from `tokens`. `is_encrypted`: whether `pandora_server.conf` has an
    /// `encryption_passphrase`.
    pub fn new(tokens: &Tokens, is_encrypted: bool) -> PandoraSettings {
        let mut read = Reader::new(tokens, MAIN);
        let housekeeping = housekeeping(&mut read);
        let compaction = compaction(&mut read);
        let history = history(&mut read, is_encrypted);
        for step in [
            "big_operation_step_datos_purge",
            "small_operation_step_datos_purge",
        ] {
            // Listed, so that nobody wonders what became of it.
            let _ = read.text(step);
        }
        read.unknown();
        let mut settings = PandoraSettings {
            housekeeping: HousekeepingSettings {
                history_db_days: history.as_ref().and_then(|history| history.days),
                history_event_days: history.as_ref().and_then(|history| history.event_days),
                ..housekeeping
            },
            compaction,
            history,
            listing: read.settings,
            findings: read.findings,
        };
        settings.contradictions();
        settings
    }

    /// Settings that defeat each other.
    fn contradictions(&mut self) {
        let mut add = |what: String| self.findings.push(TokenFinding::Contradiction { what });
        let purge = self.housekeeping.days_purge;
        if let Some(what) = never_old_enough(self.compaction.days, purge) {
            add(what);
        }
        let Some(history) = &self.history else {
            return;
        };
        for (what, moved, deleted) in [
            ("history_db_days", history.days, purge),
            (
                "history_db_string_days",
                history.string_days,
                self.housekeeping.string_purge,
            ),
            (
                "history_event_days",
                history.event_days,
                self.housekeeping.event_purge,
            ),
            (
                "history_trap_days",
                history.trap_days,
                self.housekeeping.trap_purge,
            ),
        ] {
            if let (Some(moved), Some(deleted)) = (moved, deleted)
                && moved >= deleted
            {
                add(format!(
                    "{what} ({moved}) is not below the {deleted} days that the active database \
                     keeps: data are deleted before they can move to the history database"
                ));
            }
        }
    }
}

fn housekeeping(read: &mut Reader<'_>) -> HousekeepingSettings {
    HousekeepingSettings {
        days_purge: read.days("days_purge"),
        string_purge: read.days("string_purge"),
        event_purge: read.days("event_purge"),
        audit_purge: read.days("audit_purge"),
        trap_purge: read.days("trap_purge"),
        gis_purge: read.days("gis_purge"),
        inventory_purge: read.days("inventory_purge"),
        session_timeout: read.session("session_timeout"),
        delete_disabled_agents: read.days("delete_disabled_agents"),
        days_autodisable_deletion: read.days("days_autodisable_deletion"),
        delete_notinit: read.flag("delete_notinit"),
        days_delete_not_initialized: read.days("days_delete_not_initialized"),
        days_delete_unknown: read.days("days_delete_unknown"),
        delete_old_messages: read.days("delete_old_messages"),
        num_past_special_days: read.days("num_past_special_days"),
        netflow: flow(read, "netflow"),
        sflow: flow(read, "sflow"),
        days_purge_old_information: read.days("Days_purge_old_information"),
        metaconsole: read.flag("metaconsole"),
        ..HousekeepingSettings::default()
    }
}

/// All three tokens, or nothing.
fn flow(read: &mut Reader<'_>, kind: &str) -> Option<FlowExpiry> {
    let lifetime_days = read.days(&format!("{kind}_max_lifetime"));
    let directory = read.text(&format!("{kind}_path"));
    let program = read.text(&format!("{kind}_nfexpire"));
    Some(FlowExpiry {
        lifetime_days: lifetime_days?,
        directory: directory?.into(),
        program: program?.into(),
    })
}

fn compaction(read: &mut Reader<'_>) -> CompactionSettings {
    let days = read.days("days_compact");
    let hours = read.number("step_compact", 8760, "is no number of hours up to a year");
    let step = hours.filter(|hours| *hours > 0).unwrap_or(1);
    if step > MAX_STEP_HOURS
        && let Some(setting) = read.settings.last_mut()
    {
        // A point every 24 hours stays in any case, so a longer step would gain next to nothing.
        setting.value = Some(MAX_STEP_HOURS.to_string());
        setting.meaning = "into buckets of this length (at most 24: the console draws \"unknown\" \
                           where a day has no point)";
    }
    CompactionSettings {
        days,
        step_hours: step.min(MAX_STEP_HOURS) as u32,
    }
}

/// Why compaction has nothing to do, if so.
fn never_old_enough(compact: Option<u32>, purge: Option<u32>) -> Option<String> {
    let (compact, purge) = compact.zip(purge)?;
    (compact >= purge).then(|| {
        format!(
            "days_compact ({compact}) is not below days_purge ({purge}): data are deleted before \
             they are old enough to be compacted; lower days_compact, or set it to 0"
        )
    })
}

fn history(read: &mut Reader<'_>, is_encrypted: bool) -> Option<HistorySettings> {
    let enabled = read.flag("history_db_enabled");
    let host = read.text("history_db_host");
    let port = read.number("history_db_port", 65_535, "is no port");
    let name = read.text("history_db_name");
    let user = read.text("history_db_user");
    let password = read.password("history_db_pass");
    let days = read.days("history_db_days");
    let string_days = read.days("history_db_string_days");
    let strings = read.flag("history_db_adv");
    let step = read.number("history_db_step", 10_000_000, "is no number of rows");
    let delay_s = read.number("history_db_delay", 86_400, "is no number of seconds");
    let events = read.flag("history_event_enabled");
    let event_days = read.days("history_event_days");
    let traps = read.flag("history_trap_enabled");
    let trap_days = read.days("history_trap_days");
    if !enabled {
        return None;
    }
    for (token, missing) in [
        ("history_db_host", host.is_none()),
        ("history_db_name", name.is_none()),
        ("history_db_user", user.is_none()),
    ] {
        if missing {
            let what = format!(
                "history_db_enabled is set and {token} is not: the history database is left out"
            );
            read.findings.push(TokenFinding::Contradiction { what });
        }
    }
    let password = match password {
        Some(_) if is_encrypted => Password::Encrypted,
        password => Password::Plain(password),
    };
    Some(HistorySettings {
        host: host?,
        port: port.and_then(|port| u16::try_from(port).ok())?,
        name: name?,
        user: user?,
        password,
        days,
        string_days: string_days.filter(|_| strings),
        step,
        delay_s,
        event_days: event_days.filter(|_| events),
        trap_days: trap_days.filter(|_| traps),
    })
}

impl HistoryRetention {
    /// What the history database's own `tokens` ask for, every token in effect, and what is odd.
    /// No limit has a default there: what is not said is kept, and as it is.
    pub fn new(tokens: &Tokens) -> (HistoryRetention, Vec<Setting>, Vec<TokenFinding>) {
        let mut read = Reader::new(tokens, HISTORY);
        let retention = HistoryRetention {
            days_purge: read.days("days_purge"),
            string_purge: read.days("string_purge"),
            event_purge: read.days("event_purge"),
            trap_purge: read.days("trap_history_purge"),
            compaction: compaction(&mut read),
        };
        let defeated = never_old_enough(retention.compaction.days, retention.days_purge);
        let mut findings = read.findings;
        findings.extend(defeated.map(|what| TokenFinding::Contradiction { what }));
        (retention, read.settings, findings)
    }
}
