//! One indexed read: this very id, or none.

use super::*;
use crate::databases::on_every_database;

on_every_database!(an_id_is_found_byte_for_byte, |db| async {
    let store = serving(&db).await;
    let named = |id: &str| opens(NewProtocolSession { protocol_session_id: id.into(), ..protocol(1) });
    store_all(&store, ["Mixed-Case-Id", "mixed-case-id", "plain-id-1"].map(named)).await;
    for (id, there) in [
        ("Mixed-Case-Id", true),
        ("mixed-case-id", true),
        ("MIXED-CASE-ID", false),
        ("Plain-id-1", false),
        ("plain-id-1", true),
        ("plain-id-1 ", false),
        (" plain-id-1", false),
        ("plain-id-", false),
        ("plain-id-%", false),
        ("plain-id-_", false),
        ("", false),
    ] {
        assert_eq!(store.protocol_session(id).await.expect("an answer").is_some(), there, "{id:?}");
    }
});

on_every_database!(sql_in_an_id_is_an_id, |db| async {
    let store = serving(&db).await;
    let evil = [
        "' OR '1'='1",
        "'; DROP TABLE archon_mcp_sessions; --",
        "\\'\"; --",
        "$1",
        "{rows}",
        "%s",
        "[\"a\"]",
        "\\u0041bcdefg",
    ];
    for id in evil {
        assert!(store.protocol_session(id).await.expect("an answer").is_none(), "{id}");
    }
    store_all(&store, evil.map(|id| opens(NewProtocolSession { protocol_session_id: id.into(), ..protocol(1) }))).await;
    for id in evil {
        assert!(store.protocol_session(id).await.expect("an answer").is_some(), "{id}");
        assert!(store.end_protocol_session(id, by(EndReason::Operator, id, NOON)).await.expect("an end"), "{id}");
        let ended = store.protocol_session(id).await.expect("an answer").expect("a session").life.ended;
        assert_eq!(ended.map(|e| e.by).as_deref(), Some(id));
    }
    assert_eq!(count(&db, "archon_mcp_protocol_sessions WHERE status = 'disconnected'"), 8);
});

on_every_database!(what_was_stored_is_found, |db| async {
    let store = serving(&db).await;
    store_all(&store, [opens(protocol(1))]).await;
    let found = store.protocol_session(&ids(1).0).await.expect("an answer").expect("a session");
    assert_eq!((&*found.principal, &*found.protocol_version, found.session_id), ("alice", "2025-11-25", ids(1).1));
    assert_eq!(found.client.client_type.as_deref(), Some("Claude Code"));
    assert_eq!(
        (found.client.client_name.as_deref(), found.client.client_version.as_deref()),
        (Some("claude-code"), Some("1.0.0"))
    );
    assert_eq!(found.client.client_capabilities.map(|c| c.replace(' ', "")).as_deref(), Some(r#"{"roots":{}}"#));
    assert_eq!((found.life.started, found.life.last_activity), (NOON, NOON));
    assert_eq!(
        (found.life.expires_at, found.life.credited, found.life.ended),
        (Some(NOON.plus(PROTOCOL_TIMEOUT)), Some(0), None)
    );
    assert!(found.archon.is_none(), "only reserved");
    assert!(store.archon_session(ids(1).1).await.expect("an answer").is_none());

    store_all(&store, [creates(archon(1))]).await;
    let bound = store.protocol_session(&ids(1).0).await.expect("an answer").expect("a session").archon.expect("bound");
    let found = store.archon_session(ids(1).1).await.expect("an answer").expect("a session");
    assert_eq!((found.session_id, &*found.principal, &found.life), (ids(1).1, "alice", &bound.life));
    assert_eq!((bound.session_id, &*bound.principal), (ids(1).1, "alice"));
    assert_eq!(
        (bound.life.started, bound.life.expires_at, bound.life.credited),
        (NOON, Some(NOON.plus(TIMEOUT)), Some(0))
    );
});

on_every_database!(a_reserved_id_belongs_to_a_live_principal, |db| async {
    let store = serving(&db).await;
    store_all(&store, [opens(protocol(1))]).await;
    let reserver = store.reserved_by(ids(1).1).await.expect("an answer").expect("a reserver");
    assert_eq!((&*reserver.protocol_session_id, &*reserver.principal), (&*ids(1).0, "alice"));
    assert_eq!(&*reserver.client.facts().client_type, "Claude Code");
    assert!(store.reserved_by(ids(2).1).await.expect("an answer").is_none());
    store.end_protocol_session(&ids(1).0, by(EndReason::ClientDisconnect, "client", NOON)).await.expect("an end");
    assert!(store.reserved_by(ids(1).1).await.expect("an answer").is_none());
});

on_every_database!(counts_are_of_live_sessions, |db| async {
    let store = serving(&db).await;
    store_all(&store, (1..=5).flat_map(pair).chain((6..=8).map(|n| opens(protocol(n))))).await;
    store.end_archon_session(ids(1).1, by(EndReason::Operator, "bob", NOON)).await.expect("an end");
    let at = async |now| {
        let counts = store.session_counts(now, NOON).await.expect("counts");
        (counts.archon_active, counts.protocol_active)
    };
    assert_eq!(at(NOON.plus(TIMEOUT)).await, (4, 7));
    assert_eq!(at(NOON.plus(TIMEOUT).plus(Duration::from_millis(1))).await, (0, 7), "their time is over");
    assert_eq!(at(NOON.plus(PROTOCOL_TIMEOUT).plus(Duration::from_millis(1))).await, (0, 0));
    let idle = async |since| store.session_counts(NOON, since).await.expect("counts").protocol_idle;
    assert_eq!((idle(NOON).await, idle(NOON.plus(minutes(1))).await), (0, 7));
});
