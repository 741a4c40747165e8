//! Sessions that somebody ends in `psql` or `sqlite3`: they end like those that we end.

use super::*;
use crate::databases::on_every_database;
use crate::store::backend::schema::sqlite3;

/// Two live pairs, the second protocol session bound to the first Archon session, and another pair left alone.
async fn some_sessions(store: &Store) {
    let second = NewProtocolSession { session_id: ids(1).1, ..protocol(2) };
    store_all(store, pair(1).into_iter().chain([opens(second)]).chain(pair(3))).await;
}

fn ended(n: u32) -> String {
    format!("UPDATE archon_mcp_sessions SET status = 'expired' WHERE session_id = '{}'", ids(n).1)
}

/// The first Archon session and both its protocol sessions have ended completely, once; the other pair lives.
fn assert_complete_end(db: &Database, reason: &str) {
    let seconds = if db.is_postgres() {
        "FLOOR(EXTRACT(EPOCH FROM disconnected_at - connected_at))"
    } else {
        "CAST((julianday(disconnected_at) - julianday(connected_at)) * 86400 + 0.0001 AS INTEGER)"
    };
    let archon = ids(1).1;
    for table in ["archon_mcp_sessions", "archon_mcp_protocol_sessions"] {
        let found = rows(
            db,
            &format!(
                "SELECT status, disconnect_reason, ended_by, total_duration = {seconds}, disconnected_at > connected_at
                 FROM {table} WHERE session_id = '{archon}'"
            ),
        );
        assert_eq!(found.len(), if table == "archon_mcp_sessions" { 1 } else { 2 });
        let yes = if db.is_postgres() { "t" } else { "1" };
        for row in found {
            assert_eq!(row, ["expired", reason, "sql", yes, yes], "{table}");
        }
        assert_eq!(count(db, &format!("{table} WHERE status = 'active'")), 1, "{table}");
    }
    let ends = format!(
        "SELECT protocol_session_id, reason, actor, {} = (SELECT {} FROM archon_mcp_sessions s WHERE s.session_id = '{archon}')
         FROM archon_mcp_session_events WHERE kind = 'ended' AND session_id = '{archon}'
         ORDER BY COALESCE(protocol_session_id, '')",
        time(db, "at"),
        time(db, "s.disconnected_at")
    );
    let yes = if db.is_postgres() { "t" } else { "1" };
    let wanted = ["NULL", &ids(1).0, &ids(2).0].map(|id| [id, reason, "sql", yes].map(str::to_owned).to_vec());
    assert_eq!(rows(db, &ends), wanted);
    assert_eq!(count(db, "archon_mcp_session_events WHERE kind = 'ended'"), 3);
}

on_every_database!(a_status_alone_is_an_end, |db| async {
    let store = serving(&db).await;
    some_sessions(&store).await;
    db.rows(&ended(1));
    assert_complete_end(&db, "operator");
    // A second time it is ended already: nothing happens.
    db.rows(&ended(1));
    assert_complete_end(&db, "operator");
    let stored = store.protocol_session(&ids(2).0).await.expect("an answer").expect("a session");
    let end = stored.life.ended.expect("an end");
    assert_eq!((&*end.reason, &*end.by), ("operator", "sql"));
    assert_eq!(stored.archon.expect("bound").life.ended, Some(end));
});

#[tokio::test]
async fn the_guides_update_is_an_end() {
    let Some(db) = Database::postgres() else { return };
    let store = serving(&db).await;
    some_sessions(&store).await;
    db.rows(&format!(
        "UPDATE archon_mcp_sessions
         SET
             status = 'expired',
             disconnected_at = NOW(),
             disconnect_reason = 'timeout'
         WHERE session_id = '{}';",
        ids(1).1
    ));
    // Its time alone is over: the connections live on, each with an id reserved for its next one.
    let archon = ids(1).1;
    assert_eq!(
        row(
            &db,
            &format!(
                "SELECT status, disconnect_reason, ended_by FROM archon_mcp_sessions WHERE session_id = '{archon}'"
            )
        ),
        ["expired", "timeout", "sql"]
    );
    assert_eq!(count(&db, "archon_mcp_protocol_sessions WHERE status = 'active' AND NOT called"), 2);
    assert_eq!(db.value("SELECT COUNT(DISTINCT session_id) FROM archon_mcp_protocol_sessions"), "3");
    assert_eq!(count(&db, "archon_mcp_session_events WHERE kind = 'ended'"), 1);
}

#[tokio::test]
async fn the_sqlite3_program_ends_a_session() {
    for statement in [ended(1), ended(1).replace("'expired'", "'expired', disconnected_at = CURRENT_TIMESTAMP")] {
        let db = Database::sqlite();
        let store = serving(&db).await;
        some_sessions(&store).await;
        sqlite3(&db, &statement);
        assert_complete_end(&db, "operator");
        assert!(store.archon_session(ids(1).1).await.expect("an answer").expect("a session").life.ended.is_some());
    }
}

/// SQLite takes any text for a time; what cannot be read later would be worse than the moment of the statement.
#[tokio::test]
async fn a_time_is_kept_in_one_form() {
    let db = Database::sqlite();
    let store = serving(&db).await;
    for (n, (typed, kept)) in (1..).zip([
        ("2026-01-10 13:00:00", "2026-01-10 13:00:00.000"),
        ("2026-01-10T13:00:00Z", "2026-01-10 13:00:00.000"),
        ("2026-01-10 13:00", "2026-01-10 13:00:00.000"),
        ("2026-01-10 13:00:00.1234", "2026-01-10 13:00:00.123"),
        ("yesterday", ""),
        ("", ""),
    ]) {
        store_all(&store, pair(n)).await;
        db.rows(&ended(n).replace("'expired'", &format!("'expired', disconnected_at = '{typed}'")));
        let stored = store.protocol_session(&ids(n).0).await.expect("an answer").expect("a session");
        let end = stored.life.ended.expect("an end");
        assert_eq!(stored.archon.expect("bound").life.ended.as_ref(), Some(&end));
        let at = end.at.expect("a time");
        assert!(at.sql_text() == kept || (kept.is_empty() && at > NOON), "{typed}: {at}");
        assert_eq!(count(&db, "archon_mcp_sessions WHERE status = 'expired' AND total_duration IS NULL"), 0);
    }
}

on_every_database!(many_at_once_each_end_once, |db| async {
    let store = serving(&db).await;
    store_all(&store, (1..=50).flat_map(pair)).await;
    db.rows("UPDATE archon_mcp_sessions SET status = 'disconnected', disconnect_reason = 'maintenance'");
    let per_session = "SELECT COUNT(*) AS n, COUNT(DISTINCT at) AS moments FROM archon_mcp_session_events
                       WHERE kind = 'ended' AND reason = 'maintenance' GROUP BY session_id";
    assert_eq!(
        row(&db, &format!("SELECT COUNT(*), MIN(n), MAX(n), MAX(moments) FROM ({per_session}) AS e")),
        ["50", "2", "2", "1"]
    );
});

on_every_database!(an_ended_protocol_session_takes_its_archon_session_along, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    db.rows("UPDATE archon_mcp_protocol_sessions SET status = 'disconnected'");
    let found = row(
        &db,
        "SELECT disconnect_reason, ended_by, total_duration > 0, disconnected_at IS NOT NULL FROM archon_mcp_protocol_sessions",
    );
    let yes = if db.is_postgres() { "t" } else { "1" };
    assert_eq!(found, ["operator", "sql", yes, yes]);
    assert_eq!(count(&db, "archon_mcp_sessions WHERE status = 'active'"), 0);
    assert_eq!(count(&db, "archon_mcp_session_events WHERE kind = 'ended'"), 2);
});

on_every_database!(a_duration_that_was_typed_stays, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1)).await;
    db.rows("UPDATE archon_mcp_sessions SET status = 'expired', total_duration = 42, ended_by = 'carol'");
    assert_eq!(row(&db, "SELECT total_duration, ended_by FROM archon_mcp_sessions"), ["42", "carol"]);
    assert_eq!(row(&db, "SELECT ended_by FROM archon_mcp_protocol_sessions"), ["carol"]);
});

on_every_database!(a_duration_is_whole_seconds_and_never_negative, |db| async {
    let store = serving(&db).await;
    for (n, (at, seconds)) in (1..).zip([
        ("2026-01-10 12:00:00.000", "0"),
        ("2026-01-10 12:00:00.999", "0"),
        ("2026-01-10 12:00:01.000", "1"),
        ("2026-01-10 13:01:01.999", "3661"),
        ("2026-01-10 11:00:00.000", "0"),
        ("2027-01-10 12:00:00", "31536000"),
    ]) {
        store_all(&store, pair(n)).await;
        let id = ids(n).1;
        db.rows(&format!(
            "UPDATE archon_mcp_sessions SET status = 'expired', disconnected_at = '{at}' WHERE session_id = '{id}'"
        ));
        for table in ["archon_mcp_sessions", "archon_mcp_protocol_sessions"] {
            let duration = db.value(&format!("SELECT total_duration FROM {table} WHERE session_id = '{id}'"));
            assert_eq!(duration, seconds, "{at} in {table}");
        }
    }
});

on_every_database!(an_ended_session_never_comes_back, |db| async {
    let store = serving(&db).await;
    store_all(&store, pair(1).into_iter().chain(pair(2))).await;
    db.rows(&ended(1));
    let end_of = |table: &str| row(&db, &format!("SELECT * FROM {table} WHERE session_id = '{}'", ids(1).1));
    for table in ["archon_mcp_sessions", "archon_mcp_protocol_sessions"] {
        let before = end_of(table);
        for change in [
            "status = 'active'",
            "status = 'active', disconnected_at = NULL",
            "status = 'disconnected'",
            "disconnected_at = NULL",
        ] {
            refuses(&db, &format!("UPDATE {table} SET {change} WHERE session_id = '{}'", ids(1).1));
        }
        assert_eq!(end_of(table), before);
        // Active if and only if there is no end time, also of a row that is typed.
        refuses(&db, &format!("UPDATE {table} SET disconnected_at = last_activity WHERE session_id = '{}'", ids(2).1));
        refuses(&db, &format!("UPDATE {table} SET status = 'gone' WHERE session_id = '{}'", ids(2).1));
    }
    let id = Uuid::from_u128(99);
    let insert = |columns: &str, values: &str| {
        format!("INSERT INTO archon_mcp_sessions (session_id, {columns}) VALUES ('{id}', {values})")
    };
    refuses(&db, &insert("status", "'expired'"));
    refuses(&db, &insert("disconnected_at", "'2026-01-10 12:00:00'"));
    db.rows(&insert("status, disconnected_at", "'expired', '2026-01-10 12:00:00'"));
});

/// The database refuses that statement.
fn refuses(db: &Database, sql: &str) {
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| db.rows(sql)));
    assert!(refused.is_err(), "done: {sql}");
}
