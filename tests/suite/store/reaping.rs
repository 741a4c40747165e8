//! The cleanup ends what is over, in chunks, once, and nothing else.

use std::collections::HashSet;

use super::*;
use crate::databases::on_every_database;

/// Reaps chunk by chunk until a chunk is empty; returns how many sessions of each kind, and how many chunks.
async fn reap_all(store: &Store, rule: ReapRule) -> (Vec<Uuid>, Vec<String>, usize) {
    let (mut archon, mut protocol, mut chunks) = (Vec::new(), Vec::new(), 0);
    loop {
        let reaped = store.reap(rule).await.expect("a chunk");
        if reaped.archon.is_empty() && reaped.protocol.is_empty() {
            return (archon, protocol, chunks);
        }
        assert!(reaped.archon.len() <= 500 && reaped.protocol.len() <= 500);
        archon.extend(reaped.archon);
        protocol.extend(reaped.protocol);
        chunks += 1;
    }
}

on_every_database!(exactly_at_the_limit_is_still_valid, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1).into_iter().chain([opens(protocol(2))])).await;
    let limit = NOON.plus(TIMEOUT);
    assert_eq!(reap_all(&store, reap_at(limit)).await.2, 0);
    let (archon, protocol, _) = reap_all(&store, reap_at(limit.plus(Duration::from_millis(1)))).await;
    assert_eq!((archon, protocol), (vec![ids(1).1], vec![ids(2).0.to_string()]));
    // The protocol session bound to the Archon session has ended with it.
    for table in ["archon_mcp_sessions", "archon_mcp_protocol_sessions"] {
        let ends = rows(
            &db,
            &format!(
                "SELECT status, disconnect_reason, ended_by, total_duration, {} FROM {table}",
                time(&db, "disconnected_at")
            ),
        );
        assert_eq!(ends.len(), if table == "archon_mcp_sessions" { 1 } else { 2 });
        for end in ends {
            assert_eq!(end, ["expired", "timeout", "server", "3600", "2026-01-10 13:00:00.001"]);
        }
    }
    assert_eq!(
        count(&db, "archon_mcp_session_events WHERE kind = 'ended' AND reason = 'timeout' AND actor = 'server'"),
        3
    );
});

on_every_database!(too_old_is_another_reason, |db| async {
    let store = serving(&db).await;
    let old = NOON.minus(minutes(600));
    let aged = NewSession { connected_at: old, expires_at: NOON, ..archon(1) };
    let lone = NewProtocolSession { connected_at: old, expires_at: NOON, ..protocol(2) };
    store_all(&store, [opens(protocol(1)), creates(aged), opens(lone)].into_iter().chain(pair(3))).await;
    let now = NOON.plus(TIMEOUT).plus(minutes(1));
    let rule = ReapRule { too_old: Some(now.minus(minutes(600))), ..reap_at(now) };
    reap_all(&store, rule).await;
    assert_eq!(
        rows(&db, "SELECT session_id, disconnect_reason FROM archon_mcp_sessions ORDER BY session_id"),
        [[ids(1).1.to_string(), "max_age".into()], [ids(3).1.to_string(), "timeout".into()]]
    );
    assert_eq!(
        rows(&db, "SELECT disconnect_reason FROM archon_mcp_protocol_sessions ORDER BY protocol_session_id"),
        [["max_age"], ["max_age"], ["timeout"]]
    );
});

on_every_database!(chunks_are_bounded, |db| async {
    let store = serving(&db).await;
    store_all(&store, (1..=25).flat_map(pair).chain((26..=40).map(|n| opens(protocol(n))))).await;
    let rule = ReapRule { limit: 10, ..reap_at(NOON.plus(TIMEOUT).plus(minutes(1))) };
    let first = store.reap(rule).await.expect("a chunk");
    assert_eq!(first.archon.len(), 10);
    assert!(first.protocol.len() <= 10);
    let (archon, protocol, _) = reap_all(&store, rule).await;
    assert_eq!(first.archon.iter().chain(&archon).collect::<HashSet<_>>().len(), 25);
    assert_eq!(count(&db, "archon_mcp_protocol_sessions WHERE status = 'active'"), 0);
    assert!(protocol.len() + first.protocol.len() >= 15, "those without an Archon session are listed");
    assert_eq!(count(&db, "archon_mcp_session_events WHERE kind = 'ended'"), 65);
});

on_every_database!(a_row_without_an_end_of_its_time_goes_by_its_last_use, |db| async {
    let store = serving(&db).await;
    for (n, at) in [(1, "11:00:00"), (2, "11:00:00.500"), (5, "11:00:00.600"), (3, "11:00:01"), (4, "12:30:00")] {
        let id = ids(n).1;
        db.rows(&format!("INSERT INTO archon_mcp_sessions (session_id, connected_at, last_activity, status) VALUES ('{id}', '2026-01-10 10:00:00', '2026-01-10 {at}', 'active')"));
    }
    let (archon, ..) = reap_all(&store, reap_at(NOON.plus(Duration::from_millis(600)))).await;
    assert_eq!(archon.into_iter().collect::<HashSet<_>>(), HashSet::from([ids(1).1, ids(2).1]));
    assert_eq!(
        store.session_counts(NOON, 0).await.expect("counts").archon_active,
        3,
        "exactly at the limit is still valid"
    );
});

on_every_database!(rows_that_wait_for_credit_are_left_alone, |db| async {
    let store = serving(&db).await;
    let later =
        |n| [opens(NewProtocolSession { boot: 3, ..protocol(n) }), creates(NewSession { boot: 3, ..archon(n) })];
    store_all(&store, pair(1).into_iter().chain(later(2)).chain([opens(protocol(3))])).await;
    let now = NOON.plus(TIMEOUT).plus(minutes(1));
    let counts = store.session_counts(now, 2).await.expect("counts");
    assert_eq!((counts.archon_active, counts.protocol_active), (1, 2), "what waits for credit is live");
    let (archon, protocol, _) = reap_all(&store, ReapRule { credited_from: 2, ..reap_at(now) }).await;
    assert_eq!((archon, protocol), (vec![ids(2).1], vec![]));
    let (archon, protocol, _) = reap_all(&store, reap_at(now)).await;
    assert_eq!((archon, protocol), (vec![ids(1).1], vec![ids(3).0.to_string()]));
});

on_every_database!(a_session_that_was_touched_lives, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1).into_iter().chain(pair(2))).await;
    let at = NOON.plus(minutes(30));
    let touches = Touches { archon: vec![touch_archon(1, at)], protocol: vec![touch_protocol(1, at)] };
    store.flush(1, touches).await.map_err(|(e, _)| e).expect("a flush");
    let (archon, ..) = reap_all(&store, reap_at(NOON.plus(minutes(61)))).await;
    assert_eq!(archon, [ids(2).1]);
    assert!(store.protocol_session(&ids(1).0).await.expect("an answer").expect("a session").life.ended.is_none());
});

on_every_database!(two_reapers_end_each_session_once, |db| async {
    let store = serving(&db).await;
    let other = beside(&db).await;
    store_all(&store, (1..=300).flat_map(pair).chain((301..=400).map(|n| opens(protocol(n))))).await;
    let rule = ReapRule { limit: 20, ..reap_at(NOON.plus(TIMEOUT).plus(minutes(1))) };
    let (one, two) = tokio::join!(reap_all(&store, rule), reap_all(&other, rule));
    let archon: Vec<_> = one.0.iter().chain(&two.0).collect();
    assert_eq!((archon.len(), archon.iter().collect::<HashSet<_>>().len()), (300, 300));
    if db.is_postgres() {
        assert!(one.2 > 0 && two.2 > 0, "they share the work: {} and {} chunks", one.2, two.2);
    }
    let per_session = "SELECT COUNT(*) AS n FROM archon_mcp_session_events WHERE kind = 'ended' GROUP BY session_id, protocol_session_id";
    assert_eq!(row(&db, &format!("SELECT COUNT(*), MAX(n) FROM ({per_session}) AS e")), ["700", "1"]);
});
