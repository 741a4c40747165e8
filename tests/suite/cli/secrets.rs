//! What the client sends and nobody may see stands in none of its outputs, whatever a server repeats.

use archonctl::cli::exit;
use axum::http::HeaderMap;
use serde_json::json;

use crate::faulty::Seen;
use crate::field::{Field, JSON, polite, raw};
use crate::home::{Home, run};
use crate::terminal;

const TOKEN: &str = "t0ken-\"of\"-the-server";
const KEY: &str = "key-of-the-header";
const PASSWORD: &str = "p4ss-of-the-url";
const QUERY: &str = "query-of-the-url";
const SECRETS: [&str; 4] = [TOKEN, KEY, PASSWORD, QUERY];

/// All that a request carries, in words.
fn repeated(headers: &HeaderMap) -> String {
    let lines = headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
    format!("{} http://me:{PASSWORD}@host/mcp?x=1&key={QUERY}", lines.collect::<Vec<_>>().join("; "))
}

/// What a server makes of a call.
type Repeats = fn(&Seen, &str) -> Option<axum::response::Response>;

/// Servers that repeat what they were sent, each in another place.
const HABITS: [(&str, Repeats); 8] = [
    ("an answer's text", |asked, words| answered(asked, &json!({"content": [{"type": "text", "text": words}]}))),
    ("structured content", |asked, words| {
        answered(asked, &json!({"content": [], "structuredContent": {"said": words, words: 1}}))
    }),
    ("a tool's error", |asked, words| {
        answered(asked, &json!({"content": [{"type": "text", "text": words}], "isError": true}))
    }),
    ("a JSON-RPC error", |asked, words| refused(asked, 200, words)),
    ("a refusal", |asked, words| refused(asked, 400, words)),
    ("a refusal of the token", |asked, words| refused(asked, 401, words)),
    ("plain words", |_, words| raw(500, "text/plain", words)),
    ("words that are cut", |_, words| {
        let token = words.find(TOKEN).map_or(words, |at| &words[at..]);
        raw(500, "text/plain", format!("{}{token}", "x".repeat(288)))
    }),
];

fn answered(asked: &Seen, result: &serde_json::Value) -> Option<axum::response::Response> {
    raw(200, JSON, json!({"jsonrpc": "2.0", "id": asked.message["id"], "result": result}).to_string())
}

fn refused(asked: &Seen, status: u16, words: &str) -> Option<axum::response::Response> {
    let error = json!({"code": -1, "message": words, "data": {"hint": words}});
    raw(status, JSON, json!({"jsonrpc": "2.0", "id": asked.message["id"], "error": error}).to_string())
}

/// A server that repeats in that way what a call, and what the list of tools, has sent; its handshake says it as well.
async fn repeating(habit: Repeats) -> Field {
    Field::start(move |asked, _| {
        let words = repeated(&asked.headers);
        match asked.method.as_str() {
            "tools/call" => habit(asked, &words),
            "tools/list" => {
                let tool =
                    json!({"name": "echo", "title": words, "description": words, "inputSchema": {"type": "object"}});
                answered(asked, &json!({"tools": [tool]}))
            }
            "initialize" => {
                let mut body = polite(asked);
                body["result"]["serverInfo"]["name"] = json!(words);
                raw(200, JSON, body.to_string())
            }
            _ => None,
        }
    })
    .await
}

fn with_secrets(url: &str) -> String {
    url.replace("http://", &format!("http://me:{PASSWORD}@")) + &format!("?x=1&key={QUERY}")
}

#[track_caller]
fn assert_none_is_seen(text: &str, what: &str) {
    for secret in SECRETS {
        // In JSON a quote is written another way.
        for spelling in [secret.to_owned(), secret.replace('"', "\\\"")] {
            assert!(!text.contains(&spelling), "{what} shows {spelling}: {text}");
        }
        assert!(!text.contains(&secret[..8]), "{what} shows a part of {secret}: {text}");
    }
    assert!(!text.contains("bWU6cDRzcy1vZi10aGUtdXJs"), "{what} shows user and password as they are sent: {text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_server_repeats_no_secret_is_seen() {
    for (place, habit) in HABITS {
        let server = repeating(habit).await;
        let home = Home::at(&with_secrets(&server.url));
        let key = format!("X-Api-Key: {KEY}");
        for args in [
            &["call", "echo"][..],
            &["call", "echo", "--json"],
            &["call", "echo", "-vv"],
            &["call", "echo", "--repeat", "2"],
            &["call", "echo", "--repeat", "2", "--json"],
            &["tools"],
            &["tools", "echo"],
            &["tools", "-o", "json"],
            &["tools", "-o", "csv"],
            &["init", "-vv"],
            &["init", "--json"],
            &["close"],
            &["selftest", "--tap", "errors-tell-the-way-out"],
        ] {
            let mut command = home.command(args);
            command.env("ARCHONCTL_TOKEN", TOKEN);
            let is_selftest = args[0] == "selftest";
            if is_selftest {
                command.args(["--url", &with_secrets(&server.url)]);
            } else {
                command.args(["-H", &key]);
            }
            let ran = run(command).await;
            let output = ran.get_output();
            let text = [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat();
            assert_none_is_seen(&text, &format!("{args:?}, in {place}"));
            if args.contains(&"--json") && !output.stdout.is_empty() {
                serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("it is still JSON");
            }
        }
        assert!(server.count("tools/call") > 3, "{place}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_terminal_neither() {
    let server = repeating(HABITS[0].1).await;
    let home = Home::at(&with_secrets(&server.url));
    for args in [&["call", "echo"][..], &["call", "echo", "--json"], &["tools", "echo"]] {
        let mut command = home.command(args);
        command.env("ARCHONCTL_TOKEN", TOKEN).args(["-H", &format!("X-Api-Key: {KEY}")]);
        let shown = tokio::task::spawn_blocking(move || terminal::show(command, 400)).await.expect("it ran");
        assert_none_is_seen(&shown.text, &format!("{args:?}"));
        assert!(shown.text.contains("[masked]"), "{args:?}: {}", shown.text);
    }
}

#[tokio::test]
async fn arguments_that_are_wrong_are_told_without_their_secrets() {
    let home = Home::empty();
    for args in [
        &["tools", "-H", "Authorization pw-12"][..],
        &["tools", "-H", "Authorization Bearer pw-12"],
        &["tools", "-HAuthorization pw-12"],
        &["tools", "--header=Authorization pw-12"],
        &["tools", "--header", "Authorization=pw-12"],
        &["list", "-H", "Authorization: Bearer pw-12"],
        &["list", "postgres://u:pw-12@h/d"],
        &["list", "--database-url", "postgres//u:pw-12@h/d"],
        &["list", "--database-url", "postgres:u:pw-12@h/d"],
        &["list", "--database-url", "host=h user=u password=pw-12"],
        &["list", "--database-url=postgres://u:pw-12@h:port/d"],
        &["serve", "--database-url", "postgres//u:pw-12@h/d"],
        &["serve", "postgres//u:pw-12@h/d"],
        &["selftest", "--database-url", "postgres:u:pw-12@h/d"],
        &["db", "migrate", "--database-url", "mysql://u:pw-12@h/d"],
        &["call", "x", "--url", "http//u:pw-12@h/mcp"],
        &["call", "x", "--url", "u:pw-12@h"],
        &["call", "x", "--timeout", "http://u:pw-12@h/mcp"],
    ] {
        for style in [&[][..], &["--json"]] {
            let ran = run(home.command(&[args, style].concat())).await;
            let text = String::from_utf8_lossy(&ran.get_output().stderr).into_owned();
            assert_ne!(ran.get_output().status.code(), Some(i32::from(exit::DONE)), "{args:?}");
            assert!(!text.is_empty() && !text.contains("pw-12"), "{args:?} {style:?}: {text}");
        }
    }
    for (name, url) in [("DATABASE_URL", "postgres//u:pw-12@h/d"), ("ARCHONCTL_URL", "u:pw-12@h")] {
        let command = if name == "DATABASE_URL" { "list" } else { "tools" };
        let mut command = home.command(&[command]);
        command.env(name, url);
        let ran = run(command).await;
        let text = String::from_utf8_lossy(&ran.get_output().stderr).into_owned();
        assert!(!text.is_empty() && !text.contains("pw-12"), "{name}: {text}");
    }
}
