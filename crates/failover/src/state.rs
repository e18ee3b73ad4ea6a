//! What four views of a pair add up to. Pure; every combination has an answer.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::observe::{Observation, Role, Sight, Unit, UnitReport};

/// Both units, looked at together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// Unit A.
    pub a: Observation,
    /// Unit B.
    pub b: Observation,
}

impl Sighting {
    /// One of the two.
    pub fn of(&self, unit: Unit) -> &Observation {
        match unit {
            Unit::A => &self.a,
            Unit::B => &self.b,
        }
    }

    /// One unit's report, if it gave one.
    pub fn report(&self, unit: Unit) -> Option<&UnitReport> {
        self.of(unit).report()
    }

    /// What the views add up to.
    pub fn state(&self) -> PairState {
        PairState::derive(&self.a, &self.b)
    }
}

/// The pair as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "pair", rename_all = "snake_case")]
pub enum PairState {
    /// All four views agree: one active, the other ready.
    Healthy {
        /// The unit that carries the traffic.
        active: Unit,
    },
    /// Something is in transition; waiting may help.
    Unsettled {
        /// The unit that carries the traffic, as far as can be seen.
        active: Option<Unit>,
        /// What is seen.
        why: String,
    },
    /// One unit carries the traffic and the other could not take over.
    Alone {
        /// The unit that carries the traffic.
        active: Unit,
        /// What is wrong with the other.
        why: String,
    },
    /// Both say they are active.
    SplitBrain,
    /// Nobody carries the traffic.
    NoActive {
        /// What they are instead.
        why: String,
    },
    /// Each is clear, but they contradict each other.
    Disagree {
        /// The unit that carries the traffic by its own word.
        active: Unit,
        /// Who says what.
        why: String,
    },
    /// Too little is known to say anything.
    Unknown {
        /// What is missing.
        why: String,
    },
}

/// Whether the pair does its work, whatever its redundancy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Serving {
    /// One unit carries the traffic.
    Yes,
    /// It cannot be told.
    Unsure,
    /// Nobody does, or both do.
    AtRisk,
}

impl PairState {
    /// Adds up what both units say of themselves and of each other.
    pub fn derive(a: &Observation, b: &Observation) -> PairState {
        if let Some(why) = unreadable(a).or_else(|| unreadable(b)) {
            return PairState::Unknown { why };
        }
        match (a.report(), b.report()) {
            (Some(of_a), Some(of_b)) => both(of_a, of_b),
            (Some(report), None) => one(Unit::A, report, &b.sight),
            (None, Some(report)) => one(Unit::B, report, &a.sight),
            (None, None) => PairState::Unknown {
                why: "neither unit answers".to_owned(),
            },
        }
    }

    /// The unit that carries the traffic, where exactly one does.
    pub fn active(&self) -> Option<Unit> {
        match self {
            PairState::Healthy { active }
            | PairState::Alone { active, .. }
            | PairState::Disagree { active, .. } => Some(*active),
            PairState::Unsettled { active, .. } => *active,
            PairState::SplitBrain | PairState::NoActive { .. } | PairState::Unknown { .. } => None,
        }
    }

    /// Whether the pair does its work.
    pub fn serving(&self) -> Serving {
        match self {
            PairState::SplitBrain | PairState::NoActive { .. } => Serving::AtRisk,
            _ if self.active().is_some() => Serving::Yes,
            _ => Serving::Unsure,
        }
    }
}

impl fmt::Display for PairState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PairState::Healthy { active } => {
                write!(f, "{active} active, {} standby ready", active.other())
            }
            PairState::Unsettled { active: None, why } => write!(f, "unsettled: {why}"),
            PairState::Unsettled {
                active: Some(active),
                why,
            } => write!(f, "{active} active, {why}"),
            PairState::Alone { active, why } => write!(f, "{active} active alone, {why}"),
            PairState::SplitBrain => f.write_str("both units say that they are active"),
            PairState::NoActive { why } => write!(f, "no unit is active: {why}"),
            PairState::Disagree { why, .. } => write!(f, "the units contradict each other: {why}"),
            PairState::Unknown { why } => write!(f, "unknown: {why}"),
        }
    }
}

/// A role that nobody knows makes the whole pair unknown, whoever reports it.
fn unreadable(observation: &Observation) -> Option<String> {
    let unit = observation.unit;
    match &observation.sight {
        Sight::Unreadable(reason) => Some(format!("{unit} is not understood: {reason}")),
        Sight::Seen(report) => match (&report.own_role, &report.peer_role) {
            (Role::Unknown(text), _) => Some(format!("{unit} says it is `{text}`")),
            (_, Role::Unknown(text)) => Some(format!("{unit} says its peer is `{text}`")),
            _ => None,
        },
        Sight::Unreachable(_) | Sight::Rejected(_) => None,
    }
}

fn one(seen: Unit, report: &UnitReport, other: &Sight) -> PairState {
    let unseen = seen.other();
    let reason = match other {
        Sight::Unreachable(reason) | Sight::Rejected(reason) | Sight::Unreadable(reason) => reason,
        Sight::Seen(_) => "",
    };
    let why = format!("{unseen} cannot be asked: {reason}");
    match (&report.own_role, &report.peer_role) {
        // Who is not answering may still carry traffic and say so to its peer.
        (Role::Active, Role::Active) => PairState::SplitBrain,
        (Role::Active, _) => PairState::Alone { active: seen, why },
        (_, Role::Active) => PairState::Unsettled {
            active: Some(unseen),
            why,
        },
        (Role::Transitional(text), _) => PairState::Unsettled {
            active: None,
            why: format!("{seen} in transition ({text}), {why}"),
        },
        (own, _) => PairState::NoActive {
            why: format!("{seen} {own}, {why}"),
        },
    }
}

fn both(a: &UnitReport, b: &UnitReport) -> PairState {
    let active = match (&a.own_role, &b.own_role) {
        (Role::Active, Role::Active) => return PairState::SplitBrain,
        (Role::Active, _) => Some(Unit::A),
        (_, Role::Active) => Some(Unit::B),
        _ => None,
    };
    let reports = [(Unit::A, a), (Unit::B, b)];
    for (unit, report) in reports {
        if let Role::Transitional(text) = &report.own_role {
            let why = format!("{unit} in transition ({text})");
            return PairState::Unsettled { active, why };
        }
    }
    let Some(active) = active else {
        let why = format!("a {}, b {}", a.own_role, b.own_role);
        return PairState::NoActive { why };
    };
    let (of_active, of_standby) = match active {
        Unit::A => (a, b),
        Unit::B => (b, a),
    };
    let standby = active.other();
    let agree =
        of_active.peer_role == of_standby.own_role && of_standby.peer_role == of_active.own_role;
    match &of_standby.own_role {
        Role::StandbyReady if agree => PairState::Healthy { active },
        Role::ColdStandby => PairState::Unsettled {
            active: Some(active),
            why: format!("{standby} cold standby"),
        },
        // A peer that lags behind in what it shows is no contradiction yet.
        Role::StandbyReady if matches!(of_active.peer_role, Role::Transitional(_)) => {
            PairState::Unsettled {
                active: Some(active),
                why: format!("{active} sees {standby} {}", of_active.peer_role),
            }
        }
        Role::StandbyReady => PairState::Disagree {
            active,
            why: format!(
                "{active} is active and sees {standby} {}, {standby} is standby ready and sees \
                 {active} {}",
                of_active.peer_role, of_standby.peer_role
            ),
        },
        own => PairState::Alone {
            active,
            why: format!("{standby} {own}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::ConfigSync;
    use jiff::Timestamp;
    use std::time::Duration;

    fn roles() -> Vec<Role> {
        vec![
            Role::Active,
            Role::StandbyReady,
            Role::ColdStandby,
            Role::Transitional("Bulk Sync".into()),
            Role::Failed("Ifc Failure".into()),
            Role::Disabled,
            Role::NotDetected,
            Role::Unknown("Pondering".into()),
        ]
    }

    fn seen(unit: Unit, own: &Role, peer: &Role) -> Observation {
        let report = UnitReport {
            identity: unit.to_string(),
            peer_identity: None,
            configured_as: None,
            own_role: own.clone(),
            peer_role: peer.clone(),
            version: "1".into(),
            platform: "p".into(),
            sync: ConfigSync::NotReported,
            incompatible: None,
            boot: None,
            faults: Vec::new(),
            busy: None,
            notes: Vec::new(),
            device_time: None,
        };
        observation(unit, Sight::Seen(Box::new(report)))
    }

    fn observation(unit: Unit, sight: Sight) -> Observation {
        Observation {
            unit,
            at: Timestamp::UNIX_EPOCH,
            asked: Duration::ZERO,
            sight,
        }
    }

    /// All 4096 combinations of four views: exactly two of them are healthy, and the unit that
    /// is said to carry the traffic always says so itself.
    #[test]
    fn of_all_combinations_of_four_views_only_two_are_healthy() {
        let mut healthy = Vec::new();
        for (own_a, seen_b, own_b, seen_a) in roles().iter().flat_map(|a| {
            let all = roles();
            all.iter()
                .flat_map(|b| {
                    let all = roles();
                    all.iter()
                        .flat_map(|c| {
                            roles()
                                .into_iter()
                                .map(|d| (a.clone(), b.clone(), c.clone(), d))
                                .collect::<Vec<_>>()
                        })
                        .collect::<Vec<_>>()
                })
                .collect::<Vec<_>>()
        }) {
            let a = seen(Unit::A, &own_a, &seen_b);
            let b = seen(Unit::B, &own_b, &seen_a);
            let state = PairState::derive(&a, &b);
            let both_active = own_a == Role::Active && own_b == Role::Active;
            let unknown = [&own_a, &seen_b, &own_b, &seen_a]
                .iter()
                .any(|role| matches!(role, Role::Unknown(_)));
            assert_eq!(
                matches!(state, PairState::SplitBrain),
                both_active && !unknown
            );
            assert_eq!(matches!(state, PairState::Unknown { .. }), unknown);
            if let Some(active) = state.active() {
                let own = if active == Unit::A { &own_a } else { &own_b };
                let other = if active == Unit::A { &own_b } else { &own_a };
                assert_eq!((own, other == own), (&Role::Active, false), "{state}");
            }
            let swapped = PairState::derive(
                &seen(Unit::A, &own_b, &seen_a),
                &seen(Unit::B, &own_a, &seen_b),
            );
            if !matches!(state, PairState::Unsettled { .. }) {
                assert_eq!(state.active(), swapped.active().map(Unit::other));
            }
            if matches!(state, PairState::Healthy { .. }) {
                healthy.push((own_a.clone(), seen_b.clone(), own_b.clone(), seen_a.clone()));
            }
        }
        let (active, ready) = (Role::Active, Role::StandbyReady);
        assert_eq!(
            healthy,
            [
                (active.clone(), ready.clone(), ready.clone(), active.clone()),
                (ready.clone(), active.clone(), active, ready),
            ]
        );
    }

    #[test]
    fn a_pair_half_seen_is_never_healthy() {
        for sight in [
            Sight::Unreachable("timeout".into()),
            Sight::Rejected("host key".into()),
            Sight::Unreadable("cut".into()),
        ] {
            for own in roles() {
                for peer in roles() {
                    let a = seen(Unit::A, &own, &peer);
                    let b = observation(Unit::B, sight.clone());
                    let state = PairState::derive(&a, &b);
                    assert!(!matches!(state, PairState::Healthy { .. }));
                    if state.serving() == Serving::Yes {
                        assert!(own == Role::Active || peer == Role::Active, "{state}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_silent_unit_that_its_active_peer_sees_active_is_a_split_brain() {
        let a = seen(Unit::A, &Role::Active, &Role::Active);
        let b = observation(Unit::B, Sight::Unreachable("timeout".into()));
        assert_eq!(PairState::derive(&a, &b), PairState::SplitBrain);
    }
}
