//! How many sessions there may be, and how fast they may be opened.

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::access::with_tokens;
use super::*;
use crate::databases::on_every_database;

/// Opens sessions one after the other until one is refused; gives those, and the refusal.
async fn fill(mcp: &Mcp, at_most: usize) -> (Vec<String>, Option<Answer>) {
    let mut ids = Vec::new();
    for _ in 0..at_most {
        let answer = mcp.post(&[], initialize(LATEST)).await.expect("an answer");
        match answer.header("mcp-session-id") {
            Some(id) if answer.status == 200 => ids.push(id.to_owned()),
            _ => return (ids, Some(answer)),
        }
    }
    (ids, None)
}

on_every_database!(a_full_server_keeps_its_sessions_and_takes_no_more, |db| async {
    let house = House::open_on(db, &["--max-sessions", "3"]).await;
    let first = house.session().await;
    let (rest, refusal) = fill(&house.mcp, 5).await;
    assert_eq!(rest.len(), 2);
    let refusal = refusal.expect("a refusal");
    assert_refused(&refusal, 503, -32000, "full");
    assert_eq!(refusal.header("retry-after"), Some("5"));
    assert_serves(&first).await;
    house.until("SELECT COUNT(*) FROM archon_mcp_protocol_sessions", "3").await;
    // Who leaves makes room, and soon.
    assert_eq!(first.delete().await.status, 204);
    let deadline = Instant::now() + SOON;
    while house.post(&[], initialize(LATEST)).await.status != 200 {
        assert!(Instant::now() < deadline, "no room after an end");
        sleep(Duration::from_millis(20)).await;
    }
    assert_refused(&house.post(&[], initialize(LATEST)).await, 503, -32000, "full");
});

#[tokio::test]
async fn openings_at_once_do_not_pass_the_cap() {
    let house = House::open(&["--max-sessions", "10"]).await;
    let answers = join_all((0..40).map(|_| house.post(&[], initialize(LATEST)))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 10);
    assert_eq!(answers.iter().filter(|answer| answer.status == 503).count(), 30);
}

#[tokio::test]
async fn two_principals_at_once_do_not_pass_the_cap_together() {
    let house = with_tokens(&["--max-sessions", "10", "--max-sessions-per-principal", "0"]).await;
    let clients = ["a", "b"].map(|token| house.mcp.clone().with_token(token));
    let asking = (0..40).map(|n| clients[n % 2].post(&[], initialize(LATEST)));
    let answers = join_all(asking).await;
    let with = |status| answers.iter().filter(|answer| answer.as_ref().is_ok_and(|it| it.status == status)).count();
    assert_eq!((with(200), with(503)), (10, 30));
}

#[tokio::test]
async fn what_one_principal_has_is_nobody_elses_loss() {
    let house = with_tokens(&["--max-sessions-per-principal", "2"]).await;
    let (ada, bob) = (house.mcp.clone().with_token("a"), house.mcp.clone().with_token("b"));
    let (hers, refusal) = fill(&ada, 5).await;
    assert_eq!(hers.len(), 2);
    assert_refused(&refusal.expect("a refusal"), 429, -32000, "too_many_sessions");
    let (his, refusal) = fill(&bob, 2).await;
    assert_eq!((his.len(), refusal.is_none()), (2, true));
}

#[tokio::test]
async fn a_flood_of_openings_is_slowed_down() {
    let house = House::open(&["--max-initialize-rate", "1"]).await;
    let answers = join_all((0..40).map(|_| house.post(&[], initialize(LATEST)))).await;
    let (opened, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    // A burst, and what the seconds of a slow machine add.
    assert!((20..35).contains(&opened.len()), "{} were opened", opened.len());
    for answer in refused {
        assert_refused(answer, 429, -32000, "too_fast");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
}

/// Opens a session once the server knows that it was its clock, and no gap, that moved: a heartbeat tells.
async fn opened_in_calm(house: &House) -> Answer {
    let deadline = Instant::now() + SOON;
    loop {
        let answer = house.post(&[], initialize(LATEST)).await;
        if answer.status == 200 || Instant::now() > deadline {
            return answer;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Moves the clock of a server that was started with `--test-clock`.
async fn advance(house: &mut House, by: &str) {
    house.server.write_line(&format!("advance {by}"));
    house.server.wait_for_line("clock advanced", SOON).await;
}

on_every_database!(the_longest_idle_give_way_where_there_is_no_room, |db| async {
    let mut house = House::open_on(db, &["--max-sessions", "3", "--test-clock", "--session-timeout", "1h"]).await;
    let oldest = house.session().await;
    let (second, used) = (house.session().await, house.session().await);
    for session in [&oldest, &second] {
        session.call("test_echo", json!({"text": "x"})).await;
        // Which of the two is idle for longer is told by milliseconds.
        sleep(Duration::from_millis(5)).await;
    }
    assert_refused(&house.post(&[], initialize(LATEST)).await, 503, -32000, "full");
    advance(&mut house, "61m").await;
    assert_serves(&used).await;
    // One at a time: a hundredth of three, but at least one.
    assert_eq!(opened_in_calm(&house).await.status, 200);
    let end = format!(
        "SELECT status || ' ' || disconnect_reason || ' ' || ended_by FROM archon_mcp_protocol_sessions \
         WHERE protocol_session_id = '{}'",
        oldest.id
    );
    house.until(&end, "disconnected evicted server").await;
    let refused = oldest.request("ping", json!({})).await;
    assert_eq!((refused.status, &refused.json()["error"]["data"]["reason"]), (404, &json!("session_ended")));
    assert_serves(&second).await;
    assert_serves(&used).await;
    // All of them are in use now.
    assert_refused(&house.post(&[], initialize(LATEST)).await, 503, -32000, "full");
    let alive = "SELECT COUNT(*) FROM archon_mcp_sessions WHERE status = 'active'";
    house.until(alive, "2").await;
});

#[tokio::test]
async fn who_has_a_share_makes_room_among_its_own() {
    let mut house = with_tokens(&["--max-sessions", "4", "--max-sessions-per-principal", "0", "--test-clock"]).await;
    let (ada, bob) = (house.mcp.clone().with_token("a"), house.mcp.clone().with_token("b"));
    let his = bob.initialize(LATEST).await;
    let (hers, _) = fill(&ada, 3).await;
    assert_eq!(hers.len(), 3);
    advance(&mut house, "61m").await;
    // Hers has been idle for less than his, but she has more than her share.
    let deadline = Instant::now() + SOON;
    while fill(&ada, 1).await.0.is_empty() {
        assert!(Instant::now() < deadline, "she finds no room");
        sleep(Duration::from_millis(50)).await;
    }
    assert_serves(&his).await;
    let evicted =
        "SELECT COUNT(*) FROM archon_mcp_protocol_sessions WHERE disconnect_reason = 'evicted' AND principal = 'ada'";
    house.until(evicted, "1").await;
}
