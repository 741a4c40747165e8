//! What a boot left unfolded is folded once, by whoever comes next.

use super::folding::{assert_sums_equal_rows, fold_all, sessions, varied};
use super::*;
use crate::databases::on_every_database;

on_every_database!(what_a_crashed_boot_left_is_folded_once, |db| async {
    let crashed = serving(&db).await;
    store_all(&crashed, sessions().chain((0..40).map(|n| requests(varied(n))))).await;
    flush(&crashed).await;
    store_all(&crashed, (40..200).map(|n| requests(varied(n)))).await;
    drop(crashed);
    let store = open(&db, Role::Server).await.expect("open");
    assert_eq!(begin_boot(&store, NOON.plus(minutes(10))).await.number, 2);
    let other = beside(&db).await;
    assert_eq!(store.totals().unfolded_boots().await.expect("boots"), [1]);
    // Both at the same time, in small pieces.
    tokio::join!(fold_all(&store, 1, 7), fold_all(&other, 1, 11), fold_all(&store, 1, 13));
    assert_sums_equal_rows(&db);
    assert_eq!(store.totals().unfolded_boots().await.expect("boots"), Vec::<i64>::new());
    fold_all(&other, 1, 100).await;
    assert_sums_equal_rows(&db);
});

on_every_database!(a_living_boot_is_left_to_itself, |db| async {
    let store = serving(&db).await;
    store_all(&store, sessions().chain((0..40).map(|n| requests(varied(n))))).await;
    assert_eq!(store.totals().unfolded_boots().await.expect("boots"), Vec::<i64>::new());
    assert_eq!(store.totals().fold_leftovers(1, 100).await.expect("a fold"), 0);
    assert_eq!(count(&db, "archon_mcp_rollups"), 0);
});

on_every_database!(a_server_taken_for_dead_counts_nothing_twice, |db| async {
    let store = serving(&db).await;
    store_all(&store, sessions().chain((0..40).map(|n| requests(varied(n))))).await;
    // Others bury it while it is silent, and fold the first of its rows.
    let other = beside(&db).await;
    db.rows("UPDATE archon_mcp_boots SET ended_at = heartbeat_at, end_cause = 'crash'");
    assert_eq!(other.totals().fold_leftovers(1, 15).await.expect("a fold"), 15);
    // It was alive all the time.
    store_all(&store, (40..80).map(|n| requests(varied(n)))).await;
    flush(&store).await;
    assert_sums_equal_rows(&db);
    store_all(&store, (80..120).map(|n| requests(varied(n)))).await;
    flush(&store).await;
    fold_all(&other, 1, 15).await;
    flush(&store).await;
    assert_sums_equal_rows(&db);
});

// It was frozen with a batch in flight, which the database had committed: others folded it, and it is sent again.
on_every_database!(a_batch_that_others_folded_is_not_counted_when_it_is_sent_again, |db| async {
    for flushes_in_between in [true, false] {
        let db = if db.is_postgres() { Database::postgres().expect("PostgreSQL") } else { Database::sqlite() };
        let store = serving(&db).await;
        store_all(&store, sessions().chain((0..40).map(|n| requests(varied(n))))).await;
        flush(&store).await;
        store_all(&store, (40..50).map(|n| requests(varied(n)))).await;
        let next: u32 = db.value("SELECT MAX(seq) + 1 FROM archon_mcp_requests").parse().expect("a number");
        // As the lost batch left them: the same rows under the numbers that they are sent again with.
        for n in next..next + 8 {
            let (protocol_id, archon_id) = ids(1);
            db.rows(&format!(
                "INSERT INTO archon_mcp_requests (session_id, protocol_session_id, method, tool_name, prompt_tokens, \
                 completion_tokens, timestamp, duration_ms, duration_us, status, late, session_rule, boot, seq) VALUES ('{archon_id}', \
                 '{protocol_id}', 'tools/call', 'health_check', 10, 20, '2026-01-10 12:00:00.000', 1, 1500, 'success', \
                 FALSE, 'bound', 1, {n})"
            ));
        }
        db.rows("UPDATE archon_mcp_boots SET ended_at = heartbeat_at, end_cause = 'crash'");
        fold_all(&beside(&db).await, 1, 100).await;
        assert_sums_equal_rows(&db);
        // Awake again: a flush, and the batch once more, in either order.
        if flushes_in_between {
            flush(&store).await;
        }
        store_all(&store, (0..8).map(|_| requests(call(1)))).await;
        assert_eq!(count(&db, "archon_mcp_requests"), 58, "no row comes twice");
        flush(&store).await;
        assert_sums_equal_rows(&db);
        store_all(&store, (50..80).map(|n| requests(varied(n)))).await;
        flush(&store).await;
        assert_sums_equal_rows(&db);
        flush(&store).await;
        assert_sums_equal_rows(&db);
    }
});
