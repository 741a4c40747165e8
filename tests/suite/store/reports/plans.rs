//! What is asked often is answered by an index. PostgreSQL counts the rows that it read without one.

use super::*;

/// Sessions in the database, most of them ended long ago.
const SESSIONS: i64 = 20_000;

async fn filled(db: &Database) {
    drop(serving(db).await);
    db.rows(&format!(
        "INSERT INTO archon_mcp_sessions (session_id, connected_at, last_activity, expires_at, boot, status, disconnected_at)
         SELECT md5(n::text)::uuid, at, at, at + interval '1 hour', 1, CASE WHEN n % 20 = 0 THEN 'active' ELSE 'expired' END,
                CASE WHEN n % 20 = 0 THEN NULL ELSE at END
         FROM generate_series(1, {SESSIONS}) n, LATERAL (SELECT timestamptz '2026-01-10 12:00Z' - n * interval '1 minute' AS at) t;
         INSERT INTO archon_mcp_protocol_sessions
             (protocol_session_id, session_id, protocol_version, connected_at, last_activity, expires_at, boot, status, disconnected_at)
         SELECT 'p-' || session_id, session_id, '2025-11-25', connected_at, last_activity, expires_at, boot, status, disconnected_at
         FROM archon_mcp_sessions;
         INSERT INTO archon_mcp_requests (session_id, protocol_session_id, method, tool_name, status, timestamp, duration_us, boot, seq)
         SELECT CASE WHEN n % 2 = 0 THEN md5((1 + n % {SESSIONS})::text)::uuid END, 'p-' || md5((1 + n % {SESSIONS})::text)::uuid,
                'tools/call', 'health_check', 'success', timestamptz '2026-01-10 12:00Z', 1, 1, n
         FROM generate_series(1, 2 * {SESSIONS}) n;
         UPDATE archon_mcp_boots SET folded_seq = 2 * {SESSIONS} - 10, ended_at = heartbeat_at, end_cause = 'crash';
         ANALYZE"
    ));
}

/// Rows read one after the other so far, by table.
fn read_in_a_row(db: &Database) -> Vec<(String, i64)> {
    let sql = "SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE relname IN
               ('archon_mcp_sessions', 'archon_mcp_protocol_sessions', 'archon_mcp_requests') ORDER BY relname";
    rows(db, sql).into_iter().map(|row| (row[0].clone(), row[1].parse().expect("a number"))).collect()
}

async fn nobody_is_connected(db: &Database) {
    // A connection reports what it did when it ends.
    let others = "pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'archonctl'";
    while count(db, others) > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hot_statements_go_by_an_index() {
    let Some(db) = Database::postgres() else { return };
    filled(&db).await;
    nobody_is_connected(&db).await;
    let before = read_in_a_row(&db);
    let id =
        db.value("SELECT session_id FROM archon_mcp_sessions WHERE status = 'active' ORDER BY expires_at DESC LIMIT 1");
    let (protocol_id, archon_id) = (format!("p-{id}"), id.parse::<Uuid>().expect("an id"));

    let store = open(&db, Role::Server).await.expect("open");
    let boot = begin_boot(&store, NOON.plus(minutes(30))).await.number;
    assert!(store.protocol_session(&protocol_id).await.expect("an answer").is_some());
    assert!(store.archon_session(archon_id).await.expect("an answer").is_some());
    assert!(store.reserved_by(archon_id).await.expect("an answer").is_some());
    assert_eq!(store.totals().unfolded_boots().await.expect("boots"), [1]);
    assert_eq!(store.totals().fold_leftovers(1, 100).await.expect("a fold"), 10);
    let create = NewSession { protocol_session_id: protocol_id.as_str().into(), boot, ..archon(1) };
    let call = NewRequest { session_id: Some(archon_id), ..call(1) };
    store_all(&store, [creates(create), requests(call)]).await;
    let touches =
        Touches { archon: vec![touch_archon(1, NOON.plus(minutes(31)))], protocol: vec![touch_protocol(1, NOON)] };
    store.totals().flush(boot, touches).await.map_err(|(e, _)| e).expect("a flush");
    let reaped = store
        .reap(ReapRule { limit: 10, protocol_timeout: TIMEOUT, ..reap_at(NOON) }, &Touches::default())
        .await
        .expect("a chunk");
    assert_eq!((reaped.archon.len(), reaped.protocol.len()), (10, 10));
    let early = NOON.minus(minutes(60 * 24 * 365));
    assert_eq!(
        store.reap(reap_at(early), &Touches::default()).await.expect("a chunk"),
        archonctl::store::sessions::Reaped::default()
    );
    assert!(store.end_protocol_session(&protocol_id, by(EndReason::Operator, "bob", NOON)).await.expect("an end"));

    drop(store);
    nobody_is_connected(&db).await;
    for ((table, before), (_, after)) in before.into_iter().zip(read_in_a_row(&db)) {
        assert!(after - before < SESSIONS / 10, "{} rows of {table} were read without an index", after - before);
    }
}
