//! What the benchmarks share: a server with production settings and what it is filled with,
//! foreground traffic, what a process used, and the contestants that several benchmarks have.
#![allow(missing_docs, clippy::print_stderr, clippy::disallowed_methods)]

mod contestant;
mod foreground;
mod group;
mod kept;
mod pandora;
mod server;
mod usage;

pub use contestant::{PlainLoop, elpis_maint, plain_loop, program, pt_archiver};
pub use foreground::{Foreground, Latencies};
pub use group::run_group;
pub use kept::KeptServer;
pub use pandora::PandoraSite;
pub use server::{Bench, Data, unlimited};
pub use usage::{Usage, cpu_seconds, run};

use std::time::Duration;

/// The head of [`Latencies::figures`].
pub const HEAD: &str = "insert p50 ms | p99 | max | read p50 ms | p99 | max";

impl Latencies {
    /// For a line of a table.
    pub fn figures(&self) -> String {
        let of = |samples: &[Duration]| {
            let mut sorted = samples.to_vec();
            sorted.sort();
            let at = |share: f64| {
                let index = ((sorted.len() as f64 - 1.0) * share).round().max(0.0) as usize;
                sorted
                    .get(index)
                    .map_or(f64::NAN, |d| d.as_secs_f64() * 1000.0)
            };
            format!("{:.2} | {:.2} | {:.2}", at(0.5), at(0.99), at(1.0))
        };
        format!("{} | {}", of(&self.inserts), of(&self.reads))
    }
}
