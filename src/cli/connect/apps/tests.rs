use super::*;

fn entry(with_token: bool) -> Entry {
    Entry { name: "archon".into(), url: "http://127.0.0.1:8051/mcp".into(), with_token }
}

#[test]
fn each_client_gets_its_own_format() {
    let printed = |app: App| app.add("", &entry(true)).expect("an entry");
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
    assert!(!App::Claude.add("", &entry(false)).expect("an entry").contains("headers"), "no token, no header");
}

#[test]
fn what_is_there_stays_and_nothing_is_added_twice() {
    for (app, before) in [
        (
            App::Claude,
            "{\n\t// mine\n\t\"mcpServers\": {\n\t\t\"other\": {\"command\": \"x\"}, // kept\n\t},\n\t\"zebra\": 1e3\n}\n",
        ),
        (App::Claude, "{}"),
        (App::Cursor, "{\"mcpServers\": {\"archon\": {\"url\": \"http://old/mcp\", \"mine\": true}}}"),
        (App::Vscode, "{\n  \"inputs\": [{\"id\": \"mine\"}],\n  \"servers\": {}\n}"),
        (App::Gemini, "\u{feff}{\"theme\": \"dark\"}"),
        (App::Codex, "# mine\nmodel = \"o9\" # kept\n\n[mcp_servers.other]\ncommand = \"x\"\n"),
        (App::Codex, "[mcp_servers]\narchon = { url = \"http://old/mcp\", enabled = false }\n"),
    ] {
        for with_token in [false, true] {
            let once = app.add(before, &entry(with_token)).expect("added");
            assert_eq!(app.add(&once, &entry(with_token)).expect("added"), once, "{app:?} {before}");
            assert!(once.contains("http://127.0.0.1:8051/mcp") && !once.contains("http://old"), "{once}");
            for kept in [
                "// mine",
                "// kept",
                "# mine",
                "# kept",
                "\"other\"",
                ".other]",
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
        assert!(app.add(text, &entry(true)).is_err(), "{app:?} {text}");
    }
}

#[test]
fn files_are_those_that_the_clients_read() {
    let (working, home) = (Path::new("/work"), Some(Path::new("/home/ada")));
    let file = |app: App, of_user| app.file(of_user, working, home).expect("a file").display().to_string();
    assert_eq!(file(App::Claude, false), "/work/.mcp.json");
    assert_eq!(file(App::Claude, true), "/home/ada/.claude.json");
    assert_eq!(file(App::Cursor, false), "/work/.cursor/mcp.json");
    assert_eq!(file(App::Codex, false), "/home/ada/.codex/config.toml");
    assert_eq!(file(App::Gemini, true), "/home/ada/.gemini/settings.json");
    assert!(App::Codex.file(false, working, None).is_err());
}
