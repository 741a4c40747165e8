//! Whatever a hostile client does to a connection: it is answered or closed, in time, and others are served meanwhile.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::{House, LATEST, PING, assert_refused, assert_serves, initialize};
use crate::http::Session;

/// For reading what a server says until it closes.
const PATIENCE: Duration = Duration::from_secs(20);

impl House {
    /// Sends bytes on a connection of their own, and all that comes back until the server closes it.
    pub(super) async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.server.address()).await.expect("a connection");
        // The server may close while we still send.
        _ = stream.write_all(bytes).await;
        let mut said = Vec::new();
        let end = timeout(PATIENCE, stream.read_to_end(&mut said)).await;
        assert!(end.is_ok(), "still open after {:?} and {:?}", PATIENCE, String::from_utf8_lossy(&said));
        String::from_utf8_lossy(&said).into_owned()
    }

    /// The same, judged: closed without a word, or refused with a 4xx.
    async fn assert_refuses(&self, what: &str, bytes: &[u8]) {
        let said = self.exchange(bytes).await;
        let status = said.split(' ').nth(1).unwrap_or_default();
        assert!(said.is_empty() || status.starts_with('4'), "{what}: {said}");
    }

    /// A session is served on a connection of its own: a pooled one may be closed for its idleness at any moment.
    async fn assert_pings(&self, session: &Session) {
        let headers = [("mcp-session-id", session.id.as_str()), ("content-type", "application/json")];
        assert_eq!(self.request("POST /mcp", &headers, PING).await.status, 200);
    }

    pub(super) fn host(&self) -> String {
        format!("Host: {}\r\n", self.server.address())
    }
}

#[tokio::test]
async fn half_a_head_and_half_a_body_are_given_up() {
    let house = House::open(&["--head-time", "1s", "--body-time", "1s"]).await;
    let neighbour = house.session().await;
    let began = Instant::now();
    let mut half_heads = Vec::new();
    for half in ["", "POST", "POST /mcp HTTP/1.1\r\n", "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le"] {
        let mut connection = house.connect().await;
        connection.send(half).await.expect("sent");
        half_heads.push(connection);
    }
    let mut half_bodies = Vec::new();
    for length in ["Content-Length: 100\r\n\r\n{\"jsonrpc\"", "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"js"] {
        let mut connection = house.connect().await;
        let head = "POST /mcp HTTP/1.1\r\nContent-Type: application/json\r\n";
        connection.send(format!("{head}{}{length}", house.host())).await.expect("sent");
        half_bodies.push(connection);
    }
    house.assert_pings(&neighbour).await;
    for mut connection in half_bodies {
        assert_refused(&connection.answer().await.expect("an answer"), 408, -32000, "slow_body");
        assert!(connection.is_closed().await.expect("no hang"), "what follows cannot be told from the body");
    }
    for mut connection in half_heads {
        let closed = match connection.head().await {
            Ok(answer) => answer.status == 408,
            Err(error) => error.kind() != ErrorKind::TimedOut,
        };
        assert!(closed, "half a head is held for ever");
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    house.assert_pings(&neighbour).await;
}

#[tokio::test]
async fn a_head_that_drips_is_given_up_as_well() {
    let house = House::open(&["--head-time", "1s"]).await;
    let began = Instant::now();
    let mut stream = TcpStream::connect(house.server.address()).await.expect("a connection");
    let drip = async {
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(timeout(PATIENCE, drip).await.is_ok(), "a head may drip for ever");
    assert!(began.elapsed() >= Duration::from_millis(900));
    assert_eq!(
        house.request("POST /mcp", &[("content-type", "application/json")], &initialize(LATEST)).await.status,
        200
    );
}

#[tokio::test]
async fn many_idle_connections_stop_nobody() {
    let house = House::open(&[]).await;
    let mut held = Vec::new();
    for _ in 0..300 {
        let mut connection = house.connect().await;
        connection.send("POST /mcp HTTP/1.1\r\n").await.expect("sent");
        held.push(connection);
    }
    assert_serves(&house.session().await).await;
}

#[tokio::test]
async fn heads_beyond_all_measure_are_refused() {
    let house = House::open(&[]).await;
    let neighbour = house.session().await;
    let host = house.host();
    let close = "Connection: close\r\n";
    let cases = [
        ("a huge header", format!("POST /mcp HTTP/1.1\r\n{host}{close}X: {}\r\n\r\n", "x".repeat(1 << 20))),
        ("a huge path", format!("POST /{} HTTP/1.1\r\n{host}{close}\r\n", "x".repeat(1 << 20))),
        ("a thousand headers", format!("POST /mcp HTTP/1.1\r\n{host}{close}{}\r\n", "X: y\r\n".repeat(1000))),
        ("an endless name", "x".repeat(1 << 20)),
    ];
    for (what, bytes) in cases {
        house.assert_refuses(what, bytes.as_bytes()).await;
        assert_serves(&neighbour).await;
    }
    let large = "x".repeat(30 * 1024);
    let headers =
        [("x-large", large.as_str()), ("content-type", "application/json"), ("mcp-session-id", &neighbour.id)];
    assert_eq!(house.request("POST /mcp", &headers, PING).await.status, 200, "30 KB of headers are not hostile");
}

#[tokio::test]
async fn garbage_is_refused() {
    let house = House::open(&[]).await;
    let neighbour = house.session().await;
    let host = house.host();
    let head = format!("POST /mcp HTTP/1.1\r\n{host}Content-Type: application/json\r\nConnection: close\r\n");
    let noise: Vec<u8> = (0..4096_u32).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let cases: [(&str, Vec<u8>); 12] = [
        ("noise", [&noise[..], b"\r\n\r\n"].concat()),
        ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec()),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("HTTP/9.9", format!("POST /mcp HTTP/9.9\r\n{host}\r\n").into_bytes()),
        ("no Host", b"POST /mcp HTTP/1.1\r\nConnection: close\r\n\r\n".to_vec()),
        ("a header without colon", format!("{head}Nonsense\r\n\r\n").into_bytes()),
        ("NUL in a header", format!("{head}Mcp-Session-Id: a\0b\r\n\r\n").into_bytes()),
        ("a bare CR", format!("{head}Mcp-Session-Id: a\rb\r\n\r\n").into_bytes()),
        ("a length that is none", format!("{head}Content-Length: many\r\n\r\n{PING}").into_bytes()),
        ("a negative length", format!("{head}Content-Length: -1\r\n\r\n{PING}").into_bytes()),
        ("two lengths", format!("{head}Content-Length: 3\r\nContent-Length: 40\r\n\r\n{PING}").into_bytes()),
        (
            "a chunk that is none",
            format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{PING}\r\n0\r\n\r\n").into_bytes(),
        ),
    ];
    for (what, bytes) in cases {
        house.assert_refuses(what, &bytes).await;
        assert_serves(&neighbour).await;
    }
}

#[tokio::test]
async fn a_length_that_lies_harms_only_itself() {
    let house = House::open(&["--body-time", "1s"]).await;
    let neighbour = house.session().await;
    let head = format!(
        "POST /mcp HTTP/1.1\r\n{}Content-Type: application/json\r\nMcp-Session-Id: {}\r\nConnection: close\r\n",
        house.host(),
        neighbour.id
    );
    for length in [PING.len() + 1, PING.len() + 1000, PING.len() - 1, 0] {
        let what = format!("{length} instead of {}", PING.len());
        house.assert_refuses(&what, format!("{head}Content-Length: {length}\r\n\r\n{PING}").as_bytes()).await;
    }
    // What hides behind a body is no second request: its first bytes are the rest of the first.
    let smuggled =
        format!("{head}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nDELETE /mcp HTTP/1.1\r\n");
    house.assert_refuses("both lengths", smuggled.as_bytes()).await;
    assert_serves(&neighbour).await;
}

#[tokio::test]
async fn a_client_that_never_reads_fills_its_own_buffers_alone() {
    let house = House::open(&[]).await;
    let neighbour = house.session().await;
    assert_serves(&neighbour).await;
    let before = super::resident(house.server.pid());
    let body = super::call(1, "test_echo", serde_json::json!({"text": "x".repeat(1 << 20)}));
    let head = format!(
        "POST /mcp HTTP/1.1\r\n{}Content-Type: application/json\r\nMcp-Session-Id: {}\r\nContent-Length: {}\r\n\r\n",
        house.host(),
        neighbour.id,
        body.len()
    );
    let request = head + &body;
    let mut stream = TcpStream::connect(house.server.address()).await.expect("a connection");
    let mut sent = 0;
    while sent < 64
        && timeout(Duration::from_secs(3), stream.write_all(request.as_bytes())).await.is_ok_and(|r| r.is_ok())
    {
        sent += 1;
    }
    assert!(sent < 64, "the server reads on although nobody reads its answers");
    assert_serves(&neighbour).await;
    let grown = super::resident(house.server.pid()).saturating_sub(before);
    assert!(grown < 48 * 1024, "{grown} KiB for one client");
}

#[tokio::test]
async fn a_client_that_never_reads_loses_its_connection() {
    let house = House::open(&["--write-time", "1s"]).await;
    let neighbour = house.session().await;
    let body = super::call(1, "test_echo", serde_json::json!({"text": "x".repeat(1 << 20)}));
    let headers = [("mcp-session-id", neighbour.id.as_str()), ("content-type", "application/json")];
    let mut connection = house.connect().await;
    // More than all buffers in between can hold.
    let flood = async {
        loop {
            if let Err(error) = connection.request("POST /mcp", &headers, &body).await {
                return error.kind();
            }
        }
    };
    let ended = timeout(PATIENCE, flood).await.expect("its place is held for ever");
    assert!(matches!(ended, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{ended:?}");
    assert_serves(&neighbour).await;
}

#[tokio::test]
async fn a_client_that_has_said_all_still_listens() {
    let house = House::open(&[]).await;
    let session = house.session().await;
    let sleeps = super::call(1, "test_sleep", serde_json::json!({"ms": 200}));
    let message = |accept: &str, body: &str| {
        format!(
            "POST /mcp HTTP/1.1\r\n{}Content-Type: application/json\r\nAccept: {accept}\r\nMcp-Session-Id: {}\r\nContent-Length: {}\r\n\r\n{body}",
            house.host(),
            session.id,
            body.len()
        )
    };
    let other = |line: &str| format!("{line} HTTP/1.1\r\n{}Mcp-Session-Id: {}\r\n\r\n", house.host(), session.id);
    for (request, status, words) in [
        (message("application/json", &sleeps), "200", "slept_ms"),
        (message("text/event-stream", &sleeps), "200", "data: "),
        (message("*/*", PING) + &message("*/*", &sleeps), "200", "slept_ms"),
        (message("*/*", "{"), "400", "parse_error"),
        (other("GET /readyz"), "200", "ready"),
        (other("GET /mcp"), "405", "method_not_allowed"),
        (other("DELETE /mcp"), "204", ""),
    ] {
        let mut stream = TcpStream::connect(house.server.address()).await.expect("a connection");
        stream.write_all(request.as_bytes()).await.expect("sent");
        stream.shutdown().await.expect("half is closed");
        let mut said = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut said)).await.expect("closed by the server").expect("text");
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")) && said.contains(words), "{request}: {said}");
    }
}
