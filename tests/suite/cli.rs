//! Errors as a user meets them: one clear sentence and a way out on standard error, and an exit code that says which kind
//! it is.

mod secrets;
mod words;

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use archonctl::cli::exit;
use assert_cmd::Command;
use tempfile::TempDir;

use crate::databases::Database;
use crate::process::{ServeProcess, archonctl};

/// Runs `archonctl ARGS` in a folder, which is its home as well.
fn run(home: &Path, args: &[&str]) -> Output {
    // It ends by itself; a server that starts after all would not.
    Command::from_std(archonctl(home)).args(args).timeout(Duration::from_secs(30)).output().expect("it ran")
}

/// What it says on standard error, given that it fails as it should: with this exit code, nothing on standard output,
/// and two lines, `error: ` and `hint: `.
fn told(output: &Output, code: u8) -> String {
    let text = String::from_utf8(output.stderr.clone()).expect("text");
    assert_eq!(output.status.code(), Some(i32::from(code)), "{text}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let lines: Vec<_> = text.lines().collect();
    assert!(matches!(lines[..], [e, h] if e.starts_with("error: ") && h.starts_with("hint: ")), "{text}");
    for noise in ["panicked", "backtrace", "src/", "{\"", "Error("] {
        assert!(!text.contains(noise), "{text}");
    }
    text
}

/// `archonctl serve` with these arguments fails, and what it says holds these words.
fn refuses(home: &Path, args: &[&str], code: u8, words: &[&str]) {
    let output = run(home, &[&["serve", "--bind", "127.0.0.1:0"], args].concat());
    let text = told(&output, code);
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

fn home() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

#[test]
fn a_port_in_use_is_named_and_nothing_is_left() {
    let db = Database::sqlite();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let output = run(db.folder(), &["serve", "--bind", &address, "--database-url", db.url()]);
    let text = told(&output, exit::USAGE);
    assert!(text.contains(&address) && text.contains("--bind"), "{text}");
    assert_eq!(db.value("SELECT count(*) FROM archon_mcp_boots"), "0");
}

#[test]
fn a_database_that_cannot_be_had() {
    let home = home();
    fs::write(home.path().join("file"), "").expect("written");
    fs::write(home.path().join("notes.txt"), "these are my notes, and they are mine to keep".repeat(100))
        .expect("written");
    let refused = |url: &str, code, words: &[&str]| refuses(home.path(), &["--database-url", url], code, words);
    refused("mysql://me:secret@db/archon", exit::USAGE, &["\"mysql://me@db/archon\"", "sqlite://PATH", "postgres://"]);
    refused("postgres://me:secret@127.0.0.1:1/archon", exit::UNREACHABLE, &["postgres://me@127.0.0.1:1/archon"]);
    refused("sqlite://file/archon.db", exit::USAGE, &["file/archon.db", "its parent folder is a file"]);
    refused("sqlite://file/deeper/archon.db", exit::USAGE, &["its parent folder is a file"]);
    refused("sqlite://notes.txt", exit::USAGE, &["notes.txt is not a SQLite database"]);
    let notes = fs::read_to_string(home.path().join("notes.txt")).expect("still there");
    assert!(notes.starts_with("these are my notes"), "nothing was changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_one_file_is_told_who_has_it() {
    let db = Database::sqlite();
    let server = ServeProcess::start(&db, &[]).await;
    let pid = format!("(pid {})", server.pid());
    refuses(db.folder(), &["--database-url", db.url()], exit::USAGE, &[&pid, "postgres://"]);
}

#[test]
fn the_tables_of_an_original_archon_are_left_alone() {
    let db = Database::sqlite();
    db.rows("CREATE TABLE archon_mcp_sessions (id INTEGER, session_id TEXT, status TEXT)");
    refuses(db.folder(), &["--database-url", db.url()], exit::USAGE, &["original Archon", "another --database-url"]);
    assert_eq!(db.value("SELECT count(*) FROM sqlite_master"), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_a_newer_program_names_the_version() {
    let db = Database::sqlite();
    ServeProcess::start(&db, &[]).await.sigkill();
    db.rows("UPDATE archonctl_meta SET value = '99.1.0' WHERE key = 'oldest_program'");
    let ours = env!("CARGO_PKG_VERSION");
    refuses(db.folder(), &["--database-url", db.url()], exit::USAGE, &["99.1.0", ours, "install that version"]);
}

#[test]
fn a_bind_beyond_loopback_asks_for_tokens() {
    let output = run(home().path(), &["serve", "--bind", "0.0.0.0:0"]);
    let text = told(&output, exit::USAGE);
    assert!(text.contains("0.0.0.0:0") && text.contains("--token-file") && text.contains("--insecure"), "{text}");
}

#[test]
fn a_wrong_file_is_named_with_its_line_and_never_shown() {
    let home = home();
    let write = |name: &str, text: &str| fs::write(home.path().join(name), text).expect("written");
    let tokens = |words: &[&str]| refuses(home.path(), &["--token-file", "tokens"], exit::USAGE, words);
    tokens(&["tokens", "sha256-of-token name"]);
    write("tokens", "# mine\nhunter2 ada\n");
    tokens(&["tokens, line 2"]);
    let output = run(home.path(), &["serve", "--token-file", "tokens"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"), "a token is never shown");
    write("tokens", "# nobody\n");
    tokens(&["names nobody"]);

    let hash = "0".repeat(64);
    write("tokens", &format!("{hash} ada\n{} bob\n", "1".repeat(64)));
    let renames = |renames: &[&str], words: &[&str]| {
        let renames = renames.iter().flat_map(|rename| ["--rename-principal", rename]);
        let args: Vec<&str> = ["--token-file", "tokens"].into_iter().chain(renames).collect();
        refuses(home.path(), &args, exit::USAGE, words);
    };
    renames(&["alan=grace"], &["grace is not in the token file", "hint"]);
    renames(&["bob=ada"], &["bob is still in the token file", "hint"]);
    renames(&["alan=ada", "alan=bob"], &["alan is renamed twice"]);
    refuses(
        home.path(),
        &["--rename-principal", "alan=ada"],
        exit::USAGE,
        &["ada is not in the token file", "--token-file"],
    );

    let prices = |words: &[&str]| refuses(home.path(), &["--prices", "prices.toml"], exit::USAGE, words);
    prices(&["cannot read the price table prices.toml"]);
    write("prices.toml", "[default\n");
    prices(&["prices.toml", "not TOML", "prompt_per_1k"]);
    write("prices.toml", "[default]\nprompt_per_1k = -1\ncompletion_per_1k = 0\n");
    prices(&["prices.toml", "prompt_per_1k"]);
}

#[test]
fn wrong_usage_shows_the_right_one() {
    let home = home();
    for args in [
        &["serve", "--no-such-flag"][..],
        &["serve", "--bind", "localhost"],
        &["serve", "--session-timeout", "soon"],
        &["serve", "--tokens", "many"],
        &["call"],
        &["no-such-command"],
        &[],
    ] {
        let output = run(home.path(), args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(i32::from(exit::USAGE)), "{args:?}: {text}");
        assert!(output.stdout.is_empty() && text.contains("--help"), "{args:?}: {text}");
    }
}

/// Times that would end every session at once, or a connection before its Archon session.
#[test]
fn times_that_make_no_sense_are_refused_at_start() {
    let home = home();
    for (args, words) in [
        (&["--session-timeout", "0s"][..], "--session-timeout 0"),
        (&["--protocol-session-timeout", "0s"], "--protocol-session-timeout 0"),
        (&["--max-session-age", "0s"], "--max-session-age 0"),
        (&["--cleanup-interval", "0s"], "--cleanup-interval 0"),
        (&["--session-timeout", "2h", "--protocol-session-timeout", "1h"], "shorter than --session-timeout"),
        (&["--session-timeout", "200years", "--protocol-session-timeout", "200years"], "a hundred years"),
        (&["--max-sessions", "0"], "--max-sessions 0"),
    ] {
        refuses(home.path(), args, exit::USAGE, &[words]);
    }
    assert!(!home.path().join(".local").exists(), "nothing was made");
}

/// The tables of the tokenizers are most of a program that has them.
#[cfg(not(feature = "tokenizers"))]
#[test]
fn a_program_without_tokenizers_says_how_to_get_them() {
    let home = home();
    for method in ["o200k", "cl100k"] {
        refuses(home.path(), &["--tokens", method], exit::USAGE, &[method, "--features tokenizers", "--tokens approx"]);
    }
    assert!(!home.path().join(".local").exists(), "nothing was made");
}

#[test]
fn help_fits_a_narrow_terminal_and_shows_examples() {
    let home = home();
    for args in [
        &["--help"][..],
        &["serve", "--help"],
        &["call", "--help"],
        &["init", "--help"],
        &["tools", "--help"],
        &["close", "--help"],
        &["--version"],
    ] {
        let output = run(home.path(), args);
        assert_eq!(output.status.code(), Some(i32::from(exit::DONE)), "{args:?}");
        assert!(output.stderr.is_empty() && !output.stdout.is_empty(), "{args:?}");
        let text = String::from_utf8(output.stdout).expect("text");
        let widest = text.lines().max_by_key(|line| line.chars().count()).unwrap_or_default();
        assert!(widest.chars().count() <= 100, "{args:?}: {widest}");
        assert_eq!(text.contains("Examples:"), args.len() == 2, "{args:?}");
    }
}

#[test]
fn a_call_without_a_server_says_how_to_start_one() {
    let output = run(home().path(), &["call", "health_check", "--retries", "0", "--url", "http://127.0.0.1:1/mcp"]);
    let text = told(&output, exit::UNREACHABLE);
    assert!(text.contains("http://127.0.0.1:1/mcp") && text.contains("archonctl serve"), "{text}");
    let output = run(home().path(), &["call", "health_check", "--url", "ftp://127.0.0.1/mcp"]);
    assert!(told(&output, exit::USAGE).contains("ftp"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_call_reads_like_a_sentence() {
    let db = Database::sqlite();
    let server = ServeProcess::start(&db, &[]).await;
    let call = |args: &[&str]| run(db.folder(), &[&["call", "--url", server.url()], args].concat());
    let text = told(&call(&["find_project"]), exit::FAILED);
    assert!(text.starts_with("error: Unknown tool: find_project (-32602)\nhint: did you mean find_projects"), "{text}");
    assert!(told(&call(&["no_such_thing"]), exit::FAILED).contains("no_such_thing"));
    let text = told(&call(&["find_projects", "project_id=mine"]), exit::FAILED);
    assert!(text.starts_with("error: project_id \"mine\" is not a UUID\nhint: "), "{text}");
    assert!(told(&call(&["find_projects", "page=two"]), exit::USAGE).contains("page:=JSON"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_goes_away_is_no_failure() {
    let db = Database::sqlite();
    let server = ServeProcess::start(&db, &[]).await;
    let mut command = archonctl(db.folder());
    command.args(["call", "health_check", "--url", server.url()]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    drop(child.stdout.take());
    let mut text = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut text).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(i32::from(exit::DONE)), "{text}");
    assert_eq!(text, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_told_to_stop_is_done() {
    for (signal, cause) in [("-TERM", "clean"), ("-INT", "interrupt")] {
        let db = Database::sqlite();
        let mut server = ServeProcess::start(&db, &[]).await;
        let kill = std::process::Command::new("kill").args([signal, &server.pid().to_string()]).status();
        assert!(kill.expect("kill runs").success());
        let status = server.ended(Duration::from_secs(30)).await;
        assert_eq!(status.code(), Some(i32::from(exit::DONE)), "{signal}");
        assert_eq!(db.value("SELECT end_cause FROM archon_mcp_boots"), cause);
    }
}
