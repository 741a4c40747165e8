//! Remembered sessions: `archonctl init`, `call` and `tools` on them, `close`, several terminals at once.

use std::os::unix::fs::PermissionsExt;

use archonctl::cli::exit;
use futures_util::future::join_all;
use predicates::str::{contains, is_empty};
use serde_json::{Value, json};

use crate::databases::on_every_database;
use crate::faulty::{Fault, Faulty, Refusal, Seen};
use crate::home::{Home, nobody, run};
use crate::process::ServeProcess;
use crate::terminal::show;

fn session_of(seen: &Seen) -> Option<&str> {
    seen.headers.get("mcp-session-id").and_then(|id| id.to_str().ok())
}

/// A server, a home, and the id of the session that is remembered there.
async fn remembered() -> (Faulty, Home, String) {
    let server = Faulty::start().await;
    let home = Home::with(&server);
    let opened = home.json(&["init", "--json"], exit::DONE).await;
    let id = opened["session_id"].as_str().expect("an id").to_owned();
    (server, home, id)
}

#[tokio::test]
async fn init_remembers_what_call_and_tools_use_and_close_ends() {
    let (server, home, id) = remembered().await;
    for args in [&["call", "write"][..], &["call", "write", "n=1"], &["tools"]] {
        home.run(args).await.code(i32::from(exit::DONE)).stderr(is_empty());
    }
    assert_eq!((server.seen("initialize").len(), server.open_sessions()), (1, 1));
    for method in ["tools/call", "tools/list"] {
        assert!(server.seen(method).iter().all(|seen| session_of(seen) == Some(&id)), "{method}");
        assert!(server.seen(method).iter().all(|seen| seen.headers["mcp-protocol-version"] == "2025-06-18"));
    }
    home.run(&["close"]).await.code(i32::from(exit::DONE)).stdout(contains(format!("ended session {id} with")));
    assert_eq!((server.open_sessions(), home.remembered()), (0, json!({})));

    let nothing = home.run(&["close"]).await.code(i32::from(exit::NO_SESSION)).stdout(is_empty());
    nothing.stderr(format!(
        "error: no session with {} is remembered\nhint: archonctl init opens one and remembers it\n",
        server.url
    ));
    home.run(&["call", "write"]).await.code(i32::from(exit::DONE));
    assert_eq!((server.seen("initialize").len(), server.open_sessions()), (2, 0), "opened for this call alone");
}

#[tokio::test]
async fn init_tells_all_that_it_has_opened() {
    let server = Faulty::start().await;
    let home = Home::empty();
    let url = server.url.clone();
    let text = home.run(&["init", &url]).await.code(i32::from(exit::DONE)).stderr(is_empty());
    let text = String::from_utf8(text.get_output().stdout.clone()).expect("text");
    let remembered = home.remembered();
    let id = remembered[&url]["session_id"].as_str().expect("an id");
    let expected = format!(
        "URL             {url}\nsession         {id}\nArchon session  archon-1\nrevision        2025-06-18\nserver          faulty 1\n"
    );
    assert_eq!(text, expected);

    let opened = home.json(&["init", &url, "-o", "json", "--archon-session", "archon-7"], exit::DONE).await;
    let second = home.remembered()[&url].clone();
    let members = ["version", "url", "session_id", "archon_session_id", "revision", "server", "opened_at"];
    let expected: Value = [json!(1), json!(url)]
        .into_iter()
        .chain(members[2..].iter().map(|name| second[name].clone()))
        .zip(members)
        .map(|(value, name)| (name.to_owned(), value))
        .collect();
    assert_eq!(opened, expected);
    assert_eq!(server.seen("initialize")[1].headers["x-archon-session-id"], "archon-7");
    let line = home.json(&["init", &url, "-o", "jsonl"], exit::DONE).await;
    assert!(line["version"].is_null() && line["url"] == url.as_str(), "{line}");
    home.run(&["init", &url, "-o", "csv"])
        .await
        .stdout(contains("url,session_id,archon_session_id,revision,server,opened_at\n"));
}

#[tokio::test]
async fn the_file_is_for_its_owner_alone_and_holds_no_token() {
    let server = Faulty::start().await;
    let home = Home::empty();
    let url = server.url.replace("http://", "http://me:hunter2@") + "?key=hunter3";
    let mut command = home.command(&["init", &url, "-H", "X-Key: hunter4"]);
    command.env("ARCHONCTL_TOKEN", "hunter5");
    let assert = run(command).await.code(i32::from(exit::DONE));
    let printed = String::from_utf8_lossy(&assert.get_output().stdout).into_owned();
    let text = std::fs::read_to_string(home.session_file()).expect("the file");
    assert!(!text.contains("hunter") && !printed.contains("hunter"), "{text}{printed}");
    assert_eq!(std::fs::metadata(home.session_file()).expect("there").permissions().mode() & 0o777, 0o600);
    home.run(&["call", "write", "--url", &url]).await.code(i32::from(exit::DONE));
    assert_eq!(server.seen("initialize").len(), 1, "it is found again");
    home.run(&["call", "write", "--url", &server.url]).await.code(i32::from(exit::DONE));
    assert_eq!(server.seen("initialize").len(), 2, "another query is another server");
}

#[tokio::test]
async fn a_second_init_ends_the_former_session() {
    let (server, home, id) = remembered().await;
    let second = home.run(&["init"]).await.code(i32::from(exit::DONE));
    second.stderr(format!("note: ended the former session {id}\n"));
    assert_eq!((server.open_sessions(), session_of(&server.seen("DELETE")[0])), (1, Some(id.as_str())));
    server.script("DELETE", [Fault::Raw(500, "text/plain", "no")]);
    let third = home.run(&["init"]).await.code(i32::from(exit::DONE));
    third.stderr(contains("is not ended: the server answered 500"));
}

#[tokio::test]
async fn a_lost_session_is_replaced_once_and_that_is_said() {
    for refusal in [Refusal::NotFound, Refusal::Original] {
        let (server, home, lost) = remembered().await;
        server.forget(refusal);
        let healed = home.run(&["call", "write"]).await.code(i32::from(exit::DONE)).stdout("{}\n");
        let new = home.remembered()[&server.url]["session_id"].as_str().expect("an id").to_owned();
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
        assert_eq!(home.remembered()[&server.url]["session_id"], lost.as_str());
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
    let kept = home.remembered()[&server.url]["session_id"].as_str().expect("an id").to_owned();
    assert!(kept != lost && server.ran() == 8);
    assert_eq!(server.open_sessions(), 1, "those who came second have ended theirs");
    home.run(&["call", "write", "--no-reinit"]).await.code(i32::from(exit::DONE)).stderr(is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminals_with_servers_of_their_own_lose_no_entry() {
    let server = Faulty::start().await;
    let home = Home::empty();
    let urls: Vec<_> = (0..12).map(|n| format!("{}?n={n}", server.url)).collect();
    let inits = urls.iter().map(async |url| home.run(&["init", url]).await);
    for init in join_all(inits.collect::<Vec<_>>()).await {
        init.code(i32::from(exit::DONE));
    }
    assert_eq!(home.remembered().as_object().map(serde_json::Map::len), Some(urls.len()));
    let closes = urls.iter().map(async |url| home.run(&["close", "--url", url]).await);
    for close in join_all(closes.collect::<Vec<_>>()).await {
        close.code(i32::from(exit::DONE));
    }
    assert_eq!((home.remembered(), server.open_sessions()), (json!({}), 0));
}

#[tokio::test]
async fn a_server_that_keeps_no_sessions_is_remembered_too() {
    let server = Faulty::start().await;
    let home = Home::with(&server);
    server.keep_no_sessions();
    home.run(&["init"]).await.code(i32::from(exit::DONE)).stdout(contains("session         none\n"));
    home.run(&["call", "write"]).await.code(i32::from(exit::DONE)).stderr(is_empty());
    assert_eq!(server.seen("initialize").len(), 1);
    home.run(&["close"]).await.code(i32::from(exit::DONE)).stdout(contains("left session none"));
    assert_eq!(home.remembered(), json!({}));
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_costs_no_memory() {
    let (_port, url) = nobody();
    let home = Home::empty();
    for args in [&["init", &url][..], &["tools", "--url", &url]] {
        let refused = home.run(args).await.code(i32::from(exit::UNREACHABLE)).stdout(is_empty());
        refused.stderr(contains(format!("error: no server answers at {url}"))).stderr(contains("archonctl serve"));
        let refused = home.run(&[args, &["--json"]].concat()).await.code(i32::from(exit::UNREACHABLE));
        refused.stderr(contains(r#"{"error":{"code":"connection""#));
    }
    assert!(!home.session_file().exists());

    let (server, home, id) = remembered().await;
    server.script("DELETE", std::iter::repeat_n(Fault::Raw(503, "text/plain", "later"), 9));
    home.run(&["close", "--retries", "0"]).await.code(i32::from(exit::FAILED)).stderr(contains("answered 503"));
    assert_eq!(home.remembered()[&server.url]["session_id"], id.as_str(), "it can be closed later");
}

#[tokio::test]
async fn a_broken_file_is_named_and_left_alone() {
    let (_server, home, _) = remembered().await;
    std::fs::write(home.session_file(), "{").expect("written");
    for args in [&["init"][..], &["call", "write"], &["tools"], &["close"]] {
        let refused = home.run(args).await.code(i32::from(exit::USAGE)).stdout(is_empty());
        refused.stderr(contains("sessions.json does not hold")).stderr(contains("hint: remove it"));
    }
    assert_eq!(std::fs::read(home.session_file()).expect("there"), b"{");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_goes_away_and_a_narrow_terminal_are_fine() {
    let (server, home, _) = remembered().await;
    for args in [&["init"][..], &["tools"], &["call", "write"], &["close"]] {
        let mut command = home.command(args);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().expect("started");
        drop(child.stdout.take());
        let ended = tokio::task::spawn_blocking(move || child.wait()).await.expect("joined").expect("ended");
        assert_eq!(ended.code(), Some(i32::from(exit::DONE)), "{args:?}");
    }
    assert_eq!(server.open_sessions(), 0);
    for columns in [20, 200] {
        let command = home.command(&["init"]);
        let shown = tokio::task::spawn_blocking(move || show(command, columns)).await.expect("it ran");
        assert!(shown.status.success() && shown.text.contains("Archon session  archon-1"), "{shown:?}");
        assert!(!shown.text.contains('\u{1b}'), "{shown:?}");
    }
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
    let id = opened["session_id"].as_str().expect("an id");
    called.stdout(contains(id)).stderr(is_empty());
    home.run(&["close", "--url", &url]).await.code(i32::from(exit::DONE)).stdout(contains("ended session"));
    assert_eq!(db.value("SELECT disconnect_reason FROM archon_mcp_protocol_sessions"), "client_disconnect");
});
