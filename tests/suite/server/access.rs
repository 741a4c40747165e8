//! Who is let in: tokens, Host and Origin, and what is nobody's.

use sha2::{Digest, Sha256};

use super::{House, LATEST, PING, assert_refused, assert_serves, initialize};
use crate::databases::Database;
use crate::http::Mcp;

fn hex(digit: u8) -> char {
    char::from_digit(digit.into(), 16).expect("half a byte")
}

/// A server that knows ada (token `a`) and bob (token `b`).
pub(super) async fn with_tokens(arguments: &[&str]) -> House {
    let db = Database::sqlite();
    let file = db.folder().join("tokens");
    let line = |token: &str, name: &str| {
        let mut line: String = Sha256::digest(token).iter().flat_map(|byte| [byte >> 4, byte & 15]).map(hex).collect();
        line.extend([" ", name, "\n"]);
        line
    };
    std::fs::write(&file, line("a", "ada") + &line("b", "bob")).expect("a token file");
    let path = file.to_str().expect("a path").to_owned();
    House::open_on(db, &[&["--token-file", &path], arguments].concat()).await
}

#[tokio::test]
async fn a_token_is_asked_for() {
    let house = with_tokens(&[]).await;
    let wrong = [None, Some("Bearer wrong"), Some("Bearer "), Some("Basic YTpi"), Some("a")];
    for authorization in wrong {
        let headers: Vec<_> = authorization.map(|value| ("authorization", value)).into_iter().collect();
        for (line, body) in [("POST /mcp", initialize(LATEST)), ("DELETE /mcp", String::new())] {
            let headers = [&headers[..], &[("content-type", "application/json")]].concat();
            let answer = house.request(line, &headers, &body).await;
            assert_refused(&answer, 401, -32000, "unauthorized");
            assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")), "{line}");
        }
    }
    let opened = house.post(&[("authorization", "bearer a")], initialize(LATEST)).await;
    assert_eq!(opened.status, 200, "the scheme has no case: {}", opened.text());
}

#[tokio::test]
async fn anothers_session_is_not_found_and_noted_once() {
    let house = with_tokens(&[]).await;
    let client = |token| Mcp::new(house.server.url()).with_token(token);
    let (ada, bob) = (client("a").initialize(LATEST).await, client("b").initialize(LATEST).await);
    let theirs = [("mcp-session-id", ada.id.as_str())];
    for _ in 0..3 {
        assert_refused(&client("b").post(&theirs, PING).await.expect("an answer"), 404, -32001, "session_unknown");
    }
    let headers = [theirs[0], ("authorization", "Bearer b")];
    assert_refused(&house.request("DELETE /mcp", &headers, "").await, 404, -32001, "session_unknown");
    let event = format!("kind = 'refused' AND protocol_session_id = '{}' AND reason LIKE '%bob%'", ada.id);
    house.until(&format!("SELECT count(*) FROM archon_mcp_session_events WHERE {event}"), "1").await;
    assert_serves(&ada).await;
    assert_serves(&bob).await;
    let archon = ada.archon.as_deref().expect("an Archon session");
    house.until(&format!("SELECT user_name FROM archon_mcp_sessions WHERE session_id = '{archon}'"), "ada").await;
}

#[tokio::test]
async fn strangers_by_host_or_origin_are_refused() {
    let house = House::open(&[]).await;
    let body = initialize(LATEST);
    let json = ("content-type", "application/json");
    for host in ["evil.example.com", "127.0.0.1.evil.com", "localhost.evil.com:80", ""] {
        for line in ["POST /mcp", "DELETE /mcp", "GET /mcp", "GET /nothing", "GET /health"] {
            assert_refused(&house.request(line, &[("host", host), json], &body).await, 403, -32000, "foreign_host");
        }
    }
    for origin in ["http://evil.example.com", "null", "http://127.0.0.1.evil.com", "file://"] {
        let answer = house.request("POST /mcp", &[("origin", origin), json], &body).await;
        assert_refused(&answer, 403, -32000, "foreign_host");
    }
    for origin in ["http://localhost:6274", "https://127.0.0.1", "http://[::1]:1"] {
        assert_eq!(house.request("POST /mcp", &[("origin", origin), json], &body).await.status, 200, "{origin}");
    }
}

#[tokio::test]
async fn a_second_host_or_origin_does_not_hide_behind_the_first() {
    let house = House::open(&[]).await;
    let (json, body) = (("content-type", "application/json"), initialize(LATEST));
    let own = ("host", house.server.address());
    for header in ["host", "origin"] {
        let good = if header == "host" { "localhost" } else { "http://localhost" };
        for pair in [[good, "http://evil.example.com"], ["http://evil.example.com", good]] {
            let mut headers = vec![json, (header, pair[0]), (header, pair[1])];
            headers.extend((header == "origin").then_some(own));
            assert_refused(&house.request("POST /mcp", &headers, &body).await, 403, -32000, "foreign_host");
        }
    }
}

#[tokio::test]
async fn the_operator_lets_others_in() {
    let flags = ["--allow-host", "mcp.example.org", "--allow-origin", "https://app.example.org", "--trust-proxy"];
    let house = House::open(&flags).await;
    let (json, body) = (("content-type", "application/json"), initialize(LATEST));
    let cases = [
        (200, vec![("host", "mcp.example.org:443"), ("origin", "https://app.example.org")]),
        (200, vec![("host", "backend.internal"), ("x-forwarded-host", "mcp.example.org")]),
        (403, vec![("host", "mcp.example.org"), ("x-forwarded-host", "other.example.org")]),
        (403, vec![("host", "mcp.example.org"), ("origin", "http://app.example.org")]),
        (403, vec![("host", "app.example.org")]),
    ];
    for (status, headers) in cases {
        let answer = house.request("POST /mcp", &[&headers[..], &[json]].concat(), &body).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
    }
}

#[tokio::test]
async fn there_is_nothing_to_log_in_to() {
    let house = with_tokens(&[]).await;
    for path in ["oauth-protected-resource", "oauth-protected-resource/mcp", "oauth-authorization-server"] {
        let answer = house.request(&format!("GET /.well-known/{path}"), &[], "").await;
        assert_refused(&answer, 404, -32000, "not_found");
    }
}
