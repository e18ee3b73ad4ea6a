//! What the tokens come to.

use super::catalogue::MAIN;
use super::history::{self, HistorySettings, UnusableHistory};
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
    /// The history database, if it is enabled; an error if it may be, and cannot be used.
    pub history: Result<Option<HistorySettings>, UnusableHistory>,
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

impl PandoraSettings {
    /// The settings that follow from `tokens`. `is_encrypted`: whether `pandora_server.conf` has an
    /// `encryption_passphrase`.
    pub fn new(tokens: &Tokens, is_encrypted: bool) -> PandoraSettings {
        let mut read = Reader::new(tokens, MAIN);
        let housekeeping = housekeeping(&mut read);
        let compaction = compaction(&mut read);
        let history = history::history(&mut read, is_encrypted);
        for step in [
            "big_operation_step_datos_purge",
            "small_operation_step_datos_purge",
        ] {
            // Listed, so that nobody wonders what became of it.
            let _ = read.text(step);
        }
        read.unknown();
        let moves = history.as_ref().ok().and_then(Option::as_ref);
        let mut settings = PandoraSettings {
            housekeeping: HousekeepingSettings {
                history_db_days: moves.and_then(|history| history.days),
                history_event_days: moves.and_then(|history| history.event_days),
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
        let Ok(Some(history)) = &self.history else {
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

pub(super) fn compaction(read: &mut Reader<'_>) -> CompactionSettings {
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
pub(super) fn never_old_enough(compact: Option<u32>, purge: Option<u32>) -> Option<String> {
    let (compact, purge) = compact.zip(purge)?;
    (compact >= purge).then(|| {
        format!(
            "days_compact ({compact}) is not below days_purge ({purge}): data are deleted before \
             they are old enough to be compacted; lower days_compact, or set it to 0"
        )
    })
}
