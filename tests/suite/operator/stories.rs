//! A connection has one Archon session after the other, or shares one; what `show` tells of it, and what `expire` ends.

use std::time::{Duration, Instant};

use serde_json::json;

use super::connections::*;
use super::*;
use crate::databases::on_every_database;
use crate::http::{Connection, Mcp};
use crate::process::ServeProcess;
use crate::store::backend::older::{clients, leave};

/// The first connection's next Archon session, under the id that is reserved for it, and requests of every kind.
fn next_one(db: &Database, reserved: &str) {
    db.rows(&format!(
        "INSERT INTO archon_mcp_sessions (session_id, protocol_session_id, connected_at, last_activity, calls)
         VALUES ('{reserved}', '{}', {now}, {now}, 4);
         UPDATE archon_mcp_protocol_sessions SET called = TRUE, calls = 7 WHERE session_id = '{reserved}';
         INSERT INTO archon_mcp_requests (session_id, protocol_session_id, method, tool_name, status, timestamp)
         VALUES ('{first}', '{p}', 'tools/call', 'a', 'success', {now}), (NULL, '{p}', 'tools/list', NULL, 'success', {now}),
           ('{reserved}', '{p}', 'tools/call', 'b', 'success', {now}), ('{first}', '{other}', 'tools/call', 'c', 'success', {now})",
        connection(1),
        first = archon(1),
        p = connection(1),
        other = connection(2),
        now = ago(1)
    ));
}

on_every_database!(one_archon_session_comes_after_the_other, |db| async {
    served(&db);
    opened(&db, 1, (10, 30 * DAY));
    opened(&db, 2, (20, 30 * DAY));
    time_out(&db, 1);
    // The next one, under the id that is reserved now.
    let reserved = document(&db, &["list"])["sessions"][0]["session_id"].as_str().expect("an id").to_owned();
    assert_ne!(reserved, archon(1));
    let text = printed(&db, &["show", &reserved]);
    assert!(text.contains(&format!("{reserved} (reserved for the next tool call)")), "{text}");
    next_one(&db, &reserved);
    for id in [&connection(1), &archon(1), &reserved, "c0000001", "a0000001"] {
        let story = document(&db, &["show", id]);
        assert_eq!(
            (&story["session"]["protocol_session_id"], &story["session"]["calls"]),
            (&json!(connection(1)), &json!(7))
        );
        let told = |member: &str| -> Vec<_> {
            story["archon_sessions"].as_array().expect("a list").iter().map(|s| s[member].clone()).collect()
        };
        assert_eq!(told("session_id"), [json!(archon(1)), json!(reserved)], "{id}: the oldest first");
        assert_eq!(told("status"), [json!("expired"), json!("active")]);
        assert_eq!(told("disconnect_reason"), [json!("timeout"), Value::Null]);
        assert_eq!(told("calls"), [json!(3), json!(4)]);
        let of_each = |list: &str, member: &str| -> Vec<_> {
            story[list].as_array().expect("a list").iter().map(|item| item[member].clone()).collect()
        };
        assert_eq!(of_each("requests", "tool_name"), [json!("a"), Value::Null, json!("b")], "{id}: its own");
        let kinds = of_each("events", "kind");
        assert_eq!(kinds, ["initialised", "created", "ended", "created"], "{id}: its own");
        assert_eq!(story["older_removed"], false);
    }
    let count = |session: &str, list: &str| {
        document(&db, &[list, "--session", session])[list].as_array().expect("a list").len()
    };
    assert_eq!((count(&connection(1), "requests"), count(&connection(1), "events")), (3, 4));
    assert_eq!(
        (count(&archon(1), "requests"), count(&reserved, "requests")),
        (2, 1),
        "an Archon session's are its own"
    );
    assert_eq!(document(&db, &["show", &connection(1), "-n", "2"])["requests"].as_array().map(Vec::len), Some(2));
    let text = printed(&db, &["show", &archon(1)]);
    for words in ["Archon sessions\n", "timeout by sql", "active, ends in 29d"] {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
    // An end for time ended nothing else; an operator's does, by whichever of its ids.
    assert_eq!(lines(&document(&db, &["expire", &archon(1)])), of(&[1]));
    assert_eq!(
        db.value(&format!("SELECT disconnect_reason FROM archon_mcp_sessions WHERE session_id = '{reserved}'")),
        "operator"
    );
    assert_eq!(lines(&document(&db, &["list"])), of(&[2]));
    for id in [connection(1), archon(1), reserved] {
        let again = told(&db, &["expire", &id], exit::NO_SESSION);
        assert!(again.contains(&format!("the session {id} has ended already: operator by ")), "{again}");
    }
});

on_every_database!(what_retention_removed_is_told, |db| async {
    served(&db);
    opened(&db, 1, (10, 30 * DAY));
    time_out(&db, 1);
    let told = || document(&db, &["show", &connection(1)])["older_removed"].clone();
    db.rows("DELETE FROM archon_mcp_session_events");
    assert_eq!(told(), false, "its Archon session is there");
    db.rows("DELETE FROM archon_mcp_sessions");
    assert_eq!(told(), true);
    let text = printed(&db, &["show", &connection(1)]);
    assert!(text.contains("\nArchon sessions: older ones were removed (--retention)\n"), "{text}");
    // Its id is nobody's now.
    assert!(self::told(&db, &["show", &archon(1)], exit::NO_SESSION).contains("no session has an id"));
});

on_every_database!(connections_may_share_an_archon_session, |db| async {
    served(&db);
    (1..=4).for_each(|n| opened(&db, n, (10 * i64::from(n), 30 * DAY)));
    let bind = |n: u32, to: u32| {
        db.rows(&format!(
            "UPDATE archon_mcp_protocol_sessions SET session_id = '{}' WHERE protocol_session_id = '{}'",
            archon(to),
            connection(n)
        ));
    };
    bind(2, 1);
    bind(3, 1);
    let listed = document(&db, &["list"]);
    assert_eq!(lines(&listed), of(&[1, 2, 3, 4]), "each is a line");
    assert_eq!(ids(&listed), [archon(1), archon(1), archon(1), archon(4)]);
    let story = document(&db, &["show", &connection(2)]);
    let shared: Vec<_> =
        story["archon_sessions"].as_array().expect("a list").iter().map(|s| s["shared_from"].clone()).collect();
    assert_eq!(shared, [Value::Null, json!(connection(1))]);
    assert_eq!(story["protocol_sessions"].as_array().map(Vec::len), Some(3));
    assert!(printed(&db, &["show", &connection(2)]).contains("Connections of its Archon session"));
    assert_eq!(document(&db, &["show", &archon(1)])["session"]["protocol_session_id"], connection(1), "who opened it");

    let status =
        |n: u32| db.value(&format!("SELECT status FROM archon_mcp_sessions WHERE session_id = '{}'", archon(n)));
    assert_eq!(lines(&document(&db, &["expire", &connection(1)])), of(&[1]));
    assert_eq!(status(1), "active", "others go on in it");
    assert_eq!(document(&db, &["show", &archon(1)])["session"]["protocol_session_id"], connection(2), "who is there");
    assert_eq!(lines(&document(&db, &["expire", &archon(1)])), of(&[2, 3]), "all that are left");
    assert_eq!((status(1).as_str(), status(4).as_str()), ("disconnected", "active"));
    // By the id of one that it opened and left.
    bind(4, 3);
    assert_eq!(lines(&document(&db, &["expire", &archon(4)])), of(&[4]));
    counts_agree(&db);
});

on_every_database!(expire_goes_by_the_connections_last_use, |db| async {
    some_of_each(&db);
    for (args, expected) in [
        (&["--idle", "2h"][..], of(&[2, 3, 4])),
        (&["--idle", "20d", "--client", "codex"], of(&[4])),
        (&["--all"], of(&[1, 2, 3, 4])),
    ] {
        assert_eq!(lines(&document(&db, &[&["expire", "--dry-run"], args].concat())), expected, "{args:?}");
    }
    assert_eq!(document(&db, &["expire", "--idle", "1d", "--yes"])["ended"], 1);
    assert_eq!(lines(&document(&db, &["list", "--idle"])), of(&[1, 2, 3]));
    assert_eq!(document(&db, &["expire", "--all", "--yes"])["ended"], 3);
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_sessions WHERE status = 'active'"), "0");
    let left = db.value("SELECT protocol_session_id FROM archon_mcp_protocol_sessions WHERE status = 'active'");
    assert_eq!(left, connection(6), "it is over, and no server has met it");
    counts_agree(&db);
});

on_every_database!(many_connections_are_ended_in_chunks, |db| async {
    served(&db);
    for chunk in 0..11 {
        let values: Vec<_> = (0..100).map(|i| (chunk * 100 + i, ago(10), ago(-DAY))).collect();
        let connections = values.iter().map(|(n, used, end)| {
            format!("('{}', '{}', '2025-11-25', 'Codex', {used}, {used}, {end})", connection(*n), archon(*n))
        });
        let sessions =
            values.iter().map(|(n, used, _)| format!("('{}', '{}', 'Codex', {used})", archon(*n), connection(*n)));
        db.rows(&format!(
            "INSERT INTO archon_mcp_protocol_sessions (protocol_session_id, session_id, protocol_version, client_type,
               connected_at, last_activity, expires_at) VALUES {};
             INSERT INTO archon_mcp_sessions (session_id, protocol_session_id, client_type, connected_at) VALUES {}",
            connections.collect::<Vec<_>>().join(", "),
            sessions.collect::<Vec<_>>().join(", ")
        ));
    }
    let done = document(&db, &["expire", "--client", "codex", "--yes", "--reason", "over"]);
    assert_eq!((&done["ended"], lines(&done).len()), (&json!(1100), 1100));
    for table in ["archon_mcp_sessions", "archon_mcp_protocol_sessions"] {
        assert_eq!(db.value(&format!("SELECT COUNT(*) FROM {table} WHERE disconnect_reason = 'operator'")), "1100");
    }
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_session_events WHERE kind = 'ended'"), "2200");
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_session_events WHERE reason = 'over'"), "1100");
});

on_every_database!(what_an_older_version_left_is_listed, |db| async {
    leave(&db, "0.1.0");
    printed(&db, &["db", "migrate"]);
    let [live, ended] = clients(&db, "0.1.0");
    let all = |clients: &[Value], field: &str| {
        let mut ids: Vec<_> = clients.iter().map(|client| client[field].as_str().expect("an id").to_owned()).collect();
        ids.sort_unstable();
        ids
    };
    let sorted = |args: &[&str]| {
        let mut lines = lines(&document(&db, args));
        lines.sort_unstable();
        lines
    };
    assert_eq!(sorted(&["list", "--idle", "-n", "0"]), all(&live, "protocol"));
    assert_eq!(sorted(&["list", "--all", "-n", "0"]), all(&[live.clone(), ended.clone()].concat(), "protocol"));
    for client in live.iter().chain(&ended) {
        let [protocol, archon] = ["protocol", "archon"].map(|id| client[id].as_str().expect("an id"));
        let story = document(&db, &["show", protocol]);
        assert_eq!(story["session"]["protocol_session_id"], protocol);
        let told = document(&db, &["show", archon]);
        let shared = live.iter().chain(&ended).filter(|other| other["archon"] == archon);
        let shown = &told["session"]["protocol_session_id"];
        assert!(shared.map(|other| &other["protocol"]).any(|id| id == shown), "{client}: {told}");
    }
    counts_agree(&db);
    let gone = live[0]["archon"].as_str().expect("an id");
    let expected = live.iter().filter(|client| client["archon"] == gone).count();
    assert_eq!(document(&db, &["expire", gone])["ended"], expected);
    assert_eq!(sorted(&["list", "--idle", "-n", "0"]).len(), live.len() - expected);
});

on_every_database!(the_metrics_count_as_the_list_does, |db| async {
    let server = ServeProcess::start(&db, &[]).await;
    let (used, left) = (Mcp::new(server.url()), Mcp::new(server.url()));
    let (used, left) = (used.initialize("2025-11-25").await, left.initialize("2025-11-25").await);
    used.call("health_check", json!({})).await;
    left.call("health_check", json!({})).await;
    // Until the touches are written: one that came later would undo what is typed next.
    let began = Instant::now();
    while db.value("SELECT SUM(calls) FROM archon_mcp_protocol_sessions") != "2" {
        assert!(began.elapsed() < Duration::from_secs(30), "the touches are not written");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    db.rows(&format!(
        "UPDATE archon_mcp_protocol_sessions SET last_activity = {at} WHERE protocol_session_id = '{id}';
         UPDATE archon_mcp_sessions SET status = 'expired', disconnect_reason = 'timeout'
         WHERE session_id = (SELECT p.session_id FROM archon_mcp_protocol_sessions p WHERE p.protocol_session_id = '{id}')",
        at = ago(2 * HOUR),
        id = left.id
    ));
    assert_eq!(lines(&document(&db, &["list"])), std::slice::from_ref(&used.id));
    assert_eq!(document(&db, &["list"])["idle"], 1);
    let wanted = [
        r#"archonctl_connections{state="active"} 1"#,
        r#"archonctl_connections{state="idle"} 1"#,
        "archonctl_sessions_active{} 1",
        r#"archonctl_sessions{kind="protocol",status="active"} 2"#,
        r#"archonctl_sessions{kind="archon",status="active"} 1"#,
    ];
    // Counts may be those of a moment ago.
    let began = Instant::now();
    loop {
        let mut connection = Connection::open(server.address()).await.expect("a connection");
        connection.request("GET /metrics", &[("connection", "close")], "").await.expect("asked");
        let metrics = connection.answer().await.expect("an answer").text();
        if wanted.iter().all(|line| metrics.lines().any(|told| told == *line)) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "not all of {wanted:?} are in:\n{metrics}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
});
