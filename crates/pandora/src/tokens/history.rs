//! The history database: where it is and what moves there, by the tokens of the active database,
//! and what it keeps, by its own.

use std::path::{Path, PathBuf};

use elpis_run::Secret;

use super::catalogue::HISTORY;
use super::reader::Reader;
use super::settings::{CompactionSettings, compaction, never_old_enough};
use super::{Setting, TokenFinding, Tokens};
use crate::files::local_socket;

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

/// A history database that is enabled, or may be, and that by its settings nobody can use. Nothing
/// moves there, and what should move is not to be deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .reasons.join("; "))]
pub struct UnusableHistory {
    /// What is wrong with which token.
    pub reasons: Vec<String>,
    /// The tables whose old rows should move, as far as that can be told.
    pub tables: Vec<&'static str>,
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

impl HistorySettings {
    /// The Unix socket by which the product's own clients reach it: the one that its host names, or,
    /// for `localhost`, the first that a server's package made. Looks at this host's files.
    pub fn socket_here(&self) -> Option<PathBuf> {
        self.socket_below("/".as_ref())
    }

    pub(super) fn socket_below(&self, root: &Path) -> Option<PathBuf> {
        match self.host.starts_with('/') {
            true => Some(PathBuf::from(&self.host)),
            false => local_socket(&self.host, root),
        }
    }
}

/// What is known of one kind of rows that may move.
struct Moving {
    table: &'static str,
    /// Whether its own switch is on, if it has one.
    switch: Option<(&'static str, bool)>,
    token: &'static str,
    days: Option<u32>,
}

impl Moving {
    fn read(
        read: &mut Reader<'_>,
        table: &'static str,
        switch: Option<&'static str>,
        token: &'static str,
    ) -> Moving {
        let switch = switch.map(|switch| (switch, read.flag(switch)));
        Moving {
            table,
            switch,
            token,
            days: read.days(token),
        }
    }

    fn days(&self) -> Option<u32> {
        let is_on = self.switch.is_none_or(|(_, on)| on);
        self.days.filter(|_| is_on)
    }

    /// That it is switched on and does not move all the same.
    fn idle(&self) -> Option<TokenFinding> {
        let (switch, _) = self.switch.filter(|(_, on)| *on && self.days.is_none())?;
        let (table, days) = (self.table, self.token);
        let what = format!(
            "{switch} is set and {days} is not: rows of {table} do not move, and are deleted by \
             their own limit"
        );
        Some(TokenFinding::Contradiction { what })
    }

    /// Whether its rows move, or would if what is written were right.
    fn is_meant(&self, read: &Reader<'_>) -> bool {
        let is_on = |(switch, on): (&str, bool)| on || read.is_junk(switch);
        self.switch.is_none_or(is_on) && (self.days.is_some() || read.is_junk(self.token))
    }
}

pub(super) fn history(
    read: &mut Reader<'_>,
    is_encrypted: bool,
) -> Result<Option<HistorySettings>, UnusableHistory> {
    let enabled = read.flag("history_db_enabled");
    let host = read.text("history_db_host");
    let port = read.port("history_db_port");
    let name = read.text("history_db_name");
    let user = read.text("history_db_user");
    let password = read.password("history_db_pass");
    let data = Moving::read(read, "tagente_datos", None, "history_db_days");
    let strings = Moving::read(
        read,
        "tagente_datos_string",
        Some("history_db_adv"),
        "history_db_string_days",
    );
    let step = read.number("history_db_step", 10_000_000, "is no number of rows");
    let delay_s = read.number("history_db_delay", 86_400, "is no number of seconds");
    let [events, traps] = [
        ("tevento", "history_event_enabled", "history_event_days"),
        ("ttrap", "history_trap_enabled", "history_trap_days"),
    ]
    .map(|(table, switch, token)| Moving::read(read, table, Some(switch), token));
    if !enabled && !read.is_junk("history_db_enabled") {
        read.idle(&DECISIVE);
        read.idle(&PACING);
        return Ok(None);
    }
    let all = [&data, &strings, &events, &traps];
    let tables = all.iter().filter(|moving| moving.is_meant(read));
    let tables = tables.map(|moving| moving.table).collect();
    // A switch that is off needs no number of days.
    let idle = all.into_iter().filter(|moving| !moving.is_meant(read));
    let idle: Vec<&str> = idle.map(|moving| moving.token).collect();
    read.idle(&idle);
    let decisive = DECISIVE.iter().filter(|token| !idle.contains(token));
    let mut reasons = read.take_junk(&decisive.copied().collect::<Vec<_>>());
    for (token, missing) in [
        ("history_db_host", host.is_none()),
        ("history_db_name", name.is_none()),
        ("history_db_user", user.is_none()),
    ] {
        if enabled && missing {
            reasons.push(format!("history_db_enabled is set and {token} is not"));
        }
    }
    let password = match password {
        Some(_) if is_encrypted => Password::Encrypted,
        password => Password::Plain(password),
    };
    match (host, port, name, user) {
        (Some(host), Some(port), Some(name), Some(user)) if reasons.is_empty() => {
            let idle = all.into_iter().filter_map(Moving::idle);
            read.findings.extend(idle);
            Ok(Some(HistorySettings {
                host,
                port,
                name,
                user,
                password,
                days: data.days(),
                string_days: strings.days(),
                step,
                delay_s,
                event_days: events.days(),
                trap_days: traps.days(),
            }))
        }
        _ => {
            let unusable = UnusableHistory { reasons, tables };
            let finding = TokenFinding::UnusableHistory(unusable.clone());
            read.findings.push(finding);
            Err(unusable)
        }
    }
}

/// The tokens without which it cannot be told where the history database is, or what moves there.
const DECISIVE: [&str; 9] = [
    "history_db_enabled",
    "history_db_port",
    "history_db_days",
    "history_db_adv",
    "history_db_string_days",
    "history_event_enabled",
    "history_event_days",
    "history_trap_enabled",
    "history_trap_days",
];

/// Those that say how fast.
const PACING: [&str; 2] = ["history_db_step", "history_db_delay"];

impl HistoryRetention {
    /// What the history database's own `tokens` ask for, every token in effect, and what is odd.
    /// No limit has a default there: what is not said is kept, and as it is.
    pub fn new(tokens: &Tokens) -> (HistoryRetention, Vec<Setting>, Vec<TokenFinding>) {
        let mut read = Reader::new(tokens, HISTORY).keeping_most();
        let retention = HistoryRetention {
            days_purge: read.days("days_purge"),
            string_purge: read.days("string_purge"),
            event_purge: read.days("event_purge"),
            trap_purge: read.days("trap_history_purge"),
            compaction: compaction(&mut read),
        };
        read.unknown();
        let defeated = never_old_enough(retention.compaction.days, retention.days_purge);
        let mut findings = read.findings;
        findings.extend(defeated.map(|what| TokenFinding::Contradiction { what }));
        (retention, read.settings, findings)
    }
}
