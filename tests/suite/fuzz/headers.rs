//! The head of a POST: what its headers are refused for, and what not, against a plain reading of the rules. A real
//! server, in this process; a database in memory; one request after the other.

use std::sync::Arc;
use std::time::Duration;

use archonctl::accounting::capture::Capture;
use archonctl::accounting::tokens::{TokenCounter, TokenMethod};
use archonctl::catalog::Current;
use archonctl::mcp::{Engine, Timeouts, Tracking};
use archonctl::model::clock::Clock;
use archonctl::protocol::revision::{Revision, is_modern};
use archonctl::server::{App, HostRules, Limits, Principals, Shutdown};
use archonctl::session::{Caps, Policy, Sessions};
use archonctl::store::{Location, OpenOptions, Role, Store};
use archonctl::tools::builtin;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::driver::{Target, hold};
use super::lists::{Headers, all, essence, form, members};
use crate::http::{Answer, Connection, Mcp};

const TARGET: Target = Target {
    folders: &["tests/corpus/headers"],
    words: &[
        "Mcp-Session-Id: ",
        "X-MCP-Session-Id: ",
        "X-Archon-Session-Id: ",
        "MCP-Protocol-Version: ",
        "Content-Type: ",
        "Accept: ",
        "Origin: http://127.0.0.1",
        "Host: ",
        "Authorization: Bearer x",
        "Expect: 100-continue",
        "Transfer-Encoding: chunked",
        "Content-Length: 0",
        "Connection: close",
        "Content-Encoding: gzip",
        "Content-Encoding: identity",
        ";q=0",
        "\"",
        "{session}",
        "{archon}",
        "2025-11-25",
        "2025-03-26",
        "2026-07-28",
        "application/json",
        "application/json; charset=utf-8",
        "text/event-stream",
        "*/*",
        "\r\n",
        "\r",
        "\n",
        "\0",
        ": ",
        ",",
        ";",
        "\t",
        " ",
        "é",
        "\u{7f}",
        "\r\n\r\n",
    ],
    cases: 2000,
};
const PING: &str = r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#;
/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Headers that are about something else: the message's length, the connection, who may knock.
const OTHERS: [&str; 9] =
    ["host", "origin", "authorization", "transfer-encoding", "content-length", "connection", "expect", "upgrade", "te"];

/// A server and one session on it.
struct House {
    address: String,
    session: String,
    archon: String,
    kept: Mutex<Option<Connection>>,
}

impl House {
    async fn open() -> Self {
        let options = OpenOptions { location: Location::SqliteMemory, role: Role::Server, sync_full: false };
        let store = Store::open(&options).await.expect("a store");
        let hour = Duration::from_hours(1);
        let policy = Policy {
            timeout: hour,
            protocol_timeout: Duration::from_hours(24 * 30),
            max_age: None,
            recover_window: hour,
            cleanup_interval: hour,
            retention: None,
            capture_retention: None,
            store_grace: hour,
            caps: Caps::default(),
            token_method: "off",
            deployment: archonctl::session::Deployment::default(),
            on_tick: None,
        };
        let sessions = Sessions::begin(store, Clock::default(), policy).await.expect("a boot");
        let tokens = TokenCounter::new(TokenMethod::Off);
        let tracking = Tracking { on: false, tokens, prices: None, capture: Capture::Off };
        let timeouts = Timeouts { tool: hour, commit: PATIENCE };
        let catalog = std::sync::Arc::new(Current::new(builtin(&sessions)));
        let engine = Engine::new(sessions, catalog, tracking, timeouts);
        let limits = Limits { body_time: Duration::from_secs(1), ..Limits::default() };
        let app = App::new(engine, HostRules::default(), Principals::everybody(), limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let shutdown = Shutdown { drain_delay: Duration::ZERO, grace: Duration::ZERO };
        tokio::spawn(archonctl::server::run(
            app,
            archonctl::server::Listener::Tcp(listener),
            std::future::pending(),
            shutdown,
        ));
        let session = Mcp::new(&format!("http://{address}/mcp")).initialize("2025-11-25").await;
        let archon = session.archon.expect("an Archon session");
        Self { address, session: session.id, archon, kept: Mutex::default() }
    }

    /// The lines of a case, with the session's ids in their places.
    fn fill(&self, case: &[u8]) -> Vec<u8> {
        let filled = replaced(case, b"{session}", self.session.as_bytes());
        replaced(&filled, b"{archon}", self.archon.as_bytes())
    }

    fn head(&self, lines: &[u8]) -> Vec<u8> {
        let own = format!("POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n", self.address, PING.len());
        let end: &[u8] = if lines.is_empty() { b"\r\n" } else { b"\r\n\r\n" };
        [own.as_bytes(), lines, end, PING.as_bytes()].concat()
    }

    /// A request that is well-formed HTTP: it is answered, and the connection is kept for the next one.
    async fn answer(&self, lines: &[u8]) -> Answer {
        let mut kept = self.kept.lock().await;
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => Connection::open(&self.address).await.expect("a connection"),
        };
        connection.send(self.head(lines)).await.expect("sent");
        let answer = connection.answer().await.expect("an answer");
        if answer.header("connection").is_none() {
            *kept = Some(connection);
        }
        answer
    }

    /// What comes back to anything else, until the server closes.
    async fn exchange(&self, lines: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).await.expect("a connection");
        // The server may close while we still send.
        _ = stream.write_all(&self.head(lines)).await;
        _ = stream.shutdown().await;
        let mut said = Vec::new();
        // A reset is an end, too.
        _ = timeout(PATIENCE, stream.read_to_end(&mut said)).await.expect("closed");
        String::from_utf8_lossy(&said).into_owned()
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    [out.as_slice(), rest].concat()
}

/// The headers, if they are HTTP, not too many, and about nothing but MCP.
fn read(lines: &[u8]) -> Option<Headers> {
    let text = lines.iter().map(|byte| char::from(*byte)).collect::<String>();
    if lines.len() > 30_000 || text.matches("\r\n").count() > 80 {
        return None;
    }
    let lines = text.split("\r\n").filter(|_| !text.is_empty()).map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let is_text = |c: char| c == '\t' || (c >= ' ' && c != '\u{7f}');
        let name = name.to_ascii_lowercase();
        let is_ours = !name.is_empty() && name.chars().all(is_token) && !OTHERS.contains(&name.as_str());
        let value = value.trim_matches([' ', '\t']).chars().map(|c| u8::try_from(c).expect("a byte")).collect();
        (is_ours && line.contains(':') && text_of(line).chars().all(is_text)).then_some((name, value))
    });
    lines.collect()
}

fn text_of(line: &str) -> &str {
    line.split_once(':').map_or("", |(_, value)| value)
}

/// The status and the reason that such headers are to be answered with.
fn wanted(headers: &Headers, session: &str) -> (u16, &'static str) {
    let ids = members(headers, &["mcp-session-id", "x-mcp-session-id"]);
    let kinds = members(headers, &["content-type"]);
    let versions = members(headers, &["mcp-protocol-version"]);
    let says_no_version = versions.is_empty() && !all(headers, &["mcp-protocol-version"]).is_empty();
    let is_coded = |coding: &String| !coding.eq_ignore_ascii_case("identity");
    match ids.first() {
        _ if kinds.is_empty() || kinds.iter().any(|kind| essence(kind) != "application/json") => (415, "content_type"),
        _ if members(headers, &["content-encoding"]).iter().any(is_coded) => (415, "content_encoding"),
        _ if form(headers).is_none() => (406, "not_acceptable"),
        _ if versions.iter().any(|version| is_modern(version)) => (400, "legacy_only"),
        _ if says_no_version || versions.iter().any(|version| Revision::parse(version).is_none()) => {
            (400, "unsupported_version")
        }
        None => (400, "session_required"),
        Some(first) if ids.iter().any(|id| id != first) => (400, "two_sessions"),
        Some(id) if id == session => (200, ""),
        Some(_) => (404, "session_unknown"),
    }
}

fn judge(answer: &Answer, headers: &Headers, house: &House) {
    let (status, reason) = wanted(headers, &house.session);
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("mcp-session-id"), None, "an id that nobody asked for");
    let kind = form(headers).filter(|_| status == 200).unwrap_or("application/json");
    assert_eq!(answer.header("content-type"), Some(kind));
    let json = answer.json();
    if status == 200 {
        assert_eq!((&json["id"], json["result"].is_object()), (&7.into(), true), "{json}");
        assert_eq!(answer.header("x-archon-session-id"), Some(house.archon.as_str()));
    } else {
        let error = &json["error"];
        assert_eq!(error["data"]["reason"], reason, "{json}");
        assert!(error["data"]["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{json}");
    }
}

#[test]
fn headers() {
    let runtime = Runtime::new().expect("a runtime");
    let house = Arc::new(runtime.block_on(House::open()));
    hold(&TARGET, |case| {
        let lines = house.fill(case);
        runtime.block_on(async {
            if let Some(headers) = read(&lines) {
                judge(&house.answer(&lines).await, &headers, &house);
                return;
            }
            let said = house.exchange(&lines).await;
            let status = said.split(' ').nth(1).unwrap_or("4");
            assert!(["1", "2", "4"].iter().any(|class| status.starts_with(class)), "{said}");
        });
    });
}
