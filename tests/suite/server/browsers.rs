//! Browsers are clients too: pages that are let in are told so on every answer, all others on none.

use serde_json::json;

use super::access::with_tokens;
use super::{House, LATEST, PING, assert_refused, call, initialize};
use crate::http::Answer;

const APP: &str = "https://app.example.org";
const ALLOW: [&str; 2] = ["--allow-origin", "https://app.example.org,https://*.example.net"];
/// Of this machine, on whatever port; and by the operator.
const ALLOWED: [&str; 4] = [APP, "https://a.b.example.net", "http://localhost:6274", "http://127.0.0.1:1"];
const STRANGERS: [&str; 5] =
    ["https://evil.example", "null", "http://app.example.org", "https://app.example.org.evil.example", "file://"];
const STREAM: &str = "text/event-stream";

#[track_caller]
fn assert_told(answer: &Answer, origin: &str) {
    assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "{} {}", answer.status, answer.text());
    assert!(answer.header("vary").is_some_and(|vary| vary.contains("Origin")), "{:?}", answer.headers);
    let exposed = answer.header("access-control-expose-headers").unwrap_or_default().to_ascii_lowercase();
    for name in ["mcp-session-id", "x-archon-session-id", "x-archon-record", "mcp-protocol-version", "retry-after"] {
        assert!(exposed.split(", ").any(|one| one == name), "{name} of {exposed}");
    }
}

#[track_caller]
fn assert_told_nothing(answer: &Answer) {
    let told = answer.headers.iter().find(|(name, _)| name.starts_with("access-control-"));
    assert_eq!(told, None, "{} {}", answer.status, answer.text());
}

type Headers = Vec<(&'static str, String)>;

/// Requests that are answered in every way there is: line, headers, body, status.
fn requests(id: &str) -> Vec<(&'static str, Headers, String, u16)> {
    let json = || ("content-type", "application/json".to_owned());
    let own = || vec![json(), ("mcp-session-id", id.to_owned())];
    let with = |name: &'static str, value: &str| [own(), vec![(name, value.to_owned())]].concat();
    vec![
        ("POST /mcp", vec![json()], initialize(LATEST), 200),
        ("POST /mcp", own(), PING.to_owned(), 200),
        ("POST /mcp/", with("accept", STREAM), call(1, "test_echo", json!({"text": "x"})), 200),
        ("POST /mcp", own(), r#"{"jsonrpc":"2.0","method":"notifications/x"}"#.to_owned(), 202),
        ("POST /mcp", own(), "{".to_owned(), 400),
        ("POST /mcp", vec![json()], PING.to_owned(), 400),
        ("POST /mcp", vec![json(), ("mcp-session-id", "no-such-session".to_owned())], PING.to_owned(), 404),
        ("POST /mcp", with("accept", "*/*;q=0"), PING.to_owned(), 406),
        ("POST /mcp", with("content-encoding", "gzip"), PING.to_owned(), 415),
        ("GET /mcp", own(), String::new(), 405),
        ("OPTIONS /mcp", vec![], String::new(), 405),
        ("POST /nothing", own(), PING.to_owned(), 404),
        ("GET /.well-known/oauth-protected-resource", vec![], String::new(), 404),
        ("GET /health", vec![], String::new(), 200),
        ("GET /metrics", vec![], String::new(), 200),
        ("GET /", vec![], String::new(), 200),
        ("DELETE /mcp", own(), String::new(), 204),
    ]
}

async fn sent(house: &House, line: &str, headers: &[(&'static str, String)], origin: &str, body: &str) -> Answer {
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| (*name, value.as_str())).chain([("origin", origin)]).collect();
    house.request(line, &headers, body).await
}

#[tokio::test]
async fn every_answer_tells_a_page_that_is_let_in() {
    let house = House::open(&ALLOW).await;
    for origin in ALLOWED {
        for (line, headers, body, status) in requests(&house.session().await.id) {
            let answer = sent(&house, line, &headers, origin, &body).await;
            assert_eq!(answer.status, status, "{line}: {}", answer.text());
            assert_told(&answer, origin);
        }
        let probe = house.request("GET /readyz", &[("origin", origin), ("host", "10.0.0.1")], "").await;
        assert_told(&probe, origin);
        let foreign = house.request("POST /mcp", &[("origin", origin), ("host", "evil.example")], PING).await;
        assert_refused(&foreign, 403, -32000, "foreign_host");
        assert_told(&foreign, origin);
    }
}

#[tokio::test]
async fn strangers_are_told_nothing() {
    let house = House::open(&ALLOW).await;
    for origin in STRANGERS {
        for (line, headers, body, _) in requests(&house.session().await.id) {
            let answer = sent(&house, line, &headers, origin, &body).await;
            assert_refused(&answer, 403, -32000, "foreign_host");
            assert_eq!(answer.header("vary"), Some("Origin"), "{line}");
            assert_told_nothing(&answer);
        }
        let asking = [("origin", origin), ("access-control-request-method", "POST")];
        for line in ["OPTIONS /mcp", "OPTIONS /nothing", "OPTIONS /healthz", "GET /healthz"] {
            let answer = house.request(line, &asking, "").await;
            assert!(matches!(answer.status, 200 | 403 | 405), "{line} {}", answer.status);
            assert_told_nothing(&answer);
        }
    }
    let none = house.post(&[], initialize(LATEST)).await;
    assert_eq!(none.status, 200);
    assert_told_nothing(&none);
    for (line, headers, body, status) in requests(&house.session().await.id) {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = house.request(line, &headers, &body).await;
        assert_eq!((answer.status, answer.header("vary")), (status, Some("Origin")), "{line}: a cache may keep it");
        assert_told_nothing(&answer);
    }
    let two = house.request("GET /health", &[("origin", APP), ("origin", "http://localhost")], "").await;
    assert_eq!(two.status, 200, "both may come in");
    assert_told_nothing(&two);
}

#[tokio::test]
async fn a_preflight_is_answered_before_the_token_is_asked_for() {
    let house = with_tokens(&ALLOW).await;
    for (path, asked) in [
        ("/mcp", "content-type,mcp-session-id,mcp-protocol-version,x-archon-session-id"),
        ("/mcp/", "Authorization, X-Mine ,Traceparent"),
        ("/health", ""),
        ("/nothing", "x-mine"),
    ] {
        let headers =
            [("origin", APP), ("access-control-request-method", "DELETE"), ("access-control-request-headers", asked)];
        let answer = house.request(&format!("OPTIONS {path}"), &headers, "").await;
        assert_eq!((answer.status, answer.text().as_str()), (204, ""), "{path}");
        assert_told(&answer, APP);
        let list = |name: &str| {
            let text = answer.header(name).unwrap_or_default().to_ascii_lowercase();
            text.split(',').map(|one| one.trim().to_owned()).collect::<Vec<_>>()
        };
        let methods = list("access-control-allow-methods");
        assert!(["get", "post", "delete"].iter().all(|one| methods.iter().any(|method| method == one)), "{methods:?}");
        let allowed = list("access-control-allow-headers");
        let ours =
            ["content-type", "accept", "authorization", "mcp-session-id", "mcp-protocol-version", "last-event-id"];
        let wanted = asked.split(',').map(|one| one.trim().to_ascii_lowercase()).filter(|one| !one.is_empty());
        for name in wanted.chain(ours.map(str::to_owned)) {
            assert_eq!(allowed.iter().filter(|one| **one == name).count(), 1, "{name} of {allowed:?}");
        }
        assert_eq!(answer.header("access-control-allow-private-network"), None);
        assert!(answer.header("access-control-max-age").is_some());
    }
    let private = [
        ("origin", APP),
        ("access-control-request-method", "POST"),
        ("access-control-request-private-network", "true"),
    ];
    let answer = house.request("OPTIONS /mcp", &private, "").await;
    assert_eq!(answer.header("access-control-allow-private-network"), Some("true"));
    let refused = house.request("POST /mcp", &[("origin", APP)], PING).await;
    assert_refused(&refused, 401, -32000, "unauthorized");
    assert_told(&refused, APP);
    assert!(refused.header("www-authenticate").is_some());
    // It is none without what it asks for.
    let plain = house.request("OPTIONS /mcp", &[("origin", APP)], "").await;
    assert_refused(&plain, 401, -32000, "unauthorized");
}
