//! One number of a host over time: what it looks like, when it is stored, and which ones are hard.

use std::f64::consts::TAU;

use fastrand::Rng;

use super::DemoSpec;
use crate::chart::Window;

const DAY: i64 = 86_400;
/// The kind of a module that counts users: whole numbers, stored when they change and at least
/// once a day.
const USERS_ONLINE: usize = 5;
/// Modules that are made hard on purpose, by their place in the list; every demo has them from
/// its first day on.
const SPIKY: usize = 3;
const CHANGE_ONLY: usize = 4;
const HOLEY: usize = 5;
/// When, as shares of the days, counted from the end: spikes of one interval, holes of days. One
/// of each lies in the coarse tier and one in the fine one of [`super::policy`].
const SPIKES: [f64; 2] = [0.62, 0.27];
const HOLES: [(f64, f64); 2] = [(0.60, 0.55), (0.20, 0.16)];
/// What a spike adds.
const SPIKE: f64 = 45.0;

/// The types of modules, as the product numbers them: a level, a state, a change per second.
const GENERIC_DATA: u32 = 1;
pub(super) const GENERIC_PROC: u32 = 2;
const GENERIC_DATA_INC: u32 = 4;
const KIND_NAMES: [&str; 6] = [
    "CPU load",
    "Traffic",
    "Memory",
    "Temperature",
    "Disk",
    "Users online",
];

/// One number over time.
pub(super) struct Module {
    pub(super) id: usize,
    kind: usize,
    pub(super) joins: i64,
    base: f64,
    swing: f64,
    phase: f64,
    level: f64,
    /// When it shows a spike.
    spikes: Vec<i64>,
    /// When it shows nothing.
    holes: Vec<(i64, i64)>,
    /// What was stored last, and when.
    stored: Option<(f64, i64)>,
}

/// How busy people are: little at night, more at noon, less at the weekend; 1 on average.
pub(super) fn rhythm(at: i64) -> f64 {
    let hour = (at % DAY) as f64 / DAY as f64;
    let weekend = matches!((at / DAY + 4) % 7, 0 | 6);
    (1.0 - 0.7 * (TAU * hour).cos()) * if weekend { 0.65 } else { 1.14 }
}

/// The series worth looking at: number, what is to be seen, and where to look closely.
pub(super) fn exhibits(spec: &DemoSpec) -> Vec<(i64, &'static str, Option<Window>)> {
    let end = spec.now.as_second() / DAY * DAY;
    let span = f64::from(spec.days) * DAY as f64;
    let spike = end - (SPIKES[0] * span) as i64;
    let zoom = Window {
        start: spike - 30 * 3600,
        end: spike + 30 * 3600,
    };
    let id = |place: usize| place as i64 + 1;
    vec![
        (0, "a level with a daily rhythm", None),
        (SPIKY, "two spikes of one interval each", None),
        (
            SPIKY,
            "the older spike, looked at more closely than its bucket is long",
            Some(zoom),
        ),
        (HOLEY, "two holes of more than a day", None),
        (CHANGE_ONLY, "stored on change only, and once a day", None),
    ]
    .into_iter()
    .map(|(place, about, zoom)| (id(place), about, zoom))
    .collect()
}

impl Module {
    /// The module at this place of the list, of a database that spans `span` seconds before `end`.
    pub(super) fn new(place: usize, joins: i64, (span, end): (f64, i64), rng: &mut Rng) -> Module {
        let before_end = |share: f64| end - (share * span) as i64;
        Module {
            id: place + 1,
            kind: if place == CHANGE_ONLY {
                USERS_ONLINE
            } else {
                place % 5
            },
            joins,
            base: 20.0 + rng.f64() * 40.0,
            swing: 5.0 + rng.f64() * 25.0,
            phase: rng.f64() * 0.2,
            level: rng.f64() * 50.0,
            spikes: match place {
                SPIKY => SPIKES.map(before_end).to_vec(),
                _ => Vec::new(),
            },
            holes: match place {
                HOLEY => HOLES
                    .map(|(from, to)| (before_end(from), before_end(to)))
                    .to_vec(),
                _ => Vec::new(),
            },
            stored: None,
        }
    }

    /// Its name and its type, as the product numbers types.
    pub(super) fn entry(&self) -> (&'static str, u32) {
        let kind = match self.kind {
            1 => GENERIC_DATA_INC,
            _ => GENERIC_DATA,
        };
        (KIND_NAMES[self.kind], kind)
    }

    /// Whether a value reaches the database.
    pub(super) fn stores(&mut self, at: i64, value: f64) -> bool {
        if self
            .holes
            .iter()
            .any(|(from, to)| (*from..*to).contains(&at))
        {
            return false;
        }
        let news = self
            .stored
            .is_none_or(|(last, since)| last != value || at - since >= DAY);
        if self.kind == USERS_ONLINE && !news {
            return false;
        }
        self.stored = Some((value, at));
        true
    }

    pub(super) fn value(&mut self, at: i64, interval: i64, noise: f64) -> f64 {
        let spike = |from: &i64| (*from..from + interval).contains(&at);
        let value = self.quiet_value(at, noise);
        value + f64::from(u8::from(self.spikes.iter().any(spike))) * SPIKE
    }

    fn quiet_value(&mut self, at: i64, noise: f64) -> f64 {
        let hour = (at % DAY) as f64 / DAY as f64;
        let wave = -(TAU * (hour - self.phase)).cos();
        match self.kind {
            // CPU in per cent.
            0 => (self.base + self.swing * wave + 15.0 * noise).clamp(0.0, 100.0),
            // Traffic in Mbit/s: follows people.
            1 => self.base * 4.0 * rhythm(at) * (1.0 + 0.5 * noise),
            // Memory in per cent: creeps up, falls when something is restarted.
            2 => {
                self.level += 0.02 + 0.1 * noise;
                if self.level > 92.0 {
                    self.level = 35.0;
                }
                self.level.max(5.0)
            }
            // Temperature in degrees.
            3 => 22.0 + 0.1 * self.base + 2.0 * wave + 0.6 * noise,
            // People: whole ones, and now and then some more for a moment.
            USERS_ONLINE => {
                let crowd = if noise > 0.46 { 12.0 * noise } else { 0.0 };
                (14.0 * rhythm(at) + crowd).round()
            }
            // Disk in per cent: grows, and is cleaned up.
            _ => {
                self.level = if self.level > 88.0 {
                    40.0
                } else {
                    self.level + 0.004
                };
                self.level
            }
        }
    }
}
