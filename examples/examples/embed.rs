//! The story: a tool of ours keeps samples in memory and wants Elpis to keep them in bounds.
//!
//! It writes a policy, brings its own store (see `MemoryStore`), looks at the plan, and only then
//! lets it run. Nothing but the libraries is needed: no command line, no database server.
//!
//!     cargo run -p elpis-examples --example embed
#![allow(clippy::print_stdout)]

use elpis_examples::{MemoryDatabase, MemoryTable};
use elpis_maint_core::{
    AdaptiveThrottle, Inspection, Limits, Plan, Policy, PurgeEvent, Rates, Run, Scalar,
};
use elpis_run::{Clock, FnObserver, Holder, MemoryJournal, RealClock, StopToken};

const POLICY: &str = r#"
max_share = 0.8

[[table]]
name = "samples"
time = { column = "at", unit = "epoch_seconds" }
keep = { days = 7 }
where = [{ column = "pinned", op = "=", value = false }]
"#;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let clock = RealClock::new();
    let database = MemoryDatabase::default();
    database.put("samples", month_of_samples(clock.now().as_second()))?;

    // What is wanted, what there is, and what follows from both.
    let policy = Policy::from_toml(POLICY)?;
    let mut store = database.store("embed");
    let stop = StopToken::new();
    let inspection = Inspection {
        clock: &clock,
        observer: &(),
        stop: &stop,
        exact: true,
    };
    let facts = inspection.run(&policy, &mut store).await?;
    let plan = Plan::new(&policy, &facts, &Rates::new());
    for table in &plan.tables {
        println!(
            "plan: {} rows of {} go, {} stay, {}",
            table.due.rows, table.task.table, table.kept.rows, table.method
        );
    }

    // The journal, the throttle and the observer may be ours as well; here they are Elpis' own.
    let observer = FnObserver(|event: &PurgeEvent| {
        if let PurgeEvent::TableFinished(table) = event {
            println!(
                "done: {} rows of {} in {} chunks",
                table.deleted, table.table, table.chunks
            );
        }
    });
    let report = Run {
        journal: &MemoryJournal::new(),
        throttle: &mut AdaptiveThrottle::new(policy.throttle.clone()),
        observer: &observer,
        clock: &clock,
        stop: &stop,
        holder: Holder::current("embed", clock.now()),
        limits: Limits::default(),
    }
    .purge(&plan, &mut store)
    .await?;

    anyhow::ensure!(
        report.deleted() == plan.due().rows,
        "the plan did not tell the truth"
    );
    anyhow::ensure!(database.table("samples")?.rows().count() as u64 == plan.tables[0].kept.rows);
    Ok(())
}

/// A sample every ten minutes for thirty days; every hundredth is pinned and stays.
fn month_of_samples(now: i64) -> MemoryTable {
    let columns = [("at", true), ("value", true), ("pinned", true)];
    let mut table = MemoryTable::new(&columns, &[], &[("by_time", &["at"])]);
    for i in 0..30 * 144 {
        let row = [now - i * 600, 20 + i % 7, i64::from(i % 100 == 0)];
        table.insert(
            row.into_iter()
                .map(|value| Some(Scalar::Int(value)))
                .collect(),
        );
    }
    table
}
