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
    let shown = text(&connect(&Home::empty(), &[]));
    for words in ["Claude Code", ".mcp.json", "Cursor", "Visual Studio Code", "Codex CLI", "config.toml", "httpUrl"] {
        assert!(shown.contains(words), "{words} in {shown}");
    }
}
