//! The real server on the wire: each line of the status table, the tools around their edges, and whatever a hostile
//! client may send. Every wait is bounded, here or in [`crate::http`].

mod access;
mod answers;
mod batch;
mod browsers;
mod caps;
mod capture;
mod changes;
mod facts;
mod home;
mod hostile;
mod listening;
mod lists;
mod looking;
mod messages;
mod names;
mod old_clients;
mod order;
mod places;
mod reading;
mod rows;
mod sessions;
mod shares;
mod sockets;
mod status;
mod stopping;
mod strangers;
mod streams;
mod talking;
mod tools;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::databases::Database;
use crate::http::{Answer, Connection, Mcp, Session};
use crate::process::ServeProcess;

/// The newest revision with sessions.
const LATEST: &str = "2025-11-25";
/// A request that every session may send.
const PING: &str = r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#;
/// What is written behind the answer's back, or seen only after the lease of a session, is there by then.
const SOON: Duration = Duration::from_secs(15);

/// A server with the tools for tests, its database, and a client without a session.
struct House {
    server: ServeProcess,
    mcp: Mcp,
    db: Database,
}

impl House {
    async fn open(arguments: &[&str]) -> Self {
        Self::open_on(Database::sqlite(), arguments).await
    }

    async fn open_on(db: Database, arguments: &[&str]) -> Self {
        let server = ServeProcess::start(&db, &[&["--test-tools"], arguments].concat()).await;
        Self { mcp: Mcp::new(server.url()), server, db }
    }

    async fn session(&self) -> Session {
        self.mcp.initialize(LATEST).await
    }

    async fn connect(&self) -> Connection {
        Connection::open(self.server.address()).await.expect("a connection")
    }

    /// Posts without a session, except for what the headers say.
    async fn post(&self, headers: &[(&str, &str)], body: impl Into<String>) -> Answer {
        self.mcp.post(headers, body).await.expect("an answer")
    }

    /// One request on a connection of its own.
    async fn request(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut connection = self.connect().await;
        connection.request(line, headers, body).await.expect("sent");
        connection.answer().await.expect("an answer")
    }

    /// Waits until the statement yields that value: events and late rows are written behind the answer.
    async fn until(&self, sql: &str, expected: &str) {
        let deadline = Instant::now() + SOON;
        loop {
            let rows = self.db.rows(sql);
            if matches!(rows.as_slice(), [row] if row.first().is_some_and(|v| v.as_deref() == Some(expected))) {
                return;
            }
            assert!(Instant::now() < deadline, "not {expected:?} but {rows:?}\nfrom: {sql}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The one value of the newest request row that fulfils the condition.
    async fn newest_row(&self, column: &str, condition: &str, expected: &str) {
        let sql = format!("SELECT {column} FROM archon_mcp_requests WHERE {condition} ORDER BY id DESC LIMIT 1");
        self.until(&sql, expected).await;
    }
}

/// `initialize` of a client that asks for that revision.
fn initialize(revision: &str) -> String {
    let info = json!({"name": "suite", "version": "1"});
    let params = json!({"protocolVersion": revision, "capabilities": {}, "clientInfo": info});
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}).to_string()
}

/// `tools/call`.
fn call(id: impl Into<Value>, tool: &str, arguments: impl Into<Value>) -> String {
    let params = json!({"name": tool, "arguments": arguments.into()});
    json!({"jsonrpc": "2.0", "id": id.into(), "method": "tools/call", "params": params}).to_string()
}

/// A refusal as every one must be: that status, a JSON-RPC error of that code and reason, with a hint, and no session.
#[track_caller]
fn assert_refused(answer: &Answer, status: u16, code: i64, reason: &str) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.text());
    assert_eq!(answer.header("mcp-session-id"), None, "an id on a refusal: {}", answer.text());
    let json = answer.json();
    assert_eq!(json["jsonrpc"], "2.0", "{json}");
    let error = &json["error"];
    assert_eq!((&error["code"], &error["data"]["reason"]), (&json!(code), &json!(reason)), "{json}");
    // Most clients show the message alone: what happened, and behind a semicolon what to do.
    let message = error["message"].as_str().and_then(|text| text.split_once("; "));
    assert!(message.is_some_and(|(fact, way_out)| !fact.is_empty() && !way_out.is_empty()), "{json}");
    assert!(error["data"]["hint"].as_str().is_some_and(|text| !text.is_empty()), "{json}");
    json
}

/// Another client is served as if nothing had happened.
async fn assert_serves(neighbour: &Session) {
    let echoed = neighbour.call("test_echo", json!({"text": "still here"})).await;
    assert_eq!(echoed["structuredContent"], json!({"text": "still here"}));
}

/// The memory of a process, in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
