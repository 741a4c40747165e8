//! A transaction that stops in the middle holds nobody up.

use futures_util::poll;

use super::locking::idle_in_transaction;
use super::*;

/// Polls a transaction until it stands between two of its statements.
async fn stand_still<F: Future + Unpin>(db: &Database, work: &mut F) {
    while idle_in_transaction(db) == 0 {
        assert!(poll!(&mut *work).is_pending(), "it came to its end");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Flushes until nobody holds a row of these touches any more.
async fn flush_all(store: &Store, boot: i64, mut touches: Touches) {
    let written = async {
        loop {
            touches = store.totals().flush(boot, touches).await.map_err(|(e, _)| e).expect("a flush");
            if touches.is_empty() {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), written).await.expect("rows stay held");
}

/// The process is stopped, or its machine sleeps, in the middle of a transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_holds_nobody_up_for_long() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    store_all(&store, (1..=3).flat_map(pair).chain([requests(call(1)), requests(call(2))])).await;
    let other = beside(&db).await;
    let boot = begin_boot(&other, NOON).await.number;
    let touches = |at| Touches {
        archon: (1..=3).map(|n| touch_archon(n, at)).collect(),
        protocol: (1..=3).map(|n| touch_protocol(n, at)).collect(),
    };
    let mut frozen = Box::pin(store.totals().flush(1, touches(NOON.plus(minutes(1)))));
    stand_still(&db, &mut frozen).await;
    let later = NOON.plus(minutes(2));
    // PostgreSQL lets go of the rows that it holds.
    flush_all(&other, boot, touches(later)).await;
    // Awake again: what it had in hand is written once.
    let (Ok(in_hand) | Err((_, in_hand))) = frozen.await;
    flush_all(&store, 1, in_hand).await;
    assert_eq!(db.value("SELECT SUM(calls) FROM archon_mcp_sessions"), "2");
    let stored = store.archon_session(ids(1).1).await.expect("an answer").expect("a session");
    assert_eq!(stored.life.last_activity, later);
}

/// Whoever waited for a transaction has gone, wherever it was by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_is_given_up_leaves_nothing_open() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    store_all(&store, (1..=40).flat_map(pair)).await;
    for n in 1..=40u32 {
        let end = store.end_archon_session(ids(n).1, by(EndReason::Operator, "bob", NOON));
        let mut end = Box::pin(end);
        for _ in 0..n.div_ceil(4) {
            if poll!(&mut end).is_ready() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let closed = async {
        while idle_in_transaction(&db) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    // Sooner than PostgreSQL itself would end it.
    tokio::time::timeout(Duration::from_secs(3), closed).await.expect("a transaction was left open");
    for n in 1..=40 {
        store.end_archon_session(ids(n).1, by(EndReason::Operator, "bob", NOON)).await.expect("an end");
    }
    assert_eq!(count(&db, "archon_mcp_session_events WHERE kind = 'ended'"), 80);
}
