use super::*;
use crate::cli::connect::change::Was;

fn entry(with_token: bool) -> Entry {
    Entry { name: "archon".into(), url: "http://127.0.0.1:8051/mcp".into(), with_token, replace: false }
}

fn replacing(with_token: bool) -> Entry {
    Entry { replace: true, ..entry(with_token) }
}

fn added(app: App, text: &str, entry: &Entry) -> String {
    app.add(text, entry).expect("an entry").text
}

#[test]
fn each_client_gets_its_own_format() {
    let printed = |app: App| added(app, "", &entry(true));
    let typed = |reference: &str| {
        format!(
            r#"{{
  "mcpServers": {{
    "archon": {{
      "type": "http",
      "url": "http://127.0.0.1:8051/mcp",
      "headers": {{
        "Authorization": "Bearer {reference}"
      }}
    }}
  }}
}}
"#
        )
    };
    assert_eq!(printed(App::Claude), typed("${ARCHONCTL_TOKEN}"));
    assert_eq!(printed(App::Cursor), typed("${env:ARCHONCTL_TOKEN}"));
    assert_eq!(
        printed(App::Gemini),
        typed("${ARCHONCTL_TOKEN}").replace("      \"type\": \"http\",\n", "").replace("\"url\"", "\"httpUrl\"")
    );
    assert_eq!(
        printed(App::Codex),
        "[mcp_servers.archon]\nurl = \"http://127.0.0.1:8051/mcp\"\nbearer_token_env_var = \"ARCHONCTL_TOKEN\"\n"
    );
    let vscode: serde_json::Value = serde_json::from_str(&printed(App::Vscode)).expect("JSON");
    assert_eq!(vscode["servers"]["archon"]["headers"]["Authorization"], "Bearer ${input:archonctl-token}");
    assert_eq!(vscode["inputs"][0]["id"], "archonctl-token");
    assert!(!added(App::Claude, "", &entry(false)).contains("headers"), "no token, no header");
}

#[test]
fn what_is_there_stays_and_nothing_is_added_twice() {
    for (app, before) in [
        (
            App::Claude,
            "{\n\t// mine\n\t\"mcpServers\": {\n\t\t\"other\": {\"command\": \"x\"}, // kept\n\t},\n\t\"zebra\": 1e3\n}\n",
        ),
        (App::Claude, "{}"),
        (App::Claude, "// mine"),
        (App::Codex, "# mine"),
        (App::Codex, "mcp_servers.other.command = \"x\"\n"),
        (App::Cursor, "{\"mcpServers\": {\"archon\": {\"url\": \"http://old/mcp\", \"mine\": true}}}"),
        (App::Vscode, "{\n  \"inputs\": [{\"id\": \"mine\"}],\n  \"servers\": {}\n}"),
        (App::Gemini, "{\"theme\": \"dark\"}"),
        (App::Codex, "# mine\nmodel = \"o9\" # kept\n\n[mcp_servers.other]\ncommand = \"x\"\n"),
        (App::Codex, "[mcp_servers]\narchon = { url = \"http://old/mcp\", enabled = false }\n"),
    ] {
        for with_token in [false, true] {
            let once = added(app, before, &replacing(with_token));
            assert_eq!(added(app, &once, &entry(with_token)), once, "{app:?} {before}");
            assert!(once.contains("http://127.0.0.1:8051/mcp") && !once.contains("http://old"), "{once}");
            for kept in [
                "// mine",
                "// kept",
                "# mine",
                "# kept",
                "\"other\"",
                ".other",
                "1e3",
                "\"mine\"",
                "\"dark\"",
                "enabled = false",
            ] {
                assert_eq!(before.contains(kept), once.contains(kept), "{kept} in {once}");
            }
        }
    }
}

#[test]
fn what_cannot_be_added_to_is_left_alone() {
    for (app, text) in [
        (App::Claude, "[]"),
        (App::Claude, "{\"mcpServers\": []}"),
        (App::Claude, "{\"mcpServers\": {\"archon\": 1}}"),
        (App::Cursor, "{\"mcpServers\""),
        (App::Vscode, "{\"inputs\": {}}"),
        (App::Codex, "mcp_servers = 1"),
        (App::Codex, "[[mcp_servers.archon]]\nx = 1\n"),
        (App::Codex, "not = "),
    ] {
        for entry in [entry(true), replacing(true)] {
            assert!(matches!(app.add(text, &entry), Err(Refusal::Unusable(_))), "{app:?} {text}");
        }
    }
}

#[test]
fn what_is_there_twice_is_left_alone() {
    for (app, text) in [
        (App::Claude, r#"{"mcpServers": {}, "mcpServers": {}}"#),
        (App::Claude, r#"{"mcpServers": {"archon": {}, "\u0061rchon": {}}}"#),
        (App::Claude, r#"{"mcpServers": {"archon": {"headers": {}, "headers": {}}}}"#),
        (
            App::Cursor,
            r#"{"mcpServers": {"archon": {"url": "http://127.0.0.1:8051/mcp", "url": "http://127.0.0.1:8051/mcp"}}}"#,
        ),
        (App::Cursor, r#"{"mcpServers": {"archon": {"headers": {"Authorization": "a", "authorization": "b"}}}}"#),
        (App::Vscode, r#"{"inputs": [], "inputs": []}"#),
        (App::Codex, "[mcp_servers.archon]\n[mcp_servers.archon]\n"),
    ] {
        assert!(matches!(app.add(text, &entry(true)), Err(Refusal::Unusable(_))), "{app:?} {text}");
    }
}

#[test]
fn another_servers_entry_is_replaced_on_demand_alone() {
    let json = |members: &str| format!("{{\"mcpServers\": {{\"archon\": {members}}}}}");
    for (app, before, other, after) in [
        (
            App::Claude,
            json(r#"{"command": "npx", "args": ["-y", "x"], "env": {"K": "hunter2"}, "cwd": "/", "mine": true}"#),
            "the program npx",
            json(r#"{"mine": true, "type": "http", "url": "http://127.0.0.1:8051/mcp"}"#),
        ),
        (
            App::Cursor,
            json(r#"{"type": "sse", "serverUrl": "http://b/", "url": "http://127.0.0.1:8051/mcp"}"#),
            "of type sse",
            json(r#"{"type": "http", "url": "http://127.0.0.1:8051/mcp"}"#),
        ),
        (
            App::Gemini,
            json(r#"{"url": "http://b/sse", "httpUrl": "http://127.0.0.1:8051/mcp"}"#),
            "at http://b/sse",
            json(r#"{"httpUrl": "http://127.0.0.1:8051/mcp"}"#),
        ),
    ] {
        assert_eq!(app.add(&before, &entry(false)), Err(Refusal::Another(other.to_owned())), "{before}");
        let found = app.add(&before, &replacing(false)).expect("replaced");
        assert_eq!(found.was, Was::Another(other.to_owned()));
        let [found, after] = [&found.text, &after].map(|t| serde_json::from_str::<serde_json::Value>(t).expect(t));
        assert_eq!(found, after);
    }
    let before = "[mcp_servers.archon]\ncommand = \"npx\" # mine\nargs = []\nenabled = false\n";
    assert_eq!(App::Codex.add(before, &entry(false)), Err(Refusal::Another("the program npx".to_owned())));
    let after = "[mcp_servers.archon]\nenabled = false\nurl = \"http://127.0.0.1:8051/mcp\"\n";
    assert_eq!(added(App::Codex, before, &replacing(false)), after);
}

#[test]
fn a_users_own_headers_stay() {
    let before = r#"{"mcpServers": {"archon": {"url": "http://127.0.0.1:8051/mcp", "headers": {"X-Mine": "1"}}}}"#;
    let found: serde_json::Value = serde_json::from_str(&added(App::Claude, before, &entry(true))).expect("JSON");
    let headers = serde_json::json!({"X-Mine": "1", "Authorization": "Bearer ${ARCHONCTL_TOKEN}"});
    assert_eq!(found["mcpServers"]["archon"]["headers"], headers);

    let own = before.replace("X-Mine", "authorization");
    let found = App::Claude.add(&own, &entry(true)).expect("added");
    assert!(found.text.contains(r#""authorization": "1""#) && !found.text.contains("Bearer"), "{}", found.text);
    assert!(found.notes[0].contains("keeps its own Authorization"), "{:?}", found.notes);
    let replaced = added(App::Claude, &own, &replacing(true));
    assert!(replaced.contains(r#""authorization": "Bearer ${ARCHONCTL_TOKEN}""#), "{replaced}");

    let moved = App::Claude.add(&before.replace("8051", "1"), &replacing(false)).expect("replaced");
    assert!(!moved.text.contains("X-Mine") && moved.notes[0].contains("headers of the other server"), "{moved:?}");
}

#[test]
fn lines_keep_their_ends() {
    for app in [App::Claude, App::Codex] {
        let text =
            if app == App::Codex { "# mine\na = 1\n\n[b]\nc = 2 # mine\n" } else { "{\n  // mine\n  \"a\": 1\n}\n" };
        let windows = text.replace('\n', "\r\n");
        assert_eq!(added(app, &windows, &entry(true)), added(app, text, &entry(true)).replace('\n', "\r\n"));
    }
    let mixed = "a = 1\r\nb = 2\nc = 3\r\n";
    let after = added(App::Codex, mixed, &entry(false));
    assert!(after.starts_with(mixed) && after.ends_with("/mcp\"\r\n"), "{after:?}");
    let unended = "[mcp_servers.archon]\nurl = \"http://127.0.0.1:8051/mcp\"";
    assert_eq!(added(App::Codex, unended, &entry(false)), unended);
}

#[test]
fn of_a_fault_its_place_alone_is_told() {
    for (app, text) in [
        (App::Claude, "{\n  \"token\": hunter2\n}"),
        (App::Codex, "a = 1\ntoken = hunter2\n"),
        (App::Codex, "a = 1\nhunter2 = 1\nhunter2 = 2\n"),
    ] {
        let Err(Refusal::Unusable(why)) = app.add(text, &entry(false)) else { panic!("{text} is refused") };
        assert!(why.contains("(line ") && !why.contains("hunter"), "{why}");
    }
    let refusal = App::Codex.add("a = 1\r\n\"ö\" = ?\n", &entry(false));
    assert_eq!(refusal, Err(Refusal::Unusable("it is no TOML (line 2, column 7)".to_owned())));
}

#[test]
fn files_are_those_that_the_clients_read() {
    let (working, home) = (Path::new("/home/ada/site"), Some(Path::new("/home/ada")));
    let file = |app: App, of_user| app.file(of_user, working, home).expect("a file").display().to_string();
    assert_eq!(file(App::Claude, false), "/home/ada/site/.mcp.json");
    assert_eq!(file(App::Claude, true), "/home/ada/.claude.json");
    assert_eq!(file(App::Cursor, false), "/home/ada/site/.cursor/mcp.json");
    assert_eq!(file(App::Codex, false), "/home/ada/.codex/config.toml");
    assert_eq!(file(App::Gemini, true), "/home/ada/.gemini/settings.json");
    assert!(App::Codex.file(false, working, None).is_err());
    assert_eq!(App::Codex.file_shown(false, working, None), "~/.codex/config.toml");
    assert_eq!([App::Claude.mode(false), App::Claude.mode(true), App::Codex.mode(false)], [0o666, 0o600, 0o600]);
}
