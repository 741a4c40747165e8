//! What an answer says of its row, and what is refused before it runs because its row would not be written.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{House, LATEST, PING, SOON, call, initialize};
use crate::databases::{Blockade, on_every_database};

const REFUSE_ON_SQLITE: &str = "CREATE TRIGGER refuse BEFORE INSERT ON archon_mcp_requests \
     WHEN NEW.tool_name = 'test_echo' BEGIN SELECT RAISE(ABORT, 'not this one'); END";
const REFUSE_ON_POSTGRES: &str = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     RAISE EXCEPTION 'not this one' USING ERRCODE = '23514'; END $$; \
     CREATE TRIGGER refuse BEFORE INSERT ON archon_mcp_requests FOR EACH ROW \
     WHEN (NEW.tool_name = 'test_echo') EXECUTE FUNCTION refuse()";

on_every_database!(a_row_that_is_given_up_is_called_dropped, |db| async {
    let house = House::open_on(db, &[]).await;
    let session = house.session().await;
    session.call("test_echo", json!({"text": "x"})).await;
    house.db.rows(if house.db.is_postgres() { REFUSE_ON_POSTGRES } else { REFUSE_ON_SQLITE });
    for n in 0..20 {
        let answer = session.post(&[], call(n, "test_echo", json!({"text": "x"}))).await.expect("an answer");
        assert_eq!((answer.status, answer.header("x-archon-record")), (200, Some("dropped")), "{}", answer.text());
    }
    let streamed = session.post(&[("accept", "text/event-stream")], call(21, "test_echo", json!({"text": "x"}))).await;
    let streamed = streamed.expect("an answer");
    assert_eq!(streamed.header("x-archon-record"), Some("dropped"));
    assert!(streamed.text().starts_with(": x-archon-record: dropped\n"), "{}", streamed.text());
    let stored = session.request("tools/list", json!({})).await;
    assert_eq!(stored.header("x-archon-record"), None);
    // Told when it begins, and when it is over; not twenty times.
    sleep(Duration::from_millis(1100)).await;
    session.request("tools/list", json!({})).await;
    let said = |text: &str| house.server.lines().iter().filter(|line| line.contains(text)).count();
    house.server.wait_for_line("rows were dropped; new rows are stored again", SOON).await;
    assert_eq!([said("a row was dropped"), said("rows were dropped")], [1, 1]);
});

#[tokio::test]
async fn a_batch_tells_the_worst_of_its_rows() {
    let house = House::open(&[]).await;
    let session = house.mcp.initialize("2025-03-26").await;
    session.call("test_sleep", json!({"ms": 0})).await;
    house.db.rows(REFUSE_ON_SQLITE);
    let [good, bad] = [call(1, "test_sleep", json!({"ms": 0})), call(2, "test_echo", json!({"text": "x"}))];
    let answer = session.post(&[], format!("[{good},{bad},{good}]")).await.expect("an answer");
    assert_eq!((answer.status, answer.header("x-archon-record")), (200, Some("dropped")), "{}", answer.text());
    let answer = session.post(&[], format!("[{good},{good}]")).await.expect("an answer");
    assert_eq!(answer.header("x-archon-record"), None);
}

/// SQLite's lock stands for all that keeps rows from being written.
#[tokio::test]
async fn nothing_that_leaves_a_row_runs_beyond_the_grace() {
    let house = House::open(&["--store-grace", "2s", "--ack-deadline", "50ms"]).await;
    let session = house.session().await;
    session.call("test_echo", json!({"text": "x"})).await;
    let blockade = Blockade::of(&house.db, "LOCK TABLE archon_mcp_requests IN EXCLUSIVE MODE").await;
    let bodies = [
        call(1, "test_echo", json!({"text": "x"})),
        call(2, "no_such_tool", json!({})),
        r#"{"jsonrpc":"2.0","id":3,"method":"tools/call"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":4,"method":"tools/list"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":5,"method":"no/such/method"}"#.to_owned(),
    ];
    let deadline = Instant::now() + SOON;
    while session.post(&[], bodies[0].clone()).await.expect("an answer").status != 503 {
        assert!(Instant::now() < deadline, "it goes on for ever");
        sleep(Duration::from_millis(50)).await;
    }
    for body in &bodies {
        let answer = session.post(&[], body.clone()).await.expect("an answer");
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{body}: {}", answer.text());
        assert_eq!(answer.header("x-archon-record"), None, "nothing was handled: {body}");
    }
    let answer = house.post(&[], initialize(LATEST)).await;
    assert_eq!((answer.status, answer.header("mcp-session-id")), (503, None), "{}", answer.text());
    assert_eq!(session.post(&[], PING).await.expect("an answer").status, 200, "it leaves none");
    blockade.release().await;
    let deadline = Instant::now() + SOON;
    while session.post(&[], bodies[0].clone()).await.expect("an answer").status != 200 {
        assert!(Instant::now() < deadline, "it never comes back");
        sleep(Duration::from_millis(50)).await;
    }
}

/// The time of a request is its arrival, and it took what it took.
#[tokio::test]
async fn lists_are_measured() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    session.request("tools/list", json!({})).await;
    session.request("no/such/method", json!({})).await;
    house.until("SELECT COUNT(*) FROM archon_mcp_requests WHERE method IN ('tools/list', 'no/such/method') AND duration_us > 0", "2").await;
}
