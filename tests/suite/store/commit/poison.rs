//! A row that the database refuses goes alone: its neighbours are stored, it is counted, its waiter is told.

use super::*;
use crate::databases::on_every_database;

/// Writes the poison between good rows in one batch, and expects that it alone is missing.
async fn alone(db: &Database, store: &Store, n: u32, what: &str, poison: Write) {
    let before = store.writer().stats();
    let good = [opens(protocol(n)), creates(archon(n)), requests(call(n))];
    let after = [requests(call(n)), events(event(n, "refused")), opens(protocol(n + 1))];
    let mut found = outcomes(store, good.into_iter().chain([poison]).chain(after)).await;
    let outcome = found.remove(3);
    assert!(matches!(&outcome, Commit::Refused(reason) if !reason.is_empty()), "{what}: {outcome:?}");
    assert!(found.iter().all(|o| *o == Commit::Done), "{what}: {found:?}");
    assert_eq!(count(db, &format!("archon_mcp_requests WHERE session_id = '{}'", ids(n).1)), 2, "{what}");
    assert_eq!(
        count(
            db,
            &format!("archon_mcp_protocol_sessions WHERE protocol_session_id IN ('{}', '{}')", ids(n).0, ids(n + 1).0)
        ),
        2,
        "{what}"
    );
    assert_eq!(
        count(db, &format!("archon_mcp_session_events WHERE kind = 'refused' AND session_id = '{}'", ids(n).1)),
        1,
        "{what}"
    );
    let stats = store.writer().stats();
    assert_eq!(
        (stats.dropped - before.dropped, stats.committed - before.committed, stats.waiting),
        (1, 6, 0),
        "{what}"
    );
}

on_every_database!(a_request_of_a_session_that_does_not_exist, |db| async {
    let store = serving(&db).await;
    let stray = NewRequest { session_id: Some(Uuid::from_u128(404)), ..call(404) };
    alone(&db, &store, 1, "a foreign key", requests(stray)).await;
    // It is in no sum either.
    flush(&store).await;
    assert_eq!(db.value("SELECT SUM(calls) FROM archon_mcp_rollups"), "2");
});

/// PostgreSQL's TEXT and JSONB hold no NUL. (SQLite takes it.)
#[tokio::test]
async fn a_nul_in_any_text() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    let nul = || "a\0b".to_owned();
    let json = || Some(raw(r#"{"a\u0000": "b"}"#));
    let facts_with = |change: fn(&mut ClientFacts)| {
        let mut facts = client();
        change(&mut facts);
        facts
    };
    let facts = [
        facts_with(|f| f.client_type = "a\0b".into()),
        facts_with(|f| f.client_name = Some("a\0b".into())),
        facts_with(|f| f.client_version = Some("a\0b".into())),
        facts_with(|f| f.client_capabilities = Some(raw(r#"["\u0000"]"#))),
    ];
    // Of a pair of their own, which is in nobody's way.
    let (p, s, r, e) = (protocol(900), archon(900), call(1), event(900, "refused"));
    let mut poison: Vec<(&str, Write)> = vec![
        ("protocol id", opens(NewProtocolSession { protocol_session_id: nul().into(), ..p.clone() })),
        ("principal of a protocol session", opens(NewProtocolSession { principal: nul().into(), ..p.clone() })),
        ("protocol version", opens(NewProtocolSession { protocol_version: "a\0b", ..p.clone() })),
        ("client info", opens(NewProtocolSession { client_info: json(), ..p.clone() })),
        ("bound protocol id", creates(NewSession { protocol_session_id: nul().into(), ..s.clone() })),
        ("principal", creates(NewSession { principal: nul().into(), ..s.clone() })),
        ("user email", creates(NewSession { user_email: Some(nul().into()), ..s.clone() })),
        ("user name", creates(NewSession { user_name: Some(nul().into()), ..s.clone() })),
        ("metadata", creates(NewSession { metadata: json(), ..s.clone() })),
        ("binding", Write::Bind(Box::new(Binding { protocol_session_id: nul().into(), session_id: ids(1).1 }))),
        ("method", requests(NewRequest { session_id: None, method: nul().into(), ..r.clone() })),
        ("tool name", requests(NewRequest { session_id: None, tool_name: Some(nul().into()), ..r.clone() })),
        ("error message", requests(NewRequest { session_id: None, error_message: Some(nul()), ..r.clone() })),
        (
            "protocol id of a request",
            requests(NewRequest { session_id: None, protocol_session_id: Some(nul().into()), ..r }),
        ),
        ("kind of an event", events(NewEvent { kind: "a\0b", ..e.clone() })),
        ("protocol id of an event", events(NewEvent { protocol_session_id: Some(nul().into()), ..e.clone() })),
        ("reason of an event", events(NewEvent { reason: Some(nul()), ..e.clone() })),
        ("actor of an event", events(NewEvent { actor: Some(nul()), ..e })),
    ];
    for facts in facts {
        poison.push(("a client's facts, opening", opens(NewProtocolSession { client: facts.clone(), ..p.clone() })));
        poison.push(("a client's facts, creating", creates(NewSession { client: facts, ..s.clone() })));
    }
    for (n, (what, poison)) in (1..).step_by(2).zip(poison) {
        alone(&db, &store, n, what, poison).await;
    }
    assert_eq!(count(&db, &format!("archon_mcp_sessions WHERE session_id = '{}'", ids(900).1)), 0);
}

#[tokio::test]
async fn a_text_too_long_for_its_index_or_a_number_too_great_for_its_column() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    // Random, because PostgreSQL compresses.
    let long: String = (0..500).map(|_| Uuid::new_v4().to_string()).collect();
    alone(&db, &store, 1, "an id", opens(NewProtocolSession { protocol_session_id: long.into(), ..protocol(900) }))
        .await;
    let costly = NewRequest { session_id: None, estimated_cost: Some(1e9), ..call(900) };
    alone(&db, &store, 3, "a cost", requests(costly)).await;
    let wordy = Some(Tokens { prompt: u32::MAX, completion: 1 });
    alone(&db, &store, 5, "tokens", requests(NewRequest { session_id: None, tokens: wordy, ..call(900) })).await;
}

on_every_database!(a_document_too_deep_for_the_database, |db| async {
    let store = serving(&db).await;
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let facts = ClientFacts { client_capabilities: Some(raw(&deep)), ..client() };
    alone(&db, &store, 1, "capabilities", opens(NewProtocolSession { client: facts, ..protocol(900) })).await;
});

on_every_database!(nothing_but_poison, |db| async {
    let store = serving(&db).await;
    let stray = || NewRequest { session_id: Some(Uuid::from_u128(404)), ..call(404) };
    let found = outcomes(&store, (0..100).map(|_| requests(stray()))).await;
    assert!(found.iter().all(|o| matches!(o, Commit::Refused(_))), "{found:?}");
    assert_eq!((count(&db, "archon_mcp_requests"), store.writer().stats().dropped), (0, 100));
    let waiter = store.writer().submit(requests(stray())).required(SOON).await;
    assert!(matches!(waiter, Err(archonctl::store::StoreError::Data(_))), "{waiter:?}");
});
