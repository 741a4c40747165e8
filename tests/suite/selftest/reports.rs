//! Reports of a hostile server: each is of its kind, drives no terminal, and shows none of the secrets that were sent.

use quick_xml::events::Event;
use serde_json::json;

use super::Bench;
use crate::field::{Field, JSON, polite, raw};
use crate::harm::{NAME, all, assert_harmless, assert_harmless_on_terminal};
use crate::terminal;

const TOKEN: &str = "t0k3n&of<the>server";
const SECRETS: [&str; 4] = [TOKEN, "t0k3n&amp;of&lt;the&gt;server", "p4ss-of-the-url", "query-of-the-url"];

/// What a server may say: what means harm, the end of a CDATA, what is no character, and lines of a TAP document.
fn words(asked: &crate::faulty::Seen) -> String {
    let sent = asked
        .headers
        .get("authorization")
        .map_or_else(String::new, |value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    format!(
        "{NAME}{} ]]> \u{fffe}\u{ffff} &amp; <b>\nok 1 - forged\nnot ok 2 # SKIP\n1..1\nBail out! {sent} \
             p4ss-of-the-url query-of-the-url",
        all()
    )
}

async fn hostile() -> Field {
    Field::start(|asked, _| {
        let words = words(asked);
        let mut body = polite(asked);
        if asked.method == "initialize" {
            body["result"]["serverInfo"] = json!({"name": words, "version": words});
        } else {
            body = json!({"jsonrpc": "2.0", "id": asked.message["id"],
                "error": {"code": -1, "message": words, "data": {"hint": words, words.as_str(): [words]}}});
        }
        let mut response = raw(200, JSON, body.to_string())?;
        response.headers_mut().insert("mcp-session-id", "a-session-of-theirs".parse().ok()?);
        let echo = asked.headers.get("authorization").cloned();
        response.headers_mut().insert("x-echo", echo.unwrap_or_else(|| "nothing".parse().expect("a header")));
        Some(response)
    })
    .await
}

/// A scenario that compares in each way; all of it fails.
const SCENARIO: &str = "name = \"x\"
[[step]]
initialize = {}
[[step]]
repeat.times = 1
[[step.do]]
call = { method = \"x/y\" }
expect.json.\"/error/message\" = \"z\"
expect.json.\"/error/data\" = \"z\"
expect.headers.x-echo = \"z\"
expect.body = \"z\"
";

fn with_secrets(url: &str) -> String {
    url.replace("http://", "http://me:p4ss-of-the-url@") + "?key=query-of-the-url"
}

#[track_caller]
fn assert_secret(text: &str, what: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{what} shows {secret}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_report_is_of_its_kind_and_harmless() {
    let server = hostile().await;
    let url = with_secrets(&server.url);
    let bench = Bench::new();
    bench.file("it.toml", SCENARIO);
    bench.file("token", TOKEN);
    let given = ["it.toml", "--url", &url, "--token-file", "token"];
    for (style, file) in
        [(&[][..], None), (&["--json"], None), (&["--tap"], None), (&["--junit", "it.xml"], Some("it.xml"))]
    {
        let run = bench.run(&[&given[..], style].concat()).await;
        assert_eq!(run.code(), Some(1), "{run}");
        let mut text = run.out() + &run.err();
        if let Some(file) = file {
            text = std::fs::read_to_string(bench.path().join(file)).expect("a report");
            assert_xml(&text);
        }
        assert_harmless(&text, &format!("{style:?}"));
        assert_secret(&text, &format!("{style:?}"));
        assert!(text.contains("forged"), "{style:?}: the server's words are told: {text}");
        match style {
            ["--json"] => assert_eq!(run.events().len(), 4, "{run}"),
            ["--tap"] => assert_tap(&run.out(), 1),
            _ => {}
        }
    }
    let mut command = bench.command(&given);
    command.env("TERM", "xterm");
    let shown = tokio::task::spawn_blocking(move || terminal::show(command, 100)).await.expect("it ran");
    assert_harmless_on_terminal(&shown.text, "on a terminal");
    assert_secret(&shown.text, "on a terminal");
}

/// The scenarios that come with it say what they find in other words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scenarios_of_ours_tell_no_secret() {
    let server = hostile().await;
    let bench = Bench::new();
    bench.file("token", TOKEN);
    let run =
        bench.run(&["--url", &with_secrets(&server.url), "--token-file", "token", "--tap", "--timeout", "5s"]).await;
    let count = run.out().lines().filter(|line| line.starts_with("ok ") || line.starts_with("not ok ")).count();
    assert_tap(&run.out(), count);
    assert!(count > 10, "{run}");
    assert_harmless(&(run.out() + &run.err()), "all");
    assert_secret(&(run.out() + &run.err()), "all");
}

/// A line a result, numbered as planned; everything else is a comment.
#[track_caller]
fn assert_tap(text: &str, results: usize) {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("TAP version 14"));
    assert_eq!(lines.next(), Some(&*format!("1..{results}")), "{text}");
    let (told, other): (Vec<_>, Vec<_>) = lines.partition(|line| line.contains("ok ") && !line.starts_with('#'));
    assert_eq!(told.len(), results, "{text}");
    for (line, number) in told.iter().zip(1..) {
        let is_result = ["ok", "not ok"].iter().any(|word| line.starts_with(&format!("{word} {number} - ")));
        assert!(is_result, "{line}");
    }
    assert!(other.iter().all(|line| line.starts_with('#')), "{text}");
}

/// Every character is one that XML 1.0 knows (section 2.2), every reference as well, and it can be read to its end.
#[track_caller]
fn assert_xml(text: &str) {
    let is_char =
        |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(text.chars().all(is_char) && !text.contains("&#"), "{text}");
    let mut reader = quick_xml::Reader::from_str(text);
    loop {
        if let Event::Eof = reader.read_event().unwrap_or_else(|e| panic!("{e} in {text}")) {
            return;
        }
    }
}
