//! What people do to a run: stop it, leave it, pause it, agree, roll back, give up, and start a
//! second one beside it.

mod back;
mod consent;
mod runs;
mod stops;

use elpis_failover::{Ended, Report, UpgradeEvent, Window};
use elpis_run::FnObserver;

use crate::rig::Rig;

fn window(from: &str, to: &str) -> Window {
    Window {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        zone: "Asia/Seoul".into(),
    }
}

async fn apply_listening(rig: &Rig, on: impl Fn(&UpgradeEvent) + Send + Sync) -> Report {
    let listen = FnObserver(on);
    rig.engine(&listen, async |engine| engine.apply(&rig.plan).await)
        .await
        .unwrap()
}

fn held(report: &Report) -> &elpis_failover::Hold {
    match &report.ended {
        Ended::Held { hold } => hold,
        other => panic!("{other:?}"),
    }
}
