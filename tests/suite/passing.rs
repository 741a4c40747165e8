//! `serve --stdio` beside a server with a port: what it passes on, to whom, and what it does when that one is gone.

use std::fs;

use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpSocket;

use crate::databases::Database;
use crate::piped::Piped;
use crate::process::{ServeProcess, archonctl};
use crate::stdio::SOON;

/// Of "secret", and whose it is.
const TOKENS: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b ada\n";

/// Another program has the port of a server that was killed: it is told nothing, and the session goes on where the file is,
/// although it belongs to the principal of a token.
#[tokio::test]
async fn what_answers_at_the_port_of_a_killed_server_is_a_stranger() {
    let db = Database::sqlite();
    let tokens = db.folder().join("tokens");
    fs::write(&tokens, TOKENS).expect("written");
    let mut server = ServeProcess::start(&db, &["--test-tools", "--token-file", &tokens.display().to_string()]).await;
    let address = server.address().parse().expect("an address");
    let mut command = archonctl(db.folder());
    command.args(["serve", "--stdio", "--test-tools", "--database-url", db.url()]).env("ARCHONCTL_TOKEN", "secret");
    let mut client = Piped::launch(command);
    client.shake_hands().await;
    let before = client.ids().await;
    assert_eq!(db.value("SELECT principal FROM archon_mcp_protocol_sessions"), "ada");

    server.sigkill();
    let stranger = TcpSocket::new_v4().expect("a socket");
    stranger.set_reuseaddr(true).expect("reuse");
    stranger.bind(address).expect("the port");
    let stranger = stranger.listen(8).expect("listening");
    let heard = tokio::spawn(async move {
        let (mut stream, _) = stranger.accept().await.expect("a connection");
        let mut said = Vec::new();
        _ = stream.read_to_end(&mut said).await;
        String::from_utf8_lossy(&said).into_owned()
    });
    assert_eq!(client.echo("on").await, "on");
    assert_eq!(client.ids().await, before, "its session goes on");
    let (status, log) = client.close().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!heard.is_finished(), "{:?}", heard.await);
    let ended = "SELECT principal || ' ' || disconnect_reason FROM archon_mcp_protocol_sessions";
    assert_eq!(db.value(ended), "ada client_disconnect");
}

/// A server that stops opens no session any more; the next one at its place does.
#[tokio::test]
async fn a_handshake_waits_for_the_server_after_one_that_stops() {
    let db = Database::sqlite();
    let mut server = ServeProcess::start(&db, &["--drain-delay", "2s"]).await;
    let address = server.address().to_owned();
    let mut client = Piped::start(&db, &[]);
    assert!(client.ask("ping", json!({})).await["error"].is_object(), "it is passed on");
    server.sigterm();
    server.wait_for_line("stopping", SOON).await;
    let next = async {
        assert_eq!(server.ended(SOON).await.code(), Some(0));
        ServeProcess::start_at(&address, &db, &[]).await
    };
    let (_next, ()) = tokio::join!(next, client.shake_hands());
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_protocol_sessions"), "1");
    let (status, log) = client.close().await;
    assert_eq!(status.code(), Some(0), "{log}");
}
