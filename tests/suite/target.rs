//! Which server the client's commands talk to, and as whom: arguments, environment, configuration files of MCP clients.

use std::fs;

use archonctl::cli::exit;
use http::HeaderValue;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, is_empty};
use serde_json::json;

use crate::faulty::Faulty;
use crate::home::{Home, run};
use crate::terminal::show_typed;

/// A home whose `.mcp.json` names that server as `archon`, with a header of its own.
fn project(server: &Faulty) -> Home {
    let home = Home::empty();
    let address = server.url.trim_start_matches("http://");
    let (host, path) = address.split_once('/').expect("a path");
    let archon = json!({"type": "http", "url": format!("http://${{WHERE:-{host}}}/{path}"),
        "headers": {"Authorization": "Bearer ${KEY:-none}", "Accept": "*/*", "X-Team": "blue"}});
    let config = json!({"mcpServers": {"archon": archon, "program": {"command": "npx"}}});
    fs::write(home.path().join(".mcp.json"), config.to_string()).expect("written");
    fs::create_dir_all(home.path().join("deep/er")).expect("made");
    home
}

#[tokio::test]
async fn a_projects_file_is_found_said_and_obeyed() {
    let server = Faulty::start().await;
    let home = project(&server);
    let mut command = home.command(&["call", "write"]);
    command.current_dir(home.path().join("deep/er")).env("ARCHONCTL_TOKEN", "of-another");
    let file = home.path().canonicalize().expect("there").join(".mcp.json");
    let note = format!("note: the server is archon of {}\n", file.display());
    run(command).await.code(i32::from(exit::DONE)).stdout("{}\n").stderr(note.clone());
    let headers = &server.seen("tools/call")[0].headers;
    assert_eq!((&headers["authorization"], &headers["x-team"]), (&value("Bearer none"), &value("blue")));
    assert_eq!(headers.get_all("accept").iter().count(), 1);

    let mut named = home.command(&["call", "write", "--server", "archon"]);
    named.env("KEY", "secret");
    run(named).await.code(i32::from(exit::DONE)).stderr(note);
    assert_eq!(server.seen("tools/call")[1].headers["authorization"], "Bearer secret", "the entry says so");
    let mut unasked = home.command(&["call", "write"]);
    unasked.env("KEY", "secret");
    run(unasked).await.code(i32::from(exit::USAGE)).stderr(contains("it takes ${KEY:-none} from your environment"));
    assert_eq!(server.ran(), 2);
}

fn value(text: &str) -> HeaderValue {
    text.parse().expect("a header's value")
}

/// What a server got in the `Authorization` header of its calls.
fn tokens(server: &Faulty) -> Vec<Option<HeaderValue>> {
    server.seen("tools/call").iter().map(|call| call.headers.get("authorization").cloned()).collect()
}

#[tokio::test]
async fn a_projects_server_gets_no_token_that_its_entry_does_not_ask_for() {
    let server = Faulty::start().await;
    let home = Home::empty();
    let entry = |headers: &str| {
        let text = format!(r#"{{"mcpServers": {{"work": {{"type": "http", "url": "{}"{headers}}}}}}}"#, server.url);
        fs::write(home.path().join(".mcp.json"), text).expect("written");
    };
    fs::write(home.path().join("token"), "from-file\n").expect("written");
    let call = async |args: &[&str]| {
        let mut command = home.command(&[&["call", "write"], args].concat());
        command.env("ARCHONCTL_TOKEN", "from-variable");
        run(command).await.code(i32::from(exit::DONE))
    };
    entry("");
    for args in
        [&[][..], &["--server", "work"], &["--token-file", "token"], &["--server", "work", "--token-file", "token"]]
    {
        call(args).await.stderr(contains("your token is not sent"));
    }
    assert_eq!(tokens(&server), [const { None }; 4]);
    call(&["--server", "work", "-H", "Authorization: Bearer typed"]).await.stderr(contains("not sent").not());
    call(&["--url", &server.url]).await.stderr(is_empty());
    entry(r#", "headers": {"Authorization": "Bearer ${ARCHONCTL_TOKEN}"}"#);
    call(&["--server", "work"]).await.stderr(contains("not sent").not());
    entry("");
    fs::rename(home.path().join(".mcp.json"), home.path().join(".claude.json")).expect("moved");
    call(&["--server", "work"]).await.stderr(contains("the server is work of").and(contains("not sent").not()));
    let expected = ["typed", "from-variable", "from-variable", "from-variable"];
    assert_eq!(tokens(&server)[4..], expected.map(|token| Some(value(&format!("Bearer {token}")))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_terminal_a_person_may_send_it() {
    let server = Faulty::start().await;
    let home = Home::empty();
    let text = format!(r#"{{"mcpServers": {{"work": {{"type": "http", "url": "{}"}}}}}}"#, server.url);
    fs::write(home.path().join(".mcp.json"), text).expect("written");
    for typed in ["n\n", "\n", "y\n"] {
        let mut command = home.command(&["call", "write", "--server", "work"]);
        command.env("ARCHONCTL_TOKEN", "secret");
        let shown = tokio::task::spawn_blocking(move || show_typed(command, 200, typed)).await.expect("it ran");
        assert!(shown.text.contains(&format!("Send your token to {}? [y/N]", server.url)), "{}", shown.text);
        assert!(shown.status.success() && shown.text.contains("not sent") == (typed != "y\n"), "{}", shown.text);
    }
    assert_eq!(tokens(&server), [None, None, Some(value("Bearer secret"))]);
}

#[tokio::test]
async fn a_name_that_a_project_has_as_well_is_asked() {
    let (own, evil) = (Faulty::start().await, Faulty::start().await);
    let home = Home::empty();
    let project = home.path().join("project");
    fs::create_dir_all(project.join(".git")).expect("made");
    let entry = |url: &str| format!(r#"{{"mcpServers": {{"work": {{"type": "http", "url": "{url}"}}}}}}"#);
    fs::write(home.path().join(".claude.json"), entry(&own.url)).expect("written");
    fs::write(project.join(".mcp.json"), entry(&evil.url)).expect("written");
    let mut command = home.command(&["call", "write", "--server", "work"]);
    command.current_dir(&project).env("ARCHONCTL_TOKEN", "secret");
    let refused = run(command).await.code(i32::from(exit::USAGE));
    refused.stderr(
        contains("two servers are called work").and(contains(".claude.json")).and(contains("project/.mcp.json")),
    );
    assert!(own.seen("initialize").is_empty() && evil.seen("initialize").is_empty());
}

#[tokio::test]
async fn flags_go_before_the_environment_and_that_before_files() {
    let (file, named) = (Faulty::start().await, Faulty::start().await);
    let home = project(&file);
    let config = format!(r#"{{"servers": {{"a": {{"type": "http", "url": "{}"}}}}}}"#, named.url);
    fs::write(home.path().join("other.json"), config).expect("written");
    home.run(&["call", "write", "--config", "other.json", "--server", "a"]).await.code(i32::from(exit::DONE));
    assert_eq!((named.ran(), file.ran()), (1, 0), "a named file before a found one");
    let mut command = home.command(&["call", "write"]);
    command.env("ARCHONCTL_URL", &named.url);
    run(command).await.code(i32::from(exit::DONE)).stderr(is_empty());
    assert_eq!((named.ran(), file.ran()), (2, 0), "the environment before a file");
    let mut command = home.command(&["call", "write", "--url", &file.url]);
    command.env("ARCHONCTL_URL", &named.url);
    run(command).await.code(i32::from(exit::DONE)).stderr(is_empty());
    assert_eq!((named.ran(), file.ran()), (2, 1), "the flag before the environment");
}

#[tokio::test]
async fn what_a_file_leaves_open_is_an_error_and_nothing_is_sent() {
    let server = Faulty::start().await;
    let home = project(&server);
    let told = async |args: &[&str], words: &str| {
        home.run(&[&["call", "write"], args].concat()).await.code(i32::from(exit::USAGE)).stderr(contains(words));
    };
    let refused = home.run(&["init", "--server", "program"]).await.code(i32::from(exit::USAGE));
    refused.stderr(contains("the server program is a program on standard input and output"));
    told(&["--server", "archom"], "hint: did you mean archon?").await;
    told(&["--config", "none.json"], "cannot read none.json").await;
    let write = |text: &str| fs::write(home.path().join(".mcp.json"), text).expect("written");
    write(r#"{"mcpServers": {"a": {"type": "http", "url": "http://${UNSET}/"}}}"#);
    told(&[], "the server a of").await;
    told(&[], "hint: set UNSET in the environment").await;
    write(r#"{"mcpServers": {"far": {"type": "http", "url": "http://192.0.2.1/mcp"}}}"#);
    told(&[], "--server far uses it").await;
    write(r#"{"mcpServers": {"a": {"type": "http", "url": "u"}, "b": {"type": "http", "url": "u"}}}"#);
    told(&[], "names several servers: a, b").await;
    write("{");
    told(&[], "it is not JSON").await;
    assert!(server.seen("initialize").is_empty());
}

#[tokio::test]
async fn headers_are_sent_and_ours_are_protected() {
    let server = Faulty::start().await;
    let home = Home::with(&server);
    home.run(&["call", "write", "-H", "X-A: 1: 2", "--header", "x-b:", "-H", "Authorization: Basic x"])
        .await
        .code(i32::from(exit::DONE));
    for method in ["initialize", "notifications/initialized", "tools/call", "DELETE"] {
        let headers = &server.seen(method)[0].headers;
        let found = ["x-a", "x-b", "authorization"].map(|name| headers[name].to_str().expect("text"));
        assert_eq!(found, ["1: 2", "", "Basic x"], "{method}");
    }
    let refused = async |args: &[&str], words: &str| {
        let args = [&["call", "write"], args].concat();
        home.run(&args).await.code(i32::from(exit::USAGE)).stdout(is_empty()).stderr(contains(words));
    };
    for ours in ["Mcp-Session-Id: x", "MCP-Protocol-Version: x", "Content-Type: x", "Host: x", "X-MCP-Session-Id: x"] {
        refused(&["-H", ours], "is ours to set").await;
    }
    refused(&["-H", "X-Archon-Session-Id: x"], "--archon-session ID").await;
    refused(&["-H", "novalue"], "Name: value").await;
    refused(&["-H", "a b: c"], "cannot be sent").await;
    fs::write(home.path().join("token"), "secret").expect("written");
    refused(&["-H", "Authorization: x", "--token-file", "token"], "give one of them").await;
    assert_eq!(server.seen("initialize").len(), 1);
}

#[tokio::test]
async fn host_and_port_are_address_enough() {
    let server = Faulty::start().await;
    let address = server.url.trim_start_matches("http://").trim_end_matches("/mcp").to_owned();
    let home = Home::empty();
    for args in [&["init", &address][..], &["call", "write", "--url", &address], &["close", "--url", &server.url]] {
        home.run(args).await.code(i32::from(exit::DONE));
    }
    assert_eq!((server.seen("initialize").len(), server.open_sessions()), (1, 0), "one address, however it is written");
    let refused = home.run(&["call", "write", "--url", "nonsense"]).await.code(i32::from(exit::USAGE));
    refused.stderr(contains("or is host:port"));
}

#[tokio::test]
async fn files_may_have_a_byte_order_mark() {
    let server = Faulty::start().await;
    let home = project(&server);
    let mark = |name: &str, text: &str| {
        fs::write(home.path().join(name), format!("\u{feff}{text}")).expect("written");
    };
    let config = fs::read_to_string(home.path().join(".mcp.json")).expect("there");
    mark(".mcp.json", &config);
    mark("arguments.json", r#"{"n": 1}"#);
    mark("token", "secret\r\n");
    fs::create_dir_all(home.path().join(".config/archonctl")).expect("made");
    mark(".config/archonctl/config.toml", "client-name = \"robot\"\n");
    let args = ["call", "write", "--args", "@arguments.json", "--token-file", "token", "--url", &server.url];
    home.run(&args).await.code(i32::from(exit::DONE)).stdout("{\n  \"n\": 1\n}\n");
    assert_eq!(server.seen("tools/call")[0].headers["authorization"], "Bearer secret");
    assert_eq!(server.seen("initialize")[0].message["params"]["clientInfo"]["name"], "robot");

    home.run(&["init", "--server", "archon"]).await.code(i32::from(exit::DONE));
    let remembered = fs::read_to_string(home.session_file()).expect("there");
    fs::write(home.session_file(), format!("\u{feff}{remembered}")).expect("written");
    home.run(&["call", "write", "--server", "archon"]).await.code(i32::from(exit::DONE));
    assert_eq!(server.seen("initialize").len(), 2, "the remembered session is found");

    let utf16: Vec<u8> = "\u{feff}{\"n\": 2}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(home.path().join("arguments.json"), utf16).expect("written");
    home.run(&args).await.code(i32::from(exit::DONE)).stdout("{\n  \"n\": 2\n}\n");
}
