//! Who holds a place: a call until it is done, a connection only as long as something runs on it.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::shares::{from_another_address, metric, status_line, with_files};
use super::*;

/// A client that hangs up on the stream of its call has not ended the call.
#[tokio::test]
async fn a_call_keeps_its_place_when_its_client_hangs_up() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let params =
        json!({"name": "test_progress", "arguments": {"steps": 600, "pause_ms": 100}, "_meta": {"progressToken": 1}});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
    let accept = "application/json, text/event-stream";
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: {}\r\nContent-Type: application/json\r\n\
         Accept: {accept}\r\nContent-Length: {}\r\n\r\n{body}",
        session.id,
        body.len()
    );
    let open = async || metric(&house, "archonctl_limit_used{limit=\"connections\"}").await;
    let before = open().await;
    for _ in 0..3 {
        let mut stream = TcpStream::connect(house.server.address()).await.expect("a connection");
        stream.write_all(request.as_bytes()).await.expect("sent");
        assert_eq!(status_line(&mut stream).await, "HTTP/1.1 200 OK");
        // One that is closed in order might still listen.
        stream.set_zero_linger().expect("set");
    }
    let deadline = Instant::now() + SOON;
    while open().await > before {
        assert!(Instant::now() < deadline, "they have hung up");
    }
    assert_eq!(metric(&house, "archonctl_limit_used{limit=\"requests_per_client\"}").await, Some(3));
}

/// Connections on which answers wait for a client that does not read make room for others.
#[tokio::test]
async fn who_does_not_read_keeps_nobody_out() {
    let house = with_files("-n 100", &[]).await;
    let most = metric(&house, "archonctl_limit{limit=\"connections\"}").await.expect("a limit");
    let asked = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(6000);
    let mut held = Vec::new();
    for _ in 0..most {
        let mut stream = TcpStream::connect(house.server.address()).await.expect("a connection");
        // The server stops reading when its answers are not read.
        _ = tokio::time::timeout(Duration::from_millis(200), stream.write_all(asked.as_bytes())).await;
        held.push(stream);
    }
    for _ in 0..5 {
        let mut other = from_another_address(&house).await;
        other.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("sent");
        assert_eq!(status_line(&mut other).await, "HTTP/1.1 200 OK");
    }
}
