//! `archonctl tools` as a program: every format, on and off a terminal, and its exit codes.

use std::process::Command;

use archonctl::cli::exit;
use predicates::str::{contains, is_empty};
use serde_json::{Value, json};

use crate::faulty::{Fault, Faulty};
use crate::home::Home;
use crate::terminal::{Shown, show};

/// A server whose `tools/list` has two tools, one of them hard to print.
async fn offering() -> (Faulty, Home) {
    let server = Faulty::start().await;
    let page = json!({"tools": [
        {
            "name": "find",
            "title": "Find",
            "description": "\n Finds \"things\", and more\n\nof them\u{1b}[2J",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "query": {"type": "string", "description": "what to look for"},
                    "state": {"enum": ["open", "done"], "type": "string"},
                    "page": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": 1},
                },
                "required": ["query"],
            },
            "annotations": {"readOnlyHint": true},
            "_meta": {"example.org/cost": 2},
            "icons": [],
        },
        {"name": "stop", "inputSchema": {"type": "object"}},
    ]});
    server.script("tools/list", std::iter::repeat_n(Fault::Result(page), 20));
    let home = Home::with(&server);
    (server, home)
}

const SIGNATURE: &str = r#"find(query: string, page?: integer = 1, state?: "open" | "done")"#;

#[tokio::test]
async fn a_table_for_people() {
    let (server, home) = offering().await;
    let table = home.run(&["tools"]).await.code(i32::from(exit::DONE)).stderr(is_empty());
    let arguments = SIGNATURE.trim_start_matches("find(").trim_end_matches(')');
    let gap = " ".repeat(arguments.len() - 1);
    let expected = format!(
        "TOOL  {:width$}  DESCRIPTION\nfind  {arguments}  Finds \"things\", and more\nstop  -{gap}  -\n",
        "ARGUMENTS",
        width = arguments.len()
    );
    table.stdout(expected);
    assert_eq!(server.open_sessions(), 0, "opened for this alone");
}

#[tokio::test]
async fn json_lines_and_csv_for_programs() {
    let (server, home) = offering().await;
    let document = home.json(&["tools", "-o", "json"], exit::DONE).await;
    assert_eq!((&document["version"], &document["url"]), (&json!(1), &json!(server.url)));
    let find = &document["tools"][0];
    let query = json!({"name": "query", "types": ["string"], "required": true, "default": null, "choices": [],
        "description": "what to look for"});
    assert_eq!((&find["name"], &find["signature"], &find["arguments"][0]), (&json!("find"), &json!(SIGNATURE), &query));
    assert_eq!(find["arguments"][2]["choices"], json!(["open", "done"]));
    assert_eq!(find["annotations"]["read_only"], true);
    assert_eq!(find["input_schema"]["required"], json!(["query"]));
    assert_eq!(find["other"], json!({"_meta": {"example.org/cost": 2}, "icons": []}), "what is not known here");
    assert_eq!(home.json(&["tools", "--json"], exit::DONE).await, document, "--json is -o json");

    let lines = home.run(&["tools", "-o", "jsonl"]).await.code(i32::from(exit::DONE));
    let lines = String::from_utf8(lines.get_output().stdout.clone()).expect("text");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(Value::from(lines), document["tools"]);

    let csv = home.run(&["tools", "-o", "csv"]).await.code(i32::from(exit::DONE));
    let csv = csv.get_output().stdout.clone();
    let mut reader = csv::Reader::from_reader(csv.as_slice());
    assert_eq!(reader.headers().expect("a header"), vec!["name", "title", "signature", "description"]);
    let rows: Vec<Vec<String>> = reader.deserialize().map(|row| row.expect("a row")).collect();
    // JSON escapes what drives a terminal; CSV has no escapes.
    let description = find["description"].as_str().expect("text").replace('\u{1b}', "\u{fffd}");
    assert_eq!(rows, [["find", "Find", SIGNATURE, &description], ["stop", "", "stop()", ""]]);

    let one = home.json(&["tools", "find", "-o", "json"], exit::DONE).await;
    assert_eq!((&one["version"], &one["arguments"]), (&json!(1), &find["arguments"]));
}

#[tokio::test]
async fn one_tool_with_all_about_it() {
    let (_server, home) = offering().await;
    let page = home.run(&["tools", "find"]).await.code(i32::from(exit::DONE)).stderr(is_empty());
    let expected = format!(
        "{SIGNATURE}\n\nFind\n\nFinds \"things\", and more\n\nof them\u{fffd}[2J\n\n  query  string, required\n      \
         what to look for\n  page  integer, default 1\n  state  \"open\" | \"done\"\n\nIt changes nothing.\n\n\
         Example:\n  archonctl call find query=TEXT\n"
    );
    page.stdout(expected);
    home.run(&["tools", "stop"]).await.stdout("stop()\n\nExample:\n  archonctl call stop\n");
}

#[tokio::test]
async fn an_unknown_tool_gets_the_nearest_with_its_signature() {
    let (_server, home) = offering().await;
    let unknown = home.run(&["tools", "fnd"]).await.code(i32::from(exit::FAILED)).stdout(is_empty());
    unknown.stderr(format!("error: the server has no tool fnd\nhint: did you mean {SIGNATURE}?\n"));
    let unknown = home.run(&["tools", "zzz", "--json"]).await.code(i32::from(exit::FAILED)).stdout(is_empty());
    let error: Value = serde_json::from_slice(&unknown.get_output().stderr).expect("one JSON line");
    let hint = "archonctl tools lists the 2 that there are";
    assert_eq!(error, json!({"error": {"code": "tool", "message": "the server has no tool zzz", "hint": hint}}));
}

#[tokio::test]
async fn exit_codes_tell_what_went_wrong() {
    let server = Faulty::start().await;
    let home = Home::with(&server);
    server.script("tools/list", [Fault::Result(json!({"tools": []}))]);
    let nothing = home.run(&["tools"]).await.code(i32::from(exit::DONE)).stdout(is_empty());
    nothing.stderr("The server offers no tools.\n");
    for (fault, code, words) in [
        (Fault::Result(json!({"tools": 7})), exit::FAILED, "not what MCP says"),
        (Fault::Raw(200, "text/html", "<html>"), exit::FAILED, "does not speak MCP"),
        (Fault::Raw(401, "text/plain", "who?"), exit::AUTH, "--token-file"),
        (Fault::CutBefore, exit::DONE, ""),
        (Fault::CutMidway, exit::DONE, ""),
        (Fault::Stream, exit::DONE, ""),
        (Fault::Silence, exit::UNREACHABLE, "within 2s"),
    ] {
        server.script("tools/list", [fault.clone()]);
        let ended = home.run(&["tools", "--timeout", "2s"]).await.code(i32::from(code)).stderr(contains(words));
        assert_eq!(ended.get_output().stdout.is_empty(), code != exit::DONE, "{fault:?}");
    }
    for args in [&["tools", "-o", "yaml"][..], &["tools", "--json", "-o", "csv"], &["tools", "a", "b"]] {
        home.run(args).await.code(i32::from(exit::USAGE)).stdout(is_empty());
    }
    assert_eq!(server.open_sessions(), 0);
}

async fn shown(command: Command, columns: u16) -> Shown {
    tokio::task::spawn_blocking(move || show(command, columns)).await.expect("it ran")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_fits_its_terminal() {
    let (_server, home) = offering().await;
    let plain = |columns| {
        let mut command = home.command(&["tools"]);
        command.env("NO_COLOR", "1");
        shown(command, columns)
    };
    let wide = plain(200).await;
    assert!(wide.text.contains("Finds \"things\", and more") && wide.text.contains("ARGUMENTS"), "{wide:?}");
    assert!(!wide.text.contains('\u{1b}'), "NO_COLOR: {wide:?}");
    for columns in [60, 40, 30] {
        let narrow = plain(columns).await;
        assert!(narrow.status.success() && narrow.width() <= usize::from(columns), "{columns}: {narrow:?}");
        assert!(narrow.text.contains("find") && narrow.text.lines().count() == 3, "{columns}: {narrow:?}");
    }
    let coloured = shown(home.command(&["tools"]), 80).await;
    assert!(coloured.text.contains("\u{1b}["), "{coloured:?}");
}
