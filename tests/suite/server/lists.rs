//! Several lines of a header and one line with commas are the same, whatever blanks stand around a member.

use serde_json::json;

use super::{House, LATEST, PING, assert_refused, call, initialize};
use crate::http::Answer;

/// The same list in every form that it may have.
fn forms(name: &'static str, members: &[&str]) -> Vec<Vec<(&'static str, String)>> {
    let line = |text: String| (name, text);
    let joined = |with: &str| vec![line(members.join(with))];
    vec![
        members.iter().map(|member| line((*member).to_owned())).collect(),
        joined(","),
        joined(", "),
        joined(" \t,  , "),
        vec![line(String::new()), line(format!(", {} ,", members.join(" ,"))), line(" ".to_owned())],
    ]
}

impl House {
    /// A ping with that list, in each of its forms; what all of them are answered.
    async fn pinged(&self, headers: &[(&str, &str)], name: &'static str, members: &[&str]) -> Answer {
        let mut answers = Vec::new();
        for form in forms(name, members) {
            let given: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let missing = ("content-type", "application/json");
            let own = (name != "content-type").then_some(missing);
            let all: Vec<_> = headers.iter().copied().chain(own).chain(given).collect();
            answers.push((self.request("POST /mcp", &all, PING).await, form));
        }
        let status = answers[0].0.status;
        for (answer, form) in &answers {
            assert_eq!(answer.status, status, "{form:?}: {}", answer.text());
        }
        answers.swap_remove(0).0
    }
}

#[tokio::test]
async fn of_revisions() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let id = [("mcp-session-id", session.id.as_str())];
    for spoken in [&["2025-11-25"][..], &["2025-11-25", "2025-11-25"], &["2024-11-05", "2025-06-18", "2025-03-26"]] {
        assert_eq!(house.pinged(&id, "mcp-protocol-version", spoken).await.status, 200, "{spoken:?}");
    }
    for unknown in [&["2025-11-25", "1999-01-01"][..], &["x", "2025-11-25"], &["2025-11-25 2025-11-25"]] {
        let answer = house.pinged(&id, "mcp-protocol-version", unknown).await;
        assert_refused(&answer, 400, -32000, "unsupported_version");
    }
    let modern = house.pinged(&id, "mcp-protocol-version", &["2025-11-25", "2026-07-28"]).await;
    assert_refused(&modern, 400, -32000, "legacy_only");
}

#[tokio::test]
async fn of_session_ids() {
    let house = House::open(&[]).await;
    let (one, other) = (house.session().await, house.session().await);
    for name in ["mcp-session-id", "x-mcp-session-id"] {
        assert_eq!(house.pinged(&[], name, &[&one.id]).await.status, 200);
        assert_eq!(house.pinged(&[], name, &[&one.id, &one.id]).await.status, 200);
        assert_eq!(house.pinged(&[("MCP-SESSION-ID", &one.id)], name, &[&one.id]).await.status, 200);
        for pair in [[one.id.as_str(), &other.id], [&one.id, "no-such-session"], [&one.id, &one.id.to_uppercase()]] {
            assert_refused(&house.pinged(&[], name, &pair).await, 400, -32000, "two_sessions");
        }
        assert_refused(&house.pinged(&[], name, &["no-such-session"]).await, 404, -32001, "session_unknown");
        assert_refused(&house.pinged(&[], name, &[""]).await, 400, -32000, "session_required");
        let both = [(name, one.id.as_str()), (name, &one.id), ("content-type", "application/json")];
        assert_eq!(house.request("POST /mcp", &both, &initialize(LATEST)).await.status, 200);
    }
}

#[tokio::test]
async fn of_archon_ids() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let own = session.archon.as_deref().expect("an Archon session");
    session.call("test_echo", json!({"text": "x"})).await;
    let upper = own.to_uppercase();
    for ids in [&[own][..], &[own, own], &[&upper], &[own, "550e8400-e29b-41d4-a716-446655440000"]] {
        for form in forms("x-archon-session-id", ids) {
            let headers: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = session.post(&headers, call(1, "heartbeat", json!({}))).await.expect("an answer");
            assert_eq!((answer.status, answer.header("x-archon-session-id")), (200, Some(own)), "{form:?}");
        }
    }
}

#[tokio::test]
async fn of_what_the_body_is() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let id = [("mcp-session-id", session.id.as_str())];
    for json in [
        &["application/json"][..],
        &["APPLICATION/JSON", "application/json ;charset=\"utf-8, or so\""],
        &["application/json;a=b", "Application/Json"],
    ] {
        assert_eq!(house.pinged(&id, "content-type", json).await.status, 200, "{json:?}");
    }
    for other in
        [&["application/json", "text/plain"][..], &["text/json"], &["application/json-seq", "application/json"]]
    {
        assert_refused(&house.pinged(&id, "content-type", other).await, 415, -32000, "content_type");
    }
    for plain in [&["identity"][..], &["IDENTITY", "identity"], &[""]] {
        assert_eq!(house.pinged(&id, "content-encoding", plain).await.status, 200, "{plain:?}");
    }
    for coding in [&["gzip"][..], &["identity", "GZIP"], &["br", "identity"], &["utf-8"]] {
        let answer = house.pinged(&id, "content-encoding", coding).await;
        assert_refused(&answer, 415, -32000, "content_encoding");
        assert_eq!(answer.header("accept-encoding"), Some("identity"), "{coding:?}");
    }
}
