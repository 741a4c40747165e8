//! What a flush keeps and what it lets go.

use super::*;
use crate::model::clock::Clock;
use crate::session::times::Times;
use crate::session::{Caps, Policy};
use crate::store::{Location, OpenOptions, Role, Store};
use uuid::Uuid;

async fn sessions() -> Arc<Sessions> {
    let options = OpenOptions { location: Location::SqliteMemory, role: Role::Server, sync_full: false };
    let store = Store::open(&options).await.expect("a store");
    let policy = Policy {
        timeout: Duration::from_mins(1),
        protocol_timeout: Duration::from_mins(2),
        max_age: None,
        recover_window: Duration::ZERO,
        cleanup_interval: Duration::from_mins(1),
        retention: None,
        capture_retention: None,
        store_grace: Duration::from_mins(1),
        caps: Caps::default(),
        token_method: "off",
        deployment: crate::session::Deployment::default(),
        on_tick: None,
    };
    Sessions::begin(store, Clock::default(), policy).await.expect("a boot")
}

/// It finds no row until that is free.
#[tokio::test]
async fn a_touch_waits_for_a_session_whose_row_waits() {
    let sessions = sessions().await;
    let now = sessions.clock.now();
    let archons = [true, false].map(|is_pending| {
        let times = Times::new(now, now, now, 0);
        Arc::new(Archon::new(Uuid::new_v4(), Arc::from(""), times, is_pending))
    });
    for (keeps_rows, left) in [(false, 0), (true, 1)] {
        sessions.cache.dirty().archons.extend(archons.iter().filter(|archon| archon.times.soil()).cloned());
        InHand::take(&sessions).arrived_but(&Touches::default(), keeps_rows);
        assert_eq!(sessions.cache.dirty().archons.len(), left);
    }
    assert!(Arc::ptr_eq(&sessions.cache.dirty().archons[0], &archons[0]) && !archons[1].times.is_dirty());
}

#[tokio::test]
async fn what_is_left_stays_and_nothing_else_does() {
    let sessions = sessions().await;
    let now = sessions.clock.now();
    let new = || Arc::new(Archon::new(Uuid::new_v4(), Arc::from(""), Times::new(now, now, now, 0), false));
    let archons = [new(), new()];
    sessions.cache.dirty().archons.extend(archons.iter().filter(|archon| archon.times.soil()).cloned());
    let in_hand = InHand::take(&sessions);
    let mut left = in_hand.touches(1);
    left.archon.truncate(1);
    in_hand.arrived_but(&left, false);
    assert_eq!(sessions.cache.dirty().archons.len(), 1);
    assert!(archons[0].times.is_dirty() && !archons[1].times.is_dirty());
}
