//! `archonctl inspector`: what it starts, with what, and how it ends. The Inspector itself is run by
//! `scripts/inspector.sh`; here a script in the place of npx tells what it was given.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use archonctl::cli::exit;
use serde_json::{Value, json};

use crate::databases::Database;
use crate::process::{ServeProcess, archonctl};

const NPX: &str = r#"#!/bin/sh
printf '%s\n' "$@" >args
while [ "$1" != --config ]; do shift; done
cat "$2" >config
stat -c %a "$2" >mode
printf '%s' "$2" >place
echo "the Inspector's output"
exit 7
"#;
/// Starts somebody of its own, as npx does, and waits.
const WAITING_NPX: &str = r"#!/bin/sh
trap 'echo told >told; exit 9' TERM INT
# It takes no SIGINT, as whatever a shell starts in the background.
sleep 60 >/dev/null 2>&1 &
echo $! >waiting.new; mv waiting.new waiting
wait
";

/// Puts programs into a folder `bin` and gives the command that finds them first.
fn inspector(home: &Path, npx: &str, node: &str) -> Command {
    let bin = home.join("bin");
    fs::create_dir_all(&bin).expect("a folder");
    for (name, text) in [("npx", npx), ("node", node)] {
        fs::write(bin.join(name), text).expect("written");
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).expect("executable");
    }
    let mut command = archonctl(home);
    command.env("PATH", format!("{}:/usr/bin:/bin", bin.display())).arg("inspector").stdin(Stdio::null());
    command
}

const NODE: &str = "#!/bin/sh\necho v22.19.0\n";

fn read(home: &Path, name: &str) -> String {
    fs::read_to_string(home.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_inspector_gets_url_transport_and_token() {
    let db = Database::sqlite();
    let home = db.folder();
    // sha256 of "secret"
    fs::write(home.join("tokens"), "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b ada\n")
        .expect("written");
    let server = ServeProcess::start(&db, &["--token-file", "tokens"]).await;
    let mut command = inspector(home, NPX, NODE);
    command.args(["--cli", "--url", server.url(), "--", "--method", "tools/list"]).env("ARCHONCTL_TOKEN", "secret");
    let output = command.output().expect("it ran");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "its exit code: {errors}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "the Inspector's output\n");
    assert!(errors.contains("archonctl") && errors.contains("answers"), "{errors}");

    let (args, place) = (read(home, "args"), read(home, "place"));
    let args: Vec<_> = args.lines().collect();
    let package = "@modelcontextprotocol/inspector@2.12.0";
    let expected = ["-y", package, "--cli", "--config", &place, "--server", "archonctl", "--method", "tools/list"];
    assert_eq!(args, expected, "and no token among them");
    let config: Value = serde_json::from_str(&read(home, "config")).expect("JSON");
    let entry = json!({"type": "http", "url": server.url(), "headers": {"authorization": "Bearer secret"}});
    assert_eq!(config, json!({"mcpServers": {"archonctl": entry}}));
    assert_eq!(read(home, "mode").trim(), "600");
    assert!(!Path::new(&place).exists(), "the file with the token is gone");
    let open = db.value("SELECT count(*) FROM archon_mcp_protocol_sessions WHERE status = 'active'");
    assert_eq!(open, "0", "whoever asked closed its session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_cli_it_is_the_browsers() {
    let db = Database::sqlite();
    let server = ServeProcess::start(&db, &[]).await;
    let output = inspector(db.folder(), NPX, "#!/bin/sh\necho v18.19.0\n").args(["--url", server.url()]).output();
    let output = output.expect("it ran");
    assert_eq!(output.status.code(), Some(7));
    assert!(!read(db.folder(), "args").contains("--cli"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("22.19 or newer, and this is v18.19.0"), "{errors}");
}

#[test]
fn a_server_that_does_not_answer_is_told_before_anything_is_started() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let output = inspector(home.path(), NPX, NODE).args(["--url", "http://127.0.0.1:1/mcp"]).output().expect("it ran");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(i32::from(exit::UNREACHABLE)), "{errors}");
    assert!(errors.contains("archonctl serve") && output.stdout.is_empty(), "{errors}");
    assert!(!home.path().join("args").exists());
}

#[test]
fn without_node_it_says_what_to_install() {
    let home = tempfile::tempdir().expect("a temporary folder");
    for (program, there) in [("Node.js", ""), ("npx", "node")] {
        let bin = home.path().join(format!("only-{there}"));
        fs::create_dir(&bin).expect("a folder");
        if !there.is_empty() {
            fs::write(bin.join(there), NODE).expect("written");
        }
        let output = archonctl(home.path()).env("PATH", &bin).arg("inspector").output().expect("it ran");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(i32::from(exit::USAGE)), "{errors}");
        assert!(errors.starts_with(&format!("error: the Inspector needs {program}, and there is none\n")), "{errors}");
        assert!(errors.contains("hint: install Node.js 22.19 or newer"), "{errors}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_ends_the_inspector_and_all_that_it_started() {
    for signal in ["-INT", "-TERM"] {
        let db = Database::sqlite();
        let server = ServeProcess::start(&db, &[]).await;
        let mut command = inspector(db.folder(), WAITING_NPX, NODE);
        let mut child = command.args(["--url", server.url()]).stderr(Stdio::null()).spawn().expect("started");
        until("it runs", || db.folder().join("waiting").exists());
        let grandchild = read(db.folder(), "waiting").trim().to_owned();
        let kill = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(kill.is_ok_and(|status| status.success()));
        assert_eq!(child.wait().expect("it ends").code(), Some(9), "{signal}: its exit code");
        assert_eq!(read(db.folder(), "told"), "told\n");
        until("its child is gone", || {
            let stat = fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        });
    }
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(30), "not so in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_launcher_hands_its_arguments_on() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/launch-mcp-inspector.sh");
    let program = Path::new(env!("CARGO_BIN_EXE_archonctl")).parent().expect("a folder");
    let path = format!("{}:/usr/bin:/bin", program.display());
    let run = |args: &[&str]| {
        let mut command = Command::new(&script);
        command.env_clear().env("PATH", &path).env("HOME", home.path()).current_dir(home.path()).args(args);
        command.output().expect("it ran")
    };
    let help = run(&["--help"]);
    assert!(String::from_utf8_lossy(&help.stdout).contains("Usage: archonctl inspector"), "{help:?}");
    assert_eq!(run(&["--url", "ftp://x"]).status.code(), Some(i32::from(exit::USAGE)));
}
