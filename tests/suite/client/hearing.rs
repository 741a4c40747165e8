//! What a server says before its answer: heard in order, answered in the session, and never in the way of the answer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use archonctl::client::{Answering, Client, ClientError, ClientOptions, Listener};
use archonctl::protocol::frame::{Notification, Request};
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use crate::faulty::Seen;
use crate::field::{Field, STREAM, polite, raw, session_of};

/// Remembers what it hears, and declines forms after a while.
#[derive(Debug, Default)]
struct Ears {
    heard: Mutex<Vec<String>>,
    thinks: Duration,
}

impl Ears {
    fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("whole").clone()
    }
}

impl Listener for Ears {
    fn capabilities(&self) -> Map<String, Value> {
        Map::from_iter([("elicitation".to_owned(), json!({}))])
    }

    fn notified(&self, note: &Notification<'_>) {
        let params = note.params.map(|params| params.get().to_owned()).unwrap_or_default();
        self.heard.lock().expect("whole").push(format!("{} {params}", note.method));
    }

    fn asked(&self, question: &Request<'_>) -> Option<Answering> {
        let thinks = self.thinks;
        (question.method == "elicitation/create").then(|| -> Answering {
            Box::pin(async move {
                tokio::time::sleep(thinks).await;
                Ok(json!({"action": "decline"}))
            })
        })
    }
}

fn event(message: &Value) -> Bytes {
    format!("data: {message}\n\n").into()
}

fn note(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "method": method, "params": params})
}

fn question(id: &Value, method: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {}})
}

/// A server that says these before the answer of a call, which it gives once it has so many replies.
async fn asking(before: Vec<Value>, replies: u32) -> Field {
    let arrived = Arc::new(Semaphore::new(0));
    Field::start(move |asked, _| match asked.method.as_str() {
        "a reply" => {
            arrived.add_permits(1);
            None
        }
        "tools/call" => Some(conversation(&before, event(&polite(asked)), (arrived.clone(), replies))),
        "initialize" => None,
        other => raw(405, "text/plain", "").filter(|_| other.starts_with("GET")),
    })
    .await
}

fn conversation(before: &[Value], answer: Bytes, (arrived, replies): (Arc<Semaphore>, u32)) -> Response {
    let first: Vec<_> = before.iter().map(event).collect();
    let last = stream::once(async move {
        arrived.acquire_many(replies).await.expect("open").forget();
        answer
    });
    let events = stream::iter(first).chain(last).map(Ok::<_, std::io::Error>);
    ([("content-type", STREAM)], Body::from_stream(events)).into_response()
}

async fn connected(server: &Field, ears: &Arc<Ears>) -> Client {
    let mut options = ClientOptions::new(&server.url).expect("a URL");
    options.listener = Some(ears.clone());
    Client::connect(options).await.expect("connected")
}

#[tokio::test]
async fn all_that_comes_before_the_answer_is_heard_in_order() {
    let before = vec![
        note("notifications/progress", &json!({"progressToken": 2, "progress": 1})),
        question(&json!("p"), "ping"),
        note("notifications/message", &json!({"level": "info", "data": "x"})),
        question(&json!(7), "elicitation/create"),
        question(&json!("s"), "sampling/createMessage"),
        note("notifications/tools/list_changed", &json!({})),
    ];
    let server = asking(before, 3).await;
    let ears = Arc::new(Ears::default());
    let client = connected(&server, &ears).await;
    assert_eq!(client.call_tool("echo", json!({"n": 1})).await.expect("an answer").text(), r#"{"n":1}"#);
    let heard = [
        r#"notifications/progress {"progress":1,"progressToken":2}"#,
        r#"notifications/message {"data":"x","level":"info"}"#,
        "notifications/tools/list_changed {}",
    ];
    assert_eq!(ears.heard(), heard);

    let replies = server.seen("a reply");
    let reply = |id: &Value| {
        let of = |seen: &&Seen| seen.message["id"] == *id;
        replies.iter().find(of).map(|seen| (session_of(seen), seen.message.clone())).expect("a reply")
    };
    assert_eq!(reply(&json!("p")), ("session-1", json!({"jsonrpc": "2.0", "id": "p", "result": {}})));
    assert_eq!(reply(&json!(7)).1["result"], json!({"action": "decline"}));
    assert_eq!(reply(&json!("s")).1["error"]["code"], -32601);

    let hello = &server.seen("initialize")[0].message["params"];
    assert_eq!(hello["capabilities"], json!({"elicitation": {}}));
    let call = &server.seen("tools/call")[0].message;
    assert_eq!(call["params"]["_meta"]["progressToken"], call["id"]);
}

#[tokio::test]
async fn without_a_listener_nothing_is_promised_and_a_ping_is_answered() {
    let before = vec![question(&json!(1), "ping"), question(&json!(2), "elicitation/create")];
    let server = asking(before, 2).await;
    let client = Client::connect(ClientOptions::new(&server.url).expect("a URL")).await.expect("connected");
    client.call_tool("echo", json!({})).await.expect("an answer");
    let replies: Vec<_> = server.seen("a reply").into_iter().map(|seen| seen.message).collect();
    assert_eq!(replies[0]["result"], json!({}));
    assert_eq!(replies[1]["error"]["code"], -32601);
    assert_eq!(server.seen("initialize")[0].message["params"]["capabilities"], json!({}));
    assert!(server.seen("tools/call")[0].message["params"].get("_meta").is_none());
}

#[tokio::test]
async fn a_question_that_is_withdrawn_is_not_answered() {
    let cancelled = note("notifications/cancelled", &json!({"requestId": "q"}));
    let before = vec![question(&json!("q"), "elicitation/create"), cancelled, question(&json!("p"), "ping")];
    let server = asking(before, 1).await;
    let ears = Arc::new(Ears { thinks: Duration::from_hours(1), ..Ears::default() });
    let client = connected(&server, &ears).await;
    client.call_tool("echo", json!({})).await.expect("an answer");
    let replies: Vec<_> = server.seen("a reply").iter().map(|seen| seen.message["id"].clone()).collect();
    assert_eq!(replies, ["p"]);
}

#[tokio::test]
async fn nobody_is_asked_more_than_can_be_answered() {
    let before = (0..20).map(|n| question(&json!(n), "elicitation/create")).collect();
    let server = asking(before, 4).await;
    let ears = Arc::new(Ears { thinks: Duration::from_hours(1), ..Ears::default() });
    let client = connected(&server, &ears).await;
    client.call_tool("echo", json!({})).await.expect("an answer");
    let replies = server.seen("a reply");
    assert_eq!(replies.len(), 4);
    assert!(replies.iter().all(|seen| seen.message["error"]["message"].is_string()), "{replies:?}");
}

#[tokio::test]
async fn the_time_that_an_answer_takes_counts_where_it_was_said_how_long() {
    for counts in [false, true] {
        let server = asking(vec![question(&json!(1), "elicitation/create")], 1).await;
        let ears = Arc::new(Ears { thinks: Duration::from_secs(2), ..Ears::default() });
        let mut options = ClientOptions::new(&server.url).expect("a URL");
        options.listener = Some(ears);
        (options.timeout, options.counts_answers) = (Duration::from_secs(1), counts);
        let client = Client::connect(options).await.expect("connected");
        match client.call_tool("echo", json!({})).await {
            Ok(_) => assert!(!counts),
            Err(error) => assert!(counts && matches!(error, ClientError::Timeout { .. }), "{error}"),
        }
        assert_eq!(server.count("notifications/cancelled"), usize::from(counts));
    }
}

#[tokio::test]
async fn progress_does_not_put_off_the_end() {
    let progress = event(&note("notifications/progress", &json!({"progressToken": 2, "progress": 1})));
    let server = Field::start(move |asked, _| {
        let ticks = stream::unfold(progress.clone(), |tick| async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Some((Ok::<_, std::io::Error>(tick.clone()), tick))
        });
        let response = || ([("content-type", STREAM)], Body::from_stream(ticks)).into_response();
        (asked.method == "tools/call").then(response)
    });
    let server = server.await;
    let mut options = ClientOptions::new(&server.url).expect("a URL");
    options.listener = Some(Arc::new(Ears::default()));
    options.timeout = Duration::from_millis(300);
    let client = Client::connect(options).await.expect("connected");
    let error = client.call_tool("echo", json!({})).await.expect_err("no answer");
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
}

/// A server with a standing stream in each session: a note that names the session, and a question.
async fn standing() -> Field {
    Field::start(|asked, _| {
        if asked.method == "tools/call" && session_of(asked) == "session-1" {
            return raw(404, "text/plain", "");
        }
        let said = [note("notifications/message", &json!(session_of(asked))), question(&json!("p"), "ping")];
        let events: Vec<_> = said.iter().map(|message| Ok::<_, std::io::Error>(event(message))).collect();
        let events = stream::iter(events).chain(stream::pending());
        let response = || ([("content-type", STREAM)], Body::from_stream(events)).into_response();
        (asked.method == "GET /mcp").then(response)
    })
    .await
}

#[tokio::test]
async fn the_standing_stream_is_heard_and_goes_on_in_a_new_session() {
    let server = standing().await;
    let ears = Arc::new(Ears::default());
    let client = connected(&server, &ears).await;
    client.listen().await;
    client.call_tool("echo", json!({})).await.expect("healed");
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while ears.heard().len() < 2 || server.count("a reply") < 2 {
        assert!(std::time::Instant::now() < until, "{:?}", ears.heard());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let said = |session: &str| format!("notifications/message {session:?}");
    assert_eq!(ears.heard(), [said("session-1"), said("session-2")]);
    let sessions: Vec<_> = server.seen("a reply").iter().map(|seen| session_of(seen).to_owned()).collect();
    assert_eq!(sessions, ["session-1", "session-2"], "each is answered in its session");
}

#[tokio::test]
async fn a_server_without_a_standing_stream_is_as_good() {
    for (status, kind) in [(405, "text/plain"), (404, "text/plain"), (200, "text/html"), (200, "text/event-stream")] {
        let server = Field::start(move |asked, _| raw(status, kind, "").filter(|_| asked.method == "GET /mcp")).await;
        let client = connected(&server, &Arc::default()).await;
        client.listen().await;
        client.call_tool("echo", json!({})).await.expect("an answer");
        assert_eq!((server.count("GET /mcp"), server.count("initialize")), (1, 1), "{status} {kind}");
    }
}
