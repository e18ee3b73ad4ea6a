//! The model behind the engine's seam.

use elpis_failover::{
    Act, ActError, Capabilities, ConfigSync, DriverError, Exhibit, Finding, Handle, Located, Order,
    PackageFacts, PairDriver, Progress, Role, Severity, Survey, Target, Unit, UnitReport,
};
use elpis_run::Clock;

use super::{DIGEST, FOREVER, Fault, Model, NEW, index};

impl PairDriver for Model {
    fn pair(&self) -> String {
        "model:a+b".into()
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn observe(&self, unit: Unit) -> Result<UnitReport, DriverError> {
        self.pass().await;
        let mut world = self.live();
        self.access(&world, unit)?;
        let seen = (self.clock.monotonic(), self.role(&world, unit));
        world.units[index(unit)].looked_at = Some(seen);
        let peer = unit.other();
        let peer_role = if self.is_up(&world, peer) {
            self.role(&world, peer)
        } else {
            Role::Failed("Comm Failure".into())
        };
        let body = &world.units[index(unit)];
        let down = self.has(&Fault::InterfaceDown(unit))
            || (self.has(&Fault::InterfaceDownAtEnd(unit)) && Model::both_new(&world));
        let unsynced = self.has(&Fault::UnsyncedAtEnd) && Model::both_new(&world);
        let faults = if down {
            vec!["inside: No Link".to_owned()]
        } else {
            Vec::new()
        };
        Ok(UnitReport {
            identity: format!("serial-{unit}"),
            peer_identity: Some(format!("serial-{peer}")),
            configured_as: Some(
                if unit == Unit::A {
                    "Primary"
                } else {
                    "Secondary"
                }
                .into(),
            ),
            own_role: self.role(&world, unit),
            peer_role,
            version: body.version.clone(),
            platform: "model".into(),
            sync: if unsynced {
                ConfigSync::Syncing("Config Syncing".into())
            } else {
                ConfigSync::InSync("Sync Done".into())
            },
            incompatible: (self.has(&Fault::Incompatible(unit)) && body.boot > 1)
                .then(|| "103006: mate version is not compatible".into()),
            boot: Some(body.boot.to_string()),
            faults,
            busy: None,
            notes: Vec::new(),
            device_time: None,
        })
    }

    async fn survey(&self, unit: Unit, target: &Target) -> Result<Survey, DriverError> {
        self.pass().await;
        let world = self.live();
        self.access(&world, unit)?;
        let vanished = self.has(&Fault::PackageVanishes(unit))
            && world.units[index(unit.other())].version == NEW;
        Ok(Survey {
            package: (!vanished).then(|| PackageFacts {
                name: target.package.clone(),
                size: 4_096,
                digest: DIGEST.into(),
                fits: Ok(()),
                growing: false,
            }),
            findings: vec![Finding {
                severity: Severity::Note,
                code: "disk".into(),
                text: "plenty of space".into(),
            }],
        })
    }

    async fn start(&self, order: &Order) -> Result<Handle, ActError> {
        self.pass().await;
        let unknown = || ActError::OutcomeUnknown {
            reason: "the connection was lost".into(),
        };
        let answer = {
            let mut world = self.live();
            if self.access(&world, order.unit).is_err() {
                return Err(ActError::NotStarted {
                    reason: "no connection".into(),
                    retryable: true,
                });
            }
            let times = self.find(|fault| match fault {
                Fault::StartRefused(act, unit, times)
                    if (*act, *unit) == (order.act, order.unit) =>
                {
                    Some(*times)
                }
                _ => None,
            });
            let lost = self.find(|fault| match fault {
                Fault::StartLost(act, unit, arrives)
                    if (*act, *unit) == (order.act, order.unit) =>
                {
                    Some(*arrives)
                }
                _ => None,
            });
            if self.has(&Fault::StartForbidden(order.act, order.unit)) {
                Err(ActError::NotStarted {
                    reason: "% Invalid command".into(),
                    retryable: false,
                })
            } else if times.is_some_and(|times| world.refused < times) {
                world.refused += 1;
                Err(ActError::NotStarted {
                    reason: "busy".into(),
                    retryable: true,
                })
            } else if let Some(arrives) = lost.filter(|_| world.lost == 0) {
                world.lost += 1;
                if arrives {
                    self.begin(&mut world, order);
                }
                Err(unknown())
            } else {
                Ok(self.begin(&mut world, order))
            }
        };
        // The process may die after the unit has the order and before we hear of it.
        self.ticks.pass().await;
        answer
    }

    async fn poll(&self, order: &Order, handle: &Handle) -> Result<Progress, DriverError> {
        self.pass().await;
        let world = self.live();
        self.access(&world, order.unit)?;
        let marker = handle.0["marker"].as_str().unwrap();
        let job = &world.jobs[marker];
        let now = self.clock.monotonic();
        let fails = match order.act {
            Act::CheckReadiness => self.has(&Fault::ReadinessFails(order.unit)),
            Act::Install => self.has(&Fault::InstallFails(order.unit)),
            Act::Switchover => false,
        };
        if now < job.ends {
            let stalls = job.ends >= FOREVER;
            let elapsed = now - job.begun;
            return Ok(Progress::Running {
                percent: Some(if stalls { 14 } else { 50 }),
                message: "working".into(),
                activity: if stalls { 0 } else { elapsed.as_secs() },
            });
        }
        if fails {
            return Ok(Progress::Failed {
                message: "script 410_check_disk_space failed".into(),
                details: vec!["last line of the log".into()],
            });
        }
        Ok(Progress::Done {
            message: "completed successfully".into(),
        })
    }

    async fn locate(&self, order: &Order) -> Result<Located, DriverError> {
        self.pass().await;
        let world = self.live();
        self.access(&world, order.unit)?;
        if self.has(&Fault::LocateUnclear) {
            return Ok(Located::Unclear("no trace either way".into()));
        }
        Ok(if world.jobs.contains_key(&order.marker) {
            Located::Found(Handle(serde_json::json!({ "marker": order.marker })))
        } else {
            Located::Absent
        })
    }

    async fn exhibits(&self, unit: Unit) -> Result<Vec<Exhibit>, DriverError> {
        self.pass().await;
        let world = self.live();
        self.access(&world, unit)?;
        Ok(vec![Exhibit {
            unit,
            title: "show version".into(),
            text: format!("Version {}", world.units[index(unit)].version),
        }])
    }
}
