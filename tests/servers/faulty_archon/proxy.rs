//! What each fault changes of a request, or of its answer.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};
use serde_json::json;

use crate::message::{ARCHON, Message, SESSION, answer};

/// What the proxy remembers.
#[derive(Debug, Default)]
struct Memory {
    /// Protocol sessions that were opened in this life.
    opened: HashSet<String>,
    /// What a client calls a session, and what it is called behind us.
    names: HashMap<String, String>,
    first_archon: Option<String>,
    first_token: Option<HeaderValue>,
    running: HashSet<String>,
}

/// A server with one fault.
#[derive(Debug)]
pub(crate) struct Proxy {
    fault: String,
    behind: String,
    http: reqwest::Client,
    memory: Mutex<Memory>,
}

impl Proxy {
    /// Before the server at that address.
    pub(crate) fn new(fault: String, behind: String) -> Self {
        _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().expect("a client");
        Self { fault, behind, http, memory: Mutex::default() }
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, fault: &str) -> bool {
        self.fault == fault
    }

    async fn send(&self, message: &Message) -> Message {
        let url = format!("http://{}{}", self.behind, message.path);
        let mut headers = message.headers.clone();
        // The length may have changed, and the host is another unless somebody pretends one.
        headers.remove(http::header::CONTENT_LENGTH);
        let own = headers.get(http::header::HOST).is_some_and(|host| host.as_bytes().starts_with(b"127.0.0.1"));
        if own {
            headers.remove(http::header::HOST);
        }
        let request = self.http.request(message.method.clone(), url).headers(headers).body(message.body.clone());
        let Ok(got) = request.send().await else { return answer(502, "the server behind is gone") };
        let (status, mut headers) = (got.status(), got.headers().clone());
        headers.remove(http::header::TRANSFER_ENCODING);
        headers.remove(http::header::CONTENT_LENGTH);
        let body = got.bytes().await.unwrap_or_default().to_vec();
        Message { status, headers, body, ..Message::default() }
    }

    /// The whole way of a request: changed, or answered by ourselves; sent; its answer changed.
    pub(crate) async fn handle(&self, mut message: Message) -> Message {
        if let Some(instead) = self.before(&mut message) {
            return instead;
        }
        if self.has("serves-batches") && message.json().is_array() {
            return self.batch(&message).await;
        }
        let id = message.json()["id"].to_string();
        if self.has("refuses-duplicates") && !self.memory().running.insert(id.clone()) {
            return answer(400, "that id is in use");
        }
        let mut got = self.send(&message).await;
        self.memory().running.remove(&id);
        if self.has("revives") && got.status == StatusCode::NOT_FOUND && message.method == Method::POST {
            got = self.revive(&message).await;
        }
        self.after(&message, &mut got).await;
        got
    }

    fn before(&self, message: &mut Message) -> Option<Message> {
        let session = message.header(&SESSION);
        let is_handshake = message.is("initialize");
        match self.fault.as_str() {
            "forgets-on-restart" => {
                let unknown = session.is_some_and(|id| !self.memory().opened.contains(&id));
                return (unknown && !is_handshake).then(|| answer(404, "session_unknown"));
            }
            "serves-without-id" if session.is_none() && message.method == Method::POST && !is_handshake => {
                let mut served = answer(200, "");
                served.set_json(&json!({"jsonrpc": "2.0", "id": message.json()["id"], "result": {}}));
                return Some(served);
            }
            "ignores-client-id" => _ = message.headers.remove(&ARCHON),
            "ignores-host" => {
                message.headers.remove(http::header::HOST);
                message.headers.remove(http::header::ORIGIN);
            }
            "ignores-version" => _ = message.headers.remove("mcp-protocol-version"),
            "refuses-batches" if message.json().is_array() => return Some(answer(400, "batch")),
            "get-is-404" if message.method == Method::GET && message.path == "/mcp" => {
                return Some(answer(404, "not_found"));
            }
            "swallows-delete" if message.method == Method::DELETE => return Some(answer(204, "")),
            "refuses-stale-initialize" if is_handshake && session.is_some() => {
                return Some(answer(404, "session_unknown"));
            }
            "one-token-for-all" => {
                let given = message.headers.get(http::header::AUTHORIZATION).cloned();
                let mut memory = self.memory();
                let first = memory.first_token.get_or_insert(given?).clone();
                message.headers.insert(http::header::AUTHORIZATION, first);
            }
            "short-ids" => {
                let name = session.and_then(|id| self.memory().names.get(&id).cloned());
                if let Some(name) = name {
                    message.set(SESSION, &name);
                }
            }
            _ => {}
        }
        None
    }

    async fn after(&self, asked: &Message, got: &mut Message) {
        let is_handshake = asked.is("initialize");
        if let Some(id) = got.header(&SESSION) {
            self.memory().opened.insert(id);
        }
        let archon = got.header(&ARCHON);
        match self.fault.as_str() {
            "unknown-is-400" if got.status == StatusCode::NOT_FOUND && asked.path == "/mcp" => {
                got.status = StatusCode::BAD_REQUEST;
            }
            "leaks-the-first-session" => {
                if let Some(archon) = archon {
                    let first = self.memory().first_archon.get_or_insert(archon).clone();
                    got.set(ARCHON, &first);
                }
            }
            "believes-client-id" => {
                if let Some(named) = asked.header(&ARCHON) {
                    got.set(ARCHON, &named);
                }
            }
            "no-hints" => {
                let mut json = got.json();
                if let Some(data) = json["error"]["data"].as_object_mut() {
                    data.remove("hint");
                    got.set_json(&json);
                }
            }
            "one-revision" if is_handshake => {
                let mut json = got.json();
                json["result"]["protocolVersion"] = "2099-01-01".into();
                got.set_json(&json);
            }
            "errors-as-success" => {
                let mut json = got.json();
                if json["result"]["isError"] == true {
                    json["result"]["isError"] = false.into();
                    got.set_json(&json);
                }
            }
            "health-lies" if asked.path == "/health" => {
                let mut json = got.json();
                json["sessions"]["active"] = 99.into();
                json["cleanup"]["ended"] = 0.into();
                got.set_json(&json);
            }
            "short-ids" => {
                if let Some(id) = got.header(&SESSION) {
                    let mut memory = self.memory();
                    let short = format!("s{}", memory.names.len() + 1);
                    memory.names.insert(short.clone(), id);
                    drop(memory);
                    got.set(SESSION, &short);
                }
            }
            "eager-sessions" if is_handshake && got.status == StatusCode::OK => self.call_a_tool(asked, got).await,
            _ => {}
        }
    }

    /// A call behind the client's back.
    async fn call_a_tool(&self, asked: &Message, got: &Message) {
        let mut call = asked.clone();
        call.set(SESSION, &got.header(&SESSION).unwrap_or_default());
        let params = json!({"name": "session_info", "arguments": {}});
        call.set_json(&json!({"jsonrpc": "2.0", "id": "behind", "method": "tools/call", "params": params}));
        self.send(&call).await;
    }

    /// Each member of a batch on its own, whatever the revision says.
    async fn batch(&self, message: &Message) -> Message {
        let mut answers = Vec::new();
        for one in message.json().as_array().into_iter().flatten() {
            let mut single = message.clone();
            single.set_json(one);
            let got = self.send(&single).await;
            answers.extend(one.get("id").is_some().then(|| got.json()));
        }
        let mut all = answer(200, "");
        all.set_json(&answers.into());
        all
    }

    /// A new session in place of an ended one, and the same request on it.
    async fn revive(&self, message: &Message) -> Message {
        let mut hello = message.clone();
        hello.headers.remove(&SESSION);
        let info = json!({"name": "revived", "version": "1"});
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info});
        hello.set_json(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}));
        let opened = self.send(&hello).await;
        let mut again = message.clone();
        again.set(SESSION, &opened.header(&SESSION).unwrap_or_default());
        self.send(&again).await
    }
}
