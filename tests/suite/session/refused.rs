//! Nobody is refused unseen: each refusal is counted by its reason, told in the log, and an event.

use std::collections::BTreeMap;

use serde_json::json;

use super::{SOON, call_body, get, until};
use crate::databases::on_every_database;
use crate::http::{Connection, Mcp};
use crate::process::ServeProcess;

const JSON: (&str, &str) = ("content-type", "application/json");
const STREAM: (&str, &str) = ("accept", "text/event-stream");
/// Never issued.
const NEVER: &str = "550e8400-e29b-41d4-a716-446655440000";

/// How many requests were refused, by reason; those that were.
async fn counted(server: &ServeProcess) -> BTreeMap<String, u64> {
    let metrics = get(server.address(), "/metrics").await.expect("metrics").text();
    let of = |line: &str| {
        let (reason, count) = line.strip_prefix("archonctl_requests_refused_total{reason=\"")?.split_once("\"} ")?;
        Some((reason.to_owned(), count.parse().ok()?))
    };
    metrics.lines().filter_map(of).filter(|(_, count)| *count > 0).collect()
}

async fn ask(server: &ServeProcess, line: &str, headers: &[(&str, &str)]) -> u16 {
    let mut connection = Connection::open(server.address()).await.expect("a connection");
    let body = if line.starts_with("POST") { call_body("health_check", &json!({})) } else { String::new() };
    let headers = [headers, &[("connection", "close"), ("user-agent", "stuck-agent/1.0")]].concat();
    connection.request(line, &headers, &body).await.expect("sent");
    connection.answer().await.expect("an answer").status
}

on_every_database!(who_is_refused_is_counted_told_and_an_event, |db| async {
    let server = ServeProcess::start(&db, &[]).await;
    let gone = Mcp::new(server.url()).initialize("2025-11-25").await;
    assert_eq!(ask(&server, "DELETE /mcp", &[("mcp-session-id", &gone.id)]).await, 204);
    for _ in 0..5 {
        assert_eq!(ask(&server, "POST /mcp", &[JSON, ("mcp-session-id", NEVER)]).await, 404);
    }
    for (line, headers, status) in [
        ("POST /mcp", &[JSON][..], 400),
        ("POST /mcp", &[JSON, ("mcp-session-id", &*gone.id)], 404),
        ("POST /mcp", &[JSON, ("mcp-session-id", "no id")], 404),
        ("POST /mcp", &[JSON, ("mcp-session-id", &*gone.id), ("x-mcp-session-id", NEVER)], 400),
        ("POST /mcp", &[JSON, ("mcp-protocol-version", "1999-01-01"), ("mcp-session-id", NEVER)], 400),
        ("POST /mcp", &[("content-type", "text/plain")], 415),
        ("GET /mcp", &[STREAM, ("mcp-session-id", NEVER)], 404),
        ("DELETE /mcp", &[("mcp-session-id", NEVER)], 404),
        ("DELETE /mcp", &[], 400),
        ("GET /mcp", &[("host", "evil.example")], 403),
    ] {
        assert_eq!(ask(&server, line, headers).await, status, "{line} {headers:?}");
    }
    let wanted = [
        ("bad_request", 1),
        ("foreign_host", 1),
        ("revision", 1),
        ("session_ended", 1),
        ("session_malformed", 1),
        ("session_required", 2),
        ("session_unknown", 7),
        ("two_sessions", 1),
    ];
    assert_eq!(counted(&server).await, wanted.map(|(reason, count)| (reason.to_owned(), count)).into());

    let of_unknown = |lines: Vec<String>| {
        let is_one = |line: &&String| line.contains("\"reason\":\"session_unknown\"");
        lines.iter().filter(is_one).cloned().collect::<Vec<_>>()
    };
    let told = of_unknown(server.lines());
    assert_eq!(told.len(), 1, "the same again within a minute is a number: {told:?}");
    for word in
        ["\"from\":\"127.0.0.1\"", "stuck-agent/1.0", "\"session\":\"550e8400\"", "\"uptime_s\":", "\"sessions\":"]
    {
        assert!(told[0].contains(word), "{word} in {}", told[0]);
    }
    server.wait_for_line("PATTERN: Rapid failures for session 550e8400", SOON).await;
    server.wait_for_line("PATTERN: Session failures after recent restarts", SOON).await;
    until(&db, "SELECT COUNT(*) FROM archon_mcp_session_events WHERE kind = 'refused'", "8").await;
    let event = db.value(&format!(
        "SELECT reason FROM archon_mcp_session_events WHERE kind = 'refused' AND protocol_session_id = '{NEVER}' \
         AND reason LIKE 'session_unknown%'"
    ));
    assert!(event.starts_with("session_unknown: from 127.0.0.1, stuck-agent/1.0; up "), "{event}");
});

on_every_database!(a_flood_of_ids_costs_twenty_lines_and_no_more, |db| async {
    let server = ServeProcess::start(&db, &[]).await;
    let mcp = Mcp::new(server.url());
    for n in 0..200 {
        let id = format!("550e8400-e29b-41d4-a716-{n:012}");
        let answer =
            mcp.post(&[("mcp-session-id", &id)], call_body("health_check", &json!({}))).await.expect("an answer");
        assert_eq!(answer.status, 404);
    }
    assert_eq!(counted(&server).await.get("session_unknown"), Some(&200));
    let told = server.lines().iter().filter(|line| line.contains("\"reason\":\"session_unknown\"")).count();
    // Another minute may have begun meanwhile.
    assert!((20..=42).contains(&told), "{told} lines");
});
