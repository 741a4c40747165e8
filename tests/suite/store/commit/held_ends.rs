//! Somebody holds rows of a session that is to end: others end, and whoever asks is told.

use super::held::{AT_ONCE, Holder, archon_row, connection_row, touches};
use super::*;

/// Ends for time, and those that make room, pass over what is held and over what is in use.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cleanup_ends_all_others() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    store_all(&store, (1..=5).flat_map(pair)).await;
    let over = NOON.plus(PROTOCOL_TIMEOUT).plus(minutes(1));
    let holder = Holder::of(&db, &format!("{}; {}", archon_row(1), connection_row(2))).await;
    let in_use = touches(3..=3, over);
    let began = std::time::Instant::now();
    let reaped = store.reap(reap_at(over), &in_use).await.expect("a chunk");
    assert!(began.elapsed() < AT_ONCE, "it waited {:?}", began.elapsed());
    assert_eq!(reaped.archon, [ids(4).1, ids(5).1]);
    assert_eq!(reaped.protocol, [4, 5].map(|n| ids(n).0.to_string()));
    holder.lets_go().await;
    let reaped = store.reap(reap_at(over), &Touches::default()).await.expect("a chunk");
    assert_eq!((reaped.archon.len(), reaped.protocol.len()), (3, 3));
}

/// A place is made by the next that is idle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_makes_room() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    store_all(&store, (1..=4).flat_map(pair)).await;
    let holder = Holder::of(&db, &format!("{}; {}", archon_row(1), connection_row(2))).await;
    let now = NOON.plus(TIMEOUT).plus(minutes(1));
    let rule = EvictRule { now, idle: TIMEOUT, principal: None, limit: 1 };
    for n in [3, 4] {
        assert_eq!(store.evict(rule, &Touches::default()).await.expect("a chunk"), [ids(n).0.to_string()]);
    }
    holder.lets_go().await;
}

/// Whoever waits for such a row has an answer before we give up, so that nobody of ours is left behind in the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_of_a_held_session_says_so_and_leaves_nobody_waiting() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    store_all(&store, (1..=2).flat_map(pair)).await;
    let holder = Holder::of(&db, &connection_row(1)).await;
    let ending = by(EndReason::Operator, "bob", NOON);
    let refused = store.end_protocol_session(&ids(1).0, ending).await;
    assert!(matches!(refused, Err(StoreError::Held(_))), "{refused:?}");
    let waiting = "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    assert_eq!(count(&db, waiting), 0);
    assert!(store.end_protocol_session(&ids(2).0, ending).await.expect("an end"));
    holder.lets_go().await;
    assert!(store.end_protocol_session(&ids(1).0, ending).await.expect("an end"));
}
