//! The story: two load balancers share one address. Elpis has never heard of this product; this
//! file teaches it in one `impl`, and gets the whole sequence for it: the standby first, then the
//! switchover, then the other one, with a journal that survives a crash at any point.
//!
//!     cargo run -p elpis-examples --example upgrade_pair
#![allow(clippy::print_stdout)]

use std::sync::{Mutex, MutexGuard, PoisonError};

use elpis_failover::{
    Act, ActError, Aids, DriverError, Handle, Inspection, Located, Order, PackageFacts, PairDriver,
    Plan, Policy, Progress, Role, Survey, Target, Unit, UnitReport, Upgrade, UpgradeEvent,
};
use elpis_run::{Clock, FnObserver, Holder, MemoryJournal, StopToken, VirtualClock};

const POLICY: &str = r#"
switch_back = true
target = { version = "2.0", package = "balancer-2.0.run" }
"#;

/// The two machines. A real driver would hold two connections instead.
struct Balancers(Mutex<Pair>);

struct Pair {
    active: Unit,
    versions: [&'static str; 2],
    /// What the machines remember of the orders they got.
    orders: Vec<String>,
}

impl Balancers {
    fn pair(&self) -> MutexGuard<'_, Pair> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PairDriver for Balancers {
    fn pair(&self) -> String {
        "balancer:lb1+lb2".to_owned()
    }

    async fn observe(&self, unit: Unit) -> Result<UnitReport, DriverError> {
        let pair = self.pair();
        let role = |of: Unit| match pair.active == of {
            true => Role::Active,
            false => Role::StandbyReady,
        };
        Ok(UnitReport {
            identity: format!("lb-{unit}"),
            peer_identity: Some(format!("lb-{}", unit.other())),
            own_role: role(unit),
            peer_role: role(unit.other()),
            version: pair.versions[unit as usize].to_owned(),
            ..UnitReport::default()
        })
    }

    async fn survey(&self, _: Unit, target: &Target) -> Result<Survey, DriverError> {
        let package = PackageFacts {
            name: target.package.clone(),
            size: 1,
            digest: "blake3:00".to_owned(),
            fits: Ok(()),
            growing: false,
        };
        Ok(Survey {
            package: Some(package),
            findings: Vec::new(),
        })
    }

    async fn start(&self, order: &Order) -> Result<Handle, ActError> {
        let mut pair = self.pair();
        // Idempotent: the marker is left first, and an order that is there is not given again.
        if !pair.orders.contains(&order.marker) {
            pair.orders.push(order.marker.clone());
            match order.act {
                Act::Install => pair.versions[order.unit as usize] = "2.0",
                Act::Switchover => pair.active = order.unit,
                Act::CheckReadiness => {}
            }
        }
        Ok(Handle(order.marker.as_str().into()))
    }

    async fn poll(&self, _: &Order, _: &Handle) -> Result<Progress, DriverError> {
        let message = "done".to_owned();
        Ok(Progress::Done { message })
    }

    async fn locate(&self, order: &Order) -> Result<Located, DriverError> {
        Ok(match self.pair().orders.contains(&order.marker) {
            true => Located::Found(Handle(order.marker.as_str().into())),
            false => Located::Absent,
        })
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let driver = Balancers(Mutex::new(Pair {
        active: Unit::A,
        versions: ["1.0"; 2],
        orders: Vec::new(),
    }));
    // A clock that jumps over every pause; a tool for real machines takes `RealClock`.
    let clock = VirtualClock::new(jiff::Timestamp::now());
    let (stop, leave) = (StopToken::new(), StopToken::new());

    // What is wanted, what there is, and what follows from both.
    let policy = Policy::from_toml(POLICY)?;
    let inspection = Inspection {
        driver: &driver,
        clock: &clock,
        stop: &leave,
        limits: &policy.limits,
    };
    let facts = inspection.run(&policy.target).await?;
    let plan =
        Plan::new(&policy, &facts).map_err(|reasons| anyhow::anyhow!("not now: {reasons:?}"))?;
    println!("{plan}");

    // A real tool keeps its journal in a file and its locks in /run.
    let report = Upgrade {
        driver: &driver,
        journal: &MemoryJournal::new(),
        lock_dir: &std::env::temp_dir(),
        clock: &clock,
        observer: &FnObserver(|event: &UpgradeEvent| {
            if let UpgradeEvent::StepDone { step, message, .. } = event {
                println!("{step}: {message}");
            }
        }),
        stop: &stop,
        leave: &leave,
        aids: Aids::NONE,
        holder: Holder::current("upgrade_pair", clock.now()),
    }
    .apply(&plan)
    .await?;
    println!("{:?} after {} switchovers", report.ended, report.switches);
    Ok(())
}
