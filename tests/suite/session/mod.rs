//! The life of a session, with the real program: it survives ([`survival`]), ends ([`ends`], [`clock`], not for [`time`] that was nobody's idleness), and is bound to
//! an Archon session ([`binding`]).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::databases::Database;
use crate::http::{Answer, Connection, Session};
use crate::process::ServeProcess;

mod away;
mod binding;
mod clock;
mod ends;
mod ledger;
mod pruning;
mod refused;
mod renamed;
mod retention;
mod running;
mod supervision;
mod survival;
mod time;

/// The newest revision with sessions.
const REVISION: &str = "2025-11-25";
/// For whatever should happen soon: generous, since a passing test never waits for it.
const SOON: Duration = Duration::from_secs(20);
/// An end made anywhere is honoured everywhere within about a second (the lease); the rest is for a busy machine.
const HONOURED: Duration = Duration::from_millis(2500);

/// Waits until a statement yields that value.
async fn until(db: &Database, sql: &str, wanted: &str) {
    let begun = Instant::now();
    loop {
        let value = db.value(sql);
        if value == wanted {
            return;
        }
        assert!(begun.elapsed() < SOON, "{value}, not {wanted}, after {SOON:?}\nfrom: {sql}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// `GET` past the MCP endpoint.
async fn get(address: &str, path: &str) -> std::io::Result<Answer> {
    let mut connection = Connection::open(address).await?;
    connection.request(&format!("GET {path}"), &[("connection", "close")], "").await?;
    connection.answer().await
}

/// What `/health` says.
async fn health(server: &ServeProcess) -> Value {
    get(server.address(), "/health").await.expect("an answer of /health").json()
}

/// The body of a tool call.
fn call_body(tool: &str, arguments: &Value) -> String {
    let params = json!({"name": tool, "arguments": arguments});
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}).to_string()
}

/// Calls `test_echo` as a client that names an Archon session; returns the one that answered.
async fn echo_naming(session: &Session, named: &str) -> String {
    let body = call_body("test_echo", &json!({"text": "x"}));
    let answer = session.post(&[("x-archon-session-id", named)], body).await.expect("an answer");
    assert_eq!((answer.status, &answer.json()["result"]["isError"]), (200, &json!(false)), "{}", answer.text());
    answer.header("x-archon-session-id").expect("an Archon session").to_owned()
}

/// Calls `test_echo`; returns the Archon session that answered.
async fn echo(session: &Session) -> String {
    let answer = session.request("tools/call", json!({"name": "test_echo", "arguments": {"text": "x"}})).await;
    assert_eq!((answer.status, &answer.json()["result"]["isError"]), (200, &json!(false)), "{}", answer.text());
    answer.header("x-archon-session-id").expect("an Archon session").to_owned()
}

/// Starts a call that runs for so long, and returns once it runs: then its session exists.
async fn nap(db: &Database, session: &Session, ms: u64) -> tokio::task::JoinHandle<Answer> {
    let sleeper = session.clone();
    let nap = tokio::spawn(async move {
        let body = call_body("test_sleep", &json!({"ms": ms}));
        sleeper.post(&[], body).await.expect("an answer to test_sleep")
    });
    let archon = session.archon.as_deref().expect("a reserved id");
    let exists = format!("SELECT COUNT(*) FROM archon_mcp_sessions WHERE session_id = '{archon}'");
    until(db, &exists, "1").await;
    nap
}

/// That a session is refused as ended, for this reason; waits for the lease to run out.
async fn refused(session: &Session, reason: &str) {
    let begun = Instant::now();
    let mut answer = session.request("ping", json!({})).await;
    while answer.status == 200 && begun.elapsed() < HONOURED {
        tokio::time::sleep(Duration::from_millis(20)).await;
        answer = session.request("ping", json!({})).await;
    }
    assert_eq!(answer.status, 404, "within {HONOURED:?}: {}", answer.text());
    let error = &answer.json()["error"];
    assert_eq!(error["data"]["reason"], "session_ended", "{error}");
    assert!(error["data"]["ended_at"].is_string(), "{error}");
    let message = error["message"].as_str().expect("a message");
    assert!(message.contains(&format!(": {reason} by ")), "{message}");
}

/// Which of the two lives of a session.
#[derive(Debug, Clone, Copy)]
enum Life {
    Archon,
    Protocol,
}

impl Life {
    fn table(self) -> &'static str {
        match self {
            Self::Archon => "archon_mcp_sessions",
            Self::Protocol => "archon_mcp_protocol_sessions",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Archon => "session_id",
            Self::Protocol => "protocol_session_id",
        }
    }

    /// That the row tells the whole of its end, and that exactly one event does, too.
    fn assert_ended(self, db: &Database, id: &str, end: [&str; 3]) {
        let (table, key) = (self.table(), self.key());
        let row = format!("SELECT status, disconnect_reason, ended_by FROM {table} WHERE {key} = '{id}'");
        assert_eq!(db.rows(&row), [end.map(|text| Some(text.to_owned()))], "{self:?} {id}");
        let whole_seconds = if db.is_postgres() {
            "FLOOR(EXTRACT(EPOCH FROM disconnected_at - connected_at))::INTEGER"
        } else {
            "CAST(round((julianday(disconnected_at) - julianday(connected_at)) * 86400000) AS INTEGER) / 1000"
        };
        let duration = format!("SELECT total_duration - {whole_seconds} FROM {table} WHERE {key} = '{id}'");
        assert_eq!(db.value(&duration), "0", "{self:?} {id}: whole seconds");
        // The Archon session's own event names no protocol session.
        let only = match self {
            Self::Archon => "AND e.protocol_session_id IS NULL",
            Self::Protocol => "",
        };
        let events = format!(
            "SELECT e.reason, e.actor FROM archon_mcp_session_events e JOIN {table} s ON s.{key} = e.{key} \
             WHERE e.kind = 'ended' AND e.{key} = '{id}' {only} AND e.at = s.disconnected_at"
        );
        assert_eq!(db.rows(&events), [[Some(end[1].to_owned()), Some(end[2].to_owned())]], "{self:?} {id}");
    }

    fn assert_active(self, db: &Database, id: &str) {
        let row = format!("SELECT status FROM {} WHERE {} = '{id}'", self.table(), self.key());
        assert_eq!(db.value(&row), "active", "{self:?} {id}");
    }
}
