//! The cleanup ends what is over, in chunks, once, and nothing else.

use std::collections::HashSet;

use super::*;
use crate::databases::on_every_database;

/// Reaps chunk by chunk until a chunk is empty; returns how many sessions of each kind, and how many chunks.
async fn reap_all(store: &Store, rule: ReapRule) -> (Vec<Uuid>, Vec<String>, usize) {
    let (mut archon, mut protocol, mut chunks) = (Vec::new(), Vec::new(), 0);
    loop {
        let reaped = store.reap(rule, &Touches::default()).await.expect("a chunk");
        if reaped.archon.is_empty() && reaped.protocol.is_empty() {
            return (archon, protocol, chunks);
        }
        assert!(reaped.archon.len() <= 500 && reaped.protocol.len() <= 500);
        archon.extend(reaped.archon);
        protocol.extend(reaped.protocol);
        chunks += 1;
    }
}

on_every_database!(an_archon_session_ends_alone_for_its_time, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1).into_iter().chain([opens(protocol(2))])).await;
    let limit = NOON.plus(TIMEOUT);
    assert_eq!(reap_all(&store, reap_at(limit)).await.2, 0, "exactly at the limit is still valid");
    let (archon, protocol, _) = reap_all(&store, reap_at(limit.plus(Duration::from_millis(1)))).await;
    assert_eq!((archon, protocol), (vec![ids(1).1], vec![]));
    let end = format!(
        "SELECT status, disconnect_reason, ended_by, total_duration, {} FROM archon_mcp_sessions",
        time(&db, "disconnected_at")
    );
    assert_eq!(row(&db, &end), ["expired", "timeout", "server", "3600", "2026-01-10 13:00:00.001"]);
    assert_eq!(count(&db, "archon_mcp_session_events WHERE kind = 'ended'"), 1);
    // Its connection lives, with an id for the next one; the other one's is as it was.
    let next = store.protocol_session(&ids(1).0).await.expect("an answer").expect("a session");
    assert!(next.life.ended.is_none() && next.archon.is_none() && next.session_id != ids(1).1);
    assert_eq!(next.session_id.get_version_num(), 4);
    let other = store.protocol_session(&ids(2).0).await.expect("an answer").expect("a session");
    assert_eq!((other.session_id, other.life.ended), (ids(2).1, None));
});

on_every_database!(connections_of_one_archon_session_get_an_id_each, |db| async {
    let store = serving(&db).await;
    let shared = |n| opens(NewProtocolSession { session_id: ids(1).1, ..protocol(n) });
    store_all(&store, pair(1).into_iter().chain((2..=5).map(shared))).await;
    reap_all(&store, reap_at(NOON.plus(TIMEOUT).plus(minutes(1)))).await;
    assert_eq!(count(&db, "archon_mcp_protocol_sessions WHERE status = 'active'"), 5);
    let ids = "SELECT COUNT(DISTINCT session_id) FROM archon_mcp_protocol_sessions";
    assert_eq!(db.value(ids), "5", "none is shared any more");
});

on_every_database!(a_connection_ends_after_its_own_time, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1).into_iter().chain([opens(protocol(2))])).await;
    let limit = NOON.plus(PROTOCOL_TIMEOUT);
    let (archon, protocol, _) = reap_all(&store, reap_at(limit)).await;
    assert_eq!((archon, protocol), (vec![ids(1).1], vec![]));
    let (_, mut protocol, _) = reap_all(&store, reap_at(limit.plus(Duration::from_millis(1)))).await;
    protocol.sort();
    assert_eq!(protocol, [&*ids(1).0, &*ids(2).0]);
    assert_eq!(
        rows(&db, "SELECT status, disconnect_reason, ended_by FROM archon_mcp_protocol_sessions"),
        [["expired", "timeout", "server"], ["expired", "timeout", "server"]]
    );
});

// A server of an earlier version gives connections an hour.
on_every_database!(a_row_that_says_less_than_the_timeout_has_the_timeout, |db| async {
    let store = serving(&db).await;
    let short = NewProtocolSession { expires_at: NOON.plus(TIMEOUT), ..protocol(1) };
    store_all(&store, [opens(short)]).await;
    assert_eq!(reap_all(&store, reap_at(NOON.plus(PROTOCOL_TIMEOUT))).await.1, Vec::<String>::new());
    assert_eq!(reap_all(&store, reap_at(NOON.plus(PROTOCOL_TIMEOUT).plus(minutes(1)))).await.1.len(), 1);
});

on_every_database!(too_old_is_another_reason_and_ends_all, |db| async {
    let store = serving(&db).await;
    let old = NOON.minus(minutes(600));
    // Its connection is younger; that of the second is not, and the Archon session of that one is.
    let aged = NewSession { connected_at: old, expires_at: NOON, ..archon(1) };
    let elder = NewProtocolSession { connected_at: old, expires_at: NOON, ..protocol(2) };
    let young = NewSession { expires_at: NOON.plus(minutes(600)), ..archon(2) };
    store_all(&store, [opens(protocol(1)), creates(aged), opens(elder), creates(young)].into_iter().chain(pair(3)))
        .await;
    let now = NOON.plus(TIMEOUT).plus(minutes(1));
    let rule = ReapRule { too_old: Some(now.minus(minutes(600))), ..reap_at(now) };
    reap_all(&store, rule).await;
    assert_eq!(
        rows(&db, "SELECT session_id, status, disconnect_reason FROM archon_mcp_sessions ORDER BY session_id"),
        [(1, "max_age"), (2, "max_age"), (3, "timeout")].map(|(n, reason)| [
            ids(n).1.to_string(),
            "expired".into(),
            reason.into()
        ])
    );
    assert_eq!(
        rows(&db, "SELECT status, disconnect_reason FROM archon_mcp_protocol_sessions ORDER BY protocol_session_id"),
        [["expired", "max_age"], ["expired", "max_age"], ["active", "NULL"]]
    );
});

on_every_database!(chunks_are_bounded, |db| async {
    let store = serving(&db).await;
    store_all(&store, (1..=25).flat_map(pair).chain((26..=40).map(|n| opens(protocol(n))))).await;
    let rule = ReapRule { limit: 10, ..reap_at(NOON.plus(PROTOCOL_TIMEOUT).plus(minutes(1))) };
    let first = store.reap(rule, &Touches::default()).await.expect("a chunk");
    assert_eq!((first.archon.len(), first.protocol.len()), (10, 10));
    let (_, protocol, _) = reap_all(&store, rule).await;
    assert_eq!(protocol.len() + first.protocol.len(), 40);
    for table in ["archon_mcp_sessions", "archon_mcp_protocol_sessions"] {
        assert_eq!(count(&db, &format!("{table} WHERE status = 'active'")), 0);
        let ended = format!("{table} WHERE status = 'expired' AND disconnect_reason = 'timeout'");
        assert_eq!(count(&db, &ended), count(&db, table));
    }
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
        store.session_counts(NOON, NOON).await.expect("counts").archon_active,
        3,
        "exactly at the limit is still valid"
    );
});

on_every_database!(a_session_that_was_touched_lives, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1).into_iter().chain(pair(2))).await;
    let at = NOON.plus(minutes(30));
    let touches = Touches { archon: vec![touch_archon(1, at)], protocol: vec![touch_protocol(1, at)] };
    store.totals().flush(1, touches).await.map_err(|(e, _)| e).expect("a flush");
    let (archon, ..) = reap_all(&store, reap_at(NOON.plus(minutes(61)))).await;
    assert_eq!(archon, [ids(2).1]);
    assert!(store.protocol_session(&ids(1).0).await.expect("an answer").expect("a session").life.ended.is_none());
});

on_every_database!(two_reapers_end_each_session_once, |db| async {
    let store = serving(&db).await;
    let other = beside(&db).await;
    store_all(&store, (1..=300).flat_map(pair).chain((301..=400).map(|n| opens(protocol(n))))).await;
    let at = |now: Timestamp| ReapRule { limit: 20, ..reap_at(now.plus(minutes(1))) };
    let rule = at(NOON.plus(TIMEOUT));
    let (one, two) = tokio::join!(reap_all(&store, rule), reap_all(&other, rule));
    let archon: Vec<_> = one.0.iter().chain(&two.0).collect();
    assert_eq!((archon.len(), archon.iter().collect::<HashSet<_>>().len()), (300, 300));
    if db.is_postgres() {
        assert!(one.2 > 0 && two.2 > 0, "they share the work: {} and {} chunks", one.2, two.2);
    }
    let rule = at(NOON.plus(PROTOCOL_TIMEOUT));
    let (one, two) = tokio::join!(reap_all(&store, rule), reap_all(&other, rule));
    let connections: Vec<_> = one.1.iter().chain(&two.1).collect();
    assert_eq!((connections.len(), connections.iter().collect::<HashSet<_>>().len()), (400, 400));
    let per_session = "SELECT COUNT(*) AS n FROM archon_mcp_session_events WHERE kind = 'ended' GROUP BY session_id, protocol_session_id";
    assert_eq!(row(&db, &format!("SELECT COUNT(*), MAX(n) FROM ({per_session}) AS e")), ["700", "1"]);
});
