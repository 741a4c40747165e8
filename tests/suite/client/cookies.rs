//! A balancer that keeps a client with its server by a cookie.

use archonctl::cli::exit;
use archonctl::client::{Client, ClientOptions};
use axum::http::HeaderMap;
use axum::response::Response;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use serde_json::json;

use crate::faulty::Seen;
use crate::field::{Field, JSON, polite, raw};
use crate::home::Home;

fn cookies(headers: &HeaderMap) -> &str {
    headers.get("cookie").and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Its first answer sets the cookie, all others want it, and each changes it, as those of some clouds do.
fn sticky(asked: &Seen, nth: usize) -> Option<Response> {
    let mut response = if asked.method == "initialize" {
        let mut opened = raw(200, JSON, polite(asked).to_string())?;
        opened.headers_mut().insert("mcp-session-id", format!("session-{nth}").parse().expect("a header"));
        opened
    } else if !cookies(&asked.headers).contains("ROUTE=pod-") {
        return raw(404, JSON, r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}"#);
    } else {
        raw(200, JSON, polite(asked).to_string()).filter(|_| asked.message.get("id").is_some())?
    };
    let cookie = format!("ROUTE=pod-{}; Path=/; HttpOnly", asked.message["id"]);
    response.headers_mut().append("set-cookie", cookie.parse().expect("a header"));
    response.headers_mut().append("set-cookie", "OTHER=1; Domain=elsewhere.example".parse().expect("a header"));
    Some(response)
}

#[tokio::test]
async fn every_request_carries_what_the_one_before_set() {
    let server = Field::start(sticky).await;
    let mut options = ClientOptions::new(&server.url).expect("a URL");
    options.add_header("Cookie", "mine=1").expect("a header");
    let client = Client::connect(options).await.expect("connected");
    client.call_tool("echo", json!({})).await.expect("an answer");
    client.call_tool("echo", json!({})).await.expect("an answer");
    client.close().await.expect("closed");
    assert_eq!(server.count("initialize"), 1);
    let sent = |method: &str, nth: usize| cookies(&server.seen(method)[nth].headers).to_owned();
    assert_eq!(sent("initialize", 0), "mine=1");
    assert_eq!(sent("notifications/initialized", 0), "mine=1; ROUTE=pod-1");
    assert_eq!(sent("tools/call", 1), "mine=1; ROUTE=pod-2");
    assert_eq!(sent("DELETE /mcp", 0), "mine=1; ROUTE=pod-3");
}

#[tokio::test]
async fn the_next_command_has_them_and_no_other_server_gets_them() {
    let (server, other) = (Field::start(sticky).await, Field::start(|_, _| None).await);
    let home = Home::at(&server.url);
    home.run(&["init"]).await.code(i32::from(exit::DONE));
    let remembered = home.remembered()[&server.url]["cookies"].clone();
    assert_eq!((remembered[0]["name"].as_str(), remembered[0]["value"].as_str()), (Some("ROUTE"), Some("pod-1")));
    for _ in 0..2 {
        home.run(&["call", "echo"]).await.code(i32::from(exit::DONE)).stderr("");
    }
    let told = home.run(&["call", "echo", "-vv"]).await.code(i32::from(exit::DONE)).stderr(contains("set-cookie"));
    told.stderr(contains("pod-").not());
    home.run(&["tools"]).await.code(i32::from(exit::DONE)).stderr("");
    assert_eq!((server.count("initialize"), server.count("tools/call")), (1, 3));
    home.run(&["call", "echo", "--url", &other.url]).await.code(i32::from(exit::DONE));
    assert!(other.seen("tools/call").iter().all(|seen| cookies(&seen.headers).is_empty()));
    home.run(&["call", "echo", "--session", "session-1"]).await.code(i32::from(exit::DONE)).stderr("");
    home.run(&["close"]).await.code(i32::from(exit::DONE));
    assert!(cookies(&server.seen("DELETE /mcp")[0].headers).starts_with("ROUTE=pod-"));
}

#[tokio::test]
async fn a_redirect_may_set_one_and_wants_it_back() {
    let server = Field::start(|asked, _| {
        if cookies(&asked.headers).contains("CHECKED=1") {
            return None;
        }
        let mut response = raw(307, JSON, "")?;
        response.headers_mut().insert("location", "/mcp".parse().expect("a header"));
        response.headers_mut().insert("set-cookie", "CHECKED=1; Path=/".parse().expect("a header"));
        Some(response)
    });
    let server = server.await;
    let client = Client::connect(ClientOptions::new(&server.url).expect("a URL")).await.expect("connected");
    client.call_tool("echo", json!({})).await.expect("an answer");
    assert_eq!((server.count("initialize"), server.count("tools/call")), (2, 1));
}
