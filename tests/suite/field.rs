//! A server of the field: polite but for what a test makes of it, and it remembers what it was sent.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::faulty::Seen;

pub(crate) const JSON: &str = "application/json";
pub(crate) const STREAM: &str = "text/event-stream";

/// What the test makes of a request; `None` leaves it to the polite answer. The number counts requests of its method from 1.
type Habit = dyn Fn(&Seen, usize) -> Option<Response> + Send + Sync;

/// The server. It ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Field {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    habit: Arc<Habit>,
}

impl Field {
    pub(crate) async fn start(habit: impl Fn(&Seen, usize) -> Option<Response> + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.expect("a free port"), habit)
    }

    pub(crate) fn on(
        listener: TcpListener,
        habit: impl Fn(&Seen, usize) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
        let server = Self { url, seen: Arc::default(), habit: Arc::new(habit) };
        let app = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.expect("serving") });
        server
    }

    /// How often that method was asked for.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.seen(method).len()
    }

    /// The requests of that method.
    pub(crate) fn seen(&self, method: &str) -> Vec<Seen> {
        self.memory().iter().filter(|seen| seen.method == method).cloned().collect()
    }

    fn memory(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer of that status and content type, as a habit gives it; `None` where there is no such status.
pub(crate) fn raw(status: u16, kind: &'static str, body: impl Into<String>) -> Option<Response> {
    let status = StatusCode::from_u16(status).ok()?;
    Some((status, [("content-type", kind)], body.into()).into_response())
}

/// The polite answer's body.
pub(crate) fn polite(asked: &Seen) -> Value {
    let result = match asked.method.as_str() {
        "initialize" => json!({
            "protocolVersion": "2025-03-26",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "field", "version": "1"},
        }),
        "tools/list" => json!({"tools": [tool("echo")]}),
        _ => json!({"content": [{"type": "text", "text": asked.message["params"]["arguments"].to_string()}]}),
    };
    json!({"jsonrpc": "2.0", "id": asked.message["id"], "result": result})
}

/// A good tool.
pub(crate) fn tool(name: &str) -> Value {
    json!({"name": name, "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}}})
}

/// The session that a request names.
pub(crate) fn session_of(asked: &Seen) -> &str {
    asked.headers.get("mcp-session-id").and_then(|id| id.to_str().ok()).unwrap_or_default()
}

async fn answer(State(server): State<Field>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let name = message["method"].as_str().map(str::to_owned);
    let is_reply = message.get("result").is_some() || message.get("error").is_some();
    let name = name.unwrap_or_else(|| if is_reply { "a reply".to_owned() } else { format!("{method} {}", uri.path()) });
    let asked = Seen { method: name, headers, message };
    let nth = {
        let mut seen = server.memory();
        seen.push(asked.clone());
        seen.iter().filter(|before| before.method == asked.method).count()
    };
    if let Some(response) = (server.habit)(&asked, nth) {
        return response;
    }
    if asked.message.get("id").is_none() || is_reply {
        return StatusCode::ACCEPTED.into_response();
    }
    let mut response = ([("content-type", JSON)], polite(&asked).to_string()).into_response();
    if asked.method == "initialize" {
        response.headers_mut().insert("mcp-session-id", format!("session-{nth}").parse().expect("a header"));
    }
    response
}
