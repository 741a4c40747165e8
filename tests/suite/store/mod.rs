//! What the store promises, on every database.

pub(crate) mod backend;
mod boots;
mod commit;
mod reports;
mod sessions;
mod tail;
mod totals;

use std::sync::Arc;
use std::time::Duration;

use archonctl::model::machine::{Kills, Memory};
use archonctl::model::request::{RequestStatus, Tokens};
use archonctl::model::session::{EndReason, SessionRule};
use archonctl::model::timestamp::Timestamp;
use archonctl::store::boots::{Begun, NewBoot, Rules, ServerName};
use archonctl::store::commit::Commit;
use archonctl::store::rows::{Binding, ClientFacts, NewEvent, NewProtocolSession, NewRequest, NewSession, Write};
use archonctl::store::sessions::{Ending, EvictRule, ReapRule};
use archonctl::store::totals::{ArchonTouch, ProtocolTouch, Touches};
use archonctl::store::{Location, OpenError, OpenOptions, Role, Store, StoreError};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::databases::Database;

/// The moment that stands for "now": 2026-01-10 12:00:00 UTC, as in the guide's INSERT.
const NOON: Timestamp = Timestamp::from_millis(1_768_046_400_000);
/// How long a commit may take: generous, since a passing test never waits for it.
const SOON: Duration = Duration::from_secs(30);
/// The session timeout of these tests.
const TIMEOUT: Duration = Duration::from_hours(1);
/// How long connections may be idle in these tests.
const PROTOCOL_TIMEOUT: Duration = Duration::from_hours(24 * 30);
/// The version in boot rows.
const VERSION: &str = env!("CARGO_PKG_VERSION");

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

async fn open(db: &Database, role: Role) -> Result<Store, OpenError> {
    let location = Location::parse(db.url()).expect("the URL of a test database");
    Store::open(&OpenOptions { location, role, sync_full: false }).await
}

/// A server's store, with its boot begun at [`NOON`].
async fn serving(db: &Database) -> Store {
    let store = open(db, Role::Server).await.expect("open as a server");
    begin_boot(&store, NOON).await;
    store
}

/// One more store on a database that has a server: another server on PostgreSQL; SQLite has one, and operators.
async fn beside(db: &Database) -> Store {
    let role = if db.is_postgres() { Role::Server } else { Role::Operator };
    open(db, role).await.expect("open beside the server")
}

async fn begin_boot(store: &Store, now: Timestamp) -> Begun {
    store.begin_boot(&boot_at(now)).await.expect("begin a boot")
}

fn boot_at(now: Timestamp) -> NewBoot {
    let recover_window = Duration::from_hours(24);
    let rules = Rules { session_timeout: TIMEOUT, protocol_timeout: PROTOCOL_TIMEOUT, max_age: None };
    NewBoot {
        id: Uuid::new_v4(),
        version: VERSION,
        started_at: now,
        token_method: "approx",
        recover_window,
        listen: None,
        name: ServerName::default(),
        memory: Memory::default(),
        kills: Kills::default(),
        former: None,
        rules,
    }
}

/// The ids of the `n`-th pair of sessions.
fn ids(n: u32) -> (Arc<str>, Uuid) {
    (format!("protocol-session-{n}").into(), Uuid::from_u128(u128::from(n)))
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).expect("JSON")
}

fn client() -> ClientFacts {
    ClientFacts {
        client_type: "Claude Code".into(),
        client_name: Some("claude-code".into()),
        client_version: Some("1.0.0".into()),
        client_capabilities: Some(raw(r#"{"roots":{}}"#)),
    }
}

fn protocol(n: u32) -> NewProtocolSession {
    let (protocol_session_id, session_id) = ids(n);
    NewProtocolSession {
        protocol_session_id,
        session_id,
        principal: "alice".into(),
        protocol_version: "2025-11-25",
        client: client(),
        client_info: Some(raw(r#"{"name":"claude-code"}"#)),
        connected_at: NOON,
        last_activity: NOON,
        expires_at: NOON.plus(PROTOCOL_TIMEOUT),
        boot: 1,
        credited: 0,
    }
}

fn archon(n: u32) -> NewSession {
    let (protocol_session_id, session_id) = ids(n);
    NewSession {
        session_id,
        protocol_session_id,
        principal: "alice".into(),
        client: client(),
        connected_at: NOON,
        last_activity: NOON,
        expires_at: NOON.plus(TIMEOUT),
        boot: 1,
        credited: 0,
        user_id: Some(Uuid::from_u128(7)),
        user_email: Some("alice@example.org".into()),
        user_name: Some("alice".into()),
        metadata: Some(raw(r#"{"name":"claude-code"}"#)),
    }
}

/// A tool call in the `n`-th pair of sessions.
fn call(n: u32) -> NewRequest {
    let (protocol_session_id, session_id) = ids(n);
    NewRequest {
        session_id: Some(session_id),
        protocol_session_id: Some(protocol_session_id),
        client_type: "Claude Code".into(),
        method: "tools/call".into(),
        tool_name: Some("health_check".into()),
        timestamp: NOON,
        duration_us: 1500,
        status: RequestStatus::Success,
        error_message: None,
        tokens: Some(Tokens { prompt: 10, completion: 20 }),
        estimated_cost: None,
        rule: Some(SessionRule::Bound),
        late: false,
        captured: None,
    }
}

fn event(n: u32, kind: &'static str) -> NewEvent {
    let (protocol_session_id, session_id) = ids(n);
    NewEvent {
        at: NOON,
        kind,
        session_id: Some(session_id),
        protocol_session_id: Some(protocol_session_id),
        reason: Some("because".into()),
        actor: Some("alice".into()),
    }
}

fn opens(row: NewProtocolSession) -> Write {
    Write::Open(Box::new(row))
}

fn creates(row: NewSession) -> Write {
    Write::Create(Box::new(row))
}

fn requests(row: NewRequest) -> Write {
    Write::Request(Box::new(row))
}

fn events(row: NewEvent) -> Write {
    Write::Event(Box::new(row))
}

/// Both sessions of the `n`-th pair.
fn pair(n: u32) -> [Write; 2] {
    [opens(protocol(n)), creates(archon(n))]
}

/// Submits writes together, and waits until each is committed.
async fn store_all(store: &Store, writes: impl IntoIterator<Item = Write>) {
    for outcome in outcomes(store, writes).await {
        assert_eq!(outcome, Commit::Done);
    }
}

async fn outcomes(store: &Store, writes: impl IntoIterator<Item = Write>) -> Vec<Commit> {
    let tickets: Vec<_> = writes.into_iter().map(|write| store.writer().submit(write)).collect();
    let mut outcomes = Vec::new();
    for ticket in tickets {
        outcomes.push(ticket.within(SOON).await);
    }
    outcomes
}

fn touch_archon(n: u32, at: Timestamp) -> ArchonTouch {
    ArchonTouch { session_id: ids(n).1, last_activity: at, expires_at: at.plus(TIMEOUT), boot: 1, credited: 0 }
}

fn touch_protocol(n: u32, at: Timestamp) -> ProtocolTouch {
    let expires_at = at.plus(PROTOCOL_TIMEOUT);
    ProtocolTouch { protocol_session_id: ids(n).0, last_activity: at, expires_at, boot: 1, credited: 0 }
}

/// Writes what waits, and nothing else.
async fn flush(store: &Store) {
    store.totals().flush(1, Touches::default()).await.map_err(|(e, _)| e).expect("a flush");
}

fn by(reason: EndReason, by: &str, at: Timestamp) -> Ending<'_> {
    Ending { reason, by, at }
}

/// What the cleanup goes by, at that moment.
fn reap_at(now: Timestamp) -> ReapRule {
    ReapRule { now, timeout: TIMEOUT, protocol_timeout: PROTOCOL_TIMEOUT, too_old: None, limit: 500 }
}

fn count(db: &Database, what: &str) -> i64 {
    db.value(&format!("SELECT COUNT(*) FROM {what}")).parse().expect("a count")
}

/// An expression that yields a time as `YYYY-MM-DD HH:MM:SS.SSS` in UTC.
fn time(db: &Database, column: &str) -> String {
    if db.is_postgres() {
        format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS')")
    } else {
        column.into()
    }
}

/// One row as texts; NULL is `NULL`.
fn row(db: &Database, sql: &str) -> Vec<String> {
    let mut rows = rows(db, sql);
    assert_eq!(rows.len(), 1, "not one row, but {rows:?}\nfrom: {sql}");
    rows.remove(0)
}

fn rows(db: &Database, sql: &str) -> Vec<Vec<String>> {
    let text = |value: Option<String>| value.unwrap_or_else(|| "NULL".into());
    db.rows(sql).into_iter().map(|row| row.into_iter().map(text).collect()).collect()
}
