//! Completions: the files are what the program prints, and real shells complete what only the running system knows.

use std::fs;
use std::path::Path;
use std::process::Command;

use archonctl::cli::exit;
use serde_json::json;

use crate::databases::{Database, on_every_database};
use crate::faulty::Faulty;
use crate::field::{Field, JSON, polite, raw};
use crate::http::Mcp;
use crate::process::{ServeProcess, archonctl, closed_pipe};

/// The shells, and their files in `completions/`.
const FILES: [(&str, &str); 5] = [
    ("bash", "archonctl.bash"),
    ("zsh", "_archonctl"),
    ("fish", "archonctl.fish"),
    ("powershell", "archonctl.ps1"),
    ("elvish", "archonctl.elv"),
];

/// Completes the last of the words by the script, as bash does it.
const BASH: &str = r#"source "$SCRIPT"
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_TYPE=9; COMPREPLY=()
_clap_complete_archonctl archonctl "${!#}"
printf '%s\n' "${COMPREPLY[@]}""#;
/// The same in zsh; the two functions stand for those of its completion system, which needs a terminal.
const ZSH: &str = r#"compdef() { :; }
_describe() { print -rl -- "${(@P)${@[-1]}}"; }
source $SCRIPT
words=("$@"); CURRENT=$#
_clap_dynamic_completer_archonctl"#;
/// The same in fish, which completes without a terminal by itself.
const FISH: &str = r"source $SCRIPT; complete --do-complete (string join -- ' ' $argv)";

/// What a shell offers for the last of the words; `None` where there is no such shell.
fn offered(shell: &str, home: &Path, variables: &[(&str, &str)], words: &[&str]) -> Option<Vec<String>> {
    let (script, file) = match shell {
        "bash" => (BASH, FILES[0].1),
        "zsh" => (ZSH, FILES[1].1),
        _ => (FISH, FILES[2].1),
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions").join(file);
    let program = Path::new(env!("CARGO_BIN_EXE_archonctl")).parent().expect("a folder").display().to_string();
    let path = format!("{program}:{}", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(shell);
    command.env_clear().env("PATH", path).env("HOME", home).env("SCRIPT", file).current_dir(home);
    command.envs(variables.iter().copied()).args(["-c", script]);
    if shell != "fish" {
        command.arg(shell);
    }
    let output = command.args(words).output().ok()?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.is_empty(), "{shell} {words:?}: {errors}");
    let text = String::from_utf8(output.stdout).expect("text");
    // Behind a colon or a tab stands what it is.
    Some(text.lines().filter_map(|line| line.split([':', '\t']).next()).map(str::to_owned).collect())
}

#[test]
fn the_files_are_what_the_program_prints() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    for (shell, file) in FILES {
        let output = archonctl(home.path()).args(["completions", shell]).output().expect("it ran");
        assert_eq!(output.status.code(), Some(i32::from(exit::DONE)));
        assert!(output.stderr.is_empty());
        let printed = String::from_utf8(output.stdout).expect("text");
        let kept = fs::read_to_string(folder.join(file)).expect("a file");
        assert_eq!(printed, kept, "run scripts/completions.sh");
        assert!(!printed.contains("/target/"), "{shell}: it names the program, not its place");
        assert_eq!(closed_pipe(home.path(), &["completions", shell]), (Some(i32::from(exit::DONE)), String::new()));
    }
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), FILES.len(), "nothing else is there");
    for wrong in [&["completions"][..], &["completions", "tcsh"]] {
        let output = archonctl(home.path()).args(wrong).output().expect("it ran");
        assert_eq!(output.status.code(), Some(i32::from(exit::USAGE)), "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tools_complete_from_the_server_and_without_one() {
    let db = Database::sqlite();
    let server = ServeProcess::start(&db, &["--test-tools"]).await;
    let mut shells = 0;
    for shell in ["bash", "zsh", "fish"] {
        let there = [("ARCHONCTL_URL", server.url())];
        let Some(found) = offered(shell, db.folder(), &there, &["archonctl", "call", "test_e"]) else { continue };
        assert_eq!(found, ["test_echo"], "{shell}: a tool that only this server has");
        let found = offered(shell, db.folder(), &[], &["archonctl", "call", "--url", server.url(), "test_e"]);
        assert_eq!(found.unwrap_or_default(), ["test_echo"], "{shell}: the server on the command line");
        let nowhere = [("ARCHONCTL_URL", "http://127.0.0.1:1/mcp")];
        let found = offered(shell, db.folder(), &nowhere, &["archonctl", "call", "h"]).unwrap_or_default();
        assert_eq!(found, ["health_check", "heartbeat"], "{shell}: those that each server has");
        shells += 1;
    }
    assert!(shells > 0, "no shell is there");
    let open = db.value("SELECT count(*) FROM archon_mcp_protocol_sessions WHERE status = 'active'");
    assert_eq!(open, "0", "whoever asked closed its session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_asks_nobody_whom_a_file_names_and_sends_no_token() {
    let db = Database::sqlite();
    let server = Faulty::start().await;
    let home = db.folder();
    let config = format!(
        r#"{{"mcpServers": {{"work": {{"type": "http", "url": "{}", "headers": {{"X-Leak": "${{SECRET}}"}}}}}}}}"#,
        server.url
    );
    fs::write(home.join(".mcp.json"), config).expect("written");
    let secrets = [("ARCHONCTL_TOKEN", "secret"), ("SECRET", "secret")];
    for shell in ["bash", "zsh", "fish"] {
        let Some(found) = offered(shell, home, &secrets, &["archonctl", "call", "h"]) else { continue };
        assert_eq!(found, ["health_check", "heartbeat"], "{shell}: those that each server of ours has");
        for chosen in [&["--server", "work"][..], &["--config", ".mcp.json"]] {
            let words = [&["archonctl", "call"][..], chosen, &["h"]].concat();
            let found = offered(shell, home, &secrets, &words).unwrap_or_default();
            assert!(found.iter().all(String::is_empty), "{shell} {chosen:?}: {found:?}");
        }
        assert!(server.seen("initialize").is_empty(), "{shell}");
    }
    let named = [&secrets[..], &[("ARCHONCTL_URL", server.url.as_str())]].concat();
    let words = ["archonctl", "call", "-H", "Authorization: Bearer typed", "w"];
    let found = ["bash", "zsh", "fish"].iter().find_map(|shell| offered(shell, home, &named, &words)).expect("a shell");
    assert_eq!(found, ["write"]);
    let asked = [server.seen("initialize"), server.seen("tools/list")].concat();
    assert!(!asked.is_empty() && asked.iter().all(|request| !request.headers.contains_key("authorization")));
}

/// A candidate goes onto somebody's command line, and what is beside it onto the screen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_server_completes_nothing_but_words() {
    let server = Field::start(|asked, _| {
        let mut body = polite(asked);
        if asked.method != "tools/list" {
            return None;
        }
        let names = ["zoo", "--zoo", "-z", "zoo;reboot", "zoo\n--all", "zoo\u{1b}[2J", ""];
        let tools = names.map(|name| json!({"name": name, "title": "a\n--all\u{1b}[2J\u{202e}", "inputSchema": {}}));
        body["result"]["tools"] = tools.into_iter().collect();
        raw(200, JSON, body.to_string())
    })
    .await;
    let home = tempfile::tempdir().expect("a temporary folder");
    let there = [("ARCHONCTL_URL", &*server.url)];
    for shell in ["bash", "zsh", "fish"] {
        for typed in ["zo", "z"] {
            let Some(found) = offered(shell, home.path(), &there, &["archonctl", "call", typed]) else { continue };
            assert_eq!(found, ["zoo"], "{shell} {typed}");
        }
        let found = offered(shell, home.path(), &there, &["archonctl", "call", "-"]).unwrap_or_default();
        assert!(!found.iter().any(|word| word.contains("-z") || word.contains("--all")), "{shell}: {found:?}");
    }
}

#[test]
fn commands_and_values_complete() {
    let home = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir_all(home.path().join(".config/archonctl")).expect("a folder");
    fs::write(home.path().join(".config/archonctl/config.toml"), "[broken").expect("written");
    for shell in ["bash", "zsh", "fish"] {
        let offered = |words: &[&str]| offered(shell, home.path(), &[], words);
        let Some(found) = offered(&["archonctl", "comp"]) else { continue };
        assert_eq!(found, ["completions"], "{shell}");
        assert_eq!(offered(&["archonctl", "serve", "--sy"]).unwrap_or_default(), ["--sync"], "{shell}");
        assert_eq!(offered(&["archonctl", "serve", "--sync", "f"]).unwrap_or_default(), ["full"], "{shell}");
        let hidden = offered(&["archonctl", "serve", "--"]).unwrap_or_default();
        assert!(hidden.len() > 10 && !hidden.iter().any(|flag| flag == "--test-tools"), "{shell}: {hidden:?}");
    }
}

on_every_database!(ids_of_live_sessions_complete, |db| async {
    let mut server = ServeProcess::start(&db, &[]).await;
    let (kept, ended) = (Mcp::new(server.url()), Mcp::new(server.url()));
    let (kept, ended) = (kept.initialize("2025-11-25").await, ended.initialize("2025-11-25").await);
    kept.call("health_check", json!({})).await;
    ended.call("health_check", json!({})).await;
    ended.delete().await;
    server.sigkill();
    let id = db.value("SELECT protocol_session_id FROM archon_mcp_protocol_sessions WHERE status = 'active'");
    for shell in ["bash", "zsh", "fish"] {
        let there = [("DATABASE_URL", db.url())];
        for command in ["show", "expire"] {
            let Some(found) = offered(shell, db.folder(), &there, &["archonctl", command, &id[..3]]) else { continue };
            assert_eq!(found, [&*id], "{shell} {command}: the live one alone, and without a server");
        }
        let words = ["archonctl", "requests", "--database-url", db.url(), "--session", &id[..3]];
        let Some(found) = offered(shell, db.folder(), &[], &words) else { continue };
        assert_eq!(found, [&*id], "{shell}: the database on the command line");
        let nowhere = [("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")];
        let found = offered(shell, db.folder(), &nowhere, &["archonctl", "show", &id[..3]]).unwrap_or_default();
        assert!(found.iter().all(String::is_empty), "{shell}: silence without a database: {found:?}");
    }
});
