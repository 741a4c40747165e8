//! Touches move the times of sessions, with the sums or without.

use super::*;
use crate::databases::on_every_database;

on_every_database!(touches_only_move_forward, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1).into_iter().chain(pair(2))).await;
    let touch = |n, at| Touches { archon: vec![touch_archon(n, at)], protocol: vec![touch_protocol(n, at)] };
    for (offset, wanted) in [(5, 5), (3, 5), (5, 5), (9, 9), (0, 9)] {
        store.totals().flush(1, touch(1, NOON.plus(minutes(offset)))).await.map_err(|(e, _)| e).expect("a flush");
        let stored = store.protocol_session(&ids(1).0).await.expect("an answer").expect("a session");
        let archon = stored.archon.expect("bound").life;
        for (life, timeout) in [(stored.life, PROTOCOL_TIMEOUT), (archon, TIMEOUT)] {
            assert_eq!(life.last_activity, NOON.plus(minutes(wanted)), "after a touch at +{offset}");
            assert_eq!(life.expires_at, Some(NOON.plus(minutes(wanted)).plus(timeout)));
        }
    }
    // The other pair was not touched, and an ended one never is.
    assert!(store.end_archon_session(ids(2).1, by(EndReason::Operator, "bob", NOON)).await.expect("an end"));
    store.totals().flush(1, touch(2, NOON.plus(minutes(30)))).await.map_err(|(e, _)| e).expect("a flush");
    let stored = store.protocol_session(&ids(2).0).await.expect("an answer").expect("a session");
    for life in [stored.life, stored.archon.expect("bound").life] {
        assert_eq!((life.last_activity, life.ended.map(|e| e.by)), (NOON, Some("bob".into())));
    }
});

// A clock was set back: from that outage on, times are on another scale.
on_every_database!(a_touch_after_an_outage_that_the_row_does_not_know_moves_it_back, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    for (offset, credited, wanted) in [(5, 0, 5), (3, 0, 5), (3, 1, 3), (2, 1, 3), (4, 0, 4)] {
        let at = NOON.plus(minutes(offset));
        let touches = Touches {
            archon: vec![ArchonTouch { credited, ..touch_archon(1, at) }],
            protocol: vec![ProtocolTouch { credited, ..touch_protocol(1, at) }],
        };
        store.totals().flush(1, touches).await.map_err(|(e, _)| e).expect("a flush");
        let stored = store.protocol_session(&ids(1).0).await.expect("an answer").expect("a session");
        for life in [stored.life, stored.archon.expect("bound").life] {
            assert_eq!(life.last_activity, NOON.plus(minutes(wanted)), "after a touch at +{offset} with {credited}");
        }
    }
    for table in ["archon_mcp_sessions", "archon_mcp_protocol_sessions"] {
        assert_eq!(db.value(&format!("SELECT credited FROM {table}")), "0");
    }
});

on_every_database!(many_touches_in_one_flush, |db| async {
    let store = serving(&db).await;
    store_all(&store, (1..=300).flat_map(pair)).await;
    let at = NOON.plus(minutes(1));
    let touches = Touches {
        archon: (1..=300).rev().map(|n| touch_archon(n, at)).collect(),
        protocol: (1..=300).rev().map(|n| touch_protocol(n, at)).collect(),
    };
    store.totals().flush(1, touches).await.map_err(|(e, _)| e).expect("a flush");
    let ends = [("archon_mcp_sessions", "2026-01-10 13:01"), ("archon_mcp_protocol_sessions", "2026-02-09 12:01")];
    for (table, end) in ends {
        let moved = format!(
            "{table} WHERE {} = '2026-01-10 12:01:00.000' AND {} = '{end}:00.000'",
            time(&db, "last_activity"),
            time(&db, "expires_at")
        );
        assert_eq!(count(&db, &moved), 300);
    }
});
