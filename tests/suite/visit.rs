//! How commands come to a session and leave it: remembered, given, lost; several terminals at once.

use archonctl::cli::exit;
use futures_util::future::join_all;
use predicates::str::{contains, is_empty};
use serde_json::json;

use crate::databases::on_every_database;
use crate::faulty::{Faulty, Refusal};
use crate::home::{Home, run};
use crate::init::{remembered, session_of};
use crate::process::ServeProcess;

#[tokio::test]
async fn a_lost_session_is_replaced_once_and_that_is_said() {
    for refusal in [Refusal::NotFound, Refusal::Original] {
        let (server, home, lost) = remembered().await;
        server.forget(refusal);
        let healed = home.run(&["call", "write"]).await.code(i32::from(exit::DONE)).stdout("{}\n");
        let new = home.remembered()[&server.url]["protocol_session_id"].as_str().expect("an id").to_owned();
        healed.stderr(format!("note: the server had lost session {lost}; opened {new}\n"));
        assert!(new != lost && server.ran() == 1 && server.open_sessions() == 1);
        let hello = &server.seen("initialize")[1];
        assert_eq!(hello.headers["x-archon-session-id"], "archon-1", "the Archon session goes on");
        home.run(&["tools"]).await.code(i32::from(exit::DONE)).stderr(is_empty());
        assert_eq!(server.seen("initialize").len(), 2);
    }
}

#[tokio::test]
async fn no_reinit_makes_a_lost_session_an_error() {
    for refusal in [Refusal::NotFound, Refusal::Original] {
        let (server, home, lost) = remembered().await;
        server.forget(refusal);
        for args in [&["call", "write", "--no-reinit"][..], &["tools", "--no-reinit"]] {
            let refused = home.run(args).await.code(i32::from(exit::NO_SESSION)).stdout(is_empty());
            refused.stderr(contains("error: the server refuses the session: ")).stderr(contains("archonctl init"));
        }
        assert_eq!((server.seen("initialize").len(), server.ran()), (1, 0));
        assert_eq!(home.remembered()[&server.url]["protocol_session_id"], lost.as_str());
        home.run(&["close"]).await.code(i32::from(exit::DONE)).stdout(contains("had ended already"));
        assert_eq!(home.remembered(), json!({}));
    }
}

#[tokio::test]
async fn given_ids_are_used_without_the_file() {
    let (server, home, id) = remembered().await;
    let file = std::fs::read(home.session_file()).expect("the file");
    let other = Home::with(&server);
    other.run(&["call", "write", "--session", &id, "--archon-session", "archon-9"]).await.code(i32::from(exit::DONE));
    let call = &server.seen("tools/call")[0];
    assert_eq!(
        (session_of(call), &call.headers["x-archon-session-id"]),
        (Some(id.as_str()), &"archon-9".parse().expect("text"))
    );
    assert!(!call.headers.contains_key("mcp-protocol-version"), "what was agreed on is not known");
    assert!(!other.session_file().exists());
    assert_eq!(server.open_sessions(), 1, "it is not ours to end");

    // In a new protocol session, which stays: its end would be the Archon session's.
    home.run(&["call", "write", "--archon-session", "archon-9"]).await.code(i32::from(exit::DONE));
    assert_eq!(server.seen("initialize")[1].headers["x-archon-session-id"], "archon-9");
    assert_eq!((server.open_sessions(), std::fs::read(home.session_file()).expect("the file")), (2, file));

    let healed = other.run(&["call", "write", "--session", "no-such-session"]).await.code(i32::from(exit::DONE));
    healed.stderr(contains("note: the server had lost session no-such-session; opened "));
    let refused = other.run(&["call", "write", "--session", "no-such-session", "--no-reinit"]).await;
    refused.code(i32::from(exit::NO_SESSION));
    other.run(&["call", "write", "--session", "has space"]).await.code(i32::from(exit::USAGE));
    other.run(&["close", "--session", &id]).await.code(i32::from(exit::DONE)).stdout(contains("ended session"));
    home.run(&["close", "--session", &id]).await.code(i32::from(exit::DONE)).stdout(contains("had ended already"));
    assert_eq!(home.remembered(), json!({}), "what is ended is forgotten");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminals_that_lose_a_session_together_keep_one() {
    let (server, home, lost) = remembered().await;
    server.forget(Refusal::NotFound);
    let calls = (0..8).map(|_| home.run(&["call", "write"]));
    for call in join_all(calls).await {
        call.code(i32::from(exit::DONE)).stdout("{}\n");
    }
    let kept = home.remembered()[&server.url]["protocol_session_id"].as_str().expect("an id").to_owned();
    assert!(kept != lost && server.ran() == 8);
    assert_eq!(server.open_sessions(), 1, "those who came second have ended theirs");
    home.run(&["call", "write", "--no-reinit"]).await.code(i32::from(exit::DONE)).stderr(is_empty());
}

#[tokio::test]
async fn a_server_that_keeps_no_sessions_is_remembered_too() {
    let server = Faulty::start().await;
    let home = Home::with(&server);
    server.keep_no_sessions();
    home.run(&["init"]).await.code(i32::from(exit::DONE)).stdout(contains("Protocol session  none\n"));
    home.run(&["call", "write"]).await.code(i32::from(exit::DONE)).stderr(is_empty());
    assert_eq!(server.seen("initialize").len(), 1);
    home.run(&["close"]).await.code(i32::from(exit::DONE)).stdout(contains("left session none"));
    assert_eq!(home.remembered(), json!({}));
}

#[tokio::test]
async fn without_a_home_calls_go_on_and_nothing_is_remembered() {
    let server = Faulty::start().await;
    let home = Home::with(&server);
    let homeless = |args: &[&str]| {
        let mut command = home.command(args);
        command.env_remove("HOME");
        run(command)
    };
    homeless(&["call", "write"]).await.code(i32::from(exit::DONE));
    homeless(&["init"]).await.code(i32::from(exit::USAGE)).stderr(contains("XDG_STATE_HOME"));
    homeless(&["close"]).await.code(i32::from(exit::NO_SESSION));
    assert_eq!(server.open_sessions(), 0);
}

on_every_database!(a_remembered_session_outlives_a_crash_of_the_server, |db| async {
    let mut server = ServeProcess::start(&db, &[]).await;
    let home = Home::empty();
    let url = server.url().to_owned();
    let opened = home.json(&["init", &url, "--json"], exit::DONE).await;
    server.sigkill();
    let down = home.run(&["call", "health_check", "--url", &url, "--retries", "0"]).await;
    down.code(i32::from(exit::UNREACHABLE));
    let address = server.address().to_owned();
    let server = ServeProcess::start_at(&address, &db, &[]).await;
    let called = home.run(&["call", "session_info", "--url", server.url()]).await.code(i32::from(exit::DONE));
    let id = opened["protocol_session_id"].as_str().expect("an id");
    called.stdout(contains(id)).stderr(is_empty());
    home.run(&["close", "--url", &url]).await.code(i32::from(exit::DONE)).stdout(contains("ended session"));
    assert_eq!(db.value("SELECT disconnect_reason FROM archon_mcp_protocol_sessions"), "client_disconnect");
});
