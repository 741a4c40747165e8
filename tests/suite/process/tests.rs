//! The harness itself: processes are watched, stopped, and told apart.

use std::os::unix::process::ExitStatusExt;

use super::*;

const SOON: Duration = Duration::from_secs(10);

/// A shell script in the place of the server.
async fn shell(script: &str) -> ServeProcess {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    ServeProcess::launch(command, None).await
}

#[tokio::test]
async fn reads_the_url_and_talks() {
    let script = r#"echo '{"message":"listening on http://127.0.0.1:1234/mcp"}' >&2; read line; echo "got $line""#;
    let mut server = shell(script).await;
    assert_eq!((server.url(), server.address()), ("http://127.0.0.1:1234/mcp", "127.0.0.1:1234"));
    server.write_line("advance 65m");
    assert_eq!(server.wait_for_line("got", SOON).await, "got advance 65m");
    assert!(server.ended(SOON).await.success());
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn stops_by_either_signal() {
    let script = "trap 'exit 7' TERM; echo listening on http://127.0.0.1:1/mcp; while read line; do :; done";
    let mut server = shell(script).await;
    server.sigterm();
    assert_eq!(server.ended(SOON).await.code(), Some(7));
    assert_eq!(shell(script).await.sigkill().signal(), Some(9));
}

#[tokio::test]
#[should_panic(expected = "it ended without a line that holds")]
async fn a_server_that_ends_does_not_start() {
    ServeProcess::start(&Database::sqlite(), &["--no-such-flag"]).await;
}

#[tokio::test]
#[should_panic(expected = "the deadline passed")]
async fn a_line_that_never_comes_is_a_failure() {
    let server = shell("echo listening on http://127.0.0.1:1/mcp; read line").await;
    server.wait_for_line("Cleaned up", Duration::from_millis(20)).await;
}
