//! What is old goes, in chunks; what is young, live or not yet summed up stays.

use archonctl::model::group::Group;
use archonctl::store::sessions::{Pruned, Swept};

use super::*;
use crate::databases::on_every_database;

async fn prune_all(store: &Store, before: Timestamp, limit: i64) -> (Pruned, usize) {
    let (mut all, mut chunks) = (Pruned::default(), 0);
    while all.grew_by(store.prune(before, limit).await.expect("a chunk")) {
        chunks += 1;
    }
    (all, chunks)
}

/// A call at that moment.
fn call_at(n: u32, at: Timestamp) -> Write {
    requests(NewRequest { timestamp: at, ..call(n) })
}

on_every_database!(old_rows_and_sessions_go_and_sums_stay, |db| async {
    let store = serving(&db).await;
    let (old, young) = (NOON.plus(minutes(1)), NOON.plus(minutes(100)));
    // Ended with old rows; ended with a young row; ended lately; live with old rows.
    store_all(&store, (1..=4).flat_map(pair).chain([opens(protocol(5)), opens(protocol(6))])).await;
    store_all(&store, (1..=4).map(|n| call_at(n, old)).chain([call_at(2, young), call_at(4, young)])).await;
    flush(&store).await;
    for (n, at) in [(1, old), (2, old), (3, young)] {
        store.end_archon_session(ids(n).1, by(EndReason::Operator, "bob", at)).await.expect("an end");
    }
    store.end_protocol_session(&ids(5).0, by(EndReason::ClientDisconnect, "client", old)).await.expect("an end");
    let sums = rows(&db, "SELECT SUM(calls) FROM archon_mcp_rollups");

    let (pruned, _) = prune_all(&store, NOON.plus(minutes(50)), 500).await;
    assert_eq!((pruned.requests, pruned.sessions), (4, 4), "of sessions: one Archon, three protocol");
    assert_eq!(
        rows(&db, "SELECT session_id FROM archon_mcp_requests ORDER BY id"),
        [2, 4].map(|n| [ids(n).1.to_string()])
    );
    assert_eq!(
        rows(&db, "SELECT session_id FROM archon_mcp_sessions ORDER BY session_id"),
        [2, 3, 4].map(|n| [ids(n).1.to_string()])
    );
    let mut left = [3, 4, 6].map(|n| [ids(n).0.to_string()]);
    left.sort();
    assert_eq!(rows(&db, "SELECT protocol_session_id FROM archon_mcp_protocol_sessions ORDER BY 1"), left);
    let young_end = "archon_mcp_session_events WHERE kind = 'ended'";
    assert_eq!((count(&db, young_end), count(&db, "archon_mcp_session_events")), (2, 2), "the ends of the third");
    assert_eq!(rows(&db, "SELECT SUM(calls) FROM archon_mcp_rollups"), sums);
    let calls = "SELECT calls FROM archon_mcp_sessions ORDER BY session_id";
    assert_eq!(rows(&db, calls), [["2"], ["1"], ["2"]], "counters stay");
});

on_every_database!(a_row_that_is_not_in_the_sums_yet_stays, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1).into_iter().chain([call_at(1, NOON), call_at(1, NOON)])).await;
    let later = NOON.plus(minutes(100));
    assert_eq!(prune_all(&store, later, 500).await.0.requests, 0);
    flush(&store).await;
    assert_eq!(prune_all(&store, later, 500).await.0.requests, 2);
    assert_eq!(db.value("SELECT SUM(calls) FROM archon_mcp_rollups"), "2");
});

on_every_database!(no_chunk_is_larger_than_its_limit, |db| async {
    let store = serving(&db).await;
    store_all(&store, (1..=40).flat_map(pair)).await;
    store_all(&store, (1..=40).flat_map(|n| [call_at(n, NOON), call_at(n, NOON)])).await;
    flush(&store).await;
    for n in 1..=40 {
        store.end_archon_session(ids(n).1, by(EndReason::Operator, "bob", NOON)).await.expect("an end");
    }
    let later = NOON.plus(minutes(100));
    let first = store.prune(later, 15).await.expect("a chunk");
    assert!(first.requests == 15 && first.events == 15 && first.sessions <= 30, "{first:?}");
    let (rest, chunks) = prune_all(&store, later, 15).await;
    assert_eq!((first.requests + rest.requests, first.sessions + rest.sessions), (80, 80));
    assert!(chunks >= 5);
    for table in
        ["archon_mcp_requests", "archon_mcp_sessions", "archon_mcp_protocol_sessions", "archon_mcp_session_events"]
    {
        assert_eq!(count(&db, table), 0, "{table}");
    }
});

/// Whole sweeps until one finds nothing; what they removed, and how many chunks were looked at.
async fn sweep(store: &Store, before: Timestamp, limit: i64) -> (Pruned, usize) {
    let (mut all, mut chunks, mut swept) = (Pruned::default(), 0, Swept::default());
    loop {
        let (pruned, next) = store.prune_further(before, swept, limit).await.expect("a chunk");
        all.grew_by(pruned);
        chunks += 1;
        let Some(next) = next else { return (all, chunks) };
        swept = next;
    }
}

on_every_database!(what_may_not_go_yet_keeps_nothing_behind_it, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    // Written while the clock stood a year ahead; then those of a right one; then one that nobody has summed up.
    let ahead = NOON.plus(minutes(60 * 24 * 365));
    store_all(&store, (0..60).map(|_| call_at(1, ahead))).await;
    store_all(&store, (0..60).map(|_| events(NewEvent { at: ahead, ..event(1, "refused") }))).await;
    store_all(&store, (0..40).map(|_| call_at(1, NOON))).await;
    store_all(&store, (0..40).map(|_| events(event(1, "refused")))).await;
    flush(&store).await;
    store_all(&store, [call_at(1, NOON)]).await;

    let later = NOON.plus(minutes(100));
    let (stalled, _) = prune_all(&store, later, 20).await;
    assert_eq!(stalled.requests, 0, "the first ones stand in the way");
    let (pruned, chunks) = sweep(&store, later, 20).await;
    assert_eq!((pruned.requests, pruned.events), (40, 40));
    assert_eq!(chunks, 7, "each row is looked at once");
    assert_eq!(count(&db, "archon_mcp_requests"), 61);
    flush(&store).await;
    assert_eq!(sweep(&store, later, 1000).await.0.requests, 1, "the one that was not in the sums then");
    assert_eq!(sweep(&store, ahead.plus(minutes(1)), 20).await.0.requests, 60);
    assert!(store.rows_to_sweep().await.expect("about how many") < 200);
});

on_every_database!(sums_by_minute_and_hour_go_and_those_by_day_stay, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    let hours = |count: u64| NOON.plus(minutes(60 * count));
    store_all(&store, (0..48).flat_map(|n| [call_at(1, hours(n)), call_at(1, hours(n).plus(minutes(1)))])).await;
    flush(&store).await;
    assert_eq!(store.oldest_sum().await.expect("an answer"), Some(NOON));
    let days = rows(&db, "SELECT SUM(calls) FROM archon_mcp_rollups_daily");

    let first = store.prune_sums(hours(24), 10).await.expect("a chunk");
    assert_eq!(first.sums, 20, "a chunk of each");
    let mut all = first;
    while all.grew_by(store.prune_sums(hours(24), 10).await.expect("a chunk")) {}
    assert_eq!(all.sums, 3 * 24);
    assert_eq!((count(&db, "archon_mcp_rollups"), count(&db, "archon_mcp_rollups_hourly")), (48, 24));
    assert_eq!(store.oldest_sum().await.expect("an answer"), Some(hours(24)));
    assert_eq!(rows(&db, "SELECT SUM(calls) FROM archon_mcp_rollups_daily"), days);
    // Days are told from those by day.
    let told = store.rolled_up(Group::Day, Timestamp::from_millis(0)).await.expect("sums");
    assert_eq!(told.iter().map(|row| row.calls).sum::<i64>(), 96);
});
