//! The client against servers that go wrong on purpose, and against the official SDK's.

mod cookies;
mod hearing;
mod lenient;
mod loss;
mod stdio;
mod time;

use std::sync::Arc;
use std::time::Duration;

use archonctl::client::{Client, ClientError, Closed, OnLoss, ProtocolError, Repeat, Stage, Token};
use archonctl::protocol::revision::Revision;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::faulty::{Fault, Faulty, Refusal, Seen};

async fn connected() -> (Faulty, Client) {
    let server = Faulty::start().await;
    let client = Client::connect(server.options()).await.expect("connected");
    (server, client)
}

/// The error of one call to `write` that meets these faults.
async fn failed_call(faults: impl IntoIterator<Item = Fault>) -> (Faulty, ClientError) {
    let (server, client) = connected().await;
    server.script("tools/call", faults);
    let error = client.call_tool("write", json!({})).await.expect_err("an error");
    (server, error)
}

fn header<'a>(seen: &'a Seen, name: &str) -> Option<&'a str> {
    seen.headers.get(name).and_then(|value| value.to_str().ok())
}

#[tokio::test]
async fn opens_calls_and_closes() {
    let (server, client) = connected().await;
    let session = client.session();
    assert_eq!((session.revision, session.server.name.as_str()), (Some(Revision::V2025_06_18), "faulty"));
    assert_eq!(session.archon_id.as_deref(), Some("archon-1"));

    let answer = client.call_tool("write", json!({"n": 1})).await.expect("an answer");
    assert_eq!(answer.text(), r#"{"n":1}"#);
    assert!(answer.raw.get().contains("_meta"), "the answer is kept whole: {}", answer.raw);
    client.close().await.expect("closed");
    assert_eq!(server.open_sessions(), 0);

    let hello = &server.seen("initialize")[0];
    assert_eq!(hello.message["params"]["protocolVersion"], Revision::LATEST.as_str());
    assert_eq!(hello.message["params"]["clientInfo"]["name"], "archonctl");
    assert_eq!(hello.message["params"]["clientInfo"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(header(hello, "accept"), Some("application/json, text/event-stream"));
    assert_eq!(header(hello, "mcp-session-id"), None);
    for method in ["notifications/initialized", "tools/call", "DELETE"] {
        let seen = server.seen(method);
        assert_eq!(seen.len(), 1, "{method}");
        assert_eq!(header(&seen[0], "mcp-session-id"), session.id.as_deref(), "{method}");
        assert_eq!(header(&seen[0], "x-archon-session-id"), Some("archon-1"), "{method}");
        assert_eq!(header(&seen[0], "mcp-protocol-version"), Some("2025-06-18"), "{method}");
    }
}

#[tokio::test]
async fn takes_the_answer_out_of_an_event_stream_and_answers_a_ping() {
    let (server, client) = connected().await;
    server.script("tools/call", [Fault::Stream]);
    let answer = client.call_tool("write", json!({"text": "é"})).await.expect("an answer");
    assert_eq!(answer.text(), r#"{"text":"é"}"#);
    let replies = server.seen("a reply");
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0].message, json!({"jsonrpc": "2.0", "id": "p1", "result": {}}));
}

#[tokio::test]
async fn lists_all_pages() {
    let (_server, client) = connected().await;
    let tools = client.list_tools().await.expect("tools");
    assert_eq!(tools.iter().map(|t| t.name.as_ref()).collect::<Vec<_>>(), ["write", "read"]);
}

#[tokio::test]
async fn a_lost_session_is_healed_once_and_the_tool_runs_once() {
    for refusal in [Refusal::NotFound, Refusal::Original] {
        let (server, client) = connected().await;
        let lost = client.session();
        server.forget(refusal);
        client.call_tool("write", json!({})).await.expect("healed");
        assert_eq!(server.ran(), 1, "{refusal:?}");
        let hellos = server.seen("initialize");
        assert_eq!(hellos.len(), 2, "{refusal:?}");
        assert_eq!(header(&hellos[1], "x-archon-session-id"), Some("archon-1"), "the Archon session goes on");
        assert_ne!(client.session().id, lost.id);
    }
}

#[tokio::test]
async fn requests_that_lose_a_session_together_heal_it_once() {
    let (server, client) = connected().await;
    server.forget(Refusal::NotFound);
    let client = Arc::new(client);
    let calls = (0..16).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.call_tool("write", json!({})).await })
    });
    for call in join_all(calls).await {
        call.expect("joined").expect("healed");
    }
    assert_eq!((server.seen("initialize").len(), server.ran()), (2, 16));
}

#[tokio::test]
async fn a_session_refused_again_is_an_error() {
    let (server, client) = connected().await;
    let gone = Fault::Raw(404, "text/plain", "gone");
    server.script("tools/call", [gone.clone(), gone]);
    let error = client.call_tool("write", json!({})).await.expect_err("refused");
    assert!(matches!(&error, ClientError::Session { message, .. } if message == "gone"), "{error}");
    assert_eq!((server.seen("initialize").len(), server.ran()), (2, 0));
}

#[tokio::test]
async fn a_call_whose_connection_broke_is_not_repeated() {
    for fault in [Fault::CutBefore, Fault::CutMidway, Fault::StreamEnds] {
        let (server, error) = failed_call([fault.clone()]).await;
        assert!(matches!(error, ClientError::Connection { stage: Stage::Midway, .. }), "{fault:?}: {error}");
        assert_eq!(server.ran(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_call_that_may_run_twice_is_repeated() {
    let faults = [Fault::CutBefore, Fault::CutMidway];
    let (server, client) = connected().await;
    server.script("tools/call", faults.clone());
    client.list_tools().await.expect("tools");
    client.call_tool("read", json!({})).await.expect("the tool is known to be read-only");
    assert_eq!(server.ran(), 3);

    server.script("tools/call", faults);
    client.call_tool_again("write", json!({}), Repeat::Allowed).await.expect("the caller allows it");
    assert_eq!(server.ran(), 6);

    server.script("tools/call", std::iter::repeat_n(Fault::CutBefore, 3));
    client.call_tool("read", json!({})).await.expect_err("three attempts and no more");
    assert_eq!(server.ran(), 9);
}

#[tokio::test]
async fn a_busy_server_is_tried_again() {
    let (server, client) = connected().await;
    server.script("tools/call", [Fault::Busy(503), Fault::Busy(429)]);
    client.call_tool("write", json!({})).await.expect("the third attempt");
    assert_eq!((server.seen("tools/call").len(), server.ran()), (3, 1));
    let ids: Vec<Value> = server.seen("tools/call").iter().map(|s| s.message["id"].clone()).collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "no id twice in a session: {ids:?}");

    let (server, error) = failed_call(std::iter::repeat_n(Fault::Busy(503), 9)).await;
    assert!(matches!(error, ClientError::Http { status: 503, .. }), "{error}");
    assert_eq!(server.seen("tools/call").len(), 3);
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_waited_for() {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    // Bound and not listening: the port is ours, and connections to it are refused.
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let url = format!("http://{}/mcp", socket.local_addr().expect("an address"));
    let mut options = archonctl::client::ClientOptions::new(&url).expect("a URL");
    options.backoff.attempts = 1;
    let error = Client::connect(options.clone()).await.expect_err("nobody listens");
    assert!(matches!(error, ClientError::Connection { stage: Stage::BeforeSending, .. }), "{error}");

    options.backoff.attempts = 100;
    let (client, _server) = tokio::join!(Client::connect(options), async {
        tokio::task::yield_now().await;
        Faulty::on(socket.listen(16).expect("listening"))
    });
    client.expect("connected in the end");
}

#[tokio::test]
async fn silence_ends_in_a_timeout_and_a_cancellation() {
    let server = Faulty::start().await;
    let mut options = server.options();
    options.timeout = Duration::from_secs(2);
    let client = Client::connect(options).await.expect("connected");
    server.script("tools/call", [Fault::Silence]);
    let error = client.call_tool("write", json!({})).await.expect_err("no answer");
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert_eq!(error.to_string(), format!("no answer from {} within 2s", server.url));
    let (call, cancelled) = (server.seen("tools/call"), server.seen("notifications/cancelled"));
    assert_eq!((call.len(), cancelled.len()), (1, 1));
    assert_eq!(cancelled[0].message["params"]["requestId"], call[0].message["id"]);
}

#[tokio::test]
async fn garbage_is_a_protocol_error() {
    for (kind, body) in [
        ("text/html", "<html>"),
        ("application/json", "{"),
        ("application/json", "[]"),
        ("application/json", r#"{"hello": "world"}"#),
        ("application/json", r#"{"jsonrpc":"2.0","id":99999,"result":{}}"#),
        ("text/event-stream", "data: garbage\n\n"),
    ] {
        let (_, error) = failed_call([Fault::Raw(200, kind, body)]).await;
        assert!(matches!(error, ClientError::Protocol(_)), "{kind} {body}: {error}");
    }
    let (_, error) = failed_call([Fault::Raw(202, "text/plain", "")]).await;
    assert!(matches!(error, ClientError::Protocol(_)), "{error}");
    let (_, error) = failed_call([Fault::Result(json!({"content": 7}))]).await;
    assert!(matches!(error, ClientError::Protocol(ProtocolError::Result { .. })), "{error}");
}

#[tokio::test]
async fn a_json_rpc_error_keeps_code_message_and_data() {
    let body = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"no","data":["any"]}}"#;
    let (_, error) = failed_call([Fault::Raw(200, "application/json", body)]).await;
    let ClientError::Protocol(ProtocolError::Answered(error)) = error else { panic!("{error}") };
    assert_eq!((error.code, error.message.as_str(), error.data), (-32602, "no", Some(json!(["any"]))));
}

#[tokio::test]
async fn a_failed_tool_is_a_tool_error() {
    let result = json!({"content": [{"type": "text", "text": "disk full"}], "isError": true});
    let (_, error) = failed_call([Fault::Result(result)]).await;
    assert!(matches!(&error, ClientError::Tool(answer) if answer.result.is_error), "{error}");
    assert_eq!(error.to_string(), "disk full");
}

#[tokio::test]
async fn a_token_is_sent_and_a_refusal_is_an_auth_error() {
    let server = Faulty::start().await;
    server.script("initialize", [Fault::Raw(401, "text/plain", "who are you?")]);
    let mut options = server.options();
    options.token = Some(Token::parse("secret").expect("a token"));
    let error = Client::connect(options).await.expect_err("refused");
    assert!(matches!(error, ClientError::Auth { status: 401, .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    assert_eq!(header(&server.seen("initialize")[0], "authorization"), Some("Bearer secret"));
}

#[tokio::test]
async fn a_wrong_address_and_a_foreign_revision_are_told() {
    let server = Faulty::start().await;
    server.script("initialize", [Fault::Raw(404, "text/html", "<html>")]);
    let error = Client::connect(server.options()).await.expect_err("not here");
    assert_eq!(error.to_string(), "the server answered 404: not found");
    let modern = json!({"protocolVersion": "2099-01-01", "capabilities": {}, "serverInfo": {}});
    server.script("initialize", [Fault::Result(modern)]);
    let error = Client::connect(server.options()).await.expect_err("too new");
    assert!(matches!(error, ClientError::Protocol(ProtocolError::Revision { .. })), "{error}");
}

#[tokio::test]
async fn follows_a_redirect_on_the_same_server_only() {
    let (server, client) = connected().await;
    server.script("tools/call", [Fault::Redirect("/moved"), Fault::Redirect("http://192.0.2.1/mcp")]);
    let error = client.call_tool("write", json!({})).await.expect_err("leads away");
    assert!(matches!(error, ClientError::Http { status: 307, .. }), "{error}");
    client.call_tool("write", json!({})).await.expect("still there");
    server.script("tools/call", [Fault::Redirect("/moved")]);
    client.call_tool("write", json!({"n": 2})).await.expect("followed, with its body");
}

#[tokio::test]
async fn closing_tolerates_servers_that_let_nobody_close() {
    for status in [404, 405] {
        let (server, client) = connected().await;
        server.script("DELETE", [Fault::Raw(status, "", "")]);
        client.close().await.expect("tolerated");
    }
}

#[tokio::test]
async fn a_resumed_session_needs_no_handshake_and_is_healed_or_not_as_asked() {
    let (server, client) = connected().await;
    let session = (*client.session()).clone();
    let resumed = Client::resume(server.options(), session.clone()).expect("resumed");
    resumed.call_tool("write", json!({})).await.expect("an answer");
    assert_eq!((server.seen("initialize").len(), resumed.session().id.as_ref()), (1, session.id.as_ref()));

    server.forget(Refusal::Original);
    let mut options = server.options();
    options.on_loss = OnLoss::Fail;
    let strict = Client::resume(options, session.clone()).expect("resumed");
    let error = strict.call_tool("write", json!({})).await.expect_err("lost");
    assert!(matches!(error, ClientError::Session { reopened: false, .. }), "{error}");
    assert_eq!((server.seen("initialize").len(), server.ran()), (1, 1));
    assert_eq!(strict.close().await.expect("nothing to end"), Closed::Gone);

    resumed.call_tool("write", json!({})).await.expect("healed");
    assert_eq!((server.seen("initialize").len(), server.ran()), (2, 2));
    assert_ne!(resumed.session().id, session.id);
    assert_eq!(resumed.close().await.expect("ended"), Closed::Ended);
}
