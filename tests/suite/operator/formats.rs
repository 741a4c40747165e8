//! What each command prints: a table, a JSON document, JSON lines, CSV; and what it finds.

mod shapes;

use serde_json::json;
use shapes::SHAPES;

use super::*;
use crate::databases::on_every_database;

on_every_database!(every_list_has_its_shape_in_every_format, |db| async {
    filled(&db);
    for (args, list, fields, count, title) in SHAPES {
        let json = document(&db, args);
        assert_eq!(json["version"], 1, "{args:?}");
        let items = json[list].as_array().unwrap_or_else(|| panic!("{args:?}: no {list} in {json}"));
        assert_eq!(items.len(), *count, "{args:?}: {json}");
        for item in items {
            let mut members: Vec<_> = item.as_object().expect("an object").keys().map(String::as_str).collect();
            let mut expected = fields.to_vec();
            members.sort_unstable();
            expected.sort_unstable();
            assert_eq!(members, expected, "{args:?}");
        }

        let lines = printed(&db, &[args, &["-o", "jsonl"][..]].concat());
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        // "Lasted so far" goes on between two runs.
        let timeless = |mut item: Value| {
            item.as_object_mut().expect("an object").remove("duration_s");
            item
        };
        let of = |items: &[Value]| items.iter().cloned().map(timeless).collect::<Vec<_>>();
        assert_eq!(of(&lines), of(items), "{args:?}");

        let text = printed(&db, &[args, &["-ocsv"][..]].concat());
        let mut csv = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(csv.headers().expect("a header").iter().collect::<Vec<_>>(), *fields, "{args:?}");
        let records: Vec<_> = csv.records().collect::<Result<_, _>>().expect("records");
        assert_eq!(records.len(), *count, "{args:?}");

        let table = printed(&db, args);
        assert!(table.starts_with(title), "{args:?}: {table}");
        assert!(!table.contains('\u{1b}'), "{args:?}: {table}");
        assert!(!table.lines().any(|line| line.ends_with(' ')), "{args:?}: {table}");
    }
});

on_every_database!(a_list_shows_what_is_alive_and_who_has_called_nothing, |db| async {
    filled(&db);
    let live = document(&db, &["list"]);
    assert_eq!(ids(&live), [LIVE, WAITING], "the last used first");
    let [session, waiting] = [&live["sessions"][0], &live["sessions"][1]];
    assert_eq!((&session["called_tools"], &waiting["called_tools"]), (&json!(true), &json!(false)));
    assert_eq!(session["protocol_session_id"], LIVE_PROTOCOL);
    assert_eq!((&session["protocol_version"], &session["state"]), (&json!("2025-11-25"), &json!("active")));
    assert_eq!(live["idle"], 0);
    assert_eq!(waiting["protocol_session_id"], WAITING_PROTOCOL);
    assert_eq!((&session["user_name"], &session["calls"], &session["errors"]), (&json!("alice"), &json!(2), &json!(1)));
    assert!(printed(&db, &["list"]).contains("none yet"));

    for (args, expected) in [
        (&["--all"][..], &[LIVE, CLOSED, WAITING, OVER][..]),
        (&["--idle"], &[LIVE, WAITING]),
        (&["--status", "active"], &[LIVE, WAITING]),
        (&["--status", "idle"], &[]),
        (&["--status", "ended"], &[CLOSED, OVER]),
        (&["--status", "expired"], &[OVER]),
        (&["--status", "disconnected,expired"], &[CLOSED, OVER]),
        (&["--client", "claude code"], &[LIVE]),
        (&["--client", "cursor-vscode", "-a"], &[CLOSED, WAITING, OVER]),
        (&["--user", "Alice"], &[LIVE]),
        (&["--user", "alice@example.org"], &[LIVE]),
        (&["--since", "15m", "--all"], &[LIVE]),
        (&["--client", "nobody"], &[]),
        (&["-n", "1"], &[LIVE]),
    ] {
        let found = document(&db, &[&["list"], args].concat());
        let mut found_ids = ids(&found);
        found_ids.sort_unstable();
        assert_eq!(found_ids, expected, "{args:?}");
        assert_eq!(found["more"], args.contains(&"-n"), "{args:?}");
    }
    let over = &document(&db, &["list", "--status", "expired"])["sessions"][0];
    assert_eq!(
        (&over["status"], &over["disconnect_reason"], &over["ended_by"]),
        (&json!("expired"), &json!("timeout"), &Value::Null)
    );
    assert_eq!(over["disconnected_at"], over["expires_at"]);
});

on_every_database!(time_without_a_server_is_given_back_in_lists_too, |db| async {
    filled(&db);
    // The row's time was over half an hour ago, but no server has been alive for an hour: the next one will accept it.
    db.rows(&format!("UPDATE archon_mcp_boots SET heartbeat_at = {}", ago(3600)));
    let found = document(&db, &["list", "--client", "cursor", "--idle"]);
    assert!(ids(&found).contains(&OVER), "{found}");
    assert_eq!(document(&db, &["show", OVER])["session"]["status"], "active");
    // A server that came back after ten minutes of that has given ten minutes back, which is not enough.
    db.rows(&format!(
        "UPDATE archon_mcp_boots SET ended_at = heartbeat_at, end_cause = 'crash';
         INSERT INTO archon_mcp_boots (boot_id, version, started_at, heartbeat_at)
         VALUES ('88888888-9999-4999-8999-999999999999', '0.2.0', {now}, {now});
         INSERT INTO archon_mcp_outages (began_at, ended_at, credit_ms, cause, boot)
         VALUES ({hour}, {now}, 600000, 'no_server', 2)",
        now = ago(0),
        hour = ago(3600)
    ));
    let status = || document(&db, &["show", OVER])["session"]["status"].clone();
    assert_eq!(status(), "expired");
    db.rows("UPDATE archon_mcp_outages SET credit_ms = 2400000");
    assert_eq!(status(), "active");
    // What its row says already is not given again; who was typed by hand has none coming.
    for credited in ["1", "NULL"] {
        db.rows(&format!("UPDATE archon_mcp_sessions SET credited = {credited} WHERE session_id = '{OVER}'"));
        assert_eq!(status(), "expired", "{credited}");
    }
});

on_every_database!(show_tells_the_whole_story, |db| async {
    filled(&db);
    for id in [LIVE, LIVE_PROTOCOL, "11111", "111111111111", "aaaa", "11111111-1111-4111-8111-111111111111"] {
        let story = document(&db, &["show", id]);
        assert_eq!((&story["version"], &story["session"]["session_id"]), (&json!(1), &json!(LIVE)), "{id}");
    }
    let story = document(&db, &["show", LIVE]);
    assert_eq!(story["client_capabilities"], json!({"roots": {}}));
    let archon = &story["archon_sessions"][0];
    assert_eq!(
        (&archon["session_id"], &archon["calls"], &archon["shared_from"]),
        (&json!(LIVE), &json!(2), &Value::Null)
    );
    assert_eq!(story["older_removed"], false);
    let protocol = &story["protocol_sessions"][0];
    assert_eq!((&protocol["protocol_session_id"], &protocol["bound_by"]), (&json!(LIVE_PROTOCOL), &json!("new")));
    assert_eq!(story["requests"].as_array().map(Vec::len), Some(2));
    assert_eq!(story["events"].as_array().map(Vec::len), Some(2));
    let text = printed(&db, &["show", LIVE]);
    for words in [
        LIVE,
        LIVE_PROTOCOL,
        "Claude Code 1.0.0 (claude-code)",
        "alice",
        "active, ends in 29d",
        "(ends in 59m",
        "2, 1 failed",
        "30 tokens in, 50 out",
        "find_projects",
        "initialised",
        "created",
    ] {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
    let closed = printed(&db, &["show", CLOSED]);
    assert!(closed.contains("client_disconnect by client"), "{closed}");
    let over = printed(&db, &["show", OVER]);
    assert!(over.contains("no server has ended it yet"), "{over}");
    let waiting = document(&db, &["show", "cccc"]);
    assert_eq!(
        (&waiting["session"]["session_id"], &waiting["session"]["called_tools"]),
        (&json!(WAITING), &json!(false))
    );
    assert_eq!(waiting["requests"][0]["method"], "tools/list");
    assert_eq!(printed(&db, &["show", LIVE, "-o", "csv"]).lines().count(), 2);
    assert_eq!(printed(&db, &["show", LIVE, "-o", "jsonl"]).lines().count(), 1);
});

on_every_database!(requests_are_filtered_and_harmless, |db| async {
    filled(&db);
    for (args, count) in [
        (&["--session", "1111111"][..], 2),
        (&["--session", WAITING_PROTOCOL], 1),
        (&["--client", "cursor"], 1),
        (&["--user", "ALICE"], 2),
        (&["--tool", "health_check"], 1),
        (&["--status", "error"], 1),
        (&["--since", "1h"], 3),
        (&["--since", "1h", "--status", "timeout"], 0),
        (&["-n", "2"], 2),
        (&["-n", "0"], 3),
    ] {
        let found = document(&db, &[&["requests"], args].concat());
        assert_eq!(found["requests"].as_array().map(Vec::len), Some(count), "{args:?}");
    }
    let failed = document(&db, &["requests", "--status", "error"]);
    assert_eq!(failed["requests"][0]["error_message"], MISHAP, "JSON has it as it is");
    let text = printed(&db, &["requests", "--status", "error", "-ocsv"]);
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    let record = csv.records().next().expect("a record").expect("a record");
    let harmless = MISHAP.replace('\u{1b}', "\u{fffd}");
    assert_eq!(record.iter().nth(13), Some(&*harmless), "CSV has no escapes");
    let table = printed(&db, &["requests", "--status", "error"]);
    assert!(table.contains("no \"such\" thing, said \u{fffd}[31mit"), "{table}");
    assert_eq!(table.lines().count(), 2, "{table}");
    for (args, count) in [(&["--kind", "created"][..], 3), (&["--session", LIVE], 2), (&["--since", "1s"], 0)] {
        let found = document(&db, &[&["events"], args].concat());
        assert_eq!(found["events"].as_array().map(Vec::len), Some(count), "{args:?}");
    }
});

on_every_database!(statistics_agree_with_the_rows, |db| async {
    filled(&db);
    for by in ["tool", "client", "session", "user", "day", "hour"] {
        for since in [&[][..], &["--since", "1h"]] {
            let sums = document(&db, &[&["stats", "--by", by], since].concat());
            let rows = document(&db, &[&["stats", "--by", by, "--exact"], since].concat());
            assert_eq!((&sums["by"], &rows["source"]), (&json!(by), &json!("rows")));
            for (sum, row) in [(&sums["total"], &rows["total"]), (&sums["groups"][0], &rows["groups"][0])] {
                for member in ["name", "calls", "errors", "timeouts", "mean_ms", "prompt_tokens", "completion_tokens"] {
                    assert_eq!(sum[member], row[member], "{member} by {by}: {sums} {rows}");
                }
                for percentile in ["p50_ms", "p95_ms", "p99_ms"] {
                    let of = |usage: &Value| usage[percentile].as_f64().expect("a percentile");
                    assert!((of(sum) - of(row)).abs() / of(row) <= 0.19, "{percentile} by {by}: {sums} {rows}");
                }
            }
            assert_eq!((&sums["total"]["calls"], &sums["total"]["errors"]), (&json!(2), &json!(1)), "by {by}");
        }
    }
    let exact = document(&db, &["stats", "--exact"]);
    assert_eq!((&exact["total"]["p50_ms"], &exact["total"]["p99_ms"]), (&json!(1.5), &json!(40.0)));
    assert_eq!(exact["groups"][1]["name"], "health_check");
});
