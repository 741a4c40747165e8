//! `archonctl ready`: the truth, by exit code.

use std::process::{Command, Output};

use archonctl::cli::exit;

use crate::databases::on_every_database;
use crate::faulty::{Faulty, Seen};
use crate::field::{Field, raw};
use crate::home::nobody;
use crate::process::closed_pipe;
use crate::process::{ServeProcess, archonctl};

fn run(mut command: Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("it ran");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code().expect("a code"), text(stdout), text(stderr))
}

on_every_database!(ready_is_what_the_server_says, |db| async {
    let mut server = ServeProcess::start(&db, &["--drain-delay", "30s", "--grace", "1s"]).await;
    let url = server.url().to_owned();
    let ready = |more: &[&str]| {
        let mut command = archonctl(db.folder());
        command.env("NO_COLOR", "1").args(["ready", "--timeout", "10s", "--url", &url]).args(more);
        command
    };
    assert_eq!(run(ready(&[])), (exit::DONE.into(), "ready\n".into(), String::new()));
    let (_, json, _) = run(ready(&["--json"]));
    assert_eq!(json, "{\"ready\":true,\"reason\":null,\"version\":1}\n");
    let sessions = db.value("SELECT count(*) FROM archon_mcp_protocol_sessions");
    assert_eq!(sessions, "0", "a probe leaves no trace");
    assert_eq!(closed_pipe(db.folder(), &["ready", "--url", &url]), (Some(exit::DONE.into()), String::new()));

    server.sigterm();
    server.wait_for_line("stopping", std::time::Duration::from_secs(10)).await;
    let (code, text, errors) = run(ready(&[]));
    assert_eq!((code, &*text, &*errors), (exit::NO.into(), "not ready: draining\n", ""));
    assert_eq!(run(ready(&["--json"])).1, "{\"ready\":false,\"reason\":\"draining\",\"version\":1}\n");
    assert_eq!(
        closed_pipe(db.folder(), &["ready", "--url", &url]).0,
        Some(exit::NO.into()),
        "a pipe makes no server ready"
    );
    server.sigkill();
    let (code, text, errors) = run(ready(&[]));
    assert_eq!((code, &*text), (exit::UNREACHABLE.into(), ""), "{errors}");
    assert!(errors.contains("hint: "), "{errors}");
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_kind_is_not_ready() {
    let server = Faulty::start().await;
    let mut command = archonctl(std::env::temp_dir().as_path());
    command.args(["ready", "--url", &server.url]);
    let (code, text, _) = run(command);
    assert_eq!((code, &*text), (exit::FAILED.into(), ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wait_asks_until_the_server_is_ready_or_the_time_is_over() {
    let is_ready = |asked: &Seen, nth: usize| {
        let (status, body) = match nth {
            1 => (503, "starting"),
            2 => (404, "no such page"),
            _ => (200, "ready"),
        };
        raw(status, "text/plain", body).filter(|_| asked.method == "GET /readyz")
    };
    let server = Field::start(is_ready).await;
    let run_with = async |url: &str, args: &[&str]| {
        let mut command = archonctl(std::env::temp_dir().as_path());
        command.args(["ready", "--url", url]).args(args);
        tokio::task::spawn_blocking(move || run(command)).await.expect("it ran")
    };
    assert_eq!(run_with(&server.url, &["--wait", "20s"]).await, (exit::DONE.into(), "ready\n".into(), String::new()));
    assert_eq!(server.count("GET /readyz"), 3);

    let never = Field::start(|_, _| raw(503, "text/plain", "starting")).await;
    let (code, text, _) = run_with(&never.url, &["--wait", "300ms"]).await;
    assert_eq!((code, &*text), (exit::NO.into(), "not ready: starting\n"));
    let (socket, url) = nobody();
    let (code, text, errors) = run_with(&url, &["--wait", "200ms"]).await;
    assert_eq!((code, &*text), (exit::UNREACHABLE.into(), ""), "{errors}");
    let began = tokio::join!(run_with(&url, &["--wait", "20s"]), async {
        tokio::task::yield_now().await;
        Field::on(socket.listen(16).expect("listening"), |_, _| raw(200, "text/plain", "ready"))
    });
    assert_eq!(began.0.0, i32::from(exit::DONE), "{}", began.0.2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_asks_beside_the_endpoint_and_sends_no_secret() {
    let server =
        Field::start(|asked, _| raw(200, "text/plain", "ready").filter(|_| asked.method == "GET /readyz")).await;
    for url in [format!("{}/", server.url), server.url.replace("://", "://me:hunter2@")] {
        let mut command = archonctl(std::env::temp_dir().as_path());
        command.args(["ready", "--url", &url, "-H", "Authorization: Bearer hunter2"]);
        let (code, text, errors) = tokio::task::spawn_blocking(move || run(command)).await.expect("it ran");
        assert_eq!((code, &*text), (exit::DONE.into(), "ready\n"), "{url}: {errors}");
    }
    let asked = server.seen("GET /readyz");
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|asked| !asked.headers.contains_key("authorization")), "{asked:?}");
}
