//! `archonctl connect`: entries in the files of real clients.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Output;

use archonctl::cli::exit;
use serde_json::{Value, json};

use crate::home::Home;

fn connect(home: &Home, args: &[&str]) -> Output {
    home.command(&[&["connect"], args].concat()).output().expect("it ran")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn an_entry_is_added_once_and_found_by_our_own_client() {
    let home = Home::empty();
    let file = home.path().join(".mcp.json");
    fs::write(&file, "{\n  \"mcpServers\": {\n    \"other\": { \"command\": \"x\" }\n  }\n}\n").expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("set");
    let output = connect(&home, &["claude", "--write", "--url", "http://127.0.0.1:1/mcp"]);
    assert_eq!(output.status.code(), Some(i32::from(exit::DONE)), "{}", text(&output));
    let written = fs::read_to_string(&file).expect("a file");
    let document: Value = serde_json::from_str(&written).expect("JSON");
    assert_eq!(document["mcpServers"]["archon"], json!({"type": "http", "url": "http://127.0.0.1:1/mcp"}));
    assert_eq!(document["mcpServers"]["other"], json!({"command": "x"}));
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o640);
    let output = connect(&home, &["claude", "--write", "--url", "http://127.0.0.1:1/mcp"]);
    assert!(text(&output).contains("already"), "{}", text(&output));
    assert_eq!(fs::read_to_string(&file).expect("a file"), written);
    let output = home.command(&["call", "health_check", "--retries", "0"]).output().expect("it ran");
    assert_eq!(output.status.code(), Some(i32::from(exit::UNREACHABLE)));
    assert!(text(&output).contains("127.0.0.1:1"), "the address of the entry: {}", text(&output));
}

#[test]
fn a_link_stays_one_and_folders_are_made() {
    let home = Home::empty();
    let kept = home.path().join("dotfiles.toml");
    fs::write(&kept, "model = \"o9\"\n").expect("written");
    fs::create_dir(home.path().join(".codex")).expect("made");
    symlink(&kept, home.path().join(".codex/config.toml")).expect("linked");
    for client in ["cursor", "vscode", "codex", "gemini"] {
        let output = connect(&home, &[client, "--write", "--with-token"]);
        assert_eq!(output.status.code(), Some(i32::from(exit::DONE)), "{}", text(&output));
    }
    let written = fs::read_to_string(&kept).expect("a file");
    assert!(written.starts_with("model = \"o9\"\n") && written.contains("[mcp_servers.archon]"), "{written}");
    assert!(home.path().join(".codex/config.toml").is_symlink());
    for file in [".cursor/mcp.json", ".vscode/mcp.json", ".gemini/settings.json"] {
        assert!(fs::read_to_string(home.path().join(file)).is_ok_and(|text| text.contains("Authorization")), "{file}");
    }
}

#[test]
fn a_file_that_cannot_be_added_to_is_left_alone() {
    let home = Home::empty();
    let file = home.path().join(".mcp.json");
    for broken in ["{\"mcpServers\": [", "[]", "{\"mcpServers\": {\"archon\": 7}}"] {
        fs::write(&file, broken).expect("written");
        let output = connect(&home, &["claude", "--write"]);
        assert_eq!(output.status.code(), Some(i32::from(exit::USAGE)), "{}", text(&output));
        assert!(text(&output).contains(".mcp.json") && text(&output).contains("by hand"), "{}", text(&output));
        assert_eq!(fs::read_to_string(&file).expect("a file"), broken);
    }
    for args in [&["--write"][..], &["claude", "--entry-name", "a b"], &["emacs"], &["claude", "--url", "ftp://x"]] {
        assert_eq!(connect(&home, args).status.code(), Some(i32::from(exit::USAGE)), "{args:?}");
    }
}

#[test]
fn without_a_client_all_of_them_are_shown() {
    let home = Home::empty();
    let nowhere = home.command(&["connect"]).env_remove("HOME").output().expect("it ran");
    for output in [connect(&home, &[]), nowhere] {
        assert_eq!(output.status.code(), Some(i32::from(exit::DONE)));
        let shown = text(&output);
        for words in ["Claude Code", ".mcp.json", "Cursor", "Visual Studio Code", "Codex CLI", "config.toml", "httpUrl"]
        {
            assert!(shown.contains(words), "{words} in {shown}");
        }
    }
}

#[test]
fn another_servers_entry_is_left_alone_until_it_is_to_be_replaced() {
    let home = Home::empty();
    let file = home.path().join(".mcp.json");
    let other = r#"{"mcpServers": {"archon": {"command": "npx", "env": {"KEY": "hunter2"}}}}"#;
    fs::write(&file, other).expect("written");
    let output = connect(&home, &["claude", "--write"]);
    assert_eq!(output.status.code(), Some(i32::from(exit::USAGE)), "{}", text(&output));
    for words in ["the entry archon is for another server (the program npx)", "--entry-name", "--replace"] {
        assert!(text(&output).contains(words), "{}", text(&output));
    }
    assert_eq!(fs::read_to_string(&file).expect("a file"), other);
    let output = connect(&home, &["claude", "--write", "--replace"]);
    assert!(text(&output).starts_with("changed the entry archon "), "{}", text(&output));
    assert!(text(&output).contains("(was the program npx)"), "{}", text(&output));
    let document: Value = serde_json::from_slice(&fs::read(&file).expect("a file")).expect("JSON");
    assert_eq!(document["mcpServers"]["archon"], json!({"type": "http", "url": "http://127.0.0.1:8051/mcp"}));
    let output = connect(&home, &["claude", "--write", "--with-token"]);
    assert!(text(&output).starts_with("completed the entry archon "), "{}", text(&output));
}

#[test]
fn many_at_once_lose_no_entry() {
    let home = Home::empty();
    let names: Vec<_> = (0..8).map(|n| format!("e{n}")).collect();
    // The first round makes the file, the second one changes it.
    for round in ["a", "b"] {
        let start = |name: &String| {
            let name = format!("{name}{round}");
            home.start(&["connect", "codex", "--write", "--entry-name", &name])
        };
        for mut run in names.iter().map(start).collect::<Vec<_>>() {
            assert!(run.wait().expect("it ran").success());
        }
        let written = fs::read_to_string(home.path().join(".codex/config.toml")).expect("a file");
        for name in &names {
            assert!(written.contains(&format!("[mcp_servers.{name}{round}]")), "{name}{round} in {written}");
        }
    }
}

#[test]
fn what_a_link_leads_to_is_made() {
    let home = Home::empty();
    symlink("kept/link.json", home.path().join(".mcp.json")).expect("linked");
    fs::create_dir(home.path().join("kept")).expect("made");
    symlink("../new/mcp.json", home.path().join("kept/link.json")).expect("linked");
    let output = connect(&home, &["claude", "--write"]);
    assert_eq!(output.status.code(), Some(i32::from(exit::DONE)), "{}", text(&output));
    assert!(home.path().join(".mcp.json").is_symlink() && home.path().join("kept/link.json").is_symlink());
    assert!(fs::read_to_string(home.path().join("new/mcp.json")).is_ok_and(|text| text.contains("\"archon\"")));
}

#[test]
fn a_folders_file_is_shared_and_a_users_is_not() {
    let home = Home::empty();
    let connect = env!("CARGO_BIN_EXE_archonctl");
    let script =
        format!("umask 027; '{connect}' connect cursor --write; '{connect}' connect claude --write --user-file");
    let command = home.command(&[]);
    let mut shell = std::process::Command::new("sh");
    shell.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = shell.args(["-c", &script]).current_dir(home.path()).output().expect("it ran");
    let mode = |file: &str| fs::metadata(home.path().join(file)).expect("a file").permissions().mode() & 0o777;
    assert_eq!((mode(".cursor/mcp.json"), mode(".claude.json")), (0o640, 0o600), "{}", text(&output));
}

#[test]
fn a_file_is_taken_as_editors_leave_it() {
    let home = Home::empty();
    let file = home.path().join(".mcp.json");
    for (before, begin) in
        [("\u{feff}{}", "\u{feff}{"), (" \n", "{\n"), ("\u{feff}", "\u{feff}{\n"), ("// mine\n", "// mine\n{")]
    {
        fs::write(&file, before).expect("written");
        let output = connect(&home, &["claude", "--write"]);
        assert!(text(&output).starts_with("added the entry archon "), "{before:?}: {}", text(&output));
        let written = fs::read_to_string(&file).expect("a file");
        assert!(written.starts_with(begin) && written.contains("\"archon\""), "{written:?}");
        assert!(text(&connect(&home, &["claude", "--write"])).contains("already"), "{written:?}");
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).expect("set");
    let output = connect(&home, &["claude", "--write", "--entry-name", "two"]);
    assert_eq!(output.status.code(), Some(i32::from(exit::USAGE)), "{}", text(&output));
    assert!(!fs::read_to_string(&file).expect("a file").contains("two"));
}

#[test]
fn a_secret_in_the_url_is_written_and_not_shown() {
    let home = Home::empty();
    let args = ["claude", "--write", "--url", "http://me:hunter2@127.0.0.1:1/mcp?key=hunter2"];
    for _ in 0..2 {
        let output = connect(&home, &args);
        assert_eq!(output.status.code(), Some(i32::from(exit::DONE)), "{}", text(&output));
        assert!(text(&output).contains("http://127.0.0.1:1/mcp"), "{}", text(&output));
        assert!(
            text(&output).contains("warning: the URL has ") && !text(&output).contains("hunter2"),
            "{}",
            text(&output)
        );
    }
    assert!(fs::read_to_string(home.path().join(".mcp.json")).is_ok_and(|text| text.contains("me:hunter2@")));
    assert!(!text(&connect(&home, &["claude"])).contains("warning"));
}
