//! One client's share: whoever takes all that it can get, another is served.

use std::process::Command;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::access::with_tokens;
use super::*;
use crate::databases::on_every_database;

/// The head of an `initialize` whose body is still to come.
pub(super) fn head(length: usize) -> String {
    format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// A connection from another address of this machine.
pub(super) async fn from_another_address(house: &House) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.2:0".parse().expect("an address")).expect("bound");
    socket.connect(house.server.address().parse().expect("an address")).await.expect("a connection")
}

/// The first line of an answer.
pub(super) async fn status_line(stream: &mut TcpStream) -> String {
    let mut bytes = [0; 15];
    timeout(SOON, stream.read_exact(&mut bytes)).await.expect("no hang").expect("an answer");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The value of a line of `/metrics`.
pub(super) async fn metric(house: &House, name: &str) -> Option<u64> {
    let metrics = house.request("GET /metrics", &[("authorization", "Bearer b")], "").await.text();
    metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// A server that may have only so many files open.
pub(super) async fn with_files(limit: &str, arguments: &[&str]) -> House {
    let db = Database::sqlite();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit {limit}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_archonctl"), "serve"]);
    command.args(["--bind", "127.0.0.1:0", "--database-url", db.url(), "--test-tools"]).args(arguments);
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH")).env("HOME", db.folder());
    let server = ServeProcess::launch_command(command).await;
    House { mcp: Mcp::new(server.url()), server, db }
}

#[tokio::test]
async fn nobody_needs_an_option_to_be_kept_from_all_sessions() {
    let house = with_tokens(&["--max-sessions", "50"]).await;
    let (ada, bob) = (house.mcp.clone().with_token("a"), house.mcp.clone().with_token("b"));
    for _ in 0..5 {
        assert_eq!(ada.post(&[], initialize(LATEST)).await.expect("an answer").status, 200);
    }
    for _ in 0..60 {
        let refused = ada.post(&[], initialize(LATEST)).await.expect("an answer");
        assert_refused(&refused, 429, -32000, "too_many_sessions");
    }
    assert_serves(&bob.initialize(LATEST).await).await;
    let told = house.server.lines().iter().filter(|line| line.contains("a limit is reached")).count();
    assert_eq!(told, 1, "once, however often");
    assert_eq!(metric(&house, "archonctl_limit{limit=\"sessions_per_principal\"}").await, Some(5));
    assert_eq!(metric(&house, "archonctl_limit_used{limit=\"sessions_per_principal\"}").await, Some(5));
    assert_eq!(metric(&house, "archonctl_limit_reached_total{limit=\"sessions_per_principal\"}").await, Some(60));
}

#[tokio::test]
async fn zero_is_no_limit() {
    let off = ["--max-sessions-per-principal", "0", "--max-initialize-rate", "0"];
    let house = with_tokens(&[&["--max-sessions", "30"], &off[..]].concat()).await;
    let ada = house.mcp.clone().with_token("a");
    for _ in 0..30 {
        assert_eq!(ada.post(&[], initialize(LATEST)).await.expect("an answer").status, 200);
    }
    assert_eq!(metric(&house, "archonctl_limit{limit=\"initialize_burst\"}").await, None);
    assert_eq!(metric(&house, "archonctl_limit{limit=\"sessions_per_principal\"}").await, None);
}

/// What is closed is gone from the count of live ones, and not from the disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_open_and_close_is_limited_as_well() {
    let house = with_tokens(&["--max-sessions-per-principal", "1000", "--max-initialize-rate", "0"]).await;
    let cycles = (0..8).map(|_| {
        let ada = house.mcp.clone().with_token("a");
        tokio::spawn(async move {
            for opened in 0.. {
                let answer = ada.post(&[], initialize(LATEST)).await.expect("an answer");
                let Some(id) = answer.header("mcp-session-id") else { return (opened, answer) };
                assert_eq!(ada.delete(id).await.expect("an answer").status, 204);
            }
            unreachable!("it goes on for ever")
        })
    });
    let mut opened = 0;
    for cycle in cycles.collect::<Vec<_>>() {
        let (count, refused) = cycle.await.expect("a refusal in the end");
        assert_refused(&refused, 429, -32000, "too_many_sessions");
        assert!(refused.text().contains("within an hour"), "{}", refused.text());
        assert_eq!(refused.header("retry-after"), Some("4"));
        opened += count;
    }
    // A thousand, and what an hour gives back meanwhile.
    assert!((1000..1100).contains(&opened), "{opened}");
    assert_serves(&house.mcp.clone().with_token("b").initialize(LATEST).await).await;
}

#[tokio::test]
async fn without_tokens_an_address_has_its_rate() {
    let house = House::open(&["--max-initialize-rate", "1", "--trust-proxy"]).await;
    let from = async |forwarded: &str| house.post(&[("x-forwarded-for", forwarded)], initialize(LATEST)).await;
    let mut opened = 0;
    let refused = loop {
        match from("192.0.2.7, 198.51.100.1").await {
            answer if answer.status == 200 => opened += 1,
            answer => break answer,
        }
    };
    assert_refused(&refused, 429, -32000, "too_fast");
    assert!((20..40).contains(&opened), "{opened}");
    // Who the client says it is, before the proxy's word, means nothing.
    assert_eq!(from("198.51.100.2, 198.51.100.1").await.status, 429);
    assert_eq!(from("198.51.100.1, 198.51.100.2").await.status, 200);
    assert_eq!(house.post(&[], initialize(LATEST)).await.status, 200, "the proxy itself");
}

#[tokio::test]
async fn a_thousand_sessions_at_once_are_ordinary() {
    let house = House::open(&[]).await;
    let batches = (0..20).map(|_| async {
        for _ in 0..50 {
            assert_eq!(house.post(&[], initialize(LATEST)).await.status, 200);
        }
    });
    futures_util::future::join_all(batches).await;
}

#[tokio::test]
async fn bodies_that_do_not_end_leave_room_for_others() {
    const BODY: usize = 4 << 20;
    let house = House::open(&[]).await;
    let neighbour = house.session().await;
    let before = resident(house.server.pid());
    let (begun, mut held) = (head(BODY), Vec::new());
    for _ in 0..36 {
        let mut stream = TcpStream::connect(house.server.address()).await.expect("a connection");
        stream.write_all(begun.as_bytes()).await.expect("sent");
        let chunk = vec![b' '; BODY - 100];
        // A server that has refused may stop reading.
        _ = timeout(SOON, stream.write_all(&chunk)).await.expect("no hang");
        held.push(stream);
    }
    // 128 MiB are 32 of them; which are read first is the machine's choice.
    let answers: FuturesUnordered<_> = held.iter_mut().map(status_line).collect();
    let refused: Vec<String> = answers.take(36 - 32).collect().await;
    assert_eq!(refused, ["HTTP/1.1 503 Se"; 36 - 32]);
    let grown = resident(house.server.pid()).saturating_sub(before);
    assert!(grown < 200 << 10, "{grown} KiB");
    // Small ones come in one piece; a long one of somebody else has room, too.
    assert_serves(&neighbour).await;
    let mut other = from_another_address(&house).await;
    let body = initialize(LATEST) + &" ".repeat(1 << 20);
    other.write_all((head(body.len()) + &body).as_bytes()).await.expect("sent");
    assert_eq!(status_line(&mut other).await, "HTTP/1.1 200 OK");
    assert!(metric(&house, "archonctl_limit_reached_total{limit=\"request_bytes\"}").await >= Some(4));
    drop((held, other));
    let deadline = Instant::now() + SOON;
    let is_gone = async || {
        let counted = metric(&house, "archonctl_limit_used{limit=\"request_bytes\"}").await;
        counted == Some(0) && resident(house.server.pid()) < before + (32 << 10)
    };
    while !is_gone().await {
        assert!(Instant::now() < deadline, "{} KiB are not given back", resident(house.server.pid()) - before);
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn where_all_connections_are_open_the_longest_idle_gives_way() {
    let house = with_files("-n 100", &[]).await;
    let most = metric(&house, "archonctl_limit{limit=\"connections\"}").await.expect("a limit");
    assert_eq!(most, 50);
    let neighbour = house.session().await;
    let mut idle = Vec::new();
    for _ in 0..150 {
        idle.push(house.connect().await);
    }
    let headers = [("mcp-session-id", neighbour.id.as_str()), ("content-type", "application/json")];
    assert_eq!(house.request("POST /mcp", &headers, PING).await.status, 200);
    assert!(idle[0].is_closed().await.expect("no hang"), "the first has waited for longest");
    let mut last = idle.pop().expect("a connection");
    last.request("POST /mcp", &headers, PING).await.expect("sent");
    assert_eq!(last.answer().await.expect("an answer").status, 200, "the last has not");
    assert!(metric(&house, "archonctl_limit_used{limit=\"connections\"}").await <= Some(most));
    let told = house.server.lines().iter().filter(|line| line.contains("a limit is reached")).count();
    assert_eq!(told, 1, "{:?}", house.server.lines());
}

/// Refused bodies are read on for a while, because an honest client hears of its refusal only then.
#[tokio::test]
async fn a_refused_body_that_drips_keeps_no_place() {
    let house = with_files("-n 100", &[]).await;
    let mut dripping = Vec::new();
    for _ in 0..60 {
        let mut stream = TcpStream::connect(house.server.address()).await.expect("a connection");
        stream.write_all(head(9000).replace("/mcp", "/nothing").as_bytes()).await.expect("sent");
        dripping.push(stream);
    }
    let drip = async {
        loop {
            for stream in &mut dripping {
                // Those that gave way are closed.
                _ = stream.write_all(b"x").await;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    let served = async {
        for _ in 0..5 {
            // A kept connection of their address may give way; another's has a place.
            let mut other = from_another_address(&house).await;
            let body = initialize(LATEST);
            other.write_all((head(body.len()) + &body).as_bytes()).await.expect("sent");
            assert_eq!(status_line(&mut other).await, "HTTP/1.1 200 OK");
        }
    };
    tokio::select! {
        () = drip => {}
        served = timeout(SOON, served) => served.expect("it is served while they drip"),
    }
}

#[tokio::test]
async fn one_address_does_not_run_all_that_can_run() {
    let house = with_files("-n 100", &[]).await;
    let session = house.session().await;
    let headers = [("mcp-session-id", session.id.as_str()), ("content-type", "application/json")];
    let sleep = call(1, "test_sleep", json!({"ms": 60_000}));
    let mut running = Vec::new();
    for _ in 0..25 {
        let mut connection = house.connect().await;
        connection.request("POST /mcp", &headers, &sleep).await.expect("sent");
        running.push(connection);
    }
    let deadline = Instant::now() + SOON;
    while metric(&house, "archonctl_limit_used{limit=\"requests_per_client\"}").await != Some(25) {
        assert!(Instant::now() < deadline, "half of 50 run");
    }
    assert_refused(&house.request("POST /mcp", &headers, PING).await, 429, -32000, "too_many_requests");
    let mut other = from_another_address(&house).await;
    let body = initialize(LATEST);
    other.write_all((head(body.len()) + &body).as_bytes()).await.expect("sent");
    assert_eq!(status_line(&mut other).await, "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_low_limit_of_open_files_is_raised() {
    let house = with_files("-Sn 80", &[]).await;
    let mut open = Vec::new();
    for _ in 0..120 {
        open.push(house.connect().await);
    }
    for connection in &mut open {
        connection.request("GET /healthz", &[], "").await.expect("sent");
        assert_eq!(connection.answer().await.expect("an answer").status, 200);
    }
}

on_every_database!(a_database_that_is_large_enough_takes_no_more_sessions, |db| async {
    let house = House::open_on(db, &[]).await;
    let session = house.session().await;
    let House { server, db, .. } = house;
    let address = server.address().to_owned();
    drop(server);
    let server = ServeProcess::start_at(&address, &db, &["--test-tools", "--max-database-size", "1KiB"]).await;
    let house = House { mcp: Mcp::new(server.url()), server, db };
    let deadline = Instant::now() + SOON;
    let refused = loop {
        match house.post(&[], initialize(LATEST)).await {
            answer if answer.status != 200 => break answer,
            _ => assert!(Instant::now() < deadline, "nobody looks at its size"),
        }
    };
    assert_refused(&refused, 503, -32000, "no_space");
    assert_eq!(refused.header("retry-after"), Some("60"));
    assert_serves(&session).await;
    house.newest_row("tool_name", "tool_name = 'test_echo'", "test_echo").await;
    assert_eq!(metric(&house, "archonctl_limit{limit=\"database_bytes\"}").await, Some(1024));
});
