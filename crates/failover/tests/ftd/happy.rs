//! An upgrade on which nothing goes wrong.

use elpis_failover::Unit;
use elpis_failover::rehearse::{Deed, Setup};

use crate::rig::{End, Rig};

#[tokio::test]
async fn a_pair_is_upgraded_standby_first_and_switched_once() {
    let rig = Rig::new(Setup::new()).await;
    assert_eq!(rig.upgrade().await, End::Done);
    let standby = || String::from("Standby Ready");
    assert_eq!(
        rig.pair.deeds(),
        [
            Deed::Readiness(Unit::B),
            Deed::Install(Unit::B, standby()),
            Deed::Reboot(Unit::B),
            Deed::Switchover(Unit::B),
            Deed::Readiness(Unit::A),
            Deed::Install(Unit::A, standby()),
            Deed::Reboot(Unit::A),
        ]
    );
    for unit in Unit::BOTH {
        assert_eq!(rig.pair.release(unit), "7.2.7-500");
    }
    assert_eq!(rig.pair.state(Unit::B), "Active");
    assert_eq!(rig.pair.state(Unit::A), "Standby Ready");
}
