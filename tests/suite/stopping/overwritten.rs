//! A database file that is cut or overwritten in place while a server has it open: it is noticed, nothing more is promised,
//! and the log goes into no strange file. With the content that was there, all that was promised is there again.

use std::path::PathBuf;

use super::*;

/// A second is what is promised; the rest is for a busy machine.
const NOTICED: Duration = Duration::from_secs(4);

/// Another database of ours, with more in it.
async fn another() -> Vec<u8> {
    let db = Database::sqlite();
    let mut server = ServeProcess::start(&db, &["--test-tools"]).await;
    let session = Mcp::new(server.url()).initialize(REVISION).await;
    for _ in 0..50 {
        call(&session).await;
    }
    server.sigterm();
    server.ended(SOON).await;
    std::fs::read(db.folder().join("archon.db")).expect("a database")
}

async fn status(server: &ServeProcess, path: &str) -> u16 {
    let mut connection = Connection::open(server.address()).await.expect("a connection");
    connection.request(&format!("GET {path}"), &[], "").await.expect("sent");
    connection.answer().await.expect("an answer").status
}

async fn survives(strange: &[u8]) {
    let (db, what) = (Database::sqlite(), format!("{} bytes", strange.len()));
    let at = |end: &str| PathBuf::from(format!("{}{end}", db.folder().join("archon.db").display()));
    let server_of = ["--test-tools", "--store-grace", "1s", "--ack-deadline", "100ms"];
    let mut server = ServeProcess::start(&db, &server_of).await;
    let mcp = Mcp::new(server.url());
    let session = mcp.initialize(REVISION).await;
    let mut promised = 0;
    for _ in 0..20 {
        promised += u64::from(call(&session).await);
    }
    // The first write after the log was moved begins it anew; a look has to fall between that and ours.
    tokio::time::sleep(Duration::from_millis(400)).await;
    let whole = std::fs::read(at("")).expect("the database");
    std::fs::write(at(""), strange).expect("overwritten");
    server.wait_for_line("overwritten or cut short", NOTICED).await;
    assert_eq!(status(&server, "/readyz").await, 503, "{what}");
    // From here on nothing is promised, and nobody is told that there is no such session.
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1500) {
        assert!(!call(&session).await, "{what}");
    }
    let asked = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    let unknown = uuid::Uuid::new_v4().to_string();
    for id in [session.id.as_str(), unknown.as_str()] {
        let answer = mcp.post(&[("mcp-session-id", id)], asked.clone()).await.expect("an answer");
        assert_eq!(answer.status, 503, "{what}: {}", answer.text());
    }
    let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": REVISION, "capabilities": {}, "clientInfo": {"name": "late", "version": "1"}}});
    let refused = mcp.post(&[], body.to_string()).await.expect("an answer");
    assert_eq!((refused.status, refused.header("mcp-session-id")), (503, None), "{what}");
    assert_eq!(std::fs::read(at("")).expect("the file"), strange, "{what}: something was written into it");

    // The content is put back: what was read meanwhile is in nobody knows whose memory, so it asks for a new start.
    std::fs::write(at(""), &whole).expect("put back");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(status(&server, "/readyz").await, 503, "{what}");
    server.sigterm();
    server.ended(SOON).await;
    let lines = server.lines();
    let told: Vec<_> =
        lines.iter().filter(|line| line.contains("overwritten or cut short") && line.contains("ERROR")).collect();
    assert_eq!(told.len(), 1, "{what}: {lines:#?}");
    assert!(told[0].contains("-wal.aside") && told[0].contains("start anew"), "{what}: {told:?}");
    assert_eq!(std::fs::read(at("")).expect("the file"), whole, "{what}: something was written into it");
    std::fs::rename(at("-wal.aside"), at("-wal")).expect("as it was told");
    let server = ServeProcess::start_at(server.address(), &db, &server_of).await;
    assert!(promised >= 20 && rows(&db) >= promised, "{what}: {} of {promised}", rows(&db));
    assert_eq!(db.value("PRAGMA integrity_check"), "ok", "{what}");
    assert!(call(&session.at(Mcp::new(server.url()))).await, "{what}: the session goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_cut() {
    survives(b"").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_with_something_else_in_it() {
    survives("x".repeat(100_000).as_bytes()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_with_another_database_in_it() {
    survives(&another().await).await;
}
