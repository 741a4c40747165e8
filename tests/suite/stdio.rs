//! `serve --stdio`: one client on two pipes, and several of them on one SQLite file.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use crate::databases::{Database, on_every_database};
use crate::http::Mcp;
use crate::piped::Piped;
use crate::process::{ServeProcess, archonctl};

pub(crate) const SOON: Duration = Duration::from_secs(20);

on_every_database!(rows_events_and_ends_are_those_of_http, |db| async {
    let mut client = Piped::initialized(&db, &[]).await;
    let list = client.ask("tools/list", json!({})).await;
    assert!(list["result"]["tools"].as_array().is_some_and(|tools| tools.len() > 5), "{list}");
    assert_eq!(client.echo("x").await, "x");
    let (protocol, archon) = client.ids().await;
    let unknown = client.ask("no/such", json!({})).await;
    assert_eq!(unknown["error"]["code"], -32601);
    let (status, log) = client.close().await;
    assert_eq!(status.code(), Some(0), "{log}");
    let ended = "SELECT status || ' ' || disconnect_reason || ' ' || ended_by FROM ";
    assert_eq!(db.value(&format!("{ended} archon_mcp_protocol_sessions")), "disconnected client_disconnect client");
    assert_eq!(db.value(&format!("{ended} archon_mcp_sessions")), "disconnected client_disconnect client");
    let found = "SELECT COUNT(*) FROM archon_mcp_sessions WHERE client_type = 'piped' OR client_name = 'piped'";
    assert_eq!(db.value(found), "1");
    assert_eq!(
        db.value(&format!("SELECT COUNT(*) FROM archon_mcp_requests WHERE protocol_session_id = '{protocol}'")),
        "5"
    );
    let calls =
        format!("SELECT COUNT(*) FROM archon_mcp_requests WHERE method = 'tools/call' AND session_id = '{archon}'");
    assert_eq!(db.value(&calls), "2");
    assert_eq!(db.value("SELECT end_cause FROM archon_mcp_boots ORDER BY number DESC LIMIT 1"), "clean");
});

#[tokio::test]
async fn what_a_call_says_comes_before_its_answer() {
    let db = Database::sqlite();
    let mut client = Piped::initialized(&db, &[]).await;
    let arguments = json!({"name": "test_progress", "arguments": {"steps": 2}, "_meta": {"progressToken": "t"}});
    client.say(&json!({"jsonrpc": "2.0", "id": 50, "method": "tools/call", "params": arguments})).await;
    for step in 1..=2 {
        let heard = client.hear().await;
        assert_eq!(
            (&heard["method"], &heard["params"]["progress"]),
            (&json!("notifications/progress"), &json!(f64::from(step)))
        );
    }
    assert_eq!(client.hear().await["result"]["structuredContent"]["steps"], 2);
    client.say(&json!({"jsonrpc": "2.0", "id": 51, "method": "tools/call", "params": {"name": "test_ask", "arguments": {"what": "roots"}}})).await;
    let question = client.hear().await;
    assert_eq!(question["method"], "roots/list");
    client.say(&json!({"jsonrpc": "2.0", "id": question["id"], "result": {"roots": []}})).await;
    assert_eq!(client.hear().await["result"]["structuredContent"]["answer"], json!({"roots": []}));
    // Requests run beside each other, and one is cancelled in the order in which that is said.
    client.say(&json!({"jsonrpc": "2.0", "id": 52, "method": "tools/call", "params": {"name": "test_sleep", "arguments": {"ms": 600_000}}})).await;
    client.say(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 52}})).await;
    assert!(client.hear().await.to_string().contains("cancelled"));
    let (status, log) = client.close().await;
    assert_eq!(status.code(), Some(0), "{log}");
}

#[tokio::test]
async fn nonsense_is_answered_and_passed_over() {
    let db = Database::sqlite();
    let mut client = Piped::start(&db, &[]);
    let early = client.ask("ping", json!({})).await;
    assert_eq!(early["error"]["data"]["reason"], "session_required");
    client.write("\n  \n{\n").await;
    assert_eq!(client.hear().await["error"]["code"], -32700);
    client.write(&format!("{}\n", "x".repeat((4 << 20) + 10))).await;
    assert_eq!(client.hear().await["error"]["data"]["reason"], "too_large");
    client.write("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\"}}\r\n").await;
    assert_eq!(client.hear().await["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(client.echo("x").await, "x");
    let (status, _) = client.close().await;
    assert_eq!(status.code(), Some(0));
}

/// SIGTERM ends it in order, and its session with it.
#[tokio::test]
async fn a_stop_ends_it_in_order() {
    let db = Database::sqlite();
    let mut client = Piped::initialized(&db, &[]).await;
    client.echo("x").await;
    let pid = client.process.id().expect("it runs").to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
    let status = timeout(SOON, client.process.wait()).await.expect("it goes on").expect("ended");
    assert_eq!(status.code(), Some(0));
    assert_eq!(db.value("SELECT status FROM archon_mcp_protocol_sessions"), "disconnected");
}

/// The second passes its client on to the first, and has the file when that one is killed; no session is another then.
#[tokio::test]
async fn the_next_one_takes_the_file_over() {
    let db = Database::sqlite();
    let mut first = Piped::initialized(&db, &[]).await;
    first.echo("first").await;
    let mut second = Piped::initialized(&db, &[]).await;
    let before = second.ids().await;
    assert_eq!(second.echo("second").await, "second");
    let mut third = Piped::initialized(&db, &[]).await;
    let thirds = third.ids().await;
    first.process.kill().await.expect("killed");
    assert_eq!(second.echo("on").await, "on");
    assert_eq!(second.ids().await, before, "its session goes on");
    assert_eq!(third.echo("too").await, "too");
    assert_eq!(third.ids().await, thirds);
    for client in [second, third] {
        let (status, log) = client.close().await;
        assert_eq!(status.code(), Some(0), "{log}");
    }
    let ended = "SELECT COUNT(*) FROM archon_mcp_protocol_sessions WHERE disconnect_reason = 'client_disconnect'";
    assert_eq!(db.value(ended), "2");
    assert_eq!(db.value("SELECT COUNT(*) FROM archon_mcp_protocol_sessions"), "3");
}

/// A call that runs on a server which is killed is answered, and not run twice.
#[tokio::test]
async fn what_may_have_run_is_not_repeated() {
    let db = Database::sqlite();
    let mut first = Piped::initialized(&db, &[]).await;
    let mut second = Piped::initialized(&db, &[]).await;
    second.echo("x").await;
    second.say(&json!({"jsonrpc": "2.0", "id": 60, "method": "tools/call", "params": {"name": "test_sleep", "arguments": {"ms": 600_000}}})).await;
    let running = "SELECT COUNT(*) FROM archon_mcp_protocol_sessions";
    assert_eq!(db.value(running), "2");
    // It has arrived when the answer to a later one is there.
    assert_eq!(second.echo("y").await, "y");
    first.process.kill().await.expect("killed");
    let lost = second.hear().await;
    assert_eq!((&lost["id"], &lost["error"]["data"]["reason"]), (&json!(60), &json!("server_lost")), "{lost}");
    assert_eq!(second.echo("z").await, "z");
    second.close().await;
}

#[tokio::test]
async fn a_server_with_a_port_is_passed_on_to_and_waited_for() {
    let db = Database::sqlite();
    let mut server = ServeProcess::start(&db, &["--test-tools"]).await;
    let address = server.address().to_owned();
    let mut client = Piped::initialized(&db, &[]).await;
    let ids = client.ids().await;
    server.sigkill();
    let restarting = ServeProcess::start_at(&address, &db, &["--test-tools"]);
    let (server, echoed) = tokio::join!(restarting, client.echo("on"));
    assert_eq!(echoed, "on");
    assert_eq!(client.ids().await, ids);
    // Whoever serves, there is one.
    assert!(Mcp::new(server.url()).initialize("2025-11-25").await.archon.is_some());
    let (status, log) = client.close().await;
    assert_eq!(status.code(), Some(0), "{log}");
    let ended =
        format!("SELECT disconnect_reason FROM archon_mcp_protocol_sessions WHERE protocol_session_id = '{}'", ids.0);
    assert_eq!(db.value(&ended), "client_disconnect");
}

#[tokio::test]
async fn a_server_with_a_port_names_who_has_the_file() {
    let db = Database::sqlite();
    let client = Piped::initialized(&db, &[]).await;
    let mut command = archonctl(db.folder());
    let output =
        command.args(["serve", "--bind", "127.0.0.1:0", "--database-url", db.url()]).output().expect("started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("serve --stdio") && said.contains(&client.process.id().expect("it runs").to_string()),
        "{said}"
    );
    client.close().await;
}

#[tokio::test]
async fn what_needs_a_port_is_no_option_of_pipes() {
    let db = Database::sqlite();
    for other in ["--check", "--test-clock"] {
        let mut command = archonctl(db.folder());
        let output = command.args(["serve", "--stdio", other]).output().expect("started");
        assert_eq!(output.status.code(), Some(2), "{other:?}");
    }
}

/// A second handshake that fails costs nothing, and one that succeeds ends the session before it; then all of it ends.
#[tokio::test]
async fn a_second_handshake_is_another_session() {
    let db = Database::sqlite();
    let mut first = Piped::initialized(&db, &[]).await;
    let mut second = Piped::initialized(&db, &[]).await;
    for client in [&mut first, &mut second] {
        let before = client.ids().await;
        assert!(client.ask("initialize", json!({})).await["error"].is_object());
        assert_eq!(client.ids().await, before, "nothing has changed");
        let params = json!({"protocolVersion": "2025-11-25"});
        assert!(client.ask("initialize", params).await["result"].is_object());
        assert_ne!(client.ids().await.0, before.0);
    }
    let alive = "SELECT COUNT(*) FROM archon_mcp_protocol_sessions WHERE status = 'active'";
    assert_eq!(db.value(alive), "2");
    for client in [second, first] {
        assert_eq!(client.close().await.0.code(), Some(0));
    }
    assert_eq!(db.value(alive), "0");
}

/// What runs has the time of the grace, and is cut and recorded after it, whether the client reads or not.
#[tokio::test]
async fn a_stop_waits_for_calls_no_longer_than_it_may() {
    let db = Database::sqlite();
    let mut client = Piped::initialized(&db, &["--grace", "200ms"]).await;
    let params = json!({"name": "test_sleep", "arguments": {"ms": 600_000}});
    client.say(&json!({"jsonrpc": "2.0", "id": 70, "method": "tools/call", "params": params})).await;
    client.echo("x").await;
    let (status, log) = client.close().await;
    assert_eq!(status.code(), Some(0), "{log}");
    let cut = "SELECT error_message FROM archon_mcp_requests WHERE tool_name = 'test_sleep'";
    assert_eq!(db.value(cut), "the server stopped before the tool had finished");
}

/// The first server stands still: whoever passes on to it ends all the same.
#[tokio::test]
async fn a_server_that_stands_still_holds_nobody() {
    let db = Database::sqlite();
    let first = Piped::initialized(&db, &[]).await;
    let second = Piped::initialized(&db, &[]).await;
    let pid = first.process.id().expect("it runs").to_string();
    let tell = |signal: &str| std::process::Command::new("kill").args([signal, &pid]).status().expect("kill");
    assert!(tell("-STOP").success());
    let (status, log) = second.close().await;
    assert!(tell("-CONT").success());
    assert_eq!(status.code(), Some(0), "{log}");
    first.close().await;
}

/// The socket is for those who come later: without a place for it the client is served all the same.
#[tokio::test]
async fn a_socket_that_cannot_be_made_keeps_nobody_out() {
    let db = Database::sqlite();
    let mut command = archonctl(db.folder());
    command.args(["serve", "--stdio", "--database-url", db.url()]).env("XDG_STATE_HOME", "/dev/null");
    let mut client = Piped::launch(command);
    assert!(client.ask("initialize", json!({"protocolVersion": "2025-11-25"})).await["result"].is_object());
    let (status, log) = client.close().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("no socket for others can be made"), "{log}");
}

/// What a killed server has left is removed by the next.
#[tokio::test]
async fn sockets_of_killed_servers_are_removed() {
    let db = Database::sqlite();
    let mut killed = Piped::initialized(&db, &[]).await;
    killed.process.kill().await.expect("killed");
    let next = Piped::initialized(&db, &[]).await;
    let mut folders = vec![db.folder().to_owned()];
    let mut sockets = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            }
            sockets += usize::from(entry.path().extension().is_some_and(|extension| extension == "sock"));
        }
    }
    assert_eq!(sockets, 1);
    next.close().await;
}
