//! Lost sessions, in the words of servers of the field.

use std::time::Duration;

use archonctl::client::{Client, ClientError, ClientOptions, Repeat};
use serde_json::{Value, json};

use crate::faulty::Seen;
use crate::field::{Field, JSON, STREAM, raw, session_of};

/// The first session is lost once it has been opened, and that is how the server says it.
async fn forgetful(status: u16, kind: &'static str, body: &str) -> (Field, Client) {
    let body = body.to_owned();
    let is_lost = |asked: &Seen| asked.method == "tools/call" && session_of(asked) == "session-1";
    let server = Field::start(move |asked, _| if is_lost(asked) { raw(status, kind, &body) } else { None }).await;
    let client = Client::connect(ClientOptions::new(&server.url).expect("a URL")).await.expect("connected");
    (server, client)
}

fn error(id: &Value, code: i64, message: &str) -> String {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}).to_string()
}

#[tokio::test]
async fn every_form_heals_once_and_the_tool_runs_once() {
    for (status, kind, body) in [
        (404, "text/plain", String::new()),
        (400, JSON, error(&Value::Null, -32000, "Bad Request: Server not initialized")),
        (400, JSON, error(&Value::Null, -32000, "Bad Request: Mcp-Session-Id header is required")),
        (400, JSON, error(&json!("server-error"), -32600, "Bad Request: No valid session ID provided")),
        (400, "text/plain", "Invalid session ID".to_owned()),
        (400, JSON, json!({"error": "Session session-1 has expired"}).to_string()),
        (401, "text/plain", "Unauthorized: Session not found".to_owned()),
        (401, JSON, error(&Value::Null, -32001, "Session terminated")),
        (403, JSON, json!({"detail": "Unknown session"}).to_string()),
        (410, "text/plain", "the session is gone".to_owned()),
        (422, "text/plain", "Unexpected message, expect initialize request".to_owned()),
        (400, JSON, error(&json!(2), -32000, "Bad Request: Session expired")),
        (400, JSON, error(&Value::Null, -32000, "Client must initialize first")),
        (400, "text/plain", "No transport found for sessionId".to_owned()),
        (401, JSON, json!({"error": "Invalid session"}).to_string()),
        (200, JSON, error(&json!(2), -32001, "Session not found")),
        (200, JSON, error(&Value::Null, -32000, "Server not initialized")),
    ] {
        let (server, client) = forgetful(status, kind, &body).await;
        let answer = client.call_tool("echo", json!({"n": 1})).await;
        assert_eq!(answer.expect("healed").text(), r#"{"n":1}"#, "{status} {body}");
        let counts = ["initialize", "tools/call"].map(|method| server.count(method));
        assert_eq!(counts, [2, 2], "{status} {body}: the call that was refused, and the one that ran");
        assert_eq!(session_of(&server.seen("initialize")[1]), "", "a session is opened without one");
    }
}

#[tokio::test]
async fn what_is_about_the_arguments_is_told_and_nothing_is_sent_again() {
    for (status, kind, body) in [
        (400, JSON, error(&json!(2), -32602, "session: expected a string, received a number")),
        (400, JSON, error(&json!(2), -32602, "Session not found")),
        (400, JSON, error(&Value::Null, -32602, "unknown property session_id")),
        (400, "text/plain", "the argument session is required".to_owned()),
        (422, JSON, json!({"detail": [{"loc": ["body", "session"], "msg": "Field required"}]}).to_string()),
        (200, JSON, error(&json!(2), -32000, "Session not found")),
        (200, JSON, error(&json!(2), -32603, "browser session expired")),
        (404, JSON, error(&json!(2), -32602, "Unknown tool: echo")),
        (404, JSON, error(&json!(2), -32002, "Resource not found")),
        (500, "text/plain", "Session not found".to_owned()),
        (401, "text/plain", "the session token is invalid".to_owned()),
    ] {
        let (server, client) = forgetful(status, kind, &body).await;
        let error = client.call_tool("echo", json!({})).await.expect_err("refused");
        assert!(!matches!(error, ClientError::Session { .. }), "{status} {body}: {error}");
        assert_eq!(["initialize", "tools/call"].map(|method| server.count(method)), [1, 1], "{status} {body}");
    }
}

#[tokio::test]
async fn an_answer_under_a_passing_status_may_come_after_the_call_has_run() {
    let echo = async |status, body: fn(&Value) -> String, repeat| {
        let server = Field::start(move |asked, nth| {
            let body = (asked.method == "tools/call" && nth == 1).then(|| body(&asked.message["id"]))?;
            raw(status, if body.starts_with("data") { STREAM } else { JSON }, body)
        });
        let server = server.await;
        let mut options = ClientOptions::new(&server.url).expect("a URL");
        options.backoff.first = Duration::from_millis(1);
        let client = Client::connect(options).await.expect("connected");
        let answer = client.call_tool_again("echo", json!({}), repeat).await;
        (answer, server.count("tools/call"))
    };
    let failed: fn(&Value) -> String = |id| error(id, -32603, "upstream failed after the write");
    let long: fn(&Value) -> String = |id| error(id, -32603, &"x".repeat(1 << 20));
    let event: fn(&Value) -> String = |id| format!("data: {}\n\n", error(id, -32603, "upstream failed"));
    for (status, body) in [(503, failed), (429, failed), (503, event), (503, long)] {
        let (answer, calls) = echo(status, body, Repeat::Never).await;
        let error = answer.expect_err("it may have run");
        assert!(matches!(error, ClientError::Http { may_have_run: true, .. }), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("may have run")), "{:?}", error.hint());
        assert_eq!(calls, 1, "{status}");
        let (answer, calls) = echo(status, body, Repeat::Allowed).await;
        assert_eq!((answer.expect("twice is as good as once").text().as_str(), calls), ("{}", 2), "{status}");
    }
    for body in [|id: &Value| error(id, -32000, "busy"), |_: &Value| error(&Value::Null, -32603, "busy")] {
        let (answer, calls) = echo(503, body, Repeat::Never).await;
        assert_eq!((answer.expect("refused before").text().as_str(), calls), ("{}", 2));
    }
}

#[tokio::test]
async fn a_server_that_begins_to_keep_sessions_is_given_one() {
    let without = Field::start(|asked, nth| {
        let body = crate::field::polite(asked).to_string();
        match (asked.method.as_str(), session_of(asked)) {
            ("initialize", _) if nth == 1 => raw(200, JSON, body),
            ("tools/call", "") => raw(400, JSON, error(&Value::Null, -32000, "Mcp-Session-Id header is required")),
            _ => None,
        }
    });
    let server = without.await;
    let client = Client::connect(ClientOptions::new(&server.url).expect("a URL")).await.expect("connected");
    assert_eq!(client.session().id, None);
    client.call_tool("echo", json!({})).await.expect("healed");
    assert_eq!(client.session().id.as_deref(), Some("session-2"));
}

#[tokio::test]
async fn a_server_that_loses_every_session_is_tried_twice() {
    let server = Field::start(|asked, _| match asked.method.as_str() {
        "tools/call" => raw(400, "text/plain", "Session expired"),
        _ => None,
    });
    let server = server.await;
    let client = Client::connect(ClientOptions::new(&server.url).expect("a URL")).await.expect("connected");
    let error = client.call_tool("echo", json!({})).await.expect_err("lost again");
    assert!(matches!(error, ClientError::Session { reopened: true, .. }), "{error}");
    assert_eq!(["initialize", "tools/call"].map(|method| server.count(method)), [2, 2]);
}
