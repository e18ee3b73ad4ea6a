//! What the engine must have seen to before it gives an order, checked with no code of the engine.

use elpis_failover::{Act, Order, Role, Unit};
use elpis_run::{Clock, Event, Query};

use super::{Model, World, index};

impl Model {
    /// What the engine must have seen to before it gives an order.
    pub(super) fn judge(&self, world: &mut World, order: &Order) {
        let now = self.clock.monotonic();
        let mut wrong = Vec::new();
        let (unit, peer) = (order.unit, order.unit.other());
        let own = self.role(world, unit);
        if order.act == Act::Install && own == Role::Active {
            wrong.push("an installation on an active unit".to_owned());
        }
        if order.act == Act::Switchover && own != Role::StandbyReady {
            wrong.push(format!("a switchover to a unit that is {own}"));
        }
        // As it was when the engine looked: what changes behind its back in the moment before the
        // order arrives, nobody can know.
        if let Some((_, role)) = &world.units[index(peer)].looked_at
            && !matches!(role, Role::Active | Role::StandbyReady)
        {
            wrong.push(format!("an order while the peer is {role}"));
        }
        if world.jobs.values().any(|job| !job.concluded) {
            wrong.push("a second order while one is outstanding".to_owned());
        }
        for unit in Unit::BOTH {
            let looked = world.units[index(unit)].looked_at.as_ref();
            if looked.is_none_or(|(at, _)| now > *at + self.fresh) {
                wrong.push(format!("an order without a fresh look at unit {unit}"));
            }
        }
        if !self.is_intended(order) {
            wrong.push("an order without a durable intent".to_owned());
        }
        for text in wrong {
            world.violations.push(format!("{order:?}: {text}"));
        }
    }

    /// Whether the last intent in the journal announces exactly this order.
    fn is_intended(&self, order: &Order) -> bool {
        let open = Query {
            open_only: true,
            ..Query::default()
        };
        let wanted = serde_json::to_value(order).unwrap();
        self.journal.list(&open).unwrap().iter().any(|run| {
            let history = self.journal.replay(run.id).unwrap();
            let step = history.state().unwrap().open_step().map(str::to_owned);
            history
                .records
                .iter()
                .rev()
                .any(|record| match &record.event {
                    Event::Intent { step: of, detail } => {
                        Some(of) == step.as_ref() && detail["order"] == wanted
                    }
                    _ => false,
                })
        })
    }
}
