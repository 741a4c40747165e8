//! A small real MCP server that goes wrong on purpose, and remembers what it was sent.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use archonctl::client::{Backoff, ClientOptions};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// What goes wrong with one request.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// The connection is cut before the answer's first byte; the request has run.
    CutBefore,
    /// The connection is cut inside a JSON answer; the request has run.
    CutMidway,
    /// The event stream ends before the answer; the request has run.
    StreamEnds,
    /// No answer, ever.
    Silence,
    /// The answer comes so much later.
    Late(Duration),
    /// The answer comes as an event stream, a notification, a ping and a foreign answer before it.
    Stream,
    /// The result is this one.
    Result(Value),
    /// The answer is this one, whatever it is: status, content type, body.
    Raw(u16, &'static str, &'static str),
    /// Refused with this status, before running, with `Retry-After: 0`.
    Busy(u16),
    /// Redirects with 307 to this address.
    Redirect(&'static str),
}

/// How a session is refused that the server does not know.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refusal {
    /// As the specification says: 404.
    NotFound,
    /// As the original Archon does: 400 and a plain text.
    Original,
}

/// A request as it came: the JSON-RPC method (or `DELETE`), the headers, the message.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) headers: HeaderMap,
    pub(crate) message: Value,
}

#[derive(Debug)]
struct Memory {
    faults: HashMap<String, VecDeque<Fault>>,
    sessions: HashSet<String>,
    seen: Vec<Seen>,
    ran: usize,
    refusal: Refusal,
    keeps_none: bool,
}

/// The server. It ends with the test's runtime.
#[derive(Debug, Clone)]
pub(crate) struct Faulty {
    pub(crate) url: String,
    memory: Arc<Mutex<Memory>>,
    called: Arc<Notify>,
}

impl Faulty {
    pub(crate) async fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.expect("a free port"))
    }

    pub(crate) fn on(listener: TcpListener) -> Self {
        let memory = Memory {
            faults: HashMap::new(),
            sessions: HashSet::new(),
            seen: vec![],
            ran: 0,
            refusal: Refusal::NotFound,
            keeps_none: false,
        };
        let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
        let server = Self { url, memory: Arc::new(Mutex::new(memory)), called: Arc::default() };
        let route = || post(answer).delete(end);
        let app = Router::new().route("/mcp", route()).route("/moved", route()).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.expect("serving") });
        server
    }

    /// What goes wrong with the next requests of that method, one fault each; after them all goes well.
    pub(crate) fn script(&self, method: &str, faults: impl IntoIterator<Item = Fault>) {
        self.memory().faults.entry(method.to_owned()).or_default().extend(faults);
    }

    /// Forgets all sessions.
    pub(crate) fn forget(&self, refusal: Refusal) {
        let mut memory = self.memory();
        memory.sessions.clear();
        memory.refusal = refusal;
    }

    /// From now on it answers without sessions.
    pub(crate) fn keep_no_sessions(&self) {
        self.memory().keeps_none = true;
    }

    /// How often a tool has run.
    pub(crate) fn ran(&self) -> usize {
        self.memory().ran
    }

    /// The requests of that method.
    pub(crate) fn seen(&self, method: &str) -> Vec<Seen> {
        self.memory().seen.iter().filter(|seen| seen.method == method).cloned().collect()
    }

    /// How many sessions are open.
    pub(crate) fn open_sessions(&self) -> usize {
        self.memory().sessions.len()
    }

    /// Returns once a `tools/call` has arrived.
    pub(crate) async fn called(&self) {
        self.called.notified().await;
    }

    /// Options for this server that repeat without delay.
    pub(crate) fn options(&self) -> ClientOptions {
        let mut options = ClientOptions::new(&self.url).expect("a URL");
        let soon = Duration::from_millis(1);
        options.backoff = Backoff { attempts: 3, first: soon, cap: soon };
        options
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(State(server): State<Faulty>, headers: HeaderMap, body: Bytes) -> Response {
    let message: Value = serde_json::from_slice(&body).expect("a client sends JSON");
    let method = message["method"].as_str().unwrap_or("a reply").to_owned();
    let (fault, known) = {
        let mut memory = server.memory();
        memory.seen.push(Seen { method: method.clone(), headers: headers.clone(), message: message.clone() });
        let known = session_of(&headers).is_some_and(|id| memory.sessions.contains(&id));
        if method != "initialize" && !known && !memory.keeps_none {
            return refuse(memory.refusal);
        }
        (memory.faults.get_mut(&method).and_then(VecDeque::pop_front), known)
    };
    match fault {
        Some(Fault::Busy(status)) => return (code(status), [("retry-after", "0")], "busy").into_response(),
        Some(Fault::Raw(status, kind, body)) => return (code(status), [("content-type", kind)], body).into_response(),
        Some(Fault::Redirect(to)) => return (code(307), [("location", to)]).into_response(),
        _ => {}
    }
    if message.get("id").is_none() || message.get("method").is_none() {
        return code(202).into_response();
    }
    if method == "tools/call" {
        server.memory().ran += 1;
        server.called.notify_one();
    }
    let result = match &fault {
        Some(Fault::Result(result)) => result.clone(),
        _ => result(&method, &message["params"]),
    };
    let reply = json!({"jsonrpc": "2.0", "id": message["id"], "result": result}).to_string();
    let mut response = send(fault, reply).await;
    if method == "initialize" && !server.memory().keeps_none {
        assert!(!known, "a client that opens a session names none");
        let id = uuid::Uuid::new_v4().to_string();
        response.headers_mut().insert("mcp-session-id", id.parse().expect("a header"));
        response.headers_mut().insert("x-archon-session-id", "archon-1".parse().expect("a header"));
        server.memory().sessions.insert(id);
    }
    response
}

async fn send(fault: Option<Fault>, reply: String) -> Response {
    const JSON: [(&str, &str); 1] = [("content-type", "application/json; charset=utf-8")];
    const STREAM: [(&str, &str); 1] = [("content-type", "text/event-stream")];
    match fault {
        // Ends this connection's task, and with it the connection, without the noise of a panic.
        Some(Fault::CutBefore) => std::panic::resume_unwind(Box::new(())),
        Some(Fault::CutMidway) => {
            let half = Bytes::copy_from_slice(&reply.as_bytes()[..reply.len() / 2]);
            let parts = [Ok(half), Err(std::io::Error::other("cut"))];
            (JSON, Body::from_stream(futures_util::stream::iter(parts))).into_response()
        }
        Some(Fault::StreamEnds) => (STREAM, "id: 1\ndata:\n\n".to_owned()).into_response(),
        Some(Fault::Silence) => std::future::pending().await,
        Some(Fault::Late(by)) => {
            tokio::time::sleep(by).await;
            (JSON, reply).into_response()
        }
        Some(Fault::Stream) => {
            let before = "id: 1\ndata:\n\n: keep-alive\n\n\
                data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{}}\n\n\
                data: {\"jsonrpc\":\"2.0\",\"id\":\"p1\",\"method\":\"ping\"}\n\n\
                data: {\"jsonrpc\":\"2.0\",\"id\":99999,\"result\":{\"content\":[]}}\n\n";
            (STREAM, format!("{before}event: message\ndata: {reply}\n\n")).into_response()
        }
        _ => (JSON, reply).into_response(),
    }
}

fn result(method: &str, params: &Value) -> Value {
    let tool = |name: &str, hints: Value| {
        let properties = json!({"n": {"type": "integer"}, "text": {"type": "string"}});
        json!({"name": name, "inputSchema": {"type": "object", "properties": properties}, "annotations": hints})
    };
    match (method, params["cursor"].as_str()) {
        ("initialize", _) => json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "faulty", "version": "1"},
        }),
        ("tools/list", None) => json!({"tools": [tool("write", json!({}))], "nextCursor": "2"}),
        ("tools/list", Some(_)) => json!({"tools": [tool("read", json!({"readOnlyHint": true}))]}),
        _ => json!({"content": [{"type": "text", "text": params["arguments"].to_string()}], "_meta": {"kept": 1}}),
    }
}

async fn end(State(server): State<Faulty>, headers: HeaderMap) -> Response {
    let mut memory = server.memory();
    memory.seen.push(Seen { method: "DELETE".to_owned(), headers: headers.clone(), message: Value::Null });
    if let Some(Fault::Raw(status, ..)) = memory.faults.get_mut("DELETE").and_then(VecDeque::pop_front) {
        return code(status).into_response();
    }
    let known = session_of(&headers).is_some_and(|id| memory.sessions.remove(&id));
    if known { code(204).into_response() } else { refuse(memory.refusal) }
}

fn session_of(headers: &HeaderMap) -> Option<String> {
    Some(headers.get("mcp-session-id")?.to_str().ok()?.to_owned())
}

fn refuse(refusal: Refusal) -> Response {
    match refusal {
        Refusal::NotFound => (code(404), "{}").into_response(),
        Refusal::Original => (code(400), "Bad Request: No valid session ID provided").into_response(),
    }
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("a status")
}
