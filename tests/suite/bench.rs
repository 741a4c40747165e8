//! What the benchmarks say is true: the load tells living sessions from dead ones, and the report does its sums right.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::databases::{Database, on_every_database};
use crate::process::ServeProcess;

/// An example: `cargo test` builds it with the tests.
fn example(name: &str) -> Command {
    let path = Path::new(env!("CARGO_BIN_EXE_archonctl")).with_file_name("examples").join(name);
    assert!(path.is_file(), "{} is not built: cargo build --examples", path.display());
    Command::new(path)
}

/// What it printed, and whether it was content.
fn run(mut command: Command) -> (String, bool) {
    let output = command.output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("text");
    (text + &String::from_utf8_lossy(&output.stderr), output.status.success())
}

fn figures(command: Command) -> Value {
    let (text, content) = run(command);
    assert!(content, "{text}");
    serde_json::from_str(&text).expect("one JSON object")
}

fn file(folder: &TempDir, name: &str, lines: &[Value]) -> PathBuf {
    let path = folder.path().join(name);
    let lines: Vec<_> = lines.iter().map(Value::to_string).collect();
    fs::write(&path, lines.join("\n")).expect("a file");
    path
}

on_every_database!(the_load_finds_who_is_alive_after_a_kill, |db| async {
    let mut server = ServeProcess::start(&db, &[]).await;
    let (ids, url) = (db.folder().join("ids"), server.url().to_owned());
    let mut open = example("bench_load");
    open.args(["open", "--sessions", "100", "--url", &url, "--pid", &server.pid().to_string()]).arg("--ids").arg(&ids);
    assert_eq!(figures(open)["sessions"], 100);
    assert_eq!(db.value("SELECT count(*) FROM archon_mcp_protocol_sessions WHERE status = 'active'"), "100");

    let killed = SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_nanos().to_string();
    let address = server.address().to_owned();
    server.sigkill();
    let server = ServeProcess::start_at(&address, &db, &[]).await;
    let ended = "SELECT protocol_session_id FROM archon_mcp_protocol_sessions ORDER BY 1 LIMIT 30";
    db.rows(&format!(
        "UPDATE archon_mcp_protocol_sessions SET status = 'disconnected' WHERE protocol_session_id IN ({ended})"
    ));
    let mut restored = example("bench_load");
    restored.args(["restored", "--url", server.url(), "--since", &killed]).arg("--ids").arg(&ids);
    let figures = figures(restored);
    assert_eq!((&figures["asked"], &figures["alive"]), (&json!(100), &json!(70)), "{figures}");
    assert!(figures["first_answer_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{figures}");
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_answer_fails_the_load() {
    let db = Database::sqlite();
    let server = ServeProcess::start(&db, &[]).await;
    let window = |command: &str, tool: &str| {
        let mut load = example("bench_load");
        load.args([command, "--url", server.url(), "--connections", "4", "--warmup", "0.1", "--seconds", "0.3"]);
        load.args(["--tool", tool, "--pid", &server.pid().to_string()]);
        run(load)
    };
    for command in ["calls", "sessions"] {
        let (text, content) = window(command, "health_check");
        let figures: Value = serde_json::from_str(&text).expect("one JSON object");
        assert!(content && figures["count"].as_u64() > Some(0) && figures["errors"] == 0, "{command}: {text}");
    }
    let (text, content) = window("calls", "no_such_tool");
    assert!(!content && text.contains("the first error: "), "{text}");
}

/// Two quiet rounds and a noisy one, in which all are slow alike.
fn rounds() -> Vec<Value> {
    let mut lines = vec![
        json!({"section": "conditions", "subject": "", "text": "As it was."}),
        json!({"section": "subject", "subject": "bare", "label": "a bare handler"}),
        json!({"section": "subject", "subject": "durable", "label": "ours"}),
    ];
    for (round, bare, ours) in [(1, 1000.0, 400.0), (2, 100.0, 90.0), (3, 2000.0, 1000.0)] {
        for (subject, rate) in [("bare", bare), ("durable", ours)] {
            lines.push(json!({
                "section": "calls", "subject": subject, "size": 16, "round": round, "per_second": rate, "p50_ms": 0.5,
            }));
        }
    }
    lines
}

#[test]
fn medians_are_taken_over_rounds_and_ratios_within_them() {
    let folder = TempDir::new().expect("a folder");
    let mut command = example("bench_report");
    command.arg("summary").arg(file(&folder, "runs", &rounds()));
    let summary = figures(command);
    let ours = summary["rows"].as_array().and_then(|rows| rows.iter().find(|row| row["subject"] == "durable"));
    let figures = &ours.expect("a row")["figures"];
    assert_eq!((&figures["per_second"], &figures["percent_of_bare"]), (&json!(400.0), &json!(50.0)), "{summary}");
    assert!(summary["machine"]["cores"].as_u64() >= Some(1), "{summary}");
}

#[test]
fn the_readme_gets_the_table_between_its_markers() {
    let folder = TempDir::new().expect("a folder");
    let mut summary = example("bench_report");
    summary.arg("summary").arg(file(&folder, "runs", &rounds()));
    let (result, readme) = (file(&folder, "result", &[figures(summary)]), folder.path().join("README.md"));
    let put = || {
        let mut command = example("bench_report");
        command.arg("readme").arg(&result).arg(&readme);
        run(command)
    };
    fs::write(&readme, "before\n<!-- bench -->\nold\n<!-- end of bench -->\nafter\n").expect("a file");
    for _ in 0..2 {
        let (text, content) = put();
        assert!(content, "{text}");
    }
    let text = fs::read_to_string(&readme).expect("a file");
    let table =
        text.strip_prefix("before\n<!-- bench -->\n").and_then(|t| t.strip_suffix("<!-- end of bench -->\nafter\n"));
    let table = table.expect("all else is left alone");
    assert!(table.starts_with("Measured on ") && table.contains("\nAs it was.\n"), "{table}");
    let ours = table.lines().find(|line| line.starts_with("| ours ")).expect("a row");
    assert_eq!(ours.split_whitespace().collect::<Vec<_>>().join(" "), "| ours | 400 | 50 % | 0.50 ms |");
    assert!(!table.contains("p99"), "nobody measured that");

    fs::write(&readme, "no markers\n").expect("a file");
    assert!(!put().1, "there is no place for it");
}

/// A soak of nine intervals; `changed` says what the last three are like.
fn soak(changed: &Value) -> (String, bool) {
    let folder = TempDir::new().expect("a folder");
    let samples: Vec<_> = (0..9)
        .map(|n| {
            let mut sample = json!({
                "at_seconds": n * 10, "per_second": 5000.0, "errors": 0, "opened": 10, "ended_by_others": 2, "p99_ms": 2.0,
                "resident_bytes": 40_000_000, "descriptors": 60, "wal_bytes": 4_000_000, "database_bytes": 90_000_000,
            });
            for (name, value) in changed.as_object().into_iter().flatten().filter(|_| n >= 6) {
                sample[name] = value.clone();
            }
            sample
        })
        .collect();
    let mut command = example("bench_report");
    command.arg("soak").arg(file(&folder, "samples", &samples));
    run(command)
}

#[test]
fn a_soak_that_gets_worse_fails() {
    for flat in [json!({}), json!({"resident_bytes": 44_000_000, "p99_ms": 3.5, "wal_bytes": 0})] {
        let (text, content) = soak(&flat);
        assert!(content && !text.contains("worse"), "{flat}: {text}");
    }
    for worse in [
        json!({"resident_bytes": 60_000_000}),
        json!({"descriptors": 70}),
        json!({"wal_bytes": 20_000_000}),
        json!({"p99_ms": 9.0}),
        json!({"database_bytes": 200_000_000}),
    ] {
        let (text, content) = soak(&worse);
        assert!(!content && text.matches("worse").count() == 1, "{worse}: {text}");
    }
    let (text, content) = soak(&json!({"errors": 1}));
    assert!(!content && text.contains("3 calls went wrong"), "{text}");
}
