//! A line is a connection: active, idle or ended, and so it is everywhere.

use serde_json::json;

use super::*;
use crate::databases::on_every_database;

pub(super) const MINUTE: i64 = 60;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// The n-th connection and Archon session.
pub(super) fn connection(n: u32) -> String {
    format!("c{n:07}-0000-4000-8000-000000000000")
}

pub(super) fn archon(n: u32) -> String {
    format!("a{n:07}-0000-4000-8000-000000000000")
}

/// A database with a server that is alive, and nothing else.
pub(super) fn served(db: &Database) {
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
pub(super) fn opened(db: &Database, n: u32, (used, after): (i64, i64)) {
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
pub(super) fn time_out(db: &Database, n: u32) {
    db.rows(&format!(
        "UPDATE archon_mcp_sessions SET status = 'expired', disconnect_reason = 'timeout' WHERE session_id = '{}'",
        archon(n)
    ));
}

pub(super) fn lines(document: &Value) -> Vec<String> {
    let sessions = document["sessions"].as_array().expect("a list of sessions");
    let id = |s: &Value| s["protocol_session_id"].as_str().or(s["session_id"].as_str()).expect("an id").to_owned();
    sessions.iter().map(id).collect()
}

pub(super) fn of(numbers: &[u32]) -> Vec<String> {
    numbers.iter().map(|n| connection(*n)).collect()
}

fn state_of(db: &Database, n: u32) -> [Value; 3] {
    let session = document(db, &["show", &connection(n)])["session"].clone();
    [session["state"].clone(), session["status"].clone(), session["disconnect_reason"].clone()]
}

/// Active: 1 and 3, whose stream is open. Idle: 2, and 4, whose row has an hour only, as an older server wrote it. Ended: 5,
/// and 6, whose month is over.
pub(super) fn some_of_each(db: &Database) {
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
pub(super) fn counts_agree(db: &Database) {
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
