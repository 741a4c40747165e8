//! `archonctl init` and `close`: what they open, remember, print and end.

use std::os::unix::fs::PermissionsExt;

use archonctl::cli::exit;
use futures_util::future::join_all;
use predicates::str::{contains, is_empty};
use serde_json::{Value, json};

use crate::databases::on_every_database;
use crate::faulty::{Fault, Faulty, Seen};
use crate::field::{Field, JSON, polite, raw};
use crate::home::{Home, nobody, run};
use crate::process::ServeProcess;
use crate::terminal::show;

pub(crate) fn session_of(seen: &Seen) -> Option<&str> {
    seen.headers.get("mcp-session-id").and_then(|id| id.to_str().ok())
}

/// A server, a home, and the id of the session that is remembered there.
pub(crate) async fn remembered() -> (Faulty, Home, String) {
    let server = Faulty::start().await;
    let home = Home::with(&server);
    let opened = home.json(&["init", "--json"], exit::DONE).await;
    let id = opened["protocol_session_id"].as_str().expect("an id").to_owned();
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
    let id = remembered[&url]["protocol_session_id"].as_str().expect("an id");
    let expected = format!(
        "URL               {url}\nProtocol session  {id}\nArchon session    archon-1\nRevision          2025-06-18\nServer            faulty 1\n"
    );
    assert_eq!(text, expected);

    let opened = home.json(&["init", &url, "-o", "json", "--archon-session", "archon-7"], exit::DONE).await;
    let second = home.remembered()[&url].clone();
    let members = ["version", "url", "protocol_session_id", "archon_session_id", "revision", "server", "opened_at"];
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
        .stdout(contains("url,protocol_session_id,archon_session_id,revision,server,opened_at\n"));
}

#[tokio::test]
async fn a_url_on_the_command_line_goes_before_the_environment() {
    let (server, other) = (Faulty::start().await, Faulty::start().await);
    let home = Home::with(&other);
    home.run(&["init", &server.url]).await.code(i32::from(exit::DONE));
    assert_eq!((server.open_sessions(), other.open_sessions()), (1, 0));
    home.run(&["init", &server.url, "--server", "x"]).await.code(i32::from(exit::USAGE));
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
async fn a_server_that_cannot_be_reached_costs_no_memory() {
    let (_port, url_of_nobody) = nobody();
    let home = Home::empty();
    for args in [&["init", &url_of_nobody][..], &["tools", "--url", &url_of_nobody]] {
        let refused = home.run(args).await.code(i32::from(exit::UNREACHABLE)).stdout(is_empty());
        refused
            .stderr(contains(format!("error: no server answers at {url_of_nobody}")))
            .stderr(contains("archonctl serve"));
        let refused = home.run(&[args, &["--json"]].concat()).await.code(i32::from(exit::UNREACHABLE));
        refused.stderr(contains(r#"{"error":{"code":"connection""#));
    }
    assert!(!home.session_file().exists());

    let (server, home, id) = remembered().await;
    let file = std::fs::read_to_string(home.session_file()).expect("the file");
    let gone = file.replace(&server.url, &url_of_nobody);
    std::fs::write(home.session_file(), gone).expect("written");
    for args in [&["close"][..], &["call", "write"], &["tools"]] {
        let args = [args, &["--url", &url_of_nobody, "--retries", "0"]].concat();
        home.run(&args).await.code(i32::from(exit::UNREACHABLE)).stdout(is_empty());
    }
    assert_eq!(home.remembered()[&url_of_nobody]["protocol_session_id"], id.as_str(), "the server may come back");
    std::fs::write(home.session_file(), file).expect("written");
    server.script("DELETE", std::iter::repeat_n(Fault::Raw(503, "text/plain", "later"), 9));
    home.run(&["close", "--retries", "0"]).await.code(i32::from(exit::FAILED)).stderr(contains("answered 503"));
    assert_eq!(home.remembered()[&server.url]["protocol_session_id"], id.as_str(), "it can be closed later");
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
        for (args, words) in [
            (&["init"][..], "Archon session    archon-1"),
            (&["call", "write", "n=1"], "\"n\": 1"),
            (&["tools", "write"], "archonctl call write"),
            (&["close"], "ended session"),
        ] {
            let command = home.command(args);
            let shown = tokio::task::spawn_blocking(move || show(command, columns)).await.expect("it ran");
            assert!(shown.status.success() && shown.text.contains(words), "{shown:?}");
            assert!(!shown.text.contains('\u{1b}'), "{shown:?}");
        }
    }
}

on_every_database!(a_server_that_asks_for_a_token_gets_the_right_one, |db| async {
    let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    std::fs::write(db.folder().join("tokens"), format!("{hash} ada\n")).expect("written");
    let server = ServeProcess::start(&db, &["--token-file", "tokens"]).await;
    let home = Home::empty();
    std::fs::write(home.path().join("right"), "secret\n").expect("written");
    std::fs::write(home.path().join("wrong"), "secrets\n").expect("written");
    let url = server.url();
    for (args, code) in [
        (&["init", url][..], exit::AUTH),
        (&["tools", "--url", url], exit::AUTH),
        (&["call", "health_check", "--url", url, "--token-file", "wrong"], exit::AUTH),
        (&["call", "health_check", "--url", url, "--token-file", "right"], exit::DONE),
        (&["call", "health_check", "--url", url, "-H", "Authorization: Bearer secret"], exit::DONE),
        (&["init", url, "--token-file", "right"], exit::DONE),
        (&["tools", "--url", url, "--token-file", "right"], exit::DONE),
        (&["close", "--url", url], exit::AUTH),
        (&["close", "--url", url, "--token-file", "right"], exit::DONE),
    ] {
        let ended = home.run(args).await.code(i32::from(code));
        let told = String::from_utf8_lossy(&ended.get_output().stderr).into_owned();
        assert_eq!(told.contains("hint: "), code == exit::AUTH, "{args:?}: {told}");
    }
});

#[tokio::test]
async fn an_id_that_call_would_refuse_is_refused_at_once_and_not_remembered() {
    let server = Field::start(|asked, _| {
        let mut response = raw(200, JSON, polite(asked).to_string()).filter(|_| asked.method == "initialize")?;
        response.headers_mut().insert("mcp-session-id", "has space".parse().expect("a header"));
        Some(response)
    });
    let server = server.await;
    let home = Home::at(&server.url);
    let refused = home.run(&["init"]).await.code(i32::from(exit::FAILED)).stdout(is_empty());
    refused.stderr(contains("opens a session under \"has space\", which is not a session id"));
    assert!(!home.session_file().exists());
}
