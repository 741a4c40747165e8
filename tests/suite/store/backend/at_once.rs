//! An end and a first call at the same moment.

use futures_util::future::join_all;

use super::*;
use crate::databases::on_every_database;

on_every_database!(what_ended_while_its_first_call_waited_is_not_left_alive, |db| async {
    let store = serving(&db).await;
    // One connection of its own; one whose Archon session another live one is bound to.
    let shared = NewProtocolSession { session_id: ids(2).1, ..protocol(3) };
    store_all(&store, [opens(protocol(1)), opens(protocol(2)), opens(shared)]).await;
    let at = NOON.plus(minutes(1));
    for n in [1, 2] {
        let ending = by(EndReason::ClientDisconnect, "client", at);
        assert!(store.end_protocol_session(&ids(n).0, ending).await.expect("an end"));
    }
    store_all(&store, [1, 2].into_iter().flat_map(|n| [creates(archon(n)), requests(call(n))])).await;
    let ends = format!(
        "SELECT status, COALESCE({}, '-'), COALESCE(disconnect_reason, '-'), COALESCE(ended_by, '-') \
         FROM archon_mcp_sessions ORDER BY session_id",
        time(&db, "disconnected_at")
    );
    assert_eq!(
        rows(&db, &ends),
        [["disconnected", "2026-01-10 12:01:00.000", "client_disconnect", "client"], ["active", "-", "-", "-"]]
    );
    let of_first = format!("archon_mcp_session_events WHERE session_id = '{}' AND kind = 'ended'", ids(1).1);
    assert_eq!(count(&db, &of_first), 2, "of both of its sessions");
    assert_eq!(
        count(&db, "archon_mcp_protocol_sessions WHERE CAST(called AS INTEGER) <> 0"),
        0,
        "nothing ended is bound"
    );
    flush(&store).await;
    assert_eq!(db.value("SELECT SUM(calls) FROM archon_mcp_sessions"), "2");
    // An ended one does not take up what lives.
    let bound = Binding { protocol_session_id: ids(1).0, session_id: ids(2).1 };
    store_all(&store, [Write::Bind(Box::new(bound))]).await;
    assert_eq!(
        db.value(
            "SELECT session_id FROM archon_mcp_protocol_sessions WHERE protocol_session_id = 'protocol-session-1'"
        ),
        ids(1).1.to_string()
    );
});

// An end and a first call at the same moment, again and again: whichever comes first, nothing is left alive.
on_every_database!(an_end_and_a_first_call_at_once_leave_nothing_alive, |db| async {
    let store = serving(&db).await;
    let other = beside(&db).await;
    store_all(&store, (1..=60).map(|n| opens(protocol(n)))).await;
    join_all((1..=60).map(|n| {
        let (store, other) = (&store, &other);
        async move {
            let (id, ending) = (ids(n).0, by(EndReason::ClientDisconnect, "client", NOON));
            let (ended, ()) =
                tokio::join!(other.end_protocol_session(&id, ending), store_all(store, [creates(archon(n))]));
            assert!(ended.expect("an end"));
        }
    }))
    .await;
    assert_eq!(count(&db, "archon_mcp_sessions"), 60);
    assert_eq!(count(&db, "archon_mcp_sessions WHERE status = 'active'"), 0);
    assert_eq!(count(&db, "archon_mcp_session_events WHERE kind = 'ended'"), 120);
});
