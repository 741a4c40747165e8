//! The group-commit writer: what is answered is stored, whole and once.

use futures_util::future::join_all;

use super::*;
use crate::databases::on_every_database;

on_every_database!(one_batch_holds_rows_of_all_kinds, |db| async {
    let store = serving(&db).await;
    let early = NewRequest { session_id: None, method: "tools/list".into(), tool_name: None, rule: None, ..call(1) };
    let other = NewRequest { session_id: None, ..call(2) };
    let writes = [opens(protocol(1)), requests(early), requests(other), creates(archon(1)), requests(call(1))];
    store_all(&store, writes.into_iter().chain([events(event(1, "refused"))])).await;
    let archon = ids(1).1.to_string();
    // The request from before the Archon session has it now; that of another protocol session has not.
    assert_eq!(
        rows(&db, "SELECT method, protocol_session_id, session_id FROM archon_mcp_requests ORDER BY seq"),
        [
            ["tools/list", "protocol-session-1", &*archon],
            ["tools/call", "protocol-session-2", "NULL"],
            ["tools/call", "protocol-session-1", &*archon],
        ]
    );
    assert_eq!(
        rows(
            &db,
            "SELECT kind, session_id, protocol_session_id, reason, actor FROM archon_mcp_session_events ORDER BY kind"
        ),
        [
            ["created", &*archon, "NULL", "NULL", "NULL"],
            ["initialised", &*archon, "protocol-session-1", "NULL", "NULL"],
            ["refused", &*archon, "protocol-session-1", "because", "alice"],
        ]
    );
    assert_eq!(
        db.value(&format!("SELECT {} FROM archon_mcp_session_events WHERE kind = 'refused'", time(&db, "at"))),
        "2026-01-10 12:00:00.000"
    );
});

on_every_database!(a_request_row_is_complete, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    let full = NewRequest {
        timestamp: Timestamp::from_millis(NOON.millis() + 7),
        duration_us: 1_234_567,
        status: RequestStatus::Timeout,
        error_message: Some("it ran \"too\" long: 'ä' \\ \u{1f600}\nand on".into()),
        tokens: Some(Tokens { prompt: 12, completion: 3456 }),
        estimated_cost: Some(0.012_345),
        rule: Some(SessionRule::Client),
        late: true,
        ..call(1)
    };
    let bare = NewRequest {
        session_id: None,
        protocol_session_id: None,
        tool_name: None,
        tokens: None,
        rule: None,
        duration_us: 999,
        status: RequestStatus::Error,
        ..call(1)
    };
    store_all(&store, [requests(full.clone()), requests(bare)]).await;
    let columns =
        "session_id, method, tool_name, prompt_tokens, completion_tokens, CAST(estimated_cost AS TEXT), {time}, \
                   duration_ms, status, error_message, protocol_session_id, duration_us, session_rule, \
                   CAST(late AS INTEGER), boot, seq"
            .replace("{time}", &time(&db, "timestamp"));
    let found = rows(&db, &format!("SELECT {columns} FROM archon_mcp_requests ORDER BY duration_us DESC"));
    let message = full.error_message.expect("a message");
    let archon = ids(1).1.to_string();
    let wanted = [
        format!(
            "{archon}|tools/call|health_check|12|3456|0.012345|2026-01-10 12:00:00.007|1234|timeout|{message}|\
             protocol-session-1|1234567|client|1|1"
        ),
        "NULL|tools/call|NULL|NULL|NULL|NULL|2026-01-10 12:00:00.000|0|error|NULL|NULL|999|NULL|0|1".to_owned(),
    ];
    for (found, wanted) in found.iter().zip(wanted) {
        assert_eq!(found[..15].join("|"), wanted);
    }
    let ids = rows(&db, "SELECT id, seq FROM archon_mcp_requests ORDER BY id");
    assert!(ids[0] < ids[1], "rows are numbered in their order: {ids:?}");
});

on_every_database!(a_session_row_is_complete, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    let json = |column: &str| format!("REPLACE(CAST({column} AS TEXT), ' ', '')");
    let t = |column| time(&db, column);
    let found =
        row(
            &db,
            &format!(
            "SELECT session_id, client_type, client_version, {}, {}, {}, {}, disconnected_at, total_duration, status,
                    disconnect_reason, user_id, user_email, user_name, {}, principal, client_name, ended_by, boot,
                    calls, errors, prompt_tokens, completion_tokens
             FROM archon_mcp_sessions",
            json("client_capabilities"), t("connected_at"), t("last_activity"), t("expires_at"), json("metadata")
        ),
        );
    let (start, end) = ("2026-01-10 12:00:00.000", "2026-01-10 13:00:00.000");
    let (archon, user) = (ids(1).1.to_string(), Uuid::from_u128(7).to_string());
    assert_eq!(
        found.join("|"),
        format!(
            "{archon}|Claude Code|1.0.0|{{\"roots\":{{}}}}|{start}|{start}|{end}|NULL|NULL|active|NULL|{user}|\
             alice@example.org|alice|{{\"name\":\"claude-code\"}}|alice|claude-code|NULL|1|0|0|0|0"
        )
    );
    let found = row(
        &db,
        &format!(
            "SELECT protocol_session_id, session_id, principal, protocol_version, client_type, client_name, client_version,
                    {}, {}, {}, {}, {}, disconnected_at, total_duration, status, disconnect_reason, ended_by, boot
             FROM archon_mcp_protocol_sessions",
            json("client_info"), json("client_capabilities"), t("connected_at"), t("last_activity"), t("expires_at")
        ),
    );
    assert_eq!(
        found.join("|"),
        format!(
            "protocol-session-1|{archon}|alice|2025-11-25|Claude Code|claude-code|1.0.0|{{\"name\":\"claude-code\"}}|\
             {{\"roots\":{{}}}}|{start}|{start}|2026-02-09 12:00:00.000|NULL|NULL|active|NULL|NULL|1"
        )
    );
});

on_every_database!(what_a_client_does_not_say_is_null, |db| async {
    let store = serving(&db).await;
    let nobody = ClientFacts { client_type: "Unknown".into(), ..ClientFacts::default() };
    let open = NewProtocolSession { client: nobody.clone(), client_info: None, ..protocol(1) };
    let create =
        NewSession { client: nobody, user_id: None, user_email: None, user_name: None, metadata: None, ..archon(1) };
    store_all(&store, [opens(open), creates(create)]).await;
    let nulls = "client_name IS NULL AND client_version IS NULL AND client_capabilities IS NULL AND ";
    assert_eq!(count(&db, &format!("archon_mcp_protocol_sessions WHERE {nulls} client_info IS NULL")), 1);
    assert_eq!(
        count(
            &db,
            &format!(
                "archon_mcp_sessions WHERE {nulls} user_id IS NULL AND user_email IS NULL AND user_name IS NULL AND metadata IS NULL"
            )
        ),
        1
    );
});

on_every_database!(a_tool_call_under_another_archon_session_binds_to_it, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    let create = NewSession { session_id: ids(2).1, ..archon(1) };
    store_all(&store, [creates(create)]).await;
    let stored = store.protocol_session(&ids(1).0).await.expect("an answer").expect("a session");
    assert_eq!((stored.session_id, stored.archon.map(|s| s.session_id)), (ids(2).1, Some(ids(2).1)));
});

on_every_database!(a_protocol_session_takes_up_an_archon_session_that_exists, |db| async {
    let store = serving(&db).await;
    let early = NewRequest { session_id: None, tool_name: None, ..call(2) };
    store_all(&store, pair(1).into_iter().chain([opens(protocol(2)), requests(early)])).await;
    let binding = Binding { protocol_session_id: ids(2).0, session_id: ids(1).1 };
    store_all(&store, [Write::Bind(Box::new(binding))]).await;
    let stored = store.protocol_session(&ids(2).0).await.expect("an answer").expect("a session");
    assert_eq!((stored.session_id, stored.archon.map(|s| s.session_id)), (ids(1).1, Some(ids(1).1)));
    // Its requests from before go along.
    assert_eq!(db.value("SELECT session_id FROM archon_mcp_requests"), ids(1).1.to_string());
    // And it ends with it.
    store.end_archon_session(ids(1).1, by(EndReason::Operator, "bob", NOON)).await.expect("an end");
    assert_eq!(count(&db, "archon_mcp_protocol_sessions WHERE status = 'active'"), 0);
});

on_every_database!(the_same_batch_twice_is_stored_once, |db| async {
    let (store, again) = (serving(&db).await, beside(&db).await);
    // The same boot and the same numbers: what happens when the answer to a COMMIT is lost.
    again.writer().begin_boot(1);
    for store in [&store, &again] {
        let rows = (0..10).map(|_| requests(call(1))).chain([events(event(1, "refused"))]);
        store_all(store, pair(1).into_iter().chain(rows)).await;
    }
    assert_eq!(count(&db, "archon_mcp_requests"), 10);
    assert_eq!(count(&db, "archon_mcp_sessions"), 1);
    assert_eq!(count(&db, "archon_mcp_protocol_sessions"), 1);
    assert_eq!(
        rows(&db, "SELECT kind, COUNT(*) FROM archon_mcp_session_events GROUP BY kind ORDER BY kind"),
        [["created", "1"], ["initialised", "1"], ["refused", "1"]]
    );
});

on_every_database!(many_submit_at_once, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    let before = store.writer().stats();
    let submitters = (0..64).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..25 {
                let outcome = store.writer().submit(requests(call(1))).within(SOON).await;
                assert_eq!(outcome, Commit::Done);
            }
        })
    });
    for submitter in join_all(submitters).await {
        submitter.expect("a submitter");
    }
    assert_eq!(
        row(&db, "SELECT COUNT(*), COUNT(DISTINCT seq), MIN(boot), MAX(boot) FROM archon_mcp_requests"),
        ["1600", "1600", "1", "1"]
    );
    let stats = store.writer().stats();
    assert_eq!((stats.committed - before.committed, stats.waiting, stats.dropped, stats.deferred), (1600, 0, 0, 0));
    let batches = stats.batches - before.batches;
    assert!(batches < 800, "1600 rows of 64 submitters took {batches} commits");
});

on_every_database!(a_drained_queue_is_on_disk, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    for _ in 0..2000 {
        store.writer().submit_unwatched(requests(call(1)));
    }
    assert!(store.writer().drain(SOON).await);
    assert_eq!(count(&db, "archon_mcp_requests"), 2000);
    let ticket = store.writer().submit(Write::Barrier);
    assert!(ticket.required(SOON).await.is_ok());
});

on_every_database!(what_a_dropped_store_had_queued_is_still_written, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    let tickets: Vec<_> = (0..500).map(|_| store.writer().submit(requests(call(1)))).collect();
    drop(store);
    for ticket in tickets {
        assert_eq!(ticket.within(SOON).await, Commit::Done);
    }
    assert_eq!(count(&db, "archon_mcp_requests"), 500);
});

/// The write-ahead log of a busy server stays small, and that of an idle one is emptied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_of_a_sqlite_file_is_bounded() {
    let db = Database::sqlite();
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    let log = db.folder().join("archon.db-wal");
    let size = || log.metadata().map_or(0, |m| m.len()) >> 20;
    let message = "x".repeat(3000);
    let (mut greatest, mut written) = (0, 0);
    while written < 150_000 {
        let rows = (0..1000).map(|_| NewRequest { error_message: Some(message.clone()), ..call(1) });
        store_all(&store, rows.map(requests)).await;
        written += 1000;
        greatest = size().max(greatest);
    }
    // More than 500 MB went through it. On a slow disk it is begun anew later than on a fast one.
    assert!(greatest < 300, "{greatest} MB");
    let idle = async {
        while size() > 4 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, idle).await.unwrap_or_else(|_| panic!("still {} MB", size()));
    assert_eq!(count(&db, "archon_mcp_requests"), written);
}

/// Rows are inserted by the ids of their sessions, and read in the order of their numbers.
#[tokio::test]
async fn a_batch_is_numbered_as_it_came() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    store_all(&store, (1..=5).flat_map(pair)).await;
    let calls = [4, 2, 5, 1, 3, 2, 4];
    store_all(&store, calls.map(|n| requests(call(n)))).await;
    let sessions = db.value("SELECT string_agg(session_id::text, ' ' ORDER BY id) FROM archon_mcp_requests");
    assert_eq!(sessions, calls.map(|n| ids(n).1.to_string()).join(" "));
}
