//! What hosts report: numbers with a daily rhythm, states, messages, events, and gaps.

use fastrand::Rng;

use super::module::{GENERIC_PROC, Module, rhythm};
use super::rows::{Batch, Rows};
use super::{DemoError, DemoSpec};

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

impl Generator {
    fn new(spec: &DemoSpec) -> Generator {
        let mut rng = Rng::with_seed(spec.seed);
        let end = spec.now.as_second() / DAY * DAY;
        let begin = end - i64::from(spec.days) * DAY;
        let span = (end - begin) as f64;
        let (count, interval) = density(spec);
        let mut modules = Vec::with_capacity(count);
        for id in 0..count {
            // Three quarters are there from the start, the others join one after the other.
            let place = id as f64 / count as f64;
            let joins = begin + ((place - 0.75).max(0.0) * 2.2 * span) as i64;
            modules.push(Module::new(id, joins, (span, end), &mut rng));
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
            let (id, (name, kind)) = (module.id, module.entry());
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
