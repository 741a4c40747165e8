//! A server's words on a terminal and in messages: they move nothing, and no line of theirs looks like one of ours.

use serde_json::json;

use crate::field::{Field, JSON, polite, raw};
use crate::harm::{NAME, all, assert_harmless, assert_harmless_on_terminal, assert_printable};
use crate::home::{Home, run};
use crate::terminal;

/// A server that says it everywhere; its call fails in that way.
async fn saying(words: String, status: u16, is_tool_error: bool) -> Field {
    Field::start(move |asked, _| {
        let words = words.as_str();
        let mut body = polite(asked);
        match asked.method.as_str() {
            "initialize" => body["result"]["serverInfo"] = json!({"name": words, "version": words}),
            "tools/list" => {
                let schema = json!({"type": "object", "properties": {words: {"description": words, "type": "string"}}});
                body["result"]["tools"] = json!([{"name": "echo", "title": words, "description": words, "inputSchema": schema},
                    {"name": words, "description": words, "inputSchema": {"type": "object"}}]);
            }
            "tools/call" if is_tool_error => {
                body["result"] = json!({"content": [{"type": "text", "text": words}], "isError": true});
            }
            "tools/call" => {
                body = json!({"jsonrpc": "2.0", "id": asked.message["id"],
                    "error": {"code": -1, "message": words, "data": {"hint": words}}});
            }
            _ => return None,
        }
        let status = if asked.method == "tools/call" { status } else { 200 };
        raw(status, JSON, body.to_string())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_moves_nothing_and_forges_no_line() {
    for (status, is_tool_error) in [(200, false), (200, true), (400, false), (503, false)] {
        let words = format!("{NAME}{}", all());
        let server = saying(words, status, is_tool_error).await;
        let home = Home::at(&server.url);
        for args in [
            &["call", "echo", "--retries", "0"][..],
            &["call", "echo", "--retries", "0", "-vv"],
            &["call", "echo", "--retries", "0", "--json"],
            &["tools"],
            &["tools", "no-such-tool"],
            &["tools", "-o", "json"],
            &["tools", "-o", "csv"],
            &["init", "-v"],
        ] {
            let ran = run(home.command(args)).await;
            let output = ran.get_output();
            let told = String::from_utf8(output.stderr.clone()).expect("text");
            assert_harmless(&told, &format!("{args:?}"));
            let ours = |word: &str| told.lines().filter(|line| line.starts_with(word)).count();
            assert!(ours("error:") <= 1 && ours("hint:") <= 1, "{args:?}: {told}");
            if args[0] != "call" {
                assert_printable(&String::from_utf8(output.stdout.clone()).expect("text"), &format!("{args:?}"));
            }
            let command = home.command(args);
            let shown = tokio::task::spawn_blocking(move || terminal::show(command, 100)).await.expect("it ran");
            assert_harmless_on_terminal(&shown.text, &args.join(" "));
        }
    }
}
