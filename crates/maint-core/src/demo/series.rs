//! What hosts report: numbers with a daily rhythm, states, messages, events, and gaps.

use std::f64::consts::TAU;

use fastrand::Rng;

use super::rows::{Batch, Rows};
use super::{DemoError, DemoSpec};
use crate::chart::Window;

const DAY: i64 = 86_400;
/// A number's interval, unless so few rows are asked for that it has to be longer.
const INTERVAL: i64 = 300;
/// Modules of one host.
const MODULES_PER_HOST: usize = 10;
/// Share of all rows that are numbers.
const NUMBERS: f64 = 0.92;
/// Share of its intervals in which a number is really stored: hosts that join late, and gaps.
const STORED: f64 = 0.905;
/// What the module that is stored on change only saves, in rows of a module.
const CHANGES_SAVE: f64 = 0.7;
/// Numbers whose time is not known; they belong to no age and stay.
const WITHOUT_TIME: usize = 12;

const MESSAGES: [&str; 6] = [
    "backup finished in 412 s",
    "sshd: session opened for user operator",
    "raid array optimal, 8 of 8 disks",
    "certificate valid for 61 days",
    "firmware 7.4.2 build 5110",
    "ntp: stratum 2, offset 0.4 ms",
];
const USERS: [&str; 4] = ["admin", "noc1", "noc2", "api"];
const ACTIONS: [&str; 4] = ["Logon", "Logoff", "View dashboard", "Acknowledge event"];

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
const GENERIC_PROC: u32 = 2;
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
struct Module {
    id: usize,
    kind: usize,
    joins: i64,
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

/// One state over time, stored when it changes and at least once a day.
struct State {
    id: usize,
    up: bool,
    stored: i64,
}

struct Generator {
    rng: Rng,
    begin: i64,
    end: i64,
    interval: i64,
    modules: Vec<Module>,
    states: Vec<State>,
    /// Times without data: of everybody, and (with a host) of one host.
    outages: Vec<(Option<usize>, i64, i64)>,
}

/// Inserts all rows in the order of time, as a server would; their number.
pub(super) fn fill(
    spec: &DemoSpec,
    batch: &mut Batch<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, DemoError> {
    let mut generator = Generator::new(spec);
    let mut data = Rows::of("tagente_datos");
    let mut strings = Rows::of("tagente_datos_string");
    let mut events = Rows::of("tevento");
    let mut extended = Rows::of("tevent_extended");
    let mut sessions = Rows::of("tsesion");
    let share = |part: f64| spec.rows as f64 * part / f64::from(spec.days) / DAY as f64;
    let (strings_rate, events_rate) = (share(0.045), share(0.015));
    let (extended_share, sessions_rate) = (0.4, share(0.012));
    let [mut strings_due, mut events_due, mut sessions_due] = [0.0; 3];
    let (mut event_id, mut extended_id, mut session_id) = (0, 0, 0);
    let step = generator.interval as f64;
    let mut at = generator.begin;
    while at < generator.end {
        generator.numbers(at, &mut data, batch)?;
        generator.states(at, &mut data, batch)?;
        let busy = rhythm(at);
        let rng = &mut generator.rng;
        strings_due += strings_rate * step * busy;
        while strings_due >= 1.0 {
            strings_due -= 1.0;
            let module = 5_000 + rng.usize(..40);
            let when = at + rng.i64(0..generator.interval);
            let message = MESSAGES[module % MESSAGES.len()];
            let count = rng.u32(..10_000);
            strings.push(format_args!("{module},'{message} ({count})',{when}"), batch)?;
        }
        events_due += events_rate * step * busy;
        while events_due >= 1.0 {
            events_due -= 1.0;
            event_id += 1;
            let host = rng.usize(..=generator.modules.len() / MODULES_PER_HOST);
            let when = at + rng.i64(0..generator.interval);
            let criticity = rng.u32(..6);
            events.push(
                format_args!(
                    "{event_id},{host},'module of host {host} changed',{when},{criticity}"
                ),
                batch,
            )?;
            if rng.f64() < extended_share {
                extended_id += 1;
                // The parent must be there first, or the foreign key would refuse.
                events.flush(batch)?;
                extended.push(
                    format_args!(
                        "{extended_id},{event_id},{when},'seen by {}'",
                        USERS[host % 4]
                    ),
                    batch,
                )?;
            }
        }
        sessions_due += sessions_rate * step * busy;
        while sessions_due >= 1.0 {
            sessions_due -= 1.0;
            session_id += 1;
            let (user, action) = (USERS[rng.usize(..4)], ACTIONS[rng.usize(..4)]);
            let when = at + rng.i64(0..generator.interval);
            sessions.push(
                format_args!("{session_id},'{user}','{action}',{when}"),
                batch,
            )?;
        }
        at += generator.interval;
        let total = |tables: [&Rows; 5]| tables.iter().map(|rows| rows.total).sum();
        progress(total([&data, &strings, &events, &extended, &sessions]));
    }
    generator.catalogue(batch)?;
    for module in 1..=WITHOUT_TIME {
        data.push(format_args!("{module},1.5,NULL"), batch)?;
    }
    let mut total = 0;
    for rows in [
        &mut data,
        &mut strings,
        &mut events,
        &mut extended,
        &mut sessions,
    ] {
        rows.flush(batch)?;
        total += rows.total;
    }
    Ok(total)
}

/// How many modules there are, and the seconds between two of their values.
fn density(spec: &DemoSpec) -> (usize, i64) {
    let span = f64::from(spec.days) * DAY as f64;
    let wanted = spec.rows as f64 * NUMBERS;
    let full = wanted * INTERVAL as f64 / span / STORED;
    let count = ((full + CHANGES_SAVE).round() as usize).max(8);
    let interval = span * (count as f64 - CHANGES_SAVE) * STORED / wanted;
    (count, (interval as i64).max(1))
}

/// The seconds between two values of a module.
pub(super) fn interval(spec: &DemoSpec) -> i64 {
    density(spec).1
}

/// How busy people are: little at night, more at noon, less at the weekend; 1 on average.
fn rhythm(at: i64) -> f64 {
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
        (SPIKY, "the older spike, looked at closely", Some(zoom)),
        (HOLEY, "two holes of more than a day", None),
        (CHANGE_ONLY, "stored on change only, and once a day", None),
    ]
    .into_iter()
    .map(|(place, about, zoom)| (id(place), about, zoom))
    .collect()
}

impl Generator {
    fn new(spec: &DemoSpec) -> Generator {
        let mut rng = Rng::with_seed(spec.seed);
        let end = spec.now.as_second() / DAY * DAY;
        let begin = end - i64::from(spec.days) * DAY;
        let span = (end - begin) as f64;
        let (count, interval) = density(spec);
        let before_end = |share: f64| end - (share * span) as i64;
        let mut modules = Vec::with_capacity(count);
        for id in 0..count {
            // Three quarters are there from the start, the others join one after the other.
            let place = id as f64 / count as f64;
            let joins = begin + ((place - 0.75).max(0.0) * 2.2 * span) as i64;
            modules.push(Module {
                id: id + 1,
                kind: if id == CHANGE_ONLY {
                    USERS_ONLINE
                } else {
                    id % 5
                },
                joins,
                base: 20.0 + rng.f64() * 40.0,
                swing: 5.0 + rng.f64() * 25.0,
                phase: rng.f64() * 0.2,
                level: rng.f64() * 50.0,
                spikes: match id {
                    SPIKY => SPIKES.map(before_end).to_vec(),
                    _ => Vec::new(),
                },
                holes: match id {
                    HOLEY => HOLES
                        .map(|(from, to)| (before_end(from), before_end(to)))
                        .to_vec(),
                    _ => Vec::new(),
                },
                stored: None,
            });
        }
        let states = (0..count / 4 + 2)
            .map(|id| State {
                id: 4_000 + id,
                up: true,
                stored: begin - rng.i64(0..DAY),
            })
            .collect();
        // The server itself was down twice; every host now and then.
        let mut outages = vec![
            (
                None,
                begin + (0.37 * span) as i64,
                begin + (0.37 * span) as i64 + 7 * 3600,
            ),
            (
                None,
                begin + (0.82 * span) as i64,
                begin + (0.82 * span) as i64 + 3 * 3600,
            ),
        ];
        for host in 0..=count / MODULES_PER_HOST {
            for _ in 0..1 + rng.usize(..3) {
                let from = begin + rng.i64(0..end - begin);
                outages.push((Some(host), from, from + rng.i64(1800..10 * 3600)));
            }
        }
        Generator {
            rng,
            begin,
            end,
            interval,
            modules,
            states,
            outages,
        }
    }

    /// What every module is called and of what type it is.
    fn catalogue(&self, batch: &mut Batch<'_>) -> Result<(), DemoError> {
        let mut rows = Rows::of("tagente_modulo");
        for module in &self.modules {
            let (id, name) = (module.id, KIND_NAMES[module.kind]);
            let kind = match module.kind {
                1 => GENERIC_DATA_INC,
                _ => GENERIC_DATA,
            };
            rows.push(format_args!("{id},'{name}',{kind}"), batch)?;
        }
        for state in &self.states {
            rows.push(
                format_args!("{},'Host alive',{GENERIC_PROC}", state.id),
                batch,
            )?;
        }
        rows.flush(batch)
    }

    fn is_out(&self, host: usize, at: i64) -> bool {
        self.outages
            .iter()
            .any(|(whose, from, to)| whose.is_none_or(|h| h == host) && (*from..*to).contains(&at))
    }

    fn numbers(
        &mut self,
        at: i64,
        data: &mut Rows,
        batch: &mut Batch<'_>,
    ) -> Result<(), DemoError> {
        let mut host_is_out = false;
        for i in 0..self.modules.len() {
            if i % MODULES_PER_HOST == 0 {
                host_is_out = self.is_out(i / MODULES_PER_HOST, at);
            }
            if host_is_out || at < self.modules[i].joins {
                continue;
            }
            let noise = self.rng.f64() - 0.5;
            let module = &mut self.modules[i];
            let value = module.value(at, self.interval, noise);
            if !module.stores(at, value) {
                continue;
            }
            // Packets of one round arrive spread over half a minute.
            let when = at + (module.id as i64 * 7) % 30.min(self.interval);
            data.push(format_args!("{},{value:.3},{when}", module.id), batch)?;
        }
        Ok(())
    }

    fn states(&mut self, at: i64, data: &mut Rows, batch: &mut Batch<'_>) -> Result<(), DemoError> {
        let per_day = self.interval as f64 / DAY as f64;
        for i in 0..self.states.len() {
            if self.is_out(i / 3, at) {
                continue;
            }
            let flips = self.rng.f64() < if self.states[i].up { 0.5 } else { 30.0 } * per_day;
            let state = &mut self.states[i];
            if flips || at - state.stored >= DAY {
                state.up ^= flips;
                state.stored = at;
                data.push(
                    format_args!("{},{}.0,{at}", state.id, u8::from(state.up)),
                    batch,
                )?;
            }
        }
        Ok(())
    }
}

impl Module {
    /// Whether a value reaches the database.
    fn stores(&mut self, at: i64, value: f64) -> bool {
        if self.holes.iter().any(|(from, to)| (*from..*to).contains(&at)) {
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

    fn value(&mut self, at: i64, interval: i64, noise: f64) -> f64 {
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
