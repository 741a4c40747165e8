//! A catalogue that is swapped while clients are there. A server in this process: no command swaps one yet.

use std::sync::Arc;
use std::time::Duration;

use archonctl::accounting::capture::Capture;
use archonctl::accounting::tokens::{TokenCounter, TokenMethod};
use archonctl::catalog::{Call, Catalog, Current, Entry, Tool, ToolOutput, ToolResult};
use archonctl::mcp::{Engine, Timeouts, Tracking};
use archonctl::model::clock::Clock;
use archonctl::server::{App, HostRules, Limits, Listener, Principals, Shutdown};
use archonctl::session::{Caps, Policy, Sessions};
use archonctl::store::{Location, OpenOptions, Role, Store};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::LATEST;
use crate::http::{Connection, Mcp};

/// A tool of that name, which answers with its name when it may.
struct Named(&'static str, Arc<Notify>);

impl Tool for Named {
    fn entry(&self) -> Entry {
        // What we do not know stays, where it is.
        let raw =
            format!(r#"{{"icons":[{{"src":"x"}}],"name":"{}","inputSchema":{{"type":"object"}},"z":1,"a":2}}"#, self.0);
        let raw = serde_json::value::RawValue::from_string(raw).expect("json");
        Entry::from_raw(archonctl::catalog::Kind::Tool, raw).expect("an entry")
    }

    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, ToolResult> {
        async move {
            if call.arguments.is_some_and(|arguments| arguments.get().contains("wait")) {
                self.1.notified().await;
            }
            Ok(ToolOutput::text(self.0))
        }
        .boxed()
    }
}

async fn serving(catalog: Catalog) -> (String, Arc<Current>, Arc<Engine>) {
    let options = OpenOptions { location: Location::SqliteMemory, role: Role::Server, sync_full: false };
    let policy = Policy {
        timeout: Duration::from_hours(1),
        protocol_timeout: Duration::from_hours(30),
        max_age: None,
        recover_window: Duration::ZERO,
        cleanup_interval: Duration::from_mins(5),
        retention: None,
        capture_retention: None,
        store_grace: Duration::from_mins(1),
        caps: Caps::default(),
        token_method: "off",
        deployment: archonctl::session::Deployment::default(),
        on_tick: None,
    };
    let store = Store::open(&options).await.expect("a database");
    let sessions = Sessions::begin(store, Clock::default(), policy).await.expect("a boot");
    let tracking =
        Tracking { on: true, tokens: TokenCounter::new(TokenMethod::Off), prices: None, capture: Capture::Off };
    let timeouts = Timeouts { tool: Duration::from_mins(1), commit: Duration::from_millis(250) };
    let current = Arc::new(Current::new(catalog));
    let engine = Engine::new(sessions.clone(), current.clone(), tracking, timeouts);
    let telling = engine.clone();
    sessions.supervisor().keep("tell changes", move |stopping| telling.clone().announce_changes(stopping));
    let app = App::new(engine.clone(), HostRules::default(), Principals::everybody(), Limits::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let shutdown = Shutdown { drain_delay: Duration::ZERO, grace: Duration::ZERO };
    tokio::spawn(archonctl::server::run(app, Listener::Tcp(listener), std::future::pending(), shutdown));
    (address, current, engine)
}

#[tokio::test]
async fn who_listens_hears_of_it_and_a_call_keeps_the_catalogue_in_which_it_began() {
    let go_on = Arc::new(Notify::new());
    let named = |name| Catalog::empty().with(Named(name, go_on.clone()));
    let (address, current, engine) = serving(named("first")).await;
    let session = Mcp::new(&format!("http://{address}/mcp")).initialize(LATEST).await;
    let mut stream = Connection::open(&address).await.expect("a connection");
    let headers = [("mcp-session-id", session.id.as_str()), ("accept", "text/event-stream")];
    stream.request("GET /mcp", &headers, "").await.expect("sent");
    assert_eq!(stream.head().await.expect("a head").status, 200);
    stream.chunk().await.expect("the first comment");
    assert_eq!(engine.open_streams(), 1);

    let slow = session.clone();
    let calling = tokio::spawn(async move { slow.call("first", json!({"wait": true})).await });
    while engine.sessions().store().writer().stats().committed < 3 {
        // The session, its Archon session and the notification: the call has begun.
        tokio::task::yield_now().await;
    }
    current.replace(named("second"));
    let told = stream.chunk().await.expect("a chunk").expect("more");
    assert!(String::from_utf8_lossy(&told).contains("notifications/tools/list_changed"));
    go_on.notify_waiters();
    go_on.notify_one();
    assert_eq!(calling.await.expect("ended")["content"][0]["text"], "first");

    let list = session.request("tools/list", json!({})).await.text();
    let entry = r#"{"icons":[{"src":"x"}],"name":"second","inputSchema":{"type":"object"},"z":1,"a":2}"#;
    assert!(list.contains(entry), "{list}");
    let gone = session.request("tools/call", json!({"name": "first"})).await.json();
    assert_eq!(gone["error"]["code"], -32602);
    assert_eq!(session.call("second", json!({})).await["content"][0]["text"], "second");
    // The same once more is no change.
    current.replace(named("second"));
    current.replace(named("third"));
    let told = stream.chunk().await.expect("a chunk").expect("more");
    assert_eq!(String::from_utf8_lossy(&told).matches("list_changed").count(), 1);
}
