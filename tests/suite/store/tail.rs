//! Rows whose numbers come late: on PostgreSQL a number is given before its commit.

use std::time::Duration;

use archonctl::store::Role;
use archonctl::store::sessions::{Cancellation, News};
use sqlx::{Connection, Executor, PgConnection};

use super::{NOON, open, serving};
use crate::databases::Database;

const END: &str =
    "INSERT INTO archon_mcp_session_events (at, kind, protocol_session_id) VALUES (now(), 'ended', '{id}')";

/// The end of a session whose event has a lower number than one that was seen before is heard of, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_with_a_late_number_is_heard_of_once() {
    let Some(db) = Database::postgres() else { return };
    let _server = serving(&db).await;
    let store = open(&db, Role::Server).await.expect("open");
    // One is under way before anybody follows.
    let mut late = PgConnection::connect(db.url()).await.expect("connect");
    let begin = async |connection: &mut PgConnection, id: &str| {
        let sql = format!("BEGIN; {}", END.replace("{id}", id));
        connection.execute(sqlx::AssertSqlSafe(sql)).await.expect("begun");
    };
    begin(&mut late, "first").await;
    db.rows(&END.replace("{id}", "old"));
    let mut feed = store.news();
    assert_eq!(feed.next().await.expect("a look"), [], "what stands there is old");
    let next = async |feed: &mut archonctl::store::sessions::Feed| loop {
        let news = tokio::time::timeout(Duration::from_secs(20), feed.next()).await.expect("in time").expect("a look");
        let id = |news| match news {
            News::Ended(end) => end.protocol_session_id,
            News::Cancelled(cancelled) => Some(cancelled.request),
        };
        if !news.is_empty() {
            break news.into_iter().filter_map(id).collect::<Vec<_>>();
        }
    };
    let mut later = PgConnection::connect(db.url()).await.expect("connect");
    begin(&mut later, "second").await;
    db.rows(&END.replace("{id}", "third"));
    assert_eq!(next(&mut feed).await, ["third"]);
    later.execute("COMMIT").await.expect("committed");
    assert_eq!(next(&mut feed).await, ["second"]);
    late.execute("COMMIT").await.expect("committed");
    assert_eq!(next(&mut feed).await, ["first"]);
    db.rows(&END.replace("{id}", "fourth"));
    assert_eq!(next(&mut feed).await, ["fourth"], "and none of them twice");
    let cancelled = Cancellation { protocol_session_id: "some".to_owned(), request: "\"7\"".to_owned() };
    store.announce_cancelled(NOON, &cancelled).await.expect("told");
    assert_eq!(next(&mut feed).await, ["\"7\""]);
}
