//! What few clients still do, and HTTP has: 1.0, pipelining, asking first.

use super::{House, LATEST, PING, initialize};

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let mut connection = house.connect().await;
    let slow = super::call("slow", "test_sleep", serde_json::json!({"ms": 300}));
    let bytes = [slow.as_str(), PING, "{", PING].map(|body| {
        format!(
            "POST /mcp HTTP/1.1\r\n{}Content-Type: application/json\r\nMcp-Session-Id: {}\r\nContent-Length: {}\r\n\r\n{body}",
            house.host(),
            session.id,
            body.len()
        )
    });
    connection.send(bytes.concat()).await.expect("sent");
    let mut seen = Vec::new();
    for _ in 0..4 {
        let answer = connection.answer().await.expect("an answer");
        seen.push((answer.status, answer.json()["id"].to_string()));
    }
    let expected = [(200, "\"slow\""), (200, "7"), (400, "null"), (200, "7")];
    assert_eq!(seen, expected.map(|(status, id)| (status, id.to_owned())));
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed() {
    let house = House::open(&[]).await;
    let body = initialize(LATEST);
    let head = format!("{}Content-Type: application/json\r\nContent-Length: {}\r\n", house.host(), body.len());
    let said = house.exchange(format!("POST /mcp HTTP/1.0\r\n{head}\r\n{body}").as_bytes()).await;
    assert!(said.starts_with("HTTP/1.0 200") && said.contains("\"protocolVersion\":\"2025-11-25\""), "{said}");
    // Without a Host there is nothing to check, so it is a stranger.
    let said = house.exchange(b"GET /mcp HTTP/1.0\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.0 403"), "{said}");
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let house = House::open(&[]).await;
    let mut connection = house.connect().await;
    let body = initialize(LATEST);
    let expect = format!("Expect: 100-continue\r\nContent-Length: {}\r\n", body.len());
    let head = format!("POST /mcp HTTP/1.1\r\n{}Content-Type: application/json\r\n{expect}\r\n", house.host());
    connection.send(head).await.expect("sent");
    assert_eq!(connection.head().await.expect("an interim answer").status, 100);
    connection.send(body).await.expect("sent");
    assert_eq!(connection.answer().await.expect("an answer").status, 200);
}
