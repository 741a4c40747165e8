//! Sessions end one way, once, and wholly.

use futures_util::future::join_all;

use super::*;
use crate::databases::on_every_database;

/// The `n`-th protocol session, bound to the first Archon session.
fn second(n: u32) -> Write {
    opens(NewProtocolSession { session_id: ids(1).1, ..protocol(n) })
}

/// Status, reason, who, seconds of the Archon session and of each protocol session bound to it.
fn ends(db: &Database) -> Vec<Vec<String>> {
    let columns = "status, disconnect_reason, ended_by, total_duration";
    rows(
        db,
        &format!(
            "SELECT {columns} FROM archon_mcp_sessions WHERE session_id = '{archon}'
             UNION ALL SELECT * FROM (
                SELECT {columns} FROM archon_mcp_protocol_sessions WHERE session_id = '{archon}' ORDER BY protocol_session_id
             ) AS p",
            archon = ids(1).1
        ),
    )
}

const LIVE: [&str; 4] = ["active", "NULL", "NULL", "NULL"];

on_every_database!(the_last_protocol_session_takes_its_archon_session_along, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1).into_iter().chain([second(2)]).chain(pair(3))).await;
    let ending = by(EndReason::ClientDisconnect, "client", NOON.plus(Duration::from_millis(90_500)));
    let gone = ["disconnected", "client_disconnect", "client", "90"];
    assert!(store.end_protocol_session(&ids(1).0, ending).await.expect("an end"));
    assert_eq!(ends(&db), [LIVE, gone, LIVE], "another live protocol session is bound to it");
    assert!(store.end_protocol_session(&ids(2).0, ending).await.expect("an end"));
    assert_eq!(ends(&db), [gone, gone, gone]);
    assert!(!store.end_protocol_session(&ids(2).0, ending).await.expect("an answer"), "it was ended already");
    assert!(!store.end_protocol_session("protocol-session-404", ending).await.expect("an answer"));
    assert_eq!(count(&db, "archon_mcp_session_events WHERE kind = 'ended' AND actor = 'client'"), 3);
    assert_eq!(count(&db, "archon_mcp_sessions WHERE status = 'active'"), 1);
    assert_eq!(count(&db, "archon_mcp_protocol_sessions WHERE status = 'active'"), 1);
});

on_every_database!(a_protocol_session_without_an_archon_session_ends_too, |db| async {
    let store = serving(&db).await;
    store_all(&store, [opens(protocol(1))]).await;
    assert!(
        store.end_protocol_session(&ids(1).0, by(EndReason::ClientDisconnect, "client", NOON)).await.expect("an end")
    );
    assert_eq!(count(&db, "archon_mcp_protocol_sessions WHERE status = 'disconnected' AND total_duration = 0"), 1);
    assert_eq!(count(&db, "archon_mcp_session_events WHERE kind = 'ended'"), 1);
});

on_every_database!(an_archon_session_takes_its_protocol_sessions_along, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1).into_iter().chain([second(2), second(3)])).await;
    let first = by(EndReason::ClientDisconnect, "client", NOON.plus(minutes(1)));
    assert!(store.end_protocol_session(&ids(3).0, first).await.expect("an end"));
    let ending = by(EndReason::Operator, "bob", NOON.plus(minutes(2)));
    assert!(store.end_archon_session(ids(1).1, ending).await.expect("an end"));
    let gone = ["disconnected", "operator", "bob", "120"];
    assert_eq!(ends(&db), [gone, gone, gone, ["disconnected", "client_disconnect", "client", "60"]]);
    assert!(!store.end_archon_session(ids(1).1, ending).await.expect("an answer"));
    assert!(!store.end_archon_session(ids(9).1, ending).await.expect("an answer"));
    assert_eq!(count(&db, "archon_mcp_session_events WHERE kind = 'ended'"), 4);
    let stored = store.protocol_session(&ids(2).0).await.expect("an answer").expect("a session");
    let end = stored.life.ended.expect("an end");
    assert_eq!((end.at, &*end.reason, &*end.by), (Some(NOON.plus(minutes(2))), "operator", "bob"));
});

on_every_database!(each_reason_has_its_status, |db| async {
    let store = serving(&db).await;
    let reasons = [EndReason::ClientDisconnect, EndReason::Timeout, EndReason::MaxAge, EndReason::Operator];
    for (n, reason) in (1..).zip(reasons) {
        store_all(&store, pair(n)).await;
        assert!(store.end_archon_session(ids(n).1, by(reason, "server", NOON)).await.expect("an end"));
    }
    assert_eq!(
        rows(&db, "SELECT disconnect_reason, status FROM archon_mcp_sessions ORDER BY session_id"),
        [
            ["client_disconnect", "disconnected"],
            ["timeout", "expired"],
            ["max_age", "expired"],
            ["operator", "disconnected"]
        ]
    );
});

on_every_database!(whoever_comes_first_ends_it, |db| async {
    let store = serving(&db).await;
    let other = beside(&db).await;
    store_all(&store, (1..=10).flat_map(pair)).await;
    let mut tasks = Vec::new();
    for n in 1..=10 {
        for who in ["a", "b", "c", "d"] {
            let store = if who < "c" { store.clone() } else { other.clone() };
            tasks.push(tokio::spawn(async move {
                let ending = by(EndReason::Operator, who, NOON);
                if who == "a" || who == "c" {
                    store.end_archon_session(ids(n).1, ending).await
                } else {
                    store.end_protocol_session(&ids(n).0, ending).await
                }
            }));
        }
    }
    let ended =
        join_all(tasks).await.into_iter().map(|t| t.expect("a task").expect("an answer")).filter(|e| *e).count();
    assert_eq!(ended, 10);
    assert_eq!(count(&db, "archon_mcp_session_events WHERE kind = 'ended'"), 20);
    assert_eq!(count(&db, "archon_mcp_sessions WHERE status = 'active'"), 0);
});

on_every_database!(protocol_sessions_that_end_together_leave_no_archon_session, |db| async {
    let store = serving(&db).await;
    let other = beside(&db).await;
    for round in 0..20 {
        let (a, b) = (100 + 2 * round, 101 + 2 * round);
        let bound = NewProtocolSession { session_id: ids(a).1, ..protocol(b) };
        store_all(&store, pair(a).into_iter().chain([opens(bound)])).await;
        let ending = by(EndReason::ClientDisconnect, "client", NOON);
        let (one, two) = (ids(a).0, ids(b).0);
        let (one, two) =
            tokio::join!(store.end_protocol_session(&one, ending), other.end_protocol_session(&two, ending));
        assert!(one.expect("an end") && two.expect("an end"));
    }
    assert_eq!(count(&db, "archon_mcp_sessions WHERE status = 'active'"), 0);
});

// A DELETE and a flush lock the same two rows: in the same order, or they would wait for each other.
on_every_database!(ends_and_flushes_do_not_wait_for_each_other, |db| async {
    let store = serving(&db).await;
    let other = beside(&db).await;
    store_all(&store, (1..=200).flat_map(pair)).await;
    let flushes = async {
        for minute in 1..=40 {
            let at = NOON.plus(minutes(minute));
            let archon = (1..=200).map(|n| touch_archon(n, at)).collect();
            let protocol = (1..=200).map(|n| touch_protocol(n, at)).collect();
            other.totals().flush(1, Touches { protocol, archon }).await.map_err(|(e, _)| e).expect("a flush");
        }
    };
    let ends = async {
        for n in 1..=200 {
            let ending = by(EndReason::ClientDisconnect, "client", NOON);
            assert!(store.end_protocol_session(&ids(n).0, ending).await.expect("an end"));
        }
    };
    tokio::join!(flushes, ends);
    assert_eq!(count(&db, "archon_mcp_sessions WHERE status = 'active'"), 0);
});
