//! An archonctl that is broken on purpose, in one way: a proxy before the real one. It shows that `selftest` can fail.
//!
//! `faulty_archon FAULT ARCHONCTL serve …` starts `ARCHONCTL serve …` on a port of its own, listens where it was told to,
//! and passes everything on but for what the fault changes.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, Write};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const ARCHON: HeaderName = HeaderName::from_static("x-archon-session-id");

/// A request or an answer, whole.
#[derive(Debug, Clone, Default)]
struct Message {
    method: Method,
    path: String,
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Message {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    fn set_json(&mut self, json: &Value) {
        self.body = json.to_string().into_bytes();
    }

    fn header(&self, name: &HeaderName) -> Option<String> {
        self.headers.get(name)?.to_str().ok().map(str::to_owned)
    }

    fn set(&mut self, name: HeaderName, value: &str) {
        self.headers.insert(name, HeaderValue::from_str(value).expect("a header's value"));
    }

    fn is(&self, method: &str) -> bool {
        self.json()["method"] == method
    }
}

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

#[derive(Debug)]
struct Proxy {
    fault: String,
    behind: String,
    http: reqwest::Client,
    memory: Mutex<Memory>,
}

fn answer(status: u16, reason: &str) -> Message {
    if status == 204 {
        return Message { status: StatusCode::NO_CONTENT, ..Message::default() };
    }
    let error = json!({"code": -32000, "message": reason, "data": {"reason": reason, "hint": "none"}});
    let mut message = Message { status: StatusCode::from_u16(status).expect("a status"), ..Message::default() };
    message.set(http::header::CONTENT_TYPE, "application/json");
    message.set_json(&json!({"jsonrpc": "2.0", "id": null, "error": error}));
    message
}

impl Proxy {
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
    async fn handle(&self, mut message: Message) -> Message {
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

/// Faults that lie in the database: triggers that spoil what the server writes.
fn triggers(fault: &str) -> Vec<String> {
    let after = |name: &str, what: &str, work: &str| {
        format!("CREATE TRIGGER IF NOT EXISTS faulty_{name} AFTER {what} BEGIN {work}; END")
    };
    let of_each = |what: &dyn Fn(&str) -> String| {
        ["archon_mcp_sessions", "archon_mcp_protocol_sessions"].map(what).into_iter().collect()
    };
    match fault {
        "rows-get-lost" => vec![after(
            "rows",
            "INSERT ON archon_mcp_requests WHEN NEW.method <> 'initialize'",
            "DELETE FROM archon_mcp_requests WHERE id = NEW.id",
        )],
        "errors-as-success" => vec![after(
            "errors",
            "INSERT ON archon_mcp_requests",
            "UPDATE archon_mcp_requests SET status = 'success' WHERE id = NEW.id",
        )],
        "handshake-is-not-kept" => vec![after(
            "handshake",
            "INSERT ON archon_mcp_protocol_sessions",
            "DELETE FROM archon_mcp_protocol_sessions WHERE protocol_session_id = NEW.protocol_session_id",
        )],
        "wrong-durations" => of_each(&|table| {
            let wrong = format!("UPDATE {table} SET total_duration = 50000 WHERE total_duration < 50000");
            after(table, &format!("UPDATE OF total_duration ON {table} WHEN NEW.total_duration < 50000"), &wrong)
        }),
        "hollow-ends" => of_each(&|table| {
            let hollow = format!("UPDATE {table} SET ended_by = 'nobody' WHERE ended_by <> 'nobody'");
            after(table, &format!("UPDATE OF ended_by ON {table} WHEN NEW.ended_by <> 'nobody'"), &hollow)
        }),
        _ => Vec::new(),
    }
}

/// Past the server, into its database.
async fn execute(statements: &[String]) {
    if statements.is_empty() {
        return;
    }
    let url = std::env::var("DATABASE_URL").expect("the database's URL");
    let pool = sqlx::SqlitePool::connect(&url).await.expect("SQLite");
    for sql in statements {
        sqlx::query(AssertSqlSafe(sql.clone())).execute(&pool).await.expect("it is spoilt");
    }
    pool.close().await;
}

async fn proxied(State(proxy): State<Arc<Proxy>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 64 << 20).await.unwrap_or_default();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let (method, headers) = (parts.method, parts.headers);
    let message = Message { method, path, headers, body: body.to_vec(), ..Message::default() };
    // In a task of its own: a client that hangs up does not stop what it began.
    let handled = tokio::spawn(async move { proxy.handle(message).await }).await;
    let got = handled.unwrap_or_else(|_| answer(500, "the proxy broke"));
    (got.status, got.headers, got.body).into_response()
}

/// What stands after `--bind` is ours; the server behind takes any free port.
fn bind_of(args: &mut [String]) -> String {
    let place = args.iter().position(|arg| arg == "--bind").expect("--bind") + 1;
    std::mem::replace(&mut args[place], "127.0.0.1:0".to_owned())
}

#[tokio::main]
async fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let bind = bind_of(&mut args);
    let (fault, program) = (args.remove(0), args.remove(0));
    let mut child = std::process::Command::new(program)
        .args(&args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the real server starts");
    let mut log = std::io::BufReader::new(child.stderr.take().expect("its log")).lines();
    let behind = loop {
        let line = log.next().expect("a server that listens").expect("a line");
        match line.split_once("listening on http://") {
            Some((_, rest)) => break rest.split('/').next().expect("an address").to_owned(),
            None => eprintln!("{line}"),
        }
    };
    // The group is told to stop: the server behind does, and then so do we.
    let deaf = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a handler");
    execute(&triggers(&fault)).await;
    let listener = tokio::net::TcpListener::bind(&bind).await.expect("the address that was asked for");
    eprintln!("listening on http://{}/mcp", listener.local_addr().expect("an address"));
    std::thread::spawn(move || log.map_while(Result::ok).for_each(|line| eprintln!("{line}")));

    let stdin = child.stdin.take().expect("its input");
    let clock_fault = fault.clone();
    std::thread::spawn(move || follow(stdin, &clock_fault));
    std::thread::spawn(move || {
        let code = child.wait().ok().and_then(|status| status.code()).unwrap_or(1);
        std::process::exit(code);
    });
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().expect("a client");
    let proxy = Arc::new(Proxy { fault, behind, http, memory: Mutex::default() });
    axum::serve(listener, Router::new().fallback(proxied).with_state(proxy)).await.expect("serving");
    drop(deaf);
}

/// Standard input is the clock; its end is ours, too.
fn follow(mut behind: std::process::ChildStdin, fault: &str) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match fault {
            "clock-stands-still" => eprintln!("clock advanced, they say"),
            "reaps-everything" => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                let end = |table: &str| {
                    format!(
                        "UPDATE {table} SET status = 'expired', disconnect_reason = 'timeout' WHERE status = 'active'"
                    )
                };
                let all = ["archon_mcp_sessions", "archon_mcp_protocol_sessions"];
                runtime.block_on(execute(&all.map(end)));
                eprintln!("clock advanced, and everybody is gone");
            }
            _ => _ = writeln!(behind, "{line}"),
        }
    }
}
