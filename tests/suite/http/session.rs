//! A session, as a well-behaved client keeps it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::{Answer, Mcp};

/// A session as its client sees it. It knows nothing of the server's process: it goes on after a restart on the same
/// address. A clone is the same session, for concurrent calls.
#[derive(Clone)]
pub(crate) struct Session {
    /// `Mcp-Session-Id`, sent with every request.
    pub(crate) id: String,
    /// `X-Archon-Session-Id` as `initialize` answered it; not sent, like by any client off the shelf.
    pub(crate) archon: Option<String>,
    pub(super) revision: String,
    pub(super) mcp: Mcp,
    pub(super) next: Arc<AtomicU64>,
}

impl Session {
    /// Calls a tool and returns its result (the object with `content` and, perhaps, `isError`).
    ///
    /// # Panics
    ///
    /// When the answer is anything but a result.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        let answer = self.request("tools/call", json!({"name": tool, "arguments": arguments})).await;
        match answer.json().get("result") {
            Some(result) if answer.status == 200 => result.clone(),
            _ => panic!("{tool}: {} {}", answer.status, answer.text()),
        }
    }

    /// Sends any request, and returns whatever the server answers.
    ///
    /// # Panics
    ///
    /// When nothing answers. A test that expects that uses [`Self::post`].
    pub(crate) async fn request(&self, method: &str, params: Value) -> Answer {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.post(&[], body.to_string()).await.unwrap_or_else(|e| panic!("no answer to {method}: {e}"))
    }

    /// The same session by way of another server.
    pub(crate) fn at(self, mcp: Mcp) -> Self {
        Self { mcp, ..self }
    }

    /// Posts a body with this session's headers and these.
    pub(crate) async fn post(&self, headers: &[(&str, &str)], body: impl Into<String>) -> reqwest::Result<Answer> {
        self.mcp.post(&[&self.headers(), headers].concat(), body).await
    }

    /// Ends the session.
    pub(crate) async fn delete(&self) -> Answer {
        self.mcp.send(reqwest::Method::DELETE, &self.headers(), String::new()).await.expect("an answer to DELETE")
    }

    /// The version header came with 2025-06-18.
    fn headers(&self) -> Vec<(&str, &str)> {
        let version =
            (self.revision.as_str() >= "2025-06-18").then_some(("mcp-protocol-version", self.revision.as_str()));
        [("mcp-session-id", self.id.as_str())].into_iter().chain(version).collect()
    }
}
