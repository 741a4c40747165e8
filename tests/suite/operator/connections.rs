//! A line is a connection: active, idle or ended; one Archon session after the other, or one that several share.

use serde_json::json;

use super::*;
use crate::databases::on_every_database;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The n-th connection and Archon session.
fn connection(n: u32) -> String {
    format!("c{n:07}-0000-4000-8000-000000000000")
}

fn archon(n: u32) -> String {
    format!("a{n:07}-0000-4000-8000-000000000000")
}

/// A database with a server that is alive, and nothing else.
fn served(db: &Database) {
    printed(db, &["db", "migrate"]);
    db.rows(&format!(
        "INSERT INTO archon_mcp_boots (boot_id, version, started_at, heartbeat_at)
         VALUES ('99999999-9999-4999-8999-999999999999', '0.2.0', {}, {})",
        ago(40 * DAY),
        ago(-HOUR)
    ));
}

/// The n-th connection, used so long ago, whose row says that its time is over so long after that; bound to an Archon
/// session that it opened with it.
fn opened(db: &Database, n: u32, (used, after): (i64, i64)) {
    let (began, used_at, end) = (ago(used + MINUTE), ago(used), ago(used - after));
    db.rows(&format!(
        "INSERT INTO archon_mcp_protocol_sessions (protocol_session_id, session_id, principal, protocol_version, client_type,
           connected_at, last_activity, expires_at, credited, called, calls, errors)
         VALUES ('{p}', '{a}', 'alice', '2025-11-25', 'Codex', {began}, {used_at}, {end}, 0, TRUE, 3, 1);
         INSERT INTO archon_mcp_sessions (session_id, protocol_session_id, principal, user_name, user_email, client_type,
           connected_at, last_activity, expires_at, credited, calls, errors)
         VALUES ('{a}', '{p}', 'alice', 'alice', 'alice@example.org', 'Codex', {began}, {used_at}, {used_at}, 0, 3, 1)",
        p = connection(n),
        a = archon(n)
    ));
}

/// Ends an Archon session as the guide types it.
fn time_out(db: &Database, n: u32) {
    db.rows(&format!(
        "UPDATE archon_mcp_sessions SET status = 'expired', disconnect_reason = 'timeout' WHERE session_id = '{}'",
        archon(n)
    ));
}

fn lines(document: &Value) -> Vec<String> {
    let sessions = document["sessions"].as_array().expect("a list of sessions");
    let id = |s: &Value| s["protocol_session_id"].as_str().or(s["session_id"].as_str()).expect("an id").to_owned();
    sessions.iter().map(id).collect()
}

fn of(numbers: &[u32]) -> Vec<String> {
    numbers.iter().map(|n| connection(*n)).collect()
}

fn state_of(db: &Database, n: u32) -> [Value; 3] {
    let session = document(db, &["show", &connection(n)])["session"].clone();
    [session["state"].clone(), session["status"].clone(), session["disconnect_reason"].clone()]
}

/// Active: 1 and 3, whose stream is open. Idle: 2, and 4, whose row has an hour only, as an older server wrote it. Ended: 5,
/// and 6, whose month is over.
fn some_of_each(db: &Database) {
    served(db);
    for (n, time) in [
        (1, (10, 30 * DAY)),
        (2, (3 * HOUR, 30 * DAY)),
        (3, (5 * HOUR, 30 * DAY)),
        (4, (29 * DAY, HOUR)),
        (5, (6 * HOUR, 30 * DAY)),
        (6, (31 * DAY, 30 * DAY)),
    ] {
        opened(db, n, time);
    }
    let streams = format!("SET stream_at = {} WHERE protocol_session_id = '{}'", ago(MINUTE), connection(3));
    db.rows(&format!("UPDATE archon_mcp_protocol_sessions {streams}"));
    (2..=4).chain([6]).for_each(|n| time_out(db, n));
    document(db, &["expire", &connection(5)]);
}

on_every_database!(lines_are_active_idle_or_ended, |db| async {
    some_of_each(&db);
    let typed = "abcdef01-0000-4000-8000-000000000000";
    db.rows(&format!("INSERT INTO archon_mcp_sessions (session_id, client_type) VALUES ('{typed}', 'psql')"));
    let with = |lines: &[u32]| [vec![typed.to_owned()], of(lines)].concat();
    for (args, expected) in [
        (&[][..], with(&[1, 3])),
        (&["--idle"], with(&[1, 2, 3, 4])),
        (&["--all"], with(&[1, 2, 3, 5, 4, 6])),
        (&["--status", "active"], with(&[1, 3])),
        (&["--status", "idle"], of(&[2, 4])),
        (&["--status", "ended"], of(&[5, 6])),
        (&["--status", "disconnected"], of(&[5])),
        (&["--status", "expired"], of(&[6])),
        (&["--status", "idle,disconnected"], of(&[2, 5, 4])),
        (&["--all", "--client", "codex", "--since", "4h"], of(&[1, 2])),
        (&["--all", "--user", "alice@example.org", "-n", "2"], of(&[1, 2])),
    ] {
        let found = document(&db, &[&["list"], args].concat());
        assert_eq!(lines(&found), expected, "{args:?}");
        assert_eq!(found["idle"], if args.is_empty() { 2 } else { 0 }, "{args:?}");
    }
    let listed = run(&db, &["list"]);
    let told = String::from_utf8_lossy(&listed.stderr).into_owned() + &String::from_utf8_lossy(&listed.stdout);
    assert!(told.contains("+ 2 idle (list --idle)"), "{told}");
    assert_eq!(document(&db, &["list", "--client", "psql"])["idle"], 0, "of those that were asked for");
    assert_eq!(document(&db, &["list", "--client", "codex", "-n", "1"])["idle"], 2);

    let of_state = |n| state_of(&db, n);
    assert_eq!(of_state(3), [json!("active"), json!("active"), Value::Null]);
    assert_eq!(of_state(4), [json!("idle"), json!("active"), Value::Null]);
    assert_eq!(of_state(5), [json!("ended"), json!("disconnected"), json!("operator")]);
    assert_eq!(of_state(6), [json!("ended"), json!("expired"), json!("timeout")]);
    counts_agree(&db);
});

/// What the dashboard and the clients' sums say is what the list says.
fn counts_agree(db: &Database) {
    let shown: Value = serde_json::from_str(&printed(db, &["dashboard", "--once", "-o", "json"])).expect("JSON");
    let listed = |status: &str| lines(&document(db, &["list", "--status", status, "-n", "0"])).len();
    for status in ["active", "idle", "ended", "disconnected", "expired"] {
        assert_eq!(shown["counts"][status], listed(status), "{status}");
    }
    let sum = |key: &str| -> i64 {
        shown["clients"].as_array().expect("clients").iter().map(|client| client[key].as_i64().expect("a count")).sum()
    };
    assert_eq!(usize::try_from(sum("open")), Ok(listed("active") + listed("idle")));
    assert_eq!(usize::try_from(sum("timed_out")), Ok(listed("expired")));
    assert_eq!(usize::try_from(sum("sessions")), Ok(listed("active") + listed("idle") + listed("ended")));
    assert_eq!(lines(&shown), lines(&document(db, &["list", "--idle", "-n", "0"])));
}

on_every_database!(the_newest_servers_rules_are_gone_by, |db| async {
    some_of_each(&db);
    let boot = |n: u32, rules: &str| {
        db.rows(&format!(
            "INSERT INTO archon_mcp_boots (boot_id, version, started_at, heartbeat_at, session_timeout_ms,
               protocol_timeout_ms, max_age_ms)
             VALUES ('99999999-9999-4999-8999-99999999999{n}', '0.2.0', {}, {}, {rules})",
            ago(1),
            ago(-HOUR)
        ));
    };
    boot(1, &format!("{}, {}, NULL", 4 * HOUR * 1000, 30 * DAY * 1000));
    assert_eq!(lines(&document(&db, &["list"])), of(&[1, 2, 3]), "four hours without use are no idleness");
    boot(2, &format!("{}, {}, NULL", HOUR * 1000, 40 * DAY * 1000));
    assert_eq!(lines(&document(&db, &["list", "--status", "idle"])), of(&[2, 4, 6]), "forty days");
    boot(3, &format!("{}, {}, {}", HOUR * 1000, 40 * DAY * 1000, 4 * HOUR * 1000));
    assert_eq!(state_of(&db, 3), [json!("ended"), json!("expired"), json!("max_age")]);
    assert_eq!(lines(&document(&db, &["list", "--idle"])), of(&[1, 2]));
    counts_agree(&db);
});

on_every_database!(an_outage_keeps_connections_too, |db| async {
    some_of_each(&db);
    db.rows(&format!(
        "INSERT INTO archon_mcp_outages (began_at, ended_at, credit_ms, cause, boot) VALUES ({}, {}, {}, 'freeze', 1)",
        ago(31 * DAY),
        ago(30 * DAY),
        25 * HOUR * 1000
    ));
    assert_eq!(lines(&document(&db, &["list", "--status", "idle"])), of(&[2, 4, 6]));
    // The clock was set back by what it had gone too far.
    let set = |ms: i64| {
        db.rows(&format!(
            "INSERT INTO archon_mcp_outages (began_at, ended_at, credit_ms, cause, boot)
             VALUES ({at}, {at}, {ms}, 'clock', 1)",
            at = ago(DAY)
        ));
    };
    set(-25 * HOUR * 1000);
    assert_eq!(lines(&document(&db, &["list", "--status", "expired"])), of(&[6]));
    set(-2 * DAY * 1000);
    assert_eq!(lines(&document(&db, &["list", "--status", "expired"])), of(&[4, 6]));
    db.rows("UPDATE archon_mcp_protocol_sessions SET credited = 3");
    assert_eq!(lines(&document(&db, &["list", "--status", "expired"])), of(&[6]), "it is in their rows already");
    counts_agree(&db);
});

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
    for words in ["Archon sessions\n", "timeout by sql", "active, for another 29d"] {
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
